#!/usr/bin/env bash
# chart_test.sh CASE: the chart, rendered by Helm and looked at. Helm is $STRATOS_HELM or `helm`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly kChart=packaging/helm/console
readonly kPolicies=tests/packaging/chart_policies.py
readonly kKubernetes=1.31.0
helm=${STRATOS_HELM:-$(command -v helm || true)}
if [[ -z $helm ]]; then
  printf 'SKIPPED: there is no helm; packaging/acceptance.sh chart builds one\n'
  exit 77
fi
if ! python3 -c 'import yaml' 2>/dev/null; then
  printf 'SKIPPED: the Debian package python3-yaml is missing\n'
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HELM_CACHE_HOME=$folder/cache HELM_CONFIG_HOME=$folder/config HELM_DATA_HOME=$folder/data

fail() {
  printf 'FAILED: %s\n' "$*"
  exit 1
}
# render NAME ARGUMENT...: into $folder/NAME.yaml
render() {
  local name=$1
  shift
  "$helm" template rel "$kChart" --kube-version "$kKubernetes" --namespace ns "$@" >"$folder/$name.yaml" 2>"$folder/$name.err" ||
    { cat "$folder/$name.err"; fail "$name does not render"; }
}
# has NAME TEXT...: each text stands in what was rendered.
has() {
  local name=$1 text
  shift
  for text in "$@"; do
    grep -qF -- "$text" "$folder/$name.yaml" || { fail "$name has no \"$text\""; }
  done
}
hasNot() {
  ! grep -qF -- "$2" "$folder/$1.yaml" || fail "$1 has \"$2\""
}
# refused TEXT ARGUMENT...: rendering ends with that text.
refused() {
  local text=$1
  shift
  if "$helm" template rel "$kChart" --kube-version "$kKubernetes" --namespace ns "$@" >"$folder/refused" 2>&1; then
    fail "$* was accepted"
  fi
  grep -qF -- "$text" "$folder/refused" || { cat "$folder/refused"; fail "$*: no \"$text\""; }
}
policies() {
  local name=$1
  shift
  python3 "$kPolicies" "$folder/$name.yaml" "$@" || fail "$name breaks rules"
}

Lint() {
  "$helm" lint --strict "$kChart"
  "$helm" lint --strict "$kChart" --set console.service.ingress.enabled=true,env.DOMAIN=example.com
}

Renders() {
  render default
  policies default
  has default 'kind: StatefulSet' 'kind: NetworkPolicy' 'kind: PodDisruptionBudget' \
    'value: "127.0.0.1:8081"'
  ! grep -q '@[A-Z_]*@' "$folder/default.yaml" || fail "a word is not filled in"
  has default 'httpGet: {path: /livez, port: proxy, scheme: HTTPS}' \
    'httpGet: {path: /readyz, port: proxy, scheme: HTTPS}' 'nginx -t -q && nginx -s reload' 'location = /readyz'
  hasNot default 'kind: Ingress'
  hasNot default AUTH_ENDPOINT_TYPE
  hasNot default UAA_ENDPOINT

  render external --set mariadb.external=true,mariadb.host=db.example.com,mariadb.existingSecret=mine \
    --set mariadb.tls=verify-full,mariadb.caConfigMap=ca
  policies external mine ca
  hasNot external 'kind: StatefulSet'
  has external 'value: "db.example.com"' 'value: "verify-full"' 'value: /etc/stratos/db-ca/ca.crt'

  render everything --set console.replicaCount=3,autoscaling.enabled=true \
    --set console.service.ingress.enabled=true,console.service.ingress.host=c.example.com \
    --set console.service.ingress.className=nginx,console.service.http.enabled=true \
    --set console.gateway.enabled=true,console.gateway.parentRefs[0].name=gw \
    --set console.localAdminPassword=pass-of-admin,console.service.servicePort=8443 \
    --set imagePullSecrets[0]=pull,global.imageRegistry=mirror.example.com \
    --set networkPolicy.egressTo[0].ipBlock.cidr=10.0.0.0/8 \
    --set console.extraEnv[0].name=LOG_API_REQUESTS,console.extraEnv[0].value=false-text \
    --set env.SMTP_HOST=smtp.example.com,env.SMTP_PASSWORD=pass-of-smtp \
    --set console.templatesConfigMapName=templates
  policies everything templates
  has everything 'kind: Ingress' 'kind: HTTPRoute' 'kind: HorizontalPodAutoscaler' \
    'ingressClassName: nginx' 'value: local' 'https://$host:8443$request_uri' \
    'image: "mirror.example.com/stratos:' 'name: SMTP_HOST' 'local-user-password'
  hasNot everything 'value: "pass-of-'
  hasNot everything 'image: "docker.io'

  render own --set console.existingSecret=mine,console.tlsSecretName=tls,mariadb.existingSecret=db \
    --set uaa.endpoint=https://uaa.example.com
  policies own mine tls db
  hasNot own 'kind: Secret'
  has own 'value: "https://uaa.example.com"' 'value: "cloud_controller.admin"' 'key: encryption-key'

  render frontEnd --set console.frontEndVolume.configMap.name=ui
  policies frontEnd ui
  has frontEnd 'try_files' 'immutable' "add_header Content-Security-Policy \"default-src 'self'; script-src"
  ! grep -q '@[A-Z_]*@' "$folder/frontEnd.yaml" || fail "a word is not filled in"
  hasNot frontEnd STRATOS_CONTENT_SECURITY_POLICY
  render strict --set console.frontEndVolume.configMap.name=ui \
    --set "console.contentSecurityPolicy=default-src 'self'"
  has strict "add_header Content-Security-Policy \"default-src 'self'\";" \
    "{name: STRATOS_CONTENT_SECURITY_POLICY, value: \"default-src 'self'\"}"
  render lax --set console.frontEndVolume.configMap.name=ui,console.contentSecurityPolicy=off
  hasNot lax 'add_header Content-Security-Policy'

  hasNot default real_ip
  render behind --set 'console.trustedProxies={10.0.0.0/8,fd00::1}'
  policies behind
  has behind 'set_real_ip_from 10.0.0.0/8; set_real_ip_from fd00::1; real_ip_header X-Forwarded-For; real_ip_recursive on;'

  hasNot default STRATOS_METRICS_ADDRESS
  hasNot default 'rel-metrics'
  render metrics --set metrics.enabled=true,metrics.port=9999
  policies metrics
  has metrics '{name: STRATOS_METRICS_ADDRESS, value: ":9999"}' '{name: metrics, containerPort: 9999}' \
    'ports: [{port: metrics}]' 'namespaceSelector: {}' 'name: rel-metrics'
  hasNot metrics 'kind: ServiceMonitor'
  render monitor --set metrics.enabled=true,metrics.serviceMonitor.enabled=true \
    --set metrics.serviceMonitor.namespace=monitoring,metrics.serviceMonitor.labels.release=prometheus \
    --set metrics.ingressFrom=null
  policies monitor
  has monitor 'kind: ServiceMonitor' 'namespace: monitoring' 'release: prometheus' 'matchNames: [ns]'
  hasNot monitor 'namespaceSelector: {}'

  hasNot default STRATOS_SIGN_IN_CA_FILE
  printf -- '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' >"$folder/ca.crt"
  render authority --set uaa.endpoint=https://uaa.example.com --set-file "uaa.caCert=$folder/ca.crt"
  policies authority
  has authority '{name: STRATOS_SIGN_IN_CA_FILE, value: /etc/stratos/uaa-ca/ca.crt}' 'name: rel-uaa-ca' \
    '{name: SKIP_SSL_VALIDATION, value: "false"}' '    -----BEGIN CERTIFICATE-----'
  render authorities --set uaa.endpoint=https://uaa.example.com,uaa.caConfigMap=ours
  policies authorities ours
  has authorities 'configMap: {name: ours}'

  for type in NodePort LoadBalancer; do
    render "$type" --set "console.service.type=$type,console.service.nodePort=30000" \
      --set "console.service.loadBalancerSourceRanges={10.0.0.0/8}"
    policies "$type"
    has "$type" "type: $type" '10.0.0.0/8'
  done
  has NodePort 'nodePort: 30000'
  hasNot LoadBalancer 'nodePort'

  local long=a-release-whose-name-is-as-long-as-helm-lets-it-
  "$helm" template "${long}be" "$kChart" --kube-version "$kKubernetes" >"$folder/long.yaml"
  policies long
}

# What people have in their files for upstream's chart.
UpstreamValues() {
  render uaa --set env.DOMAIN=example.com,uaa.skipSSLValidation=true
  policies uaa
  has uaa 'value: "https://scf.uaa.example.com:2793"' 'value: "https://api.example.com"' \
    '{name: SKIP_SSL_VALIDATION, value: "true"}' '{name: COOKIE_DOMAIN, value: "example.com"}'
  render noZone --set env.UAA_HOST=login.example.com,env.UAA_ZONE=,uaa.skipSSLValidation=false
  has noZone 'value: "https://login.example.com:2793"' '{name: SKIP_SSL_VALIDATION, value: "false"}'
  render explicit --set env.DOMAIN=example.com,console.autoRegisterCF=https://api.other.com
  has explicit 'value: "https://api.other.com"'
  render texts --set console.cookieDomain=-,env.DOMAIN=example.com,console.ssoLogin=true \
    --set console.ssoOptions=logout,console.userInviteSubject=Welcome
  hasNot texts COOKIE_DOMAIN
  has texts '{name: SSO_LOGIN, value: "true"}' '{name: SSO_OPTIONS, value: "logout"}'

  refused 'set console.service.type=LoadBalancer' --set useLb=true
  refused 'set console.service.type=LoadBalancer' --set services.loadbalanced=true
  refused 'name it in imagePullSecrets' --set kube.registry.username=me
  refused 'set console.service.externalIPs' --set console.externalIP=10.0.0.1
  refused 'set mariadb.userPassword' --set mariadb.mariadbPassword=x
  refused 'mariadb.type must be pgsql' --set mariadb.type=mysql
  refused 'set images.console.repository' --set images.console=mine
  refused 'set uaa.endpoint' --set uaa.host=uaa.example.com
  refused 'needs mariadb.host' --set mariadb.external=true
  refused 'mariadb.userPassword or mariadb.existingSecret' --set mariadb.external=true,mariadb.host=h
  refused 'needs metrics.enabled' --set metrics.serviceMonitor.enabled=true
  refused 'contentSecurityPolicy' --set 'console.contentSecurityPolicy=a"b'
  refused 'caCert' --set uaa.caCert=/etc/ca.crt
  refused 'consoleVersoin' --set consoleVersoin=1
  refused 'apiKeysEnabled' --set console.apiKeysEnabled=everybody
}

Secrets() {
  render first
  render second
  local key
  for name in first second; do
    key=$(sed -n 's/^  key: "\([0-9a-f]*\)"$/\1/p' "$folder/$name.yaml")
    [[ ${#key} == 64 ]] || fail "the encryption key has ${#key} digits"
    grep -c 'helm.sh/resource-policy: keep' "$folder/$name.yaml" | grep -qx 4 ||
      fail "not all of key, certificate, password and volume are kept"
  done
  ! cmp -s "$folder/first.yaml" "$folder/second.yaml" || fail "a key was made up beforehand"
  # With everything given, rendering is stable: what GitOps needs.
  local given=(--set console.existingSecret=s,console.tlsSecretName=t,mariadb.existingSecret=d)
  render one "${given[@]}"
  render two "${given[@]}"
  cmp "$folder/one.yaml" "$folder/two.yaml" || fail "rendering twice differs"
  # The certificate is for the names under which the console is reached.
  sed -n 's/^  tls.crt: //p' "$folder/first.yaml" | base64 -d |
    openssl x509 -noout -ext subjectAltName >"$folder/names"
  grep -qF 'rel-ui-ext.ns.svc' "$folder/names" || fail "the certificate is for $(cat "$folder/names")"
}

"$1"
printf 'PASSED: %s\n' "$1"
