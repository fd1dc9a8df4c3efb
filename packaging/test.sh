#!/usr/bin/env bash
set -euo pipefail
kRoot=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/test.sh [CTEST ARGUMENT]...

Installs what the tests need (Debian packages, with sudo unless you are root), starts a private
PostgreSQL for them, builds in build/dev with AddressSanitizer and UndefinedBehaviorSanitizer, and
runs ctest. PostgreSQL is stopped and removed at the end.

Without arguments it also builds with ThreadSanitizer and runs the tests labelled "tsan", builds
optimised and runs every benchmark once ("bench"), and lets libFuzzer make inputs up for 15 seconds
per target ("fuzz"; where Clang 14 can be had).

With arguments only the first build is made and they are handed to ctest:
  packaging/test.sh -L broker          the tests with that label
  packaging/test.sh -R Router -V       the tests with that name, with their output
TEXT
}

for argument in "$@"; do
  case $argument in
    --help) usage && exit 0 ;;
    --) break ;;
  esac
done

# What one clone of the sources has compiled serves the others.
export CCACHE_BASEDIR=$kRoot CCACHE_NOHASHDIR=true

kJobs=$(nproc)
# Most tests wait for a peer or a database part of their time.
kTestJobs=$((kJobs + 1))
readonly kJobs kTestJobs
postgresDir=

# Runs a command as the user that owns the cluster: PostgreSQL refuses to run as root.
asPostgres() {
  if ((EUID == 0)); then
    (cd "$postgresDir" && runuser -u postgres -- "$@")
  else
    (cd "$postgresDir" && "$@")
  fi
}

stopPostgres() {
  [[ -n $postgresDir ]] || return 0
  if [[ -e $postgresDir/data/postmaster.pid ]]; then
    asPostgres "$kPostgresBin/pg_ctl" -D "$postgresDir/data" -m immediate -t 30 stop >/dev/null ||
      warn "PostgreSQL in $postgresDir did not stop"
  fi
  rm -rf "$postgresDir"
  postgresDir=
}

startPostgres() {
  kPostgresBin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [[ -x $kPostgresBin/initdb ]] || die "no PostgreSQL server found below /usr/lib/postgresql"
  readonly kPostgresBin
  postgresDir=$(mktemp -d "${TMPDIR:-/tmp}/stratos-postgres.XXXXXX")
  local password port attempt
  password=$(randomHex 16)
  (umask 077 && printf '%s\n' "$password" >"$postgresDir/password")
  if ((EUID == 0)); then
    chown -R postgres: "$postgresDir"
  fi
  asPostgres "$kPostgresBin/initdb" -D "$postgresDir/data" -U stratos -A scram-sha-256 \
    --pwfile="$postgresDir/password" -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  for attempt in 1 2 3 4 5; do
    port=$(freePort $((20000 + RANDOM % 10000)))
    # What a crash would lose matters to nobody here.
    if asPostgres "$kPostgresBin/pg_ctl" -D "$postgresDir/data" -l "$postgresDir/log" -w -t 60 \
      -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$postgresDir \
          -c fsync=off -c full_page_writes=off -c max_connections=200" start >/dev/null; then
      PGPASSWORD=$password asPostgres "$kPostgresBin/createdb" -h 127.0.0.1 -p "$port" \
        -U stratos stratos
      export STRATOS_TEST_POSTGRES_URL="postgres://stratos:$password@127.0.0.1:$port/stratos"
      say "PostgreSQL runs on 127.0.0.1:$port"
      return 0
    fi
    warn "PostgreSQL did not start on port $port (attempt $attempt)"
  done
  cat "$postgresDir/log" >&2
  die "PostgreSQL could not be started"
}

# The distribution's package would set up a cluster of its own and start it; ours is enough.
installPostgres() {
  local dropIn=/etc/postgresql-common/createcluster.d/stratos-tests.conf
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return 0
  installPackages postgresql-common
  asRoot mkdir -p "${dropIn%/*}"
  printf 'create_main_cluster = false\n' | asRoot tee "$dropIn" >/dev/null
  installPackages postgresql
  asRoot rm -f "$dropIn"
}

# The comparison under load needs it. Unpacked only: the package would start a web server.
fetchNginx() {
  local folder=$kRoot/build/nginx
  if [[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null; then return 0; fi
  if [[ ! -x $folder/usr/sbin/nginx ]]; then
    mkdir -p "$folder"
    { (cd "$folder" && apt-get download -qq nginx) && dpkg -x "$folder"/nginx_*.deb "$folder"; } ||
      { warn "nginx could not be had: the comparison under load is skipped" && return 0; }
  fi
  export NGINX=$folder/usr/sbin/nginx
}

# build PRESET TARGET...
build() {
  local preset=$1 flags=()
  shift
  # Test programs are many and large. What is measured is linked as what is shipped.
  if [[ $preset != release ]] && command -v mold >/dev/null; then
    flags=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=mold)
  fi
  say "== $preset: configure and build"
  cmake --preset "$preset" "${flags[@]}" >"$kRoot/build/$preset.configure.log" 2>&1 ||
    { cat "$kRoot/build/$preset.configure.log" >&2; return 1; }
  cmake --build --preset "$preset" --parallel "$kJobs" ${1:+--target "$@"}
}

cd "$kRoot"
mkdir -p build
mapfile -t packages < <(buildPackages)
packages+=(ca-certificates ccache curl git jq libgmock-dev libgtest-dev mold pgbouncer pkg-config
  shellcheck spin)
if (($# == 0)); then
  packages+=(libbenchmark-dev openssl python3 wrk)
fi
# An OpenID Connect provider runs on it in the tests; npm builds the front end.
command -v node >/dev/null || packages+=(nodejs npm)
installPackages "${packages[@]}"
# The front end is driven in it; its tests are skipped, and say so, without.
command -v chromium >/dev/null || (installPackages chromium) ||
  warn "Chromium could not be had: the tests of the front end are skipped"
if (($# == 0)) && apt-cache show clang-14 >/dev/null 2>&1; then
  installPackages clang-14 libclang-rt-14-dev
fi
if (($# == 0)); then
  fetchNginx
fi
installPostgres

trap stopPostgres EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
startPostgres

failed=()
if (($# == 0)); then
  { build tsan tests_tsan && ctest --preset tsan -j "$kTestJobs"; } || failed+=(tsan)
  { build release bench/all && ctest --preset release -L bench; } || failed+=(bench)
  if command -v clang++-14 >/dev/null; then
    { build fuzz && ctest --preset fuzz -j "$kJobs"; } || failed+=(fuzz)
  else
    warn "no Clang 14: the fuzz targets only replay their corpus"
  fi
  ((${#failed[@]} == 0)) || warn "failed so far: ${failed[*]}"
fi
build dev || die "the build failed"
ctest --preset dev -j "$kTestJobs" "$@" || failed+=(dev)

((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
