#!/usr/bin/env bash
# One case of the packaging tests; CMakeLists.txt beside this file says which there are. Exits 77 when
# a tool is missing that cannot be expected everywhere.
set -euo pipefail
: "${SOURCE_DIR:?}" "${BUILD_DIR:?}" "${SERVER:?}"
readonly unit=$SOURCE_DIR/packaging/systemd/stratos.service
work=$(mktemp -d "${TMPDIR:-/tmp}/stratos-packaging-test.XXXXXX")
cleanUp() {
  [[ -z ${boxPid:-} ]] || kill -KILL "$boxPid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanUp EXIT

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
  Dockerfile)
    file=$SOURCE_DIR/packaging/image/Dockerfile
    last=$(sed -n '/^FROM scratch$/,$p' "$file")
    for instruction in 'USER 2000:0' 'VOLUME /data' 'EXPOSE 5443' \
      'ENTRYPOINT ["/usr/bin/stratos-server"]' 'CMD ["/usr/bin/stratos-server", "health"]'; do
      [[ $last == *"$instruction"* ]] || fail "the image lacks: $instruction"
    done
    # shellcheck source=packaging/image/box.sh
    . "$SOURCE_DIR/packaging/image/box.sh"
    "$SERVER" --help >"$work/help"
    mapfile -t settings < <(imageSettings "$file")
    ((${#settings[@]} >= 4)) || fail "settings: ${settings[*]}"
    for setting in "${settings[@]}"; do
      grep -q "^  ${setting%%=*}\b" "$work/help" || fail "${setting%%=*} is no setting"
      [[ $setting != *KEY=[0-9a-f]* && $setting != *PASSWORD* ]] || fail "a secret: $setting"
    done
    # What the build needs is let through, what it must not have is not.
    for path in libstratos stratos-server CMakeLists.txt packaging/image; do
      grep -qx "!$path" "$SOURCE_DIR/.dockerignore" || fail ".dockerignore keeps $path back"
    done
    [[ $(grep -v '^#' "$SOURCE_DIR/.dockerignore" | head -n 1) == '*' ]] ||
      fail ".dockerignore lets everything through"
    ;;
  Documents)
    # What the documents call a setting is one.
    "$SERVER" --help >"$work/help"
    unknown=()
    while read -r name; do
      grep -q "^  $name\b" "$work/help" || unknown+=("$name")
    done < <(cat "$SOURCE_DIR"/README.md "$SOURCE_DIR"/libstratos/doc/*.md |
      grep -oE '`[A-Z][A-Z0-9]*_[A-Z0-9_]+(=[^`]*)?`' | tr -d '`' | sed 's/=.*//' | sort -u |
      grep -vxE 'STRATOS_GUARDED_BY|DEBIAN_MIRROR|STRATOS_TEST_[A-Z_]+|STRATOS_IMAGE_ARGUMENTS')
    ((${#unknown[@]} == 0)) || fail "no settings: ${unknown[*]}"
    # And every page is linked from somewhere.
    for page in "$SOURCE_DIR"/libstratos/doc/*.md; do
      grep -rqF "${page##*/}" "$SOURCE_DIR/README.md" "$SOURCE_DIR"/libstratos/{doc,CHANGELOG.md} ||
        fail "nothing leads to ${page##*/}"
    done
    ;;
  Acceptance)
    # The tests that the acceptance list names exist; by the sources, as not all need be built.
    "$SOURCE_DIR/packaging/acceptance.sh" --list >"$work/list"
    (($(wc -l <"$work/list") >= 70)) || fail "$(<"$work/list")"
    find "$SOURCE_DIR/tests" -name '*_test.cpp' -exec cat {} + | tr '\n' ' ' |
      grep -oE 'TEST(_F|_P)?\([A-Za-z0-9]+, *[A-Za-z0-9]+' |
      sed -E 's/^TEST(_F|_P)?\(//; s/, */./' >"$work/names"
    sed -n '/^foreach(case IN ITEMS/,/)/p' "$SOURCE_DIR/tests/packaging-image/CMakeLists.txt" |
      tr -s ' )\n' '\n' | sed -n 's/^[A-Z]/PackagingTest.&/p' >>"$work/names"
    while read -r id regex; do
      for one in $regex; do
        grep -qE "^($one)" "$work/names" || fail "$id: no test is called $one"
      done
    done < <("$SOURCE_DIR/packaging/acceptance.sh" --list-tests)
    ;;
  Compose)
    file=$SOURCE_DIR/packaging/compose/docker-compose.yml
    "$SERVER" --help >"$work/help"
    mapfile -t names < <(sed -n '/^  console:/,/^    ports:/p' "$file" |
      sed -nE 's/^      ([A-Z][A-Z_]+):.*/\1/p')
    ((${#names[@]} >= 7)) || fail "settings of the console: ${names[*]}"
    for name in "${names[@]}"; do
      grep -q "^  $name\b" "$work/help" || fail "$name is no setting"
    done
    version=$("$SERVER" version)
    grep -q "image: stratos:${version#stratos-server }\$" "$file" || fail "another version of the image"
    cp "$file" "$work/docker-compose.yml"
    cd "$work"
    if docker compose version >/dev/null 2>&1; then
      compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
      compose=(docker-compose)
    else
      skip "nothing that reads compose files is installed"
    fi
    ! "${compose[@]}" config >"$work/without" 2>&1 || fail "no password is needed"
    DB_PASSWORD=secret "${compose[@]}" config >"$work/config" 2>"$work/errors" || fail "$(<"$work/errors")"
    grep -q 'DB_PASSWORD: secret' "$work/config" || fail "$(<"$work/config")"
    ;;
  ImageRoot)
    need ldd && need dpkg && need strip && need curl && need openssl
    # shellcheck source=packaging/image/box.sh
    . "$SOURCE_DIR/packaging/image/box.sh"
    # shellcheck source=packaging/lib.sh
    . "$SOURCE_DIR/packaging/lib.sh"
    canBox || skip "mounting needs root"
    "$SOURCE_DIR/packaging/image/collect.sh" "$SERVER" "$work/root" >"$work/version"
    [[ $(<"$work/version") == "$("$SERVER" version)" ]] || fail "another version"
    [[ ! -e $work/root/bin/sh ]] || fail "there is a shell in it"
    grep -q '"name": "libssl3"' "$work/root/usr/share/doc/stratos-server/sbom.spdx.json" ||
      fail "the list of contents lacks libssl3"
    mkdir "$work/data"
    chown 0:0 "$work/data" && chmod 770 "$work/data"
    port=$(freePort)
    mapfile -t settings < <(imageSettings "$SOURCE_DIR/packaging/image/Dockerfile")
    settings+=("CONSOLE_PROXY_TLS_ADDRESS=127.0.0.1:$port")
    isWell() { curl -ksf -o /dev/null --max-time 2 "https://127.0.0.1:$port/pp/v1/ping"; }
    spoke() { isWell || ! kill -0 "$boxOuter" 2>/dev/null; }
    for user in 2000:0 "$((10000 + RANDOM)):0"; do
      # What the first user made belongs to it; a volume is not passed from one user to another.
      rm -rf "${work:?}/data/"*
      startBox "$work/root" "$work/data" "$user" "$work/log" serve "${settings[@]}"
      waitUntil 30 spoke || true
      isWell || fail "as $user: $(<"$work/log")"
      [[ $(awk '/^Uid/ {print $2}' "/proc/$boxPid/status") == "${user%:*}" ]] || fail "the user"
      grep -qE '^CapEff:\s+0+$' "/proc/$boxPid/status" || fail "it has capabilities"
      curl -ks "https://127.0.0.1:$port/some/page" | grep -q 'front end is not here yet' ||
        fail "no placeholder page"
      cp "$work/data/encryption-key" "$work/key"
      runBox "$work/root" "$work/data" "$user" health "${settings[@]}" >"$work/health" ||
        fail "health: $(<"$work/health")"
      stopBox
      ((boxStatus == 0)) || fail "it ended with status $boxStatus: $(<"$work/log")"
      ! runBox "$work/root" "$work/data" "$user" health "${settings[@]}" >/dev/null ||
        fail "well, although it does not run"
      cmp -s "$work/key" "$work/data/encryption-key" || fail "another key"
    done
    ;;
  *)
    echo "no such case: $1" >&2
    exit 2
    ;;
esac
