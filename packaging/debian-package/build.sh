#!/usr/bin/env bash
set -euo pipefail
kHere=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kRoot=$(cd "$kHere/../.." && pwd)
readonly kHere kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/debian-package/build.sh [--binary FILE] [--ui FOLDER] [--fast] [FOLDER]

Makes the Debian package stratos-server in FOLDER (build/packages) and prints its path. It belongs to
the Debian release that it is built on.

  --binary FILE   a stratos-server that was built already; otherwise one is built in build/release
  --ui FOLDER     the front end that goes into the package; otherwise the one that was built beside the
                  program, or a placeholder page
  --fast          hardly compressed, for tests
TEXT
}

binary=
ui=
target=$kRoot/build/packages
compression=(-Zxz)
while (($# > 0)); do
  case $1 in
    --help) usage && exit 0 ;;
    --binary) binary=${2:?--binary needs a file} && shift 2 ;;
    --ui) ui=${2:?--ui needs a folder} && shift 2 ;;
    --fast) compression=(-Zgzip -z1) && shift ;;
    -*) usage >&2 && exit 2 ;;
    *) target=$1 && shift ;;
  esac
done
for tool in dpkg-deb dpkg-shlibdeps; do
  command -v "$tool" >/dev/null || installPackages dpkg-dev
done

if [[ -z $binary ]]; then
  mapfile -t packages < <(buildPackages)
  installPackages "${packages[@]}"
  (cd "$kRoot" && cmake --preset release >&2 &&
    cmake --build --preset release --parallel "$(nproc)" --target stratos-server >&2)
  if command -v npm >/dev/null; then
    (cd "$kRoot" && cmake --build --preset release --target console >&2)
  fi
  binary=$kRoot/build/release/stratos-server/stratos-server
fi
[[ -x $binary ]] || die "$binary is no program"
if [[ -z $ui ]]; then
  ui=${binary%/*}/console/ui
  [[ -f $ui/index.html ]] || ui=$kRoot/packaging/ui-placeholder
fi
[[ -f $ui/index.html ]] || die "$ui holds no index.html, so it is no built front end"

work=$(mktemp -d "${TMPDIR:-/tmp}/stratos-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The same commit gives the same package, byte for byte.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$kRoot" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
umask 022
root=$work/root
doc=$root/usr/share/doc/stratos-server

install -D -m 755 "$binary" "$root/usr/bin/stratos-server"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/stratos-server"
install -D -m 644 "$kRoot/packaging/systemd/stratos.service" \
  "$root/usr/lib/systemd/system/stratos.service"
install -D -m 644 "$kHere/stratos.env" "$root/etc/stratos/stratos.env"
mkdir -p "$root/usr/share/stratos/ui" "$doc"
cp -r "$ui/." "$root/usr/share/stratos/ui/"
install -m 644 "$kHere/README.Debian" "$doc/README.Debian"
install -m 644 "$kRoot"/libstratos/doc/*.md "$doc/"
gzip -9n <"$kRoot/libstratos/CHANGELOG.md" >"$doc/changelog.gz"
{
  printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
  printf 'Upstream-Name: stratos\n\nFiles: *\nCopyright: the Stratos authors\nLicense: Apache-2.0\n'
  printf ' On Debian systems the licence is in /usr/share/common-licenses/Apache-2.0.\n'
} >"$doc/copyright"
find "$root" -type d -exec chmod 755 {} +
find "$root/usr/share" -type f -exec chmod 644 {} +

version=$("$root/usr/bin/stratos-server" version)
version=${version#stratos-server }-1
# dpkg-shlibdeps finds out which packages the program needs; it wants a source tree.
mkdir -p "$work/source/debian"
printf 'Source: stratos\n\nPackage: stratos-server\nArchitecture: any\n' \
  >"$work/source/debian/control"
depends=$(cd "$work/source" && dpkg-shlibdeps -O "$root/usr/bin/stratos-server" 2>"$work/shlibdeps") ||
  { cat "$work/shlibdeps" >&2; die "dpkg-shlibdeps failed"; }
depends=${depends#shlibs:Depends=}
[[ $depends == *libc6* ]] || die "no dependency on libc6 was found: $depends"

mkdir -p "$root/DEBIAN"
for script in postinst prerm postrm; do
  install -m 755 "$kHere/$script" "$root/DEBIAN/$script"
done
printf '/etc/stratos/stratos.env\n' >"$root/DEBIAN/conffiles"
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | sort -z |
  xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<TEXT
Package: stratos-server
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: ${DEBFULLNAME:-Stratos maintainers} <${DEBEMAIL:-root@localhost}>
Installed-Size: $(du -k -s --apparent-size "$root" | cut -f 1)
Depends: $depends, init-system-helpers
Recommends: ca-certificates
Suggests: postgresql, nginx
Section: admin
Priority: optional
Description: console for Cloud Foundry and Kubernetes
 Back end of the Stratos console: users sign in, administrators register endpoints, users connect to
 them with their own credentials, and the browser calls each endpoint's API through the console.
TEXT
mkdir -p "$target"
package=$target/stratos-server_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group "${compression[@]}" --build "$root" "$package" >&2
say "$package"
