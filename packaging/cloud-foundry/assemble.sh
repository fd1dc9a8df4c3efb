#!/usr/bin/env bash
set -euo pipefail
kHere=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kRoot=$(cd "$kHere/../.." && pwd)
readonly kHere kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/cloud-foundry/assemble.sh [--ui FOLDER] [--binary FILE] TARGET

Makes the folder TARGET, which must not exist, ready for `cf push`: the server, the libraries that the
platform's root file system does not have, the front end and the manifest. Nothing is downloaded or
compiled while the application is staged.

  --ui FOLDER     the built front end; without it the API alone is served
  --binary FILE   a stratos-server that was built already; otherwise one is built in build/release
TEXT
}

ui=
binary=
target=
while (($# > 0)); do
  case $1 in
    --help) usage && exit 0 ;;
    --ui) ui=${2:?--ui needs a folder} && shift 2 ;;
    --binary) binary=${2:?--binary needs a file} && shift 2 ;;
    -*) usage >&2 && exit 2 ;;
    *) target=$1 && shift ;;
  esac
done
[[ -n $target ]] || { usage >&2 && exit 2; }
[[ ! -e $target ]] || die "$target exists already; name a folder that does not"
[[ -z $ui || -f $ui/index.html ]] || die "$ui holds no index.html, so it is no built front end"

if [[ -z $binary ]]; then
  mapfile -t packages < <(buildPackages)
  installPackages "${packages[@]}"
  (cd "$kRoot" && cmake --preset release >/dev/null &&
    cmake --build --preset release --parallel "$(nproc)" --target stratos-server)
  binary=$kRoot/build/release/stratos-server/stratos-server
fi
[[ -x $binary ]] || die "$binary is no program"

mkdir -p "$target/lib"
install -m 755 "$binary" "$target/stratos-server"
install -m 644 "$kHere/manifest.yml" "$target/manifest.yml"
if [[ -n $ui ]]; then
  cp -r "$ui" "$target/ui"
fi
# The C library belongs to the platform; everything else comes along, whatever the platform has.
ldd "$binary" | while read -r name _ path _; do
  [[ $path == /* ]] || continue
  case $name in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libresolv.so.*) continue ;;
  esac
  install -m 644 "$path" "$target/lib/$name"
done
absent=$(env -i LD_LIBRARY_PATH="$target/lib" ldd "$target/stratos-server" | grep 'not found' || true)
[[ -z $absent ]] || die "libraries are missing: $absent"
say "ready: cd $target && cf push"
