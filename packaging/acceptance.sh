#!/usr/bin/env bash
set -euo pipefail
kRoot=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"
# shellcheck source=packaging/image/box.sh
. "$kRoot/packaging/image/box.sh"

usage() {
  cat <<'TEXT'
usage: packaging/acceptance.sh [--build-dir FOLDER] [--image NAME] [--list] [SECTION]...

Goes through the deployment acceptance list and prints a line for each check: PASS, FAIL, MISSING (not
built yet) or NOT VERIFIABLE HERE, with a reason. Ends with the counts; the exit status is 1 if a check
failed.

Sections (default: all): common  what holds everywhere      cf     Cloud Foundry
                         image   the container image        deb    the Debian package
                         chart   the Helm chart             nginx  nginx in front

  --build-dir FOLDER   use the tests that are built there (with STRATOS_TEST_POSTGRES_URL for those
                       that need PostgreSQL) instead of packaging/test.sh, which builds them in build/dev
  --image NAME         an image that exists; otherwise packaging/image/build.sh builds one, with the
                       arguments in STRATOS_IMAGE_ARGUMENTS
  --list               print the checks without making them
  --list-tests         print which tests of ctest they name

The chart needs Helm, or Go to build it, and python3-yaml; nginx needs nginx-light.

As root, with debootstrap and systemd-nspawn (package systemd-container) installed, the Debian package is
also installed into a fresh Debian that is booted.
TEXT
}

# --- The checks ------------------------------------------------------------------------------------

ids=() sections=() kinds=() details=() texts=()
addCheck() {
  sections+=("$1") ids+=("$2") kinds+=("$3") details+=("$4") texts+=("$5")
}
# SECTION ID REGEX... TEXT: tests of ctest; the expressions stand in one word, with blanks between.
byTests() { addCheck "$1" "$2" tests "$3" "$4"; }
byShell() { addCheck "$1" "$2" shell "$3" "$4"; }      # SECTION ID FUNCTION TEXT
notHere() { addCheck "$1" "$2" notHere "$3" "$4"; }    # SECTION ID REASON TEXT
missing() { addCheck "$1" "$2" missing "$3" "$4"; }    # SECTION ID REASON TEXT

byTests common A1 'LookupChainTest\. SettingsTest\.LetsTheDatabase' 'order of the sources of settings'
byTests common A2 'SettingsTest\. ServerConfigTest\. ProgramTest\.SaysInOneLine' \
  'variables, defaults, what cannot be understood stops the start'
byTests common A3 'VersionTest\. SetupTest\.KeepsEverybodyOut' '/pp/v1/ping: 200, 503, not logged, in set-up'
byTests common A4 'ProgramTest\.TellsWhether' 'the running server can be asked whether it is well'
byTests common A4-paths 'HealthGate DatabaseHealthTest\. ProgramTest\.SaysThatItStops' \
  '/livez without the database, /readyz with it and not while it stops'
byTests common A5 'TakeoverTest\. MigrateProgramTest\. ConsoleConfigTest\. ServerConfigTest\.ReadsTheKeyFromAFile' \
  'databases of upstream are taken over (SQLite, PostgreSQL)'
missing common A5-mysql 'MySQL and MariaDB are not supported yet' 'databases of upstream on MySQL'
byTests common A6 'MigrationRaceTest\. MigrateProgramTest\.(EightAtOnce|KilledAtAny)' \
  'many start at once, one migrates; one that is killed half way'
byTests common A7 'StorageTest\.GivesUpWaiting ProgramTest\.DoesNotWait' 'a database that is away at the start'
byTests common A8 'ProgramTest\.RequestsInFlight HttpServerStopTest\.' 'SIGTERM: requests in flight end, status 0'
missing common A8-websocket 'WebSocket streams are not built yet' 'SIGTERM: WebSockets get a close frame'
byTests common A9 'SettingsTest\.NeverShows RoutesAttackTest\.S21 PipelineTest\.QueriesStayOut AuditTest\. InfoTest\.NeverHolds' \
  'no secret in the log'
byTests common A10 'StorageTest\.KeepsTheGenerated KeyFileTest\. ProgramTest\.MakesItsKey' \
  'missing secrets are made and kept, published ones are not used'
byTests common A11 'PathsTest\. MainJobTest\.ServesTheFrontEnd' 'deep links give index.html, unknown API paths 404'
byTests common A12 'StaticFilesTest\.' 'files: conditional requests, ranges, compression'
byShell common A12-immutable checkImmutable 'hashed files are cached for long'
byTests common A13 'HeadersTest\. RoutesAttackTest\.S14 FrontEndPolicyTest\.' 'security fields of answers'
byTests common A14 'ProxySettingsTest\. TransportTest\.SendsPlainRequests TlsTransportTest\.Tunnels ServerConfigTest\.ReadsProxies' \
  'HTTP_PROXY, HTTPS_PROXY, NO_PROXY'
byTests common A15 'TlsTransportTest\.(Refuses|Skips|Checks) ServerConfigTest\.ReadsTheUaa BrokenEndpointTest\.AnUnknownCertificate' \
  'certificates are verified unless switched off aloud'
byTests common A16 'InfoTest\.TellsAdministrators CloudFoundryTest\.ServesItsOwn' 'diagnostics for administrators'
byTests common A17 'PackagingTest\.(ImageRoot|Unit)$' 'any user, read-only root file system'
byTests common A18 'SetupTest\. SetupAttackTest\. SetupProgramTest\.' 'set-up needs the code from the log'
byTests common A19 'UpgradeGateTest\. ServerConfigTest\.FindsTheUpgradeLock' 'upgrade lock: 503 and Retry-After'
byShell common A20 checkContents 'list of contents, licences, one version everywhere'

byShell cf CF1-folder checkAssembled 'the assembled folder starts with its own libraries'
notHere cf CF1 'no Cloud Foundry is at hand; the folder is checked by CF1-folder' 'cf push of the folder'
byShell cf CF2 checkImageOnCloudFoundry 'the image as an application: plain HTTP on PORT'
byTests cf CF3 'CloudFoundryTest\.ServesItsOwn' 'plain HTTP on PORT and nothing else'
byTests cf CF4 'HostingTest\.InsistsOnHttps CloudFoundryTest\.ServesItsOwn' 'X-Forwarded-Proto: 301, 400, WebSockets pass'
byTests cf CF5-paths 'HostingTest\.InsistsOnHttps CloudFoundryTest\.ServesItsOwn' 'health paths are exempt'
notHere cf CF5 'no Cloud Foundry is at hand' 'http health and readiness checks by the platform'
byTests cf CF6 'CloudFoundryTest\.(SaysWhich|WaitsFor|ServesItsOwn)' 'cf_api, CF_API_URL, CF_API_FORCE_SECURE, errors'
byTests cf CF7 'CloudFoundryTest\.(AsksTheRoot|AsksV2) RegisterTest\.FoundationsWithoutV2' 'discovery with and without API v2'
byTests cf CF8 'UaaLoginTest\.AdminNeedsTheExactScope CloudFoundryTest\.ServesItsOwn' 'who signs in, who administers'
byTests cf CF9 'AutoRegistrationTest\.' 'the foundation is registered once, users are connected'
byTests cf CF10 'SsoTest\. SsoAttackTest\. AutoRegistrationTest\.AfterSingleSignOn' 'single sign-on'
byTests cf CF11 'CloudFoundryTest\.ServesItsOwn StorageTest\.DeletesTheDatabase ServerConfigTest\.KeepsSqlite' \
  'SQLite by default: said, and made anew'
notHere cf CF11-ui 'the browser tests do not run on a hosted console yet' 'the front end hides what needs a database'
byTests cf CF12 'ServerConfigTest\.ForcesPersistence' 'FORCE_ENABLE_PERSISTENCE_FEATURES both ways'
byTests cf CF13 'HostingTest\.KeepsABrowser SessionManagerTest\.RefusesValuesOfAnother' 'JSESSIONID, no foreign sessions'
notHere cf CF13-router 'no Cloud Foundry is at hand' 'the router keeps a browser with its instance'
byTests cf CF14 'ServiceBindingTest\. BoundConfigTest\. ServerConfigTest\.UsesABound' 'bound services, the matrix (PostgreSQL)'
missing cf CF14-mysql 'MySQL is not supported yet; a bound one is refused by name' 'bound services, the matrix (MySQL)'
byTests cf CF15 'PostgreSqlUriTest\.' 'URIs: encoding, ports, options, TLS'
byTests cf CF16 'BoundConfigTest\.ABindingWins' 'VCAP_SERVICES_FILE_PATH'
byTests cf CF17 'BoundConfigTest\.NothingFallsBack ServiceBindingTest\.WhatCannotBeUsed' 'a bound service that is unusable'
byTests cf CF18 'ReplicasTest\. MigrateProgramTest\.EightAtOnce' 'several instances on one database'
notHere cf CF18-rolling 'no Cloud Foundry is at hand' 'cf push --strategy rolling'
byTests cf CF19 'MigrateProgramTest\.' 'migrate as a task'
byTests cf CF20 'LookupChainTest\.' 'CF_UPS_NAME'
byTests cf CF21 'InviteTest\. MailTemplateTest\. ServerConfigTest\.InvitationsAreMailed' 'invitations from variables only'
missing cf CF22 'pushing applications is not built yet' 'applications from Git'
byTests cf CF23 'CloudFoundryTest\.TrustsTheAuthorities' 'authorities in CF_SYSTEM_CERT_PATH'
byTests cf CF24 'PackagingTest\.Documents' 'documents name settings that exist'

byShell image D0 checkImageIsThere 'the image is built'
byShell image D1 checkStart 'serves https within 10 s'
byShell image D1-engine checkEngine 'a container engine runs it: read-only, another user, health, stop'
byShell image D2 checkSize 'size and start time are measured, below 60 MB and 5 s'
notHere image D2-arm64 'this is one machine of one architecture' 'arm64'
byShell image D3 checkCertificate 'certificate of its own, kept, with the right names'
byTests image D3-own 'CertificateTest\.' 'a certificate of yours wins'
byShell image D4 checkUsers 'user 2000, any user of group 0, read-only'
byShell image D5 checkVolume 'data on the volume survive a new container; another folder'
byShell image D6 checkSecrets 'key and sessions survive a restart'
byTests image D7 'RekeyProgramTest\. TakeoverTest\.' 'a published key is replaced'
byTests image D8 'SetupProgramTest\. SetupTest\.' 'wizard: local administrator and UAA'
byShell image D8-env checkMainJob 'by variables only: sign in, register, connect, proxy'
byShell image D9 checkPostgres 'on PostgreSQL'
byShell image D10 checkHealthAndStop 'health says well and not well; stops in 10 s with 0'
byShell image D11 checkListeners 'another port; plain HTTP'
byTests image D12 'TlsTransportTest\.RefusesAnUnknown ServerConfigTest\.ReadsTheUaa' 'certificates are verified'
byShell image D13 checkJsonLog 'JSON log on standard output'
byTests image D14-file 'PackagingTest\.Compose' 'the compose file is understood'
notHere image D14 'the PostgreSQL image cannot be pulled here' 'the compose file, started'
missing image D15-git 'pushing applications from Git is not built yet' 'git in the image'
notHere image D15 'no scanner of images and no key to sign with is at hand' 'scan and signature'
byShell image D16 checkImageOnCloudFoundry 'the same image on Cloud Foundry (CF2)'

byTests deb P1 'PackagingTest\.DebianPackage' 'contents, owners, dependencies, conffile'
byTests deb P2 'PackagingTest\.Unit$' 'the unit is sound and hardened'
byTests deb P3 'PackagingTest\.UnitCredentials' 'a credential for each secret'
byShell deb P4 checkBoot 'installed in a fresh Debian and booted: runs, restarts, is removed'

# --- Helpers ---------------------------------------------------------------------------------------

buildDir=
image=
list=false
wanted=()
while (($# > 0)); do
  case $1 in
    --help) usage && exit 0 ;;
    --build-dir) buildDir=$(cd "${2:?--build-dir needs a folder}" && pwd) && shift 2 ;;
    --image) image=${2:?--image needs a name} && shift 2 ;;
    --list) list=true && shift ;;
    --list-tests)
      for ((i = 0; i < ${#ids[@]}; i++)); do
        [[ ${kinds[i]} != tests ]] || printf '%s %s\n' "${ids[i]}" "${details[i]}"
      done
      exit 0
      ;;
    all) shift ;;
    common | cf | image | deb | chart | nginx) wanted+=("$1") && shift ;;
    *) usage >&2 && exit 2 ;;
  esac
done
((${#wanted[@]} > 0)) || wanted=(common cf image deb chart nginx)
isWanted() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

work=$(mktemp -d "${TMPDIR:-/tmp}/stratos-acceptance.XXXXXX")
simPid=
container=
cleanUp() {
  killBox
  [[ -z $simPid ]] || kill "$simPid" 2>/dev/null || true
  [[ -z $container ]] || "$engine" rm -f "$container" >/dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap cleanUp EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

reason=
# Results of a check's function: 0 passed, 1 failed, 2 cannot be verified here; both with a reason.
failed() { reason=$*; return 1; }
unverifiable() { reason=$*; return 2; }

engine=
findEngine() {
  local name
  for name in docker podman; do
    if command -v "$name" >/dev/null && "$name" info >/dev/null 2>&1; then
      engine=$name
      return 0
    fi
  done
  engine=
}

# Builds or finds the image and lays its root file system out in $work/root.
imageState=
imageProblem=
prepareImage() {
  local -a arguments
  [[ -z $imageState ]] || return 0
  imageState=broken
  findEngine
  if [[ -z $image ]]; then
    image=stratos:acceptance
    read -ra arguments <<<"${STRATOS_IMAGE_ARGUMENTS:-}"
    "$kRoot/packaging/image/build.sh" --tag "$image" "${arguments[@]}" >"$work/image.log" 2>&1 || {
      imageProblem="packaging/image/build.sh failed: $(tail -n 2 "$work/image.log" | tr '\n' ' ')"
      return 0
    }
  fi
  mkdir "$work/root"
  if [[ -n $engine ]]; then
    container=$("$engine" create "$image") || { imageProblem="there is no image $image"; return 0; }
    "$engine" export "$container" | tar -C "$work/root" --numeric-owner -x
    "$engine" rm "$container" >/dev/null 2>&1
    container=
    "$engine" inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$image" | grep "=" >"$work/env"
  else
    export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
    container=$(buildah from "$image") || { imageProblem="there is no image $image"; return 0; }
    cp -a "$(buildah mount "$container")/." "$work/root/"
    buildah rm "$container" >/dev/null
    container=
    buildah inspect --type image "$image" | jq -r '.Docker.config.Env[]' >"$work/env"
  fi
  imageState=ready
}
needImage() {
  prepareImage
  [[ $imageState == ready ]] || { unverifiable "there is no image: ${imageProblem:-see D0}"; return; }
  canBox || { unverifiable "running it without an engine needs root"; return; }
}

# start [SETTING]...: the image's program on $data and a port of its own, until it answers.
data=
port=
user=2000:0
start() {
  local -a settings
  mapfile -t settings < <(grep -v '^PATH=' "$work/env")
  port=${port:-$(freePort)}
  startBox "$work/root" "$data" "$user" "$work/log" serve "${settings[@]}" \
    "CONSOLE_PROXY_TLS_ADDRESS=127.0.0.1:$port" "$@"
  waitUntil 30 answersOrEnded || true
  answers || failed "it did not start: $(tail -n 1 "$work/log")"
}
answers() { curl -ksf -o /dev/null --max-time 2 "$(origin)/pp/v1/ping"; }
answersOrEnded() { answers || ! kill -0 "$boxOuter" 2>/dev/null; }
scheme=https
origin() { printf '%s://127.0.0.1:%s' "$scheme" "$port"; }
newVolume() {
  data=$work/data.$RANDOM$RANDOM
  mkdir "$data"
  chown "${user%:*}:0" "$data"
  chmod 770 "$data"
  port=
}
localAdmin=(AUTH_ENDPOINT_TYPE=local LOCAL_USER=admin LOCAL_USER_PASSWORD=acceptance-password
  LOCAL_USER_SCOPE=stratos.admin CONSOLE_ADMIN_SCOPE=stratos.admin)

# ask CURL-ARGUMENT...: prints the status; the body is in $work/body.
ask() {
  curl -ks --max-time 30 -b "$work/cookies" -c "$work/cookies" -D "$work/headers" -o "$work/body" \
    -w '%{http_code}' -H "X-Xsrf-Token: $(cat "$work/xsrf" 2>/dev/null)" "$@" || true
}
signIn() {
  rm -f "$work/cookies" "$work/xsrf"
  [[ $(ask -d username=admin --data-urlencode password=acceptance-password \
    "$(origin)/pp/v1/auth/login/uaa") == 200 ]] || { failed "signing in: $(<"$work/body")"; return; }
  tr -d '\r' <"$work/headers" | awk 'tolower($1) == "x-xsrf-token:" {print $2}' >"$work/xsrf"
}

startSimulator() {
  local program=$programs/libstratos/testing/stratos-sim
  [[ -z $simPid ]] || return 0
  [[ -x $program ]] || { unverifiable "stratos-sim is not built in $programs"; return; }
  "$program" --tls --ca-file "$work/ca.pem" >"$work/sim.json" 2>"$work/sim.log" &
  simPid=$!
  waitUntil 20 simulatorSpoke || failed "the simulated foundation did not start"
}
simulatorSpoke() { [[ $(jq -r .api "$work/sim.json" 2>/dev/null) == http* ]]; }

# mainJob: register the simulated foundation, connect, and call it through the console.
mainJob() {
  local api guid
  startSimulator || return
  signIn || return
  api=$(jq -r .api "$work/sim.json")
  [[ $(ask -F cnsi_name=Simulated -F "api_endpoint=$api" -F skip_ssl_validation=false -F cnsi_client_id=cf \
    -F "ca_cert=<$work/ca.pem" "$(origin)/api/v1/endpoints?endpoint_type=cf") == 201 ]] ||
    { failed "registering: $(<"$work/body")"; return; }
  guid=$(jq -r .guid "$work/body")
  [[ $(ask -F username=admin -F password=admin \
    "$(origin)/api/v1/tokens?cnsi_guid=$guid&connect_type=creds") == 200 ]] ||
    { failed "connecting: $(<"$work/body")"; return; }
  [[ $(ask "$(origin)/api/v1/proxy/$guid/v3/apps?per_page=3") == 200 &&
    $(jq '.resources | length' "$work/body") == 3 ]] || failed "calling: $(<"$work/body")"
}

# --- What they do ----------------------------------------------------------------------------------

checkImmutable() {
  grep -rq immutable "$kRoot/libstratos/src/http/static_files.cpp" ||
    { reason='files have ETags and are asked for again each time; not built yet'; return 3; }
  [[ $(testResults 'StaticFilesTest\.') == *passed* ]]
}

checkContents() {
  local version
  needImage || return
  version=$(chroot "$work/root" /usr/bin/stratos-server version) || { failed "it does not start"; return; }
  version=${version#stratos-server }
  jq -e --arg version "$version" '.spdxVersion == "SPDX-2.3" and (.packages | length > 8) and
    (.packages[0].versionInfo == $version)' "$work/root/usr/share/doc/stratos-server/sbom.spdx.json" \
    >/dev/null || { failed "the list of contents"; return; }
  jq -r '.packages[1:][].name' "$work/root/usr/share/doc/stratos-server/sbom.spdx.json" |
    while read -r name; do [[ -s $work/root/usr/share/doc/$name/copyright ]] || exit 1; done ||
    { failed "a licence is missing"; return; }
  newVolume
  start || return
  [[ $(ask "$(origin)/pp/v1/version") == 200 && $(jq -r .proxy_version "$work/body") == "$version" ]] ||
    failed "proxy_version is not $version: $(<"$work/body")"
  stopBox
}

# What is shipped has no sanitizers: without a fitting program the scripts build one themselves.
binaryArguments() {
  if grep -qx 'STRATOS_SANITIZE:STRING=' "$programs/CMakeCache.txt" 2>/dev/null; then
    printf '%s\n' --binary "$programs/stratos-server/stratos-server"
  fi
}

checkAssembled() {
  local folder=$work/cf-folder status
  local -a binary
  mapfile -t binary < <(binaryArguments)
  "$kRoot/packaging/cloud-foundry/assemble.sh" "${binary[@]}" "$folder" >"$work/assemble.log" 2>&1 || { failed "$(tail -n 1 "$work/assemble.log")"; return; }
  grep -q 'buildpacks: \[binary_buildpack\]' "$folder/manifest.yml" || { failed "the manifest"; return; }
  status=0
  (cd "$folder" && env -i LD_LIBRARY_PATH="$folder/lib" ./stratos-server version) >/dev/null || status=1
  ((status == 0)) || failed "it does not start"
}

checkImageOnCloudFoundry() {
  local -a settings
  needImage && startSimulator || return
  newVolume
  port=$(freePort)
  scheme=http
  mapfile -t settings < <(grep -v '^PATH=' "$work/env")
  # What the platform sets, and nothing else; the simulated foundation is nobody's real one.
  startBox "$work/root" "$data" "$user" "$work/log" serve "${settings[@]}" "PORT=$port" \
    "VCAP_APPLICATION={\"cf_api\":\"$(jq -r .api "$work/sim.json")\",\"application_id\":\"a\",\"space_id\":\"s\"}" \
    CF_INSTANCE_INDEX=0 SKIP_SSL_VALIDATION=true
  waitUntil 30 answersOrEnded || true
  answers || { scheme=https; stopBox; failed "it did not start: $(tail -n 1 "$work/log")"; return; }
  [[ $(ask "$(origin)/api/v1/auth/verify") == 400 ]] || { scheme=https; failed "a request past the router"; return; }
  [[ $(ask -H 'X-Forwarded-Proto: https' -d username=admin -d password=admin \
    "$(origin)/pp/v1/auth/login/uaa") == 200 ]] || { scheme=https; failed "signing in: $(<"$work/body")"; return; }
  scheme=https
  grep -q 'listening http=' "$work/log" && ! grep -q 'listening https' "$work/log" ||
    { failed "it listens elsewhere, too"; return; }
  stopBox
}

checkImageIsThere() {
  prepareImage
  [[ $imageState == ready ]] || failed "$imageProblem"
}

startMilliseconds=
checkStart() {
  local before
  needImage || return
  newVolume
  before=$(date +%s%N)
  start || return
  startMilliseconds=$((($(date +%s%N) - before) / 1000000))
  residentKilobytes=$(awk '/^VmRSS/ {print $2}' "/proc/$boxPid/status")
  stopBox
  ((startMilliseconds < 10000)) || { failed "it took $startMilliseconds ms"; return; }
  reason="$startMilliseconds ms, $((residentKilobytes / 1024)) MB"
}

checkSize() {
  local bytes packed
  needImage || return
  bytes=$(du -sb "$work/root" | cut -f 1)
  packed=$(tar -C "$work/root" -c . | gzip -6 | wc -c)
  reason="$((bytes / 1000000)) MB, $((packed / 1000000)) MB compressed, start $startMilliseconds ms"
  ((bytes < 60000000 && startMilliseconds > 0 && startMilliseconds < 5000)) || return 1
}

checkEngine() {
  local name=stratos-acceptance-$$ pid status=0
  prepareImage
  [[ $imageState == ready && -n $engine ]] || { unverifiable "no container engine answers"; return; }
  "$engine" run --rm "$image" version >"$work/engine.log" 2>&1 ||
    { unverifiable "$engine cannot run containers: $(tail -n 1 "$work/engine.log")"; return; }
  port=$(freePort)
  container=$name
  "$engine" run -d --name "$name" --read-only --user 34567:0 --cap-drop ALL \
    --security-opt no-new-privileges -p "127.0.0.1:$port:5443" "$image" >/dev/null 2>"$work/engine.log" ||
    { failed "$(tail -n 1 "$work/engine.log")"; return; }
  waitUntil 20 answers || { failed "it does not answer: $("$engine" logs "$name" 2>&1 | tail -n 1)"; return; }
  "$engine" exec "$name" /usr/bin/stratos-server health >/dev/null || { failed "health"; return; }
  pid=$("$engine" inspect --format '{{.State.Pid}}' "$name")
  # An engine in a machine of its own does not show its processes here.
  if [[ -r /proc/$pid/status ]]; then
    [[ $(awk '/^Uid/ {print $2}' "/proc/$pid/status") == 34567 ]] || { failed "user"; return; }
  fi
  "$engine" restart "$name" >/dev/null 2>&1 && waitUntil 20 answers || { failed "restart"; return; }
  "$engine" stop -t 10 "$name" >/dev/null 2>&1
  status=$("$engine" inspect --format '{{.State.ExitCode}}' "$name")
  [[ $status == 0 ]] || { failed "it ended with $status"; return; }
  "$engine" rm -f -v "$name" >/dev/null 2>&1
  container=
  reason=$engine
}

checkCertificate() {
  local first second
  needImage || return
  newVolume
  start || return
  openssl s_client -connect "127.0.0.1:$port" -servername localhost </dev/null 2>/dev/null |
    openssl x509 -noout -ext subjectAltName >"$work/names"
  grep -q "DNS:localhost, IP Address:127.0.0.1" "$work/names" && grep -qF "DNS:$(hostname)" "$work/names" ||
    { failed "names: $(tr -d '\n' <"$work/names")"; return; }
  stopBox
  first=$(sha256sum <"$data/stratos-server.crt")
  start || return
  stopBox
  [[ $first == "$(sha256sum <"$data/stratos-server.crt")" ]] || { failed "another one after a restart"; return; }
  newVolume
  start || return
  stopBox
  second=$(sha256sum <"$data/stratos-server.crt")
  [[ $first != "$second" ]] || failed "two containers have the same"
}

checkUsers() {
  needImage || return
  for user in 2000:0 "$((10000 + RANDOM)):0"; do
    newVolume
    start || { user=2000:0; return 1; }
    [[ $(awk '/^Uid/ {print $2}' "/proc/$boxPid/status") == "${user%:*}" ]] || { failed "user"; return; }
    stopBox
    ((boxStatus == 0)) || { failed "status $boxStatus as $user"; return; }
  done
  user=2000:0
}

checkVolume() {
  needImage || return
  newVolume
  start "${localAdmin[@]}" && mainJob || return
  stopBox
  # A new container on the same volume.
  start "${localAdmin[@]}" && signIn || return
  [[ $(ask "$(origin)/api/v1/endpoints") == 200 && $(jq length "$work/body") == 1 ]] ||
    { failed "the endpoint is gone: $(<"$work/body")"; return; }
  stopBox
  [[ -f $data/console-database.db ]] || { failed "no console-database.db"; return; }
  # Another folder takes database and key along.
  mkdir "$data/elsewhere" && chown "$user" "$data/elsewhere"
  start SQLITE_DB_DIR=/data/elsewhere || return
  stopBox
  [[ -f $data/elsewhere/console-database.db && -f $data/elsewhere/encryption-key ]] || failed "SQLITE_DB_DIR"
}

checkSecrets() {
  local key
  needImage || return
  newVolume
  start "${localAdmin[@]}" && signIn || return
  key=$(sha256sum <"$data/encryption-key")
  stopBox
  start "${localAdmin[@]}" || return
  [[ $(ask "$(origin)/pp/v1/info") == 200 ]] || { failed "the session is gone"; return; }
  stopBox
  [[ $key == "$(sha256sum <"$data/encryption-key")" ]] || { failed "another key"; return; }
  [[ $(stat -c %a "$data/encryption-key") == 600 ]] || { failed "others may read the key"; return; }
  # Without its key the database is not touched.
  rm "$data/encryption-key"
  ! runBox "$work/root" "$data" "$user" serve SQLITE_DB_DIR=/data STRATOS_GENERATE_ENCRYPTION_KEY=true \
    >"$work/lost" || { failed "it started without the key"; return; }
  grep -q 'not its key' "$work/lost" || failed "$(tail -n 1 "$work/lost")"
}

checkMainJob() {
  needImage || return
  newVolume
  start "${localAdmin[@]}" && mainJob || return
  stopBox
  ! grep -q acceptance-password "$work/log" || failed "the password is in the log"
}

checkPostgres() {
  local url=${STRATOS_TEST_POSTGRES_URL:-} name=stratos_acceptance_$$ status=0
  needImage || return
  [[ -n $url ]] || { unverifiable "STRATOS_TEST_POSTGRES_URL is not set"; return; }
  command -v psql >/dev/null || { unverifiable "psql is not installed"; return; }
  [[ $url =~ ^postgres(ql)?://([^:]+):([^@]+)@([^:/]+):([0-9]+)/ ]] || { unverifiable "cannot read the URL"; return; }
  psql -q "$url" -c "CREATE DATABASE $name" || { failed "no database could be made"; return; }
  newVolume
  { start "${localAdmin[@]}" DATABASE_PROVIDER=pgsql "DB_USER=${BASH_REMATCH[2]}" \
    "DB_PASSWORD=${BASH_REMATCH[3]}" "DB_HOST=${BASH_REMATCH[4]}" "DB_PORT=${BASH_REMATCH[5]}" \
    "DB_DATABASE_NAME=$name" && mainJob && { stopBox; [[ ! -e $data/console-database.db ]]; }; } || status=1
  killBox
  psql -q "$url" -c "DROP DATABASE $name WITH (FORCE)" || true
  return "$status"
}

checkHealthAndStop() {
  local before
  needImage || return
  newVolume
  start || return
  runBox "$work/root" "$data" "$user" health "CONSOLE_PROXY_TLS_ADDRESS=127.0.0.1:$port" >"$work/health" ||
    { failed "$(<"$work/health")"; return; }
  before=$SECONDS
  stopBox
  ((boxStatus == 0 && SECONDS - before < 10)) || { failed "status $boxStatus after $((SECONDS - before)) s"; return; }
  ! runBox "$work/root" "$data" "$user" health "CONSOLE_PROXY_TLS_ADDRESS=127.0.0.1:$port" >/dev/null ||
    failed "well, although it does not run"
}

checkListeners() {
  local plain status=0
  needImage || return
  newVolume
  plain=$(freePort)
  start "STRATOS_HTTP_ADDRESS=127.0.0.1:$plain" || return
  curl -sf -o /dev/null "http://127.0.0.1:$plain/pp/v1/ping" || { failed "no plain HTTP"; return; }
  stopBox
  port=$plain scheme=http
  start CONSOLE_PROXY_TLS_ADDRESS=off "STRATOS_HTTP_ADDRESS=127.0.0.1:$plain" || status=1
  scheme=https
  stopBox
  ((status == 0)) || failed "plain HTTP alone"
}

checkJsonLog() {
  needImage || return
  newVolume
  start LOG_TO_JSON=true || return
  stopBox
  [[ -s $work/log ]] && jq -e . "$work/log" >/dev/null 2>&1 || failed "a line is no JSON"
}

checkBoot() {
  local tool status=0
  local -a binary
  ((EUID == 0)) || { unverifiable "booting needs root"; return; }
  for tool in debootstrap systemd-nspawn; do
    command -v "$tool" >/dev/null || { unverifiable "$tool is not installed"; return; }
  done
  mapfile -t binary < <(binaryArguments)
  "$kRoot/packaging/debian-package/boot-test.sh" "${binary[@]}" >"$work/boot.log" 2>&1 || status=$?
  reason=$(tail -n 1 "$work/boot.log")
  ((status != 77)) || return 2
  return "$status"
}

# --- Running them ----------------------------------------------------------------------------------

# Checks that somebody may add by a label of their tests: one check per test.
addLabelled() {
  local section=$1 name found=false
  while read -r name; do
    found=true
    byTests "$section" "$section" "${name//./\\.}\$" "$name"
  done < <([[ -z $testDir ]] || ctest --test-dir "$testDir" -N -L "^$section\$" 2>/dev/null |
    sed -nE 's/^ *Test +#[0-9]+: (.*)$/\1/p')
  $found || notHere "$section" "$section" "there are no tests with the label $section" "all of it"
}
testDir=${buildDir:-$kRoot/build/dev}
# Their tests are scripts, so that they are known before anything is built.
if ! $list && [[ ! -f $testDir/CTestTestfile.cmake ]] && { isWanted chart || isWanted nginx; }; then
  mapfile -t packages < <(buildPackages)
  installPackages "${packages[@]}" libgmock-dev libgtest-dev pkg-config
  (cd "$kRoot" && cmake --preset dev >/dev/null) || warn "the tests cannot be listed"
fi
[[ -f $testDir/CTestTestfile.cmake ]] || testDir=
# Programs of the build with tests, which packaging/test.sh makes if need be.
programs=${buildDir:-$kRoot/build/dev}

if $list; then
  for ((i = 0; i < ${#ids[@]}; i++)); do
    isWanted "${sections[i]}" || continue
    printf '%-8s %-13s %-8s %s\n' "${sections[i]}" "${ids[i]}" "${kinds[i]}" "${texts[i]}"
  done
  exit 0
fi

# The tests of the chart need Helm, which Debian does not have. Go builds it.
buildHelm() {
  local version=v3.18.4 folder=$kRoot/build/helm
  if [[ -z ${STRATOS_HELM:-} ]] && ! command -v helm >/dev/null; then
    if [[ ! -x $folder/helm ]] && command -v go >/dev/null; then
      say "Building Helm $version ..."
      GOBIN=$folder go install "helm.sh/helm/v3/cmd/helm@$version" || warn "Helm cannot be built"
    fi
    if [[ -x $folder/helm ]]; then export STRATOS_HELM=$folder/helm; fi
  fi
}

if isWanted chart; then buildHelm && addLabelled chart; fi
if isWanted nginx; then addLabelled nginx; fi

# Cases with parameters have the name of their instance in front.
readonly kPrefix='^([A-Za-z0-9]+/)?'
union=
for ((i = 0; i < ${#ids[@]}; i++)); do
  if isWanted "${sections[i]}" && [[ ${kinds[i]} == tests ]]; then union+=${union:+|}${details[i]// /|}; fi
done
junit=$work/junit.xml
if [[ -n $union ]]; then
  say "Running the tests (their output is in $kRoot/build/acceptance.log) ..."
  mkdir -p "$kRoot/build"
  if [[ -n $buildDir ]]; then
    ctest --test-dir "$buildDir" -j 2 --output-on-failure --no-tests=error -R "$kPrefix($union)" \
      --output-junit "$junit" >"$kRoot/build/acceptance.log" 2>&1 || true
  else
    "$kRoot/packaging/test.sh" -R "$kPrefix($union)" --output-junit "$junit" \
      >"$kRoot/build/acceptance.log" 2>&1 || true
  fi
  [[ -s $junit ]] || { tail -n 20 "$kRoot/build/acceptance.log" >&2; die "the tests did not run"; }
  sed -nE 's/^.*<testcase name="([^"]*)".*status="([a-z]*)".*$/\2 \1/p' "$junit" >"$work/results"
fi

# testResults REGEX...: how the tests with such names ended: "3 passed", "1 failed: Name", ...
testResults() {
  local all=$* one
  for one in $all; do
    # Through the environment: awk would take the backslashes out of an argument.
    regex="$kPrefix($one)" awk '$2 ~ ENVIRON["regex"] { found = 1; exit } END { exit !found }' \
      "$work/results" || { printf 'there is no test %s in the build that was used' "$one"; return; }
  done
  regex="$kPrefix(${all// /|})" awk '$2 ~ ENVIRON["regex"] {
      if ($1 == "run") passed++; else if ($1 == "fail") { bad++; names = names " " $2 } else skipped++
    }
    END {
      if (bad) printf "%d failed:%s", bad, names
      else if (passed) printf "%d passed%s", passed, skipped ? ", " skipped " skipped" : ""
      else printf "%d skipped", skipped
    }' "$work/results"
}

passed=0 failures=0 absent=0 unseen=0
report() {
  printf '%-22s %-13s %s%s\n' "$1" "$2" "$3" "${4:+ ($4)}"
}
for ((i = 0; i < ${#ids[@]}; i++)); do
  isWanted "${sections[i]}" || continue
  id=${ids[i]} text=${texts[i]} reason=
  case ${kinds[i]} in
    tests)
      reason=$(testResults "${details[i]}")
      case $reason in
        *' failed:'* | 'there is no test'*) verdict=1 ;;
        *passed*) verdict=0 ;;
        *) verdict=2 ;;
      esac
      ;;
    shell)
      verdict=0
      "${details[i]}" || verdict=$?
      killBox
      ;;
    notHere) verdict=2 reason=${details[i]} ;;
    missing) verdict=3 reason=${details[i]} ;;
  esac
  case $verdict in
    0) passed=$((passed + 1)) && report PASS "$id" "$text" "$reason" ;;
    2) unseen=$((unseen + 1)) && report 'NOT VERIFIABLE HERE' "$id" "$text" "$reason" ;;
    3) absent=$((absent + 1)) && report MISSING "$id" "$text" "$reason" ;;
    *) failures=$((failures + 1)) && report FAIL "$id" "$text" "$reason" ;;
  esac
done
printf '\n%d passed, %d failed, %d missing, %d not verifiable here\n' "$passed" "$failures" "$absent" "$unseen"
((failures == 0))
