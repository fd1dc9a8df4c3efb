#!/usr/bin/env bash
# usage: packaging/image/collect.sh BINARY TARGET [UI]
# Makes the root file system of the image in the folder TARGET: the program, the shared libraries that
# it loads, certificate authorities, the front end in the folder UI or a placeholder page, licences and a list of what is in it
# (SPDX). Runs on Debian, in the build stage of the Dockerfile.
set -euo pipefail
kRoot=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

(($# == 2 || $# == 3)) || die "usage: ${0##*/} BINARY TARGET [UI]"
readonly binary=$1 target=$2 ui=${3:-$kRoot/packaging/ui-placeholder}
[[ -f $ui/index.html ]] || die "$ui holds no index.html, so it is no built front end"
[[ -x $binary ]] || die "$binary is no program"
[[ ! -e $target ]] || die "$target exists already"
umask 022

install -D -m 755 "$binary" "$target/usr/bin/stratos-server"
strip --strip-unneeded "$target/usr/bin/stratos-server"
# As Debian has it since release 12: the dynamic linker is looked for below /lib64.
mkdir -p "$target"/{etc,usr/lib,usr/lib64,usr/bin,tmp,data,srv/ui,proc,sys,dev}
for name in lib lib64 bin; do ln -s "usr/$name" "$target/$name"; done
chmod 1777 "$target/tmp"

declare -A owners=()
libraries=()
loader=
# addLibrary PATH: the file under its own name, in the folder where the linker looks for it.
addLibrary() {
  local path folder real
  path=$1
  real=$(readlink -f "$path")
  folder=${path%/*}
  folder=${folder/#\/lib/\/usr\/lib}
  folder=${folder/#\/usr\/usr/\/usr}
  install -D -m 755 "$real" "$target$folder/${path##*/}"
  # Packages name their files as they were before /lib became a link to /usr/lib, or after.
  libraries+=("${real/#\/usr\/lib/\/lib}" "${real/#\/lib/\/usr\/lib}")
}
while read -r first _ path _; do
  [[ $path != not ]] || die "$first cannot be found"
  if [[ $path == /* ]]; then
    addLibrary "$path"
  elif [[ $first == /*ld-* ]]; then
    addLibrary "$first"
    loader=$first
  fi
done < <(ldd "$target/usr/bin/stratos-server")
while IFS=: read -r name _; do
  owners[$name]=1
done < <(dpkg -S "${libraries[@]}" 2>/dev/null || true)
((${#owners[@]} >= 8)) || die "few libraries belong to packages: ${!owners[*]}"

# Where OpenSSL looks for authorities on Debian.
mkdir -p "$target/etc/ssl" "$target/usr/lib/ssl" "$target/usr/share"
cp -a /etc/ssl/certs "$target/etc/ssl/certs"
cp -a /usr/share/ca-certificates "$target/usr/share/ca-certificates"
ln -s /etc/ssl/certs "$target/usr/lib/ssl/certs"
owners[ca-certificates]=1

printf 'root:x:0:0:root:/:/sbin/nologin\nstratos:x:2000:0:Stratos:/data:/sbin/nologin\n' \
  >"$target/etc/passwd"
printf 'root:x:0:\n' >"$target/etc/group"
printf 'hosts: files dns\n' >"$target/etc/nsswitch.conf"
cp -r "$ui/." "$target/srv/ui/"
chmod -R a+rX "$target/srv/ui"
chown -R 2000:0 "$target/data"
chmod 770 "$target/data"

# Licences and contents.
doc=$target/usr/share/doc
install -D -m 644 "$kRoot/LICENSE" "$doc/stratos-server/LICENSE"
version=$("$target/usr/bin/stratos-server" version)
version=${version#stratos-server }
[[ $version =~ ^[0-9A-Za-z.+~-]+$ ]] || die "the version is \"$version\""
{
  printf '{"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",\n'
  printf '"name": "stratos-%s", "documentNamespace": "urn:stratos:image:%s:%s",\n' "$version" \
    "$version" "$(sha256sum "$target/usr/bin/stratos-server" | cut -c 1-16)"
  printf '"creationInfo": {"created": "%s", "creators": ["Tool: packaging/image/collect.sh"]},\n' \
    "$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)"
  printf '"packages": [\n'
  printf ' {"SPDXID": "SPDXRef-stratos-server", "name": "stratos-server", "versionInfo": "%s", ' "$version"
  printf '"downloadLocation": "NOASSERTION", "licenseDeclared": "Apache-2.0"}'
  for name in $(printf '%s\n' "${!owners[@]}" | sort); do
    read -r source packageVersion < <(dpkg-query -W -f '${source:Package} ${Version}\n' "$name")
    printf ',\n {"SPDXID": "SPDXRef-%s", "name": "%s", "versionInfo": "%s", ' \
      "${name//[^a-zA-Z0-9.-]/-}" "$name" "$packageVersion"
    printf '"sourceInfo": "Debian source package %s", "downloadLocation": "NOASSERTION", ' "$source"
    printf '"licenseDeclared": "NOASSERTION", "licenseComments": "usr/share/doc/%s/copyright"}' "$name"
    install -D -m 644 "$(readlink -f "/usr/share/doc/$name/copyright")" "$doc/$name/copyright"
  done
  printf '\n]}\n'
} >"$doc/stratos-server/sbom.spdx.json"

# The loader must find everything in what is here.
chroot "$target" "$loader" --list /usr/bin/stratos-server >/dev/null ||
  die "the program cannot be loaded in $target"
say "stratos-server $version"
