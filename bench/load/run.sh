#!/usr/bin/env bash
# Compares stratos-server's proxy with nginx as a plain reverse proxy and with the endpoint itself.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'TEXT'
Usage: bench/load/run.sh [options]

Compares, in one interleaved run on loopback, with wrk:
  direct    the endpoint itself: nginx with a static JSON document of 1 KiB
  nginx     nginx as a plain reverse proxy to it, with keep-alive connections
  stratos   stratos-server's /pp/v1/proxy passthrough of it: signed-in session, registered and
            connected endpoint, token from SQLite

Options:
  --seconds N          length of one measurement (5)
  --repetitions N      measurements of each case, in shuffled order (5)
  --connections LIST   comma separated numbers of connections (1,64,256)
  --endpoints LIST     http, https or both (http,https)
  --targets LIST       of direct, nginx, stratos (all)
  --no-pin             do not bind the processes to cores
  --log                write access logs, both nginx and stratos (off)
  --out FILE           also write the tables, as Markdown, to FILE
  --help               this text

Environment:
  STRATOS_SERVER       the program (default: build/release/stratos-server/stratos-server, then PATH)
  NGINX, WRK           those programs (default: from PATH)

With two cores or more the proxy has core 1 for itself; client and endpoint share core 0.
Exits 1 when any answer was not 2xx or a connection failed.
TEXT
}

die() { echo "run.sh: $*" >&2; exit 2; }
note() { echo "run.sh: $*" >&2; }

seconds=5 repetitions=5 connections=1,64,256 schemes=http,https targets=direct,nginx,stratos
pin=yes logs=no out=
while (($#)); do
  case $1 in
    --seconds | --repetitions | --connections | --endpoints | --targets | --out)
      (($# >= 2)) || die "$1 needs a value"
      case $1 in
        --seconds) seconds=$2 ;;
        --repetitions) repetitions=$2 ;;
        --connections) connections=$2 ;;
        --endpoints) schemes=$2 ;;
        --targets) targets=$2 ;;
        --out) out=$2 ;;
      esac
      shift 2 ;;
    --no-pin) pin=no; shift ;;
    --log) logs=yes; shift ;;
    --help | -h) usage; exit 0 ;;
    *) die "unknown option '$1'; try --help" ;;
  esac
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a number"
[[ $repetitions =~ ^[1-9][0-9]*$ ]] || die "--repetitions needs a number"
[[ $connections =~ ^[1-9][0-9]*(,[1-9][0-9]*)*$ ]] || die "--connections needs numbers"
[[ $schemes =~ ^https?(,https?)*$ ]] || die "--endpoints is http, https or both"
[[ $targets =~ ^(direct|nginx|stratos)(,(direct|nginx|stratos))*$ ]] || die "--targets: see --help"
IFS=, read -r -a connectionList <<<"$connections"
IFS=, read -r -a schemeList <<<"$schemes"
IFS=, read -r -a targetList <<<"$targets"
with_stratos=no
[[ ,$targets, == *,stratos,* ]] && with_stratos=yes

# The programs, and on which cores they run.

PATH=$PATH:/usr/sbin:/sbin
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need "${NGINX:-nginx}" nginx-light
need "${WRK:-wrk}" wrk
need curl curl
need openssl openssl
need taskset util-linux
need shuf coreutils
((${#missing[@]} == 0)) || die "these Debian packages are missing: ${missing[*]}"
nginx=$(command -v "${NGINX:-nginx}")
wrk=$(command -v "${WRK:-wrk}")
server=
if [[ $with_stratos == yes ]]; then
  server=${STRATOS_SERVER:-$root/build/release/stratos-server/stratos-server}
  [[ -x $server ]] || server=$(command -v "${STRATOS_SERVER:-stratos-server}") ||
    die "stratos-server was not found; build the release preset or set STRATOS_SERVER"
  server=$(realpath "$server")
fi
if [[ -n $out ]]; then
  : >>"$out" || die "cannot write $out"
  out=$(realpath "$out")
fi

proxy_pin=() rest_pin=()
if [[ $pin == yes ]]; then
  if (($(nproc) >= 2)); then
    proxy_pin=(taskset -c 1) rest_pin=(taskset -c 0)
  else
    pin=no
    note "there is only one core: nothing is bound to cores"
  fi
fi

# The peers: endpoint and nginx as a proxy.

work=$(mktemp -d)
pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# A port below the range from which the kernel takes ports for outgoing connections.
free_port() {
  local port try
  for ((try = 0; try < 200; ++try)); do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  die "found no free port"
}

# await PORT PID LOGFILE: until the process listens; shows its log when it does not.
await() {
  local try
  for ((try = 0; try < 150; ++try)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$3" >&2
  die "a server did not start"
}

mkdir -p "$work/document/v3" "$work/db"
# Exactly 1,024 bytes, as a Cloud Controller might answer.
prefix='{"guid":"1cb006ee-fb05-47e1-b541-c34179ddc446","name":"my_app","state":"STARTED","note":"'
printf '%s%s"}' "$prefix" "$(printf 'x%.0s' $(seq $((1024 - ${#prefix} - 2))))" \
  >"$work/document/v3/app.json"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
  -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# In the shape of a UAA's token, of its usual size; nobody here checks the signature.
access_token() {
  local scopes='"openid","cloud_controller.read","cloud_controller.write","cloud_controller.admin"'
  printf '%s.%s.%s' \
    "$(printf '{"alg":"RS256","kid":"key-1","typ":"JWT"}' | base64url)" \
    "$(printf '{"user_id":"7f6ab2a6","user_name":"bench","client_id":"cf","scope":[%s],"exp":%d}' \
      "$scopes" $(($(date +%s) + 86400)) | base64url)" \
    "$(head -c 256 /dev/urandom | base64url)"
}

port_http=$(free_port)
port_https=$(free_port)
port_nginx_http=$(free_port)
port_nginx_https=$(free_port)
port_stratos=$(free_port)

# links SCHEME PORT: the root document, which the registration of an endpoint asks for.
links() {
  local self=$1://127.0.0.1:$2
  printf '{"links":{"self":{"href":"%s"},"login":{"href":"%s"},"uaa":{"href":"%s"},' \
    "$self" "$self" "$self"
  printf '"logging":{"href":"wss://127.0.0.1:%s"},"cloud_controller_v3":{"href":"%s/v3"}}}' \
    "$2" "$self"
}

user_line=
((EUID != 0)) || user_line='user root;'
access=off
[[ $logs == no ]] || access="$work/access.log"

# nginx_head NAME: what all our instances have in common.
nginx_head() {
  cat <<TEXT
$user_line
daemon off;
worker_processes 1;
error_log $work/$1.error.log warn;
pid $work/$1.pid;
events { worker_connections 8192; }
http {
  access_log $([[ $1 == proxy ]] && echo "$access" || echo off);
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path $work/$1.body;
  proxy_temp_path $work/$1.proxy;
  fastcgi_temp_path $work/$1.fastcgi;
  uwsgi_temp_path $work/$1.uwsgi;
  scgi_temp_path $work/$1.scgi;
TEXT
}

{
  nginx_head endpoint
  token=$(access_token)
  for scheme in http https; do
    port=port_$scheme
    tls=
    [[ $scheme == http ]] || tls=ssl
    cat <<TEXT
  server {
    listen 127.0.0.1:${!port} $tls;
    ${tls:+ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;}
    ${tls:+ssl_session_cache shared:tls:1m;}
    root $work/document;
    open_file_cache max=10;
    location = / { return 200 '$(links "$scheme" "${!port}")'; }
    location = /oauth/token {
      return 200 '{"access_token":"$token","refresh_token":"refresh","expires_in":86399}';
    }
  }
TEXT
  done
  echo '}'
} >"$work/endpoint.conf"

{
  nginx_head proxy
  for scheme in http https; do
    port=port_$scheme
    listen=port_nginx_$scheme
    cat <<TEXT
  upstream endpoint_$scheme {
    server 127.0.0.1:${!port};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${!listen};
    location / {
      proxy_pass $scheme://endpoint_$scheme;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host 127.0.0.1:${!port};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate $work/cert.pem;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
    }
  }
TEXT
  done
  echo '}'
} >"$work/proxy.conf"

# start NAME LOGFILE COMMAND...: runs it in the background; its id is in `started`.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null &
  started=$!
  pids+=("$started")
}

start "$work/endpoint.out" "${rest_pin[@]}" "$nginx" -p "$work" -e "$work/endpoint.error.log" \
  -c "$work/endpoint.conf"
await "$port_https" "$started" "$work/endpoint.out"

proxy_pid_nginx=
if [[ ,$targets, == *,nginx,* ]]; then
  start "$work/proxy.out" "${proxy_pin[@]}" "$nginx" -p "$work" -e "$work/proxy.error.log" \
    -c "$work/proxy.conf"
  await "$port_nginx_https" "$started" "$work/proxy.out"
  # The worker does the work; the master only waits.
  proxy_pid_nginx=$(cat "/proc/$started/task/$started/children")
  proxy_pid_nginx=${proxy_pid_nginx// /}
  [[ -n $proxy_pid_nginx ]] || die "nginx has no worker"
fi

# The console: sign in, register, connect.

proxy_pid_stratos=
session_cookie=none
declare -A endpoint_id=([http]=none [https]=none)
console=http://127.0.0.1:$port_stratos

# call METHOD PATH [curl arguments]: body on stdout, head in $work/head; ends the run when refused.
call() {
  local method=$1 path=$2 status
  shift 2
  status=$(curl -sS --noproxy '*' -X "$method" -D "$work/head" -o "$work/body" -w '%{http_code}' \
    --max-time 30 "$@" "$console$path")
  if [[ $status != 20[0-9] ]]; then
    cat "$work/body" "$work/stratos.out" >&2
    die "stratos-server answered $status to $method $path"
  fi
  cat "$work/body"
}
field() { sed -n "s/^$1: *\(.*\)\r\$/\1/Ip" "$work/head" | head -n 1; }

if [[ $with_stratos == yes ]]; then
  password=$(openssl rand -hex 12)
  cd "$work"
  start "$work/stratos.out" env -i PATH="$PATH" \
    STRATOS_HTTP_ADDRESS="127.0.0.1:$port_stratos" CONSOLE_PROXY_TLS_ADDRESS=off \
    DATABASE_PROVIDER=sqlite SQLITE_DB_DIR="$work/db" SQLITE_KEEP_DB=true \
    AUTH_ENDPOINT_TYPE=local LOCAL_USER=bench LOCAL_USER_PASSWORD="$password" \
    ENCRYPTION_KEY="$(openssl rand -hex 32)" SESSION_STORE_SECRET="$(openssl rand -hex 32)" \
    SESSION_STORE_EXPIRY=1440 LOG_API_REQUESTS="$([[ $logs == yes ]] && echo true || echo false)" \
    "${proxy_pin[@]}" "$server"
  proxy_pid_stratos=$started
  await "$port_stratos" "$started" "$work/stratos.out"

  call POST /pp/v1/auth/login/uaa --data-urlencode username=bench \
    --data-urlencode "password=$password" >/dev/null
  session_cookie=$(field set-cookie)
  session_cookie=${session_cookie%%;*}
  xsrf=$(field x-xsrf-token)
  [[ -n $session_cookie && -n $xsrf ]] || die "signing in gave no session"
  signed_in=(-H "Cookie: $session_cookie" -H "X-XSRF-Token: $xsrf")
  for scheme in "${schemeList[@]}"; do
    port=port_$scheme
    ca=()
    [[ $scheme == http ]] || ca=(--data-urlencode "ca_cert@$work/cert.pem")
    call POST /api/v1/endpoints "${signed_in[@]}" -d endpoint_type=cf \
      -d "cnsi_name=bench-$scheme" --data-urlencode "api_endpoint=$scheme://127.0.0.1:${!port}" \
      "${ca[@]}" >"$work/endpoint.json"
    endpoint_id[$scheme]=$(sed -n 's/.*"guid" *: *"\([^"]*\)".*/\1/p' "$work/endpoint.json")
    [[ -n ${endpoint_id[$scheme]} ]] || die "registering the $scheme endpoint gave no id"
    call POST /api/v1/tokens "${signed_in[@]}" -d "cnsi_guid=${endpoint_id[$scheme]}" \
      -d connect_type=creds -d username=bench -d password=bench >/dev/null
  done
fi

# Measuring.

url_of() { # TARGET SCHEME
  local port
  case $1 in
    direct) port=port_$2; echo "$2://127.0.0.1:${!port}/v3/app.json" ;;
    nginx) port=port_nginx_$2; echo "http://127.0.0.1:${!port}/v3/app.json" ;;
    stratos) echo "$console/pp/v1/proxy/v3/app.json" ;;
  esac
}
# All targets get the same fields, so that all parse the same head.
set_fields() { # SCHEME
  fields=(-H "Accept: application/json, text/plain, */*"
    -H "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    -H "Cookie: $session_cookie" -H "x-cap-cnsi-list: ${endpoint_id[$1]}"
    -H "x-cap-passthrough: true")
}
# User and system time of a process in clock ticks. The name in parentheses may hold spaces.
cpu_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }
memory() { awk -v name="$2:" '$1 == name {print $2}' "/proc/$1/status"; } # PID FIELD, in KiB

ticks_per_second=$(getconf CLK_TCK)
bad=()

for target in "${targetList[@]}"; do
  for scheme in "${schemeList[@]}"; do
    set_fields "$scheme"
    status=$(curl -sS --noproxy '*' --cacert "$work/cert.pem" --max-time 10 "${fields[@]}" \
      -o "$work/body" -w '%{http_code}' "$(url_of "$target" "$scheme")")
    [[ $status == 200 ]] || die "$target with the $scheme endpoint answers $status"
    cmp -s "$work/body" "$work/document/v3/app.json" ||
      die "$target with the $scheme endpoint answers something else than the document"
  done
  pid=proxy_pid_$target
  [[ $target == direct ]] || echo "$target $(memory "${!pid}" VmRSS)" >>"$work/idle"
done

measure() { # REPETITION SCHEME CONNECTIONS TARGET
  local pid=proxy_pid_$4 before=0 after=0 line url
  pid=${!pid-}
  url=$(url_of "$4" "$2")
  set_fields "$2"
  [[ -z $pid ]] || before=$(cpu_ticks "$pid")
  line=$("${rest_pin[@]}" "$wrk" -t1 -c"$3" -d"${seconds}s" --latency -s "$here/report.lua" \
    "${fields[@]}" "$url" | sed -n 's/^RESULT //p')
  [[ -z $pid ]] || after=$(cpu_ticks "$pid")
  [[ -n $line ]] || die "wrk said nothing about $url"
  read -r requests duration bytes socket_errors status_errors p50 p99 <<<"$line"
  # wrk takes 3xx for a success, but those would be shorter than the document.
  if ((requests == 0 || socket_errors > 0 || status_errors > 0 || bytes < requests * 1024)); then
    bad+=("$4, $2 endpoint, $3 connections, repetition $1: $requests requests, $bytes bytes,"\
" $socket_errors socket errors and time-outs, $status_errors answers not 2xx")
    note "BAD RUN: ${bad[-1]}"
  fi
  awk -v rep="$1" -v scheme="$2" -v conns="$3" -v target="$4" -v n="$requests" -v s="$duration" \
    -v p50="$p50" -v p99="$p99" -v ticks=$((after - before)) -v hz="$ticks_per_second" \
    'BEGIN { print scheme, conns, target, rep, n / s, p50, p99,
             (target == "direct" || n == 0) ? "-" : ticks / hz / n * 1e6 }' >>"$work/results"
}

total=$((repetitions * ${#schemeList[@]} * ${#connectionList[@]} * ${#targetList[@]}))
count=0
note "$total measurements of ${seconds} s"
for ((repetition = 1; repetition <= repetitions; ++repetition)); do
  # Scenarios in random order; within one, the targets directly after each other in random order, so
  # that what else the machine does hits all of them alike.
  while read -r scheme conns; do
    while read -r target; do
      measure "$repetition" "$scheme" "$conns" "$target"
      count=$((count + 1))
      note "$count/$total: $scheme $conns $target"
    done < <(printf '%s\n' "${targetList[@]}" | shuf)
  done < <(for s in "${schemeList[@]}"; do
    for c in "${connectionList[@]}"; do echo "$s $c"; done
  done | shuf)
done

# Tables.

table() {
  cat <<TEXT
$repetitions repetitions of $seconds s, $(date -u +%Y-%m-%d); cores bound: $pin; access logs: $logs.
Medians, in parentheses the least and the greatest; "vs nginx" is the median of the ratios within
each repetition.

| endpoint | connections | target | requests/s | vs nginx | p50 ms | p99 ms | CPU µs/request | vs nginx |
|---|---:|---|---:|---:|---:|---:|---:|---:|
TEXT
  awk -v schemes="$schemes" -v conns="$connections" -v targets="$targets" '
    { for (f = 5; f <= 8; ++f) v[$1, $2, $3, $4, f] = $f; if ($4 > reps) reps = $4 }
    # Median of a list in a[1..n]; sorts it, so that a[1] and a[n] are the extremes.
    function median(a, n,   i, j, t) {
      for (i = 2; i <= n; ++i)
        for (j = i; j > 1 && a[j - 1] > a[j]; --j) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
      return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
    }
    function cell(s, c, t, f, form,   r, n, a, x, m) {
      n = 0
      for (r = 1; r <= reps; ++r) {
        x = v[s, c, t, r, f]
        if (x == "" || x == "-") return "-"
        a[++n] = x + 0
      }
      m = median(a, n)
      return sprintf(form " (" form "-" form ")", m, a[1], a[n])
    }
    function ratio(s, c, t, f,   r, n, a, x, y, m) {
      n = 0
      for (r = 1; r <= reps; ++r) {
        x = v[s, c, t, r, f]; y = v[s, c, "nginx", r, f]
        if (x == "" || x == "-" || y == "" || y == "-" || y + 0 == 0) return "-"
        a[++n] = x / y
      }
      m = median(a, n)
      return sprintf("%.2f (%.2f-%.2f)", m, a[1], a[n])
    }
    END {
      ns = split(schemes, S, ","); nc = split(conns, C, ","); nt = split(targets, T, ",")
      for (i = 1; i <= ns; ++i) for (j = 1; j <= nc; ++j) for (k = 1; k <= nt; ++k) {
        s = S[i]; c = C[j]; t = T[k]
        printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", toupper(s), c, t,
          cell(s, c, t, 5, "%.0f"), t == "nginx" ? "1" : ratio(s, c, t, 5),
          cell(s, c, t, 6, "%.2f"), cell(s, c, t, 7, "%.2f"), cell(s, c, t, 8, "%.1f"),
          t == "nginx" ? "1" : ratio(s, c, t, 8)
      }
    }' "$work/results"
  [[ -s $work/idle ]] || return 0
  printf '\n| resident memory of the proxy process | before the load | peak |\n|---|---:|---:|\n'
  local target idle pid
  while read -r target idle; do
    pid=proxy_pid_$target
    awk -v t="$target" -v a="$idle" -v b="$(memory "${!pid}" VmHWM)" \
      'BEGIN { printf "| %s | %.1f MiB | %.1f MiB |\n", t, a / 1024, b / 1024 }'
  done <"$work/idle"
}

for pid in "$proxy_pid_nginx" "$proxy_pid_stratos"; do
  [[ -z $pid ]] || kill -0 "$pid" 2>/dev/null || die "a proxy ended during the run"
done
{
  if ((${#bad[@]} > 0)); then
    echo "**THESE NUMBERS ARE NOT VALID: ${#bad[@]} of $total measurements had failures:**"
    printf -- '- %s\n' "${bad[@]}"
    echo
  fi
  ((repetitions >= 5)) || printf 'Too few repetitions for a claim.\n\n'
  table
} | tee "$work/table"
[[ -z $out ]] || cp "$work/table" "$out"

if ((${#bad[@]} > 0)); then
  note "THE NUMBERS ARE NOT VALID: ${#bad[@]} of $total measurements had failures"
  exit 1
fi
