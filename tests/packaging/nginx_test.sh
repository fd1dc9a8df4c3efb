#!/usr/bin/env bash
# nginx_test.sh: the real nginx with the chart's configuration in front of two servers on one
# PostgreSQL. Both ways to serve the front end behave alike; a server that dies fails no reading.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. packaging/lib.sh
readonly kFiles=packaging/helm/console/files
nginx=${NGINX:-$(command -v nginx || printf '/usr/sbin/nginx')}
skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
[[ -x $nginx && -e /etc/nginx/mime.types ]] || skip "there is no nginx (Debian: nginx-light)"
command -v psql >/dev/null || skip "there is no psql"
[[ -n ${STRATOS_TEST_POSTGRES_URL:-} ]] || skip "STRATOS_TEST_POSTGRES_URL names no PostgreSQL"

fail() {
  printf 'FAILED: %s\n' "$*"
  tail -n 5 "$folder"/*.log
  exit 1
}

folder=$(mktemp -d)
chmod 755 "$folder"  # The workers of a nginx that was started by root are somebody else.
database=stratos_nginx_$$
declare -A pids=()
cleanUp() {
  # nginx takes its workers along when it is asked to end.
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  psql -q "$STRATOS_TEST_POSTGRES_URL" -c "DROP DATABASE IF EXISTS $database" >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap cleanUp EXIT
psql -q "$STRATOS_TEST_POSTGRES_URL" -c "CREATE DATABASE $database"
[[ $STRATOS_TEST_POSTGRES_URL =~ ^postgres(ql)?://([^:]+):([^@]*)@([^:/]+):([0-9]+)/ ]] ||
  fail "STRATOS_TEST_POSTGRES_URL has no user, password, host and port"
settings=(PATH="$PATH" DATABASE_PROVIDER=pgsql DB_USER="${BASH_REMATCH[2]}" DB_PASSWORD="${BASH_REMATCH[3]}"
  DB_HOST="${BASH_REMATCH[4]}" DB_PORT="${BASH_REMATCH[5]}" DB_DATABASE_NAME="$database" DB_SSL_MODE=disable
  CONSOLE_PROXY_TLS_ADDRESS=off STRATOS_TRUSTED_PROXIES=127.0.0.1 SQLITE_DB_DIR="$folder"
  ENCRYPTION_KEY="$(randomHex 32)" SESSION_STORE_SECRET=shared-by-both AUTH_ENDPOINT_TYPE=local
  LOCAL_USER=admin LOCAL_USER_PASSWORD=correct-horse LOCAL_USER_SCOPE=stratos.admin
  CONSOLE_ADMIN_SCOPE=stratos.admin UI_PATH="$folder/ui" ASAN_OPTIONS=detect_leaks=0)

mkdir "$folder/ui"
printf '<!doctype html><title>console</title>%s\n' "$(printf '<p>%0200d' {1..20})" >"$folder/ui/index.html"
printf 'console.log(%s)\n' {1..2000} >"$folder/ui/main.3f2a1b9c4d5e6f70.js"

declare -A ports=([one]=$(freePort) [two]=$(freePort $((20000 + RANDOM % 10000))) [https]=$(freePort) [http]=$(freePort) [static]=$(freePort))
# A server that starts says itself when it listens.
startServer() {
  (cd "$folder" && exec env -i "${settings[@]}" STRATOS_HTTP_ADDRESS="127.0.0.1:${ports[$1]}" \
    "$SERVER" serve >>"$folder/$1.log" 2>&1) &
  pids[$1]=$!
  waitUntil 60 curl -fsS -o /dev/null "http://127.0.0.1:${ports[$1]}/pp/v1/ping" 2>/dev/null ||
    fail "server $1 does not come up"
}
startServer one
startServer two

# makeCertificate NAME
makeCertificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext subjectAltName=DNS:localhost -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null
}
makeCertificate localhost
# configure NAME PORT STATIC
configure() {
  python3 - "$kFiles/nginx.conf" "$folder/$1.conf" "$2" "$3" "$folder" "${ports[one]}" "${ports[two]}" "${ports[http]}" <<'PYTHON'
import sys
source, target, port, static, folder, one, two, http = sys.argv[1:]
text = open(source, encoding="utf-8").read()
for word, value in {
    "@SERVERS@": f"server 127.0.0.1:{one} max_fails=0; server 127.0.0.1:{two} max_fails=0;",
    "@HTTP_LISTEN@": f"127.0.0.1:{int(http) if static == 'no' else 0}" if static == "no" else f"unix:{folder}/http.sock",
    "@HTTPS_LISTEN@": f"127.0.0.1:{port}", "@HTTPS_PORT_SUFFIX@": f":{port}",
    "@CERTIFICATE@": f"{folder}/tls.crt", "@KEY@": f"{folder}/tls.key",
    "@PROTOCOLS@": "TLSv1.2 TLSv1.3", "@CIPHERS@": "",
    "@REAL_IP@": "set_real_ip_from 127.0.0.2; real_ip_header X-Forwarded-For; real_ip_recursive on;",
    "@STATIC@": "location / { proxy_pass http://api; }" if static == "no" else
        open(source.replace("nginx.conf", "nginx-static.conf"), encoding="utf-8").read()
        .replace("/usr/share/nginx/html", f"{folder}/ui")
        .replace("@POLICY@", 'add_header Content-Security-Policy "%s";' % "; ".join(
            open(source.replace("nginx.conf", "content-security-policy"), encoding="utf-8").read().split("\n")[:-1])),
    "/tmp/nginx": f"{folder}/{port}",
}.items():
    text = text.replace(word, value)
open(target, "w", encoding="utf-8").write(text)
PYTHON
  "$nginx" -t -q -c "$folder/$1.conf" 2>>"$folder/$1.log" || fail "nginx refuses the configuration"
  sed "s|@CERTIFICATE@|$folder/tls.crt|; s|@KEY@|$folder/tls.key|; s|@INTERVAL@|0.2|; s|@NGINX@|$nginx -c $folder/$1.conf|g" \
    "$kFiles/nginx-start.sh" >"$folder/$1.sh"
  sh "$folder/$1.sh" >>"$folder/$1.log" 2>&1 &
  pids[$1]=$!
  waitUntil 20 curl -ksS -o /dev/null "https://127.0.0.1:$2/" 2>/dev/null || fail "nginx does not come up"
}
configure nginx "${ports[https]}" no
configure nginx-static "${ports[static]}" yes

readonly kSite=https://127.0.0.1:${ports[https]} kStatic=https://127.0.0.1:${ports[static]}
get() { curl -ksS --max-time 20 "$@"; }
# What browsers act upon, in any order; the date and the like are left out.
fields() {
  get -D - -o /dev/null "$@" | tr -d '\r' | tr '[:upper:]' '[:lower:]' |
    grep -E '^(http|x-frame|x-content|referrer|cross-origin|cache-control|content-type|content-encoding|strict|content-security)' |
    sed 's/^http[^ ]* /status /; s/; charset=utf-8//; s/\btext\/javascript\b/application\/javascript/' | sort
}
for path in / /main.3f2a1b9c4d5e6f70.js /a/route/of/the/front-end; do
  for encoding in identity gzip; do
    fields -H "Accept-Encoding: $encoding" "$kSite$path" >"$folder/proxied"
    fields -H "Accept-Encoding: $encoding" "$kStatic$path" >"$folder/static"
    # The server sends what only it can know, such as HSTS; nginx must not say anything else.
    diff "$folder/proxied" "$folder/static" >"$folder/diff.log" ||
      fail "$path ($encoding): served by the server (<) and by nginx (>)"
  done
  fields -H 'Accept-Encoding: gzip' "$kSite$path" | grep -q '^content-encoding: gzip' || fail "$path is not compressed"
done
fields "$kSite/" | grep -q "^content-security-policy: .*frame-ancestors 'self'" || fail "pages have no policy"
fields "$kStatic/main.3f2a1b9c4d5e6f70.js" | grep -q immutable || fail "a hashed name may be cached for ever"
[[ $(get -o /dev/null -w '%{http_code} %{redirect_url}' "http://127.0.0.1:${ports[http]}/x?y") == \
  "301 https://127.0.0.1:${ports[https]}/x?y" ]] || fail "http is not sent to https, port and path kept"
for site in "$kSite" "$kStatic"; do
  for path in /livez /readyz; do
    [[ $(get "$site$path") == ok ]] || fail "$site$path does not reach the server"
  done
done
[[ $(get -o /dev/null -w '%{http_code}' -X POST -H 'Content-Length: 300000000' "$kSite/pp/v1/auth/login") == 413 ]] ||
  fail "300 MB are let in"

# A session that one server made serves on the other, through nginx and with its view of the client.
get -c "$folder/cookies" -o "$folder/login" -d 'username=admin&password=correct-horse' "$kSite/pp/v1/auth/login/uaa"
for server in one two; do
  session=$(awk '/console-session/ {print $6 "=" $7}' "$folder/cookies")
  [[ $(get -o /dev/null -w '%{http_code}' -H "Cookie: $session" "http://127.0.0.1:${ports[$server]}/pp/v1/info") == 200 ]] ||
    fail "the session does not serve on $server"
done
grep -q 'Secure\|TRUE' "$folder/cookies" || fail "the cookie is not for https only"

# A certificate that is replaced is served without a restart; one that is broken is not.
servesCertificate() { openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null | grep -q "subject=CN = $2\$"; }
servesCertificate "${ports[https]}" localhost || fail "the certificate is not the one that was given"
printf 'broken\n' >"$folder/tls.crt"
waitUntil 20 grep -q 'cannot load certificate' "$folder/nginx.log" || fail "a broken certificate is not noticed"
servesCertificate "${ports[https]}" localhost || fail "a broken certificate has taken the place of the good one"
makeCertificate replaced
waitUntil 20 servesCertificate "${ports[https]}" replaced || fail "the certificate was not replaced"

# One dies, then comes back, while reading goes on. Nobody notices.
failed=0
for ((i = 0; i < 300; i++)); do
  case $i in
    60) kill -9 "${pids[one]}" && { wait "${pids[one]}" || true; } ;;
    160) startServer one ;;
    220) kill -9 "${pids[two]}" && { wait "${pids[two]}" || true; } ;;
  esac
  status=$(get -b "$folder/cookies" -o /dev/null -w '%{http_code}' "$kSite/pp/v1/info" || true)
  [[ $status == 200 ]] || { failed=$((failed + 1)); printf 'request %d: %s\n' "$i" "$status"; }
done
((failed == 0)) || fail "$failed of 300 readings failed"
printf 'PASSED: 300 readings over two deaths of a server\n'
