#!/usr/bin/env bash
# One case of the packaging tests; CMakeLists.txt beside this file says which there are. Exits 77 when
# a tool is missing that cannot be expected everywhere.
set -euo pipefail
: "${SOURCE_DIR:?}" "${BUILD_DIR:?}" "${SERVER:?}"
readonly unit=$SOURCE_DIR/packaging/systemd/stratos.service
work=$(mktemp -d "${TMPDIR:-/tmp}/stratos-packaging-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# The names of all settings whose values are secret, from the one table that the server has.
secretSettings() {
  grep -oE '^ *\{"[A-Z0-9_]+", [A-Za-z]+, (SettingType::)?SecretText' \
    "$SOURCE_DIR/stratos-server/src/settings.cpp" | grep -oE '[A-Z0-9_]{4,}'
}

case $1 in
  Scripts)
    mapfile -t scripts < <(cd "$SOURCE_DIR" && grep -lE '^#!(/usr/bin/env bash|/bin/sh)$' \
      packaging/*.sh packaging/{cloud-foundry,debian-package,image}/* tests/packaging-image/*)
    cd "$SOURCE_DIR"
    ((${#scripts[@]} >= 8)) || fail "only ${#scripts[@]} scripts were found"
    for script in "${scripts[@]}"; do
      if [[ $(head -n 1 "$script") == '#!/bin/sh' ]]; then
        sh -n "$script"
      else
        bash -n "$script"
      fi
    done
    need shellcheck
    shellcheck -x -S warning "${scripts[@]}"
    ;;
  Unit)
    need systemd-analyze
    # The program need not be installed where this runs.
    sed "s|/usr/bin/stratos-server|$SERVER|" "$unit" >"$work/stratos.service"
    systemd-analyze verify "$work/stratos.service" >"$work/log" 2>&1 ||
      fail "systemd-analyze verify: $(<"$work/log")"
    # Units of the machine itself may have flaws of their own.
    ! grep -F stratos.service "$work/log" || fail "systemd-analyze verify complains"
    systemd-analyze security --offline=yes --threshold=20 --no-pager "$work/stratos.service" \
      >"$work/log" 2>&1 || fail "it is exposed more than 2.0: $(tail -n 3 "$work/log")"
    tail -n 1 "$work/log"
    ;;
  UnitCredentials)
    mapfile -t names < <(secretSettings)
    ((${#names[@]} >= 10)) || fail "only these secret settings were found: ${names[*]}"
    for name in "${names[@]}"; do
      file=${name,,}
      file=${file//_/-}
      grep -qx "LoadCredential=$file:stratos.$file" "$unit" ||
        fail "the unit has no credential for $name"
    done
    # And none that the server would not read.
    "$SERVER" --help >"$work/help"
    while IFS=: read -r file _; do
      name=${file^^}
      grep -q "^  ${name//-/_}\b" "$work/help" || fail "$file is no setting"
    done < <(sed -n 's/^LoadCredential=//p' "$unit")
    ;;
  DebianPackage)
    for tool in dpkg-deb dpkg-shlibdeps strip gzip; do need "$tool"; done
    "$SOURCE_DIR/packaging/debian-package/build.sh" --fast --binary "$SERVER" "$work/packages"
    packages=("$work"/packages/*.deb)
    ((${#packages[@]} == 1)) || fail "made: ${packages[*]}"
    deb=${packages[0]}
    version=$("$SERVER" version)
    [[ $(dpkg-deb -f "$deb" Version) == "${version#stratos-server }-1" ]] || fail "the version"
    [[ $(dpkg-deb -f "$deb" Package) == stratos-server ]] || fail "the name"
    depends=$(dpkg-deb -f "$deb" Depends)
    for library in libc6 libpoconetssl libssl3 libpq5 libsqlite3-0; do
      [[ $depends == *"$library"* ]] || fail "no dependency on $library: $depends"
    done
    dpkg-deb -c "$deb" >"$work/list"
    ! awk '$2 != "root/root"' "$work/list" | grep . || fail "files of others than root"
    ! grep -E '^-.{7}w|^d.{7}w' "$work/list" || fail "files that anybody may write"
    for path in usr/bin/stratos-server usr/lib/systemd/system/stratos.service \
      etc/stratos/stratos.env usr/share/stratos/ui/index.html \
      usr/share/doc/stratos-server/copyright usr/share/doc/stratos-server/changelog.gz \
      usr/share/doc/stratos-server/README.Debian; do
      grep -qE " \./$path$" "$work/list" || fail "$path is not in the package"
    done
    dpkg-deb -R "$deb" "$work/root"
    [[ $(<"$work/root/DEBIAN/conffiles") == /etc/stratos/stratos.env ]] || fail "the conffiles"
    for script in postinst prerm postrm; do
      [[ -x $work/root/DEBIAN/$script ]] || fail "$script cannot be run"
      sh -n "$work/root/DEBIAN/$script"
    done
    (cd "$work/root" && md5sum --quiet -c DEBIAN/md5sums)
    cmp "$unit" "$work/root/usr/lib/systemd/system/stratos.service"
    [[ $("$work/root/usr/bin/stratos-server" version) == "$version" ]] || fail "the program"
    # Nothing in the settings is active, and each is one that the server knows.
    ! grep -vE '^(#.*)?$' "$work/root/etc/stratos/stratos.env" || fail "active settings"
    "$SERVER" --help >"$work/help"
    while read -r name; do
      grep -q "^  $name\b" "$work/help" || fail "stratos.env names $name, which is no setting"
    done < <(sed -nE 's/^#([A-Z][A-Z0-9_]+)=.*/\1/p' "$work/root/etc/stratos/stratos.env")
    ;;
  *)
    echo "no such case: $1" >&2
    exit 2
    ;;
esac
