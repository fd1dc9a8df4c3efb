#!/usr/bin/env bash
set -euo pipefail
kHere=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kRoot=$(cd "$kHere/../.." && pwd)
readonly kHere kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/image/build.sh [--tag NAME] [--binary FILE] [--ui FOLDER] [--local-base] [--jobs N]

Builds the container image with docker, podman or buildah, whichever works first; installs buildah
when there is none of them.

  --tag NAME      of the image (stratos:<version>)
  --binary FILE   a stratos-server that was built on Debian 12 already, instead of building it
                  in the image
  --ui FOLDER     the built front end that goes into the image; otherwise the one in build/release, or a
                  placeholder page
  --local-base    make the base image with debootstrap instead of pulling debian:12-slim: where no
                  registry can be reached; as root
  --jobs N        compilers that run at once (2)

ENGINE=docker|podman|buildah chooses one.
TEXT
}

tag=
binary=
ui=
localBase=false
jobs=2
while (($# > 0)); do
  case $1 in
    --help) usage && exit 0 ;;
    --tag) tag=${2:?--tag needs a name} && shift 2 ;;
    --binary) binary=${2:?--binary needs a file} && shift 2 ;;
    --ui) ui=${2:?--ui needs a folder} && shift 2 ;;
    --local-base) localBase=true && shift ;;
    --jobs) jobs=${2:?--jobs needs a number} && shift 2 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

# The first engine that answers, not only one that is installed.
findEngine() {
  local name
  for name in docker podman; do
    if command -v "$name" >/dev/null && "$name" info >/dev/null 2>&1; then
      printf '%s' "$name"
      return 0
    fi
  done
  command -v buildah >/dev/null || installPackages buildah >&2
  printf buildah
}
engine=${ENGINE:-$(findEngine)}
version=$(sed -nE 's/^ *VERSION ([0-9][0-9.]*)$/\1/p' "$kRoot/CMakeLists.txt")
[[ -n $version ]] || die "CMakeLists.txt tells no version"
revision=$(git -C "$kRoot" rev-parse HEAD 2>/dev/null || printf unknown)
tag=${tag:-stratos:$version}
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "JOBS=$jobs")

makeLocalBase() {
  local name=localhost/stratos-debian:12 folder
  ((EUID == 0)) || die "--local-base needs root, for debootstrap"
  if ! "$engine" inspect "$name" >/dev/null 2>&1; then
    command -v debootstrap >/dev/null || installPackages debootstrap
    folder=$(mktemp -d "${TMPDIR:-/tmp}/stratos-base.XXXXXX")
    say "Making a base image with debootstrap"
    debootstrap --variant=minbase bookworm "$folder/root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
      >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; die "debootstrap failed"; }
    printf '%s\n' \
      "deb ${DEBIAN_MIRROR:-http://deb.debian.org/debian} bookworm-updates main" \
      "deb ${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security} bookworm-security main" \
      >>"$folder/root/etc/apt/sources.list"
    rm -rf "$folder"/root/var/cache/apt/archives/*.deb
    if [[ $engine == buildah ]]; then
      printf 'FROM scratch\nCOPY root/ /\n' >"$folder/Dockerfile"
      buildah bud --quiet --tag "$name" "$folder" >/dev/null
    else
      tar -C "$folder/root" --numeric-owner -c . | "$engine" import - "$name" >/dev/null
    fi
    rm -rf "$folder"
  fi
  arguments+=(--build-arg "BASE=$name")
}

prebuilt=$kRoot/build/image-binary
rm -rf "$prebuilt"
trap 'rm -rf "$prebuilt"' EXIT
mkdir -p "$prebuilt/ui"
if [[ -z $ui ]]; then
  ui=$kRoot/build/release/stratos-server/console/ui
  [[ -f $ui/index.html ]] || ui=$kRoot/packaging/ui-placeholder
fi
[[ -f $ui/index.html ]] || die "$ui holds no index.html, so it is no built front end"
cp -r "$ui/." "$prebuilt/ui/"
if [[ -n $binary ]]; then
  [[ -x $binary ]] || die "$binary is no program"
  install -D -m 755 "$binary" "$prebuilt/stratos-server"
fi

case $engine in
  docker) build=(docker build) ;;
  podman) build=(podman build --format docker) ;;
  buildah)
    # Works without a daemon, cgroups or name spaces of users.
    export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
    build=(buildah bud --format docker)
    ;;
  *) die "ENGINE is $engine, which is none of docker, podman and buildah" ;;
esac
if $localBase; then makeLocalBase; fi
say "Building $tag with $engine"
# The ignore file has to be at the root of what is sent.
"${build[@]}" "${arguments[@]}" --tag "$tag" --file "$kHere/Dockerfile" "$kRoot"
say "built: $tag"
