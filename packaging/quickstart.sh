#!/usr/bin/env bash
set -euo pipefail
kRoot=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/quickstart.sh [--tour] [--port N]

Installs what is missing (Debian packages, with sudo unless you are root), builds, starts a
simulated Cloud Foundry and stratos-server with a local administrator on SQLite, and says how to
go on. Ctrl-C stops both.

  --tour     walk through the main job instead, printing each step; the exit status is 0 only if
             every step was right
  --port N   the port of the console (5443, or a free one when that is taken)

The encryption key, the database, certificates and logs are kept below
${XDG_STATE_HOME:-~/.local/state}/stratos-quickstart; --tour uses a temporary directory instead.
TEXT
}

tour=false
port=
while (($# > 0)); do
  case $1 in
    --tour) tour=true ;;
    --port)
      if [[ ! ${2:-} =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 65535)); then
        die "--port needs a port number"
      fi
      port=$2
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done

readonly kBuild=$kRoot/build/quickstart
simPid=
serverPid=
temporary=

# Ends only what this script started.
stopAll() {
  trap '' INT TERM
  local pid
  for pid in $serverPid $simPid; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in $serverPid $simPid; do
    waitUntil 15 isGone "$pid" || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  [[ -z $temporary ]] || rm -rf "$temporary"
}
isGone() { ! kill -0 "$1" 2>/dev/null; }
isAlive() { kill -0 "$1" 2>/dev/null; }

build() {
  say "Building (a few minutes the first time; the log is build/quickstart.log) ..."
  mkdir -p "$kRoot/build"
  {
    cmake --preset release -S "$kRoot" -B "$kBuild" -DSTRATOS_BUILD_TESTS=OFF \
      -DSTRATOS_BUILD_BENCH=OFF -DSTRATOS_BUILD_EXAMPLES=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF &&
      cmake --build "$kBuild" --parallel "$(nproc)" --target stratos-server stratos-sim &&
      if ! $tour; then cmake --build "$kBuild" --target console; fi
  } >"$kRoot/build/quickstart.log" 2>&1 || {
    tail -n 40 "$kRoot/build/quickstart.log" >&2
    die "the build failed; all of it is in build/quickstart.log"
  }
}

# keepSecret FILE BYTES: prints the secret in the file, which is made on the first call.
keepSecret() {
  [[ -s $1 ]] || (umask 077 && randomHex "$2" >"$1")
  cat "$1"
}

startSimulator() {
  "$kBuild/libstratos/testing/stratos-sim" --tls --ca-file "$state/foundation-ca.pem" \
    --refresh-mode rotate --token-validity 600 >"$state/sim.json" 2>"$state/sim.log" &
  simPid=$!
  waitUntil 20 simulatorSpokeOrEnded || true
  if ! isAlive "$simPid" || ! simulatorSpoke; then
    cat "$state/sim.log" >&2
    die "the simulated foundation did not start; its log is above"
  fi
  api=$(jq -er .api "$state/sim.json")
  control=$(jq -er .control "$state/sim.json")
}
simulatorSpokeOrEnded() { ! isAlive "$simPid" || simulatorSpoke; }
simulatorSpoke() { [[ $(jq -r .control "$state/sim.json" 2>/dev/null) == http* ]]; }

startServer() {
  local -a settings=(
    "CONSOLE_PROXY_TLS_ADDRESS=127.0.0.1:$port"
    "DATABASE_PROVIDER=sqlite"
    "SQLITE_DB_DIR=$state/database"
    "SQLITE_KEEP_DB=true"
    "ENCRYPTION_KEY=$(keepSecret "$state/encryption-key" 32)"
    "SESSION_STORE_SECRET=$(keepSecret "$state/session-secret" 32)"
    "AUTH_ENDPOINT_TYPE=local"
    "LOCAL_USER=admin"
    "LOCAL_USER_PASSWORD=$password"
    "LOCAL_USER_SCOPE=stratos.admin"
    "CONSOLE_ADMIN_SCOPE=stratos.admin"
  )
  mkdir -p "$state/database"
  # In the state directory, so that no file of the caller's working directory is read. The settings
  # go through the environment of the child: arguments of env would be visible to every user.
  (
    cd "$state"
    for setting in "${settings[@]}"; do
      export "${setting?}"
    done
    exec "$kBuild/stratos-server/stratos-server" serve
  ) >"$state/server.log" 2>&1 &
  serverPid=$!
  waitUntil 30 serverAnswersOrEnded || true
  if ! isAlive "$serverPid" || ! serverAnswers; then
    tail -n 30 "$state/server.log" >&2
    die "stratos-server did not start; its log is above"
  fi
}
serverAnswersOrEnded() { ! isAlive "$serverPid" || serverAnswers; }
serverAnswers() {
  curl -ksf -o /dev/null --max-time 2 "$console/pp/v1/ping"
}

printNextSteps() {
  cat <<TEXT

The console answers at  $console   (in a browser, too; self-signed certificate, hence -k below)
  user name  admin
  password   $password
The simulated Cloud Foundry answers at  $api
  users      admin / admin  and  user / user
Logs: $state/server.log, $state/sim.log

Try in another terminal, in this order:

# 1. Sign in: keeps the cookie, and the token that every change must carry.
cd $(printf '%q' "$state") && XSRF=\$(curl -ks -c cookies -d username=admin --data-urlencode password@password -D - -o /dev/null $console/pp/v1/auth/login/uaa | tr -d '\\r' | awk 'tolower(\$1) == "x-xsrf-token:" {print \$2}')

# 2. Register the simulated foundation, trusting its certificate authority, and connect to it.
CF=\$(curl -ks -b cookies -H "X-Xsrf-Token: \$XSRF" -F cnsi_name=Simulated -F api_endpoint=$api -F skip_ssl_validation=false -F cnsi_client_id=cf -F "ca_cert=<foundation-ca.pem" "$console/api/v1/endpoints?endpoint_type=cf" | jq -r .guid); [ "\$CF" != null ] || CF=\$(curl -ks -b cookies $console/pp/v1/info | jq -r '.endpoints.cf[] | select(.api_endpoint.Host == "${api#https://}") | .guid'); curl -ks -b cookies -H "X-Xsrf-Token: \$XSRF" -F username=admin -F password=admin "$console/api/v1/tokens?cnsi_guid=\$CF&connect_type=creds" | jq .user

# 3. List applications of every connected foundation at once, through the console.
curl -ks -b cookies -H "x-cap-cnsi-list: \$CF" "$console/pp/v1/proxy/v3/apps?per_page=5" | jq 'map_values({total: .pagination.total_results, names: [.resources[].name]})'

Ctrl-C stops both.
TEXT
}

# --- The tour -------------------------------------------------------------------------------------

failures=0
status=
headers=
body=
xsrf=

# request CURL-ARGUMENT...: fills status, headers and body. An answer that never comes is status 000.
request() {
  status=$(curl -ks --max-time 60 -b "$state/cookies" -c "$state/cookies" -D "$state/headers" \
    -o "$state/body" -w '%{http_code}' ${xsrf:+-H "X-Xsrf-Token: $xsrf"} "$@") || status=000
  headers=$(tr -d '\r' <"$state/headers" 2>/dev/null) || headers=
  body=$(tr -d '\0' <"$state/body" 2>/dev/null) || body=
  rm -f "$state/headers" "$state/body"
}

# Whether the filter makes `true` of the body, which jq -e would also say of an empty one.
holds() { [[ $(jq "$1" <<<"$body" 2>/dev/null) == true ]]; }

# check WHAT STATUS JQ-FILTER SHOWN: the last answer must have the status, and the filter must
# hold for its body ("" for bodies that are no JSON). SHOWN is a filter for what to print.
check() {
  local seen=
  if [[ $status == "$2" ]] && { [[ -z $3 ]] || holds "$3"; }; then
    [[ -z ${4:-} ]] || seen=$(jq -r "$4" <<<"$body" 2>/dev/null) || seen=
    printf '  ok      %-46s %s %s\n' "$1" "$status" "$seen"
  else
    failures=$((failures + 1))
    printf '  FAILED  %-46s %s, wanted %s%s\n' "$1" "$status" "$2" "${3:+ and $3}"
    printf '          %s\n' "${body:0:400}"
  fi
}

# simulator PATH [JSON]: asks the control API of the simulated foundation.
simulator() { curl -sS --max-time 20 ${2:+-d "$2" -H 'Content-Type: application/json'} "$control$1"; }

# How often the simulated UAA has redeemed a refresh token.
refreshCount() { simulator /sim/state | jq -r .refreshes; }

takeTour() {
  local before after
  say "The main job, step by step:"

  request --data-urlencode username=admin --data-urlencode "password=wrong" \
    "$console/pp/v1/auth/login/uaa"
  check "a wrong password is refused" 401 '' ''
  request "$console/pp/v1/info"
  check "nothing is told without a session" 401 '' ''
  request --data-urlencode username=admin --data-urlencode "password@$state/password" \
    "$console/pp/v1/auth/login/uaa"
  check "sign in" 200 '.account == "admin" and .admin' '"as \(.account)"'
  xsrf=$(awk 'tolower($1) == "x-xsrf-token:" {print $2}' <<<"$headers")
  request "$console/api/v1/auth/verify"
  check "verify the session" 200 '.status == "ok" and .data.user.name == "admin"' '.data.user.name'

  request -F cnsi_name=Simulated -F "api_endpoint=$api" -F skip_ssl_validation=false \
    -F cnsi_client_id=cf -F "ca_cert=<$state/foundation-ca.pem" \
    "$console/api/v1/endpoints?endpoint_type=cf"
  check "register the foundation, its CA trusted" 201 '.guid | length > 0' '.guid'
  CF=$(jq -r '.guid // empty' <<<"$body" 2>/dev/null) || CF=
  export CF  # for jq
  request -F username=admin -F password=admin \
    "$console/api/v1/tokens?cnsi_guid=$CF&connect_type=creds"
  check "connect with user name and password" 200 '.user.name == "admin"' '"as \(.user.name)"'

  request -H "x-cap-cnsi-list: $CF" "$console/pp/v1/proxy/v3/apps?per_page=5"
  check "list applications: fan-out" 200 '.[env.CF].resources | length == 5' \
    '"\(.[env.CF].pagination.total_results) applications"'
  request -H "x-cap-cnsi-list: $CF" -H 'x-cap-passthrough: true' \
    "$console/pp/v1/proxy/v3/apps?per_page=5"
  check "list applications: passthrough" 200 '.resources | length == 5' \
    '"\(.pagination.total_results) applications"'
  request "$console/api/v1/proxy/$CF/v3/apps?per_page=5"
  check "list applications: /api/v1/proxy" 200 '.resources | length == 5' \
    '"\(.pagination.total_results) applications"'

  before=$(refreshCount) || before=unknown
  simulator /sim/clock '{"advanceSeconds":3600}' >/dev/null || warn "the clock did not move"
  request "$console/api/v1/proxy/$CF/v3/apps?per_page=5"
  check "an hour later the access token is stale" 200 '.resources | length == 5' \
    '"\(.pagination.total_results) applications"'
  after=$(refreshCount) || after=unknown
  status="$before to $after"
  body="refresh grants that the simulated UAA has counted"
  check "so the console has refreshed it, once" "0 to 1" '' ''

  request -X DELETE "$console/api/v1/tokens/$CF"
  check "disconnect" 200 '' ''
  request -H "x-cap-cnsi-list: $CF" "$console/pp/v1/proxy/v3/apps?per_page=5"
  check "a proxied call now finds no token" 200 \
    '.[env.CF] | tostring | test("Unable to retrieve CNSI token record")' ''
  request -X DELETE "$console/api/v1/endpoints/$CF"
  check "unregister" 200 '' ''
  request -X POST "$console/pp/v1/auth/logout"
  check "log out" 200 '.isSSO == false' ''
  request "$console/pp/v1/info"
  check "the session is over" 401 '' ''

  if ((failures > 0)); then
    say "$failures step(s) FAILED. The end of the server's log:"
    tail -n 30 "$state/server.log"
    return 1
  fi
  say "Every step was right."
}

mapfile -t packages < <(buildPackages)
# The front end is built with it; the tour drives the API alone.
$tour || command -v npm >/dev/null || packages+=(nodejs npm)
installPackages "${packages[@]}" ca-certificates curl jq
build

if [[ -n $port ]]; then
  isPortBusy "$port" && die "port $port is taken"
else
  port=$(freePort 5443)
fi
readonly console=https://127.0.0.1:$port
umask 077
trap stopAll EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if $tour; then
  temporary=$(mktemp -d "${TMPDIR:-/tmp}/stratos-tour.XXXXXX")
  state=$temporary
else
  state=${XDG_STATE_HOME:-$HOME/.local/state}/stratos-quickstart
  mkdir -p "$state"
  chmod 700 "$state"
fi
password=$(keepSecret "$state/password" 12)

startSimulator
startServer
if $tour; then
  takeTour
else
  printNextSteps
  # Ends when either of the two does, or with a signal.
  wait -n "$simPid" "$serverPid" || true
  die "one of the two ended by itself; see $state/server.log and $state/sim.log"
fi
