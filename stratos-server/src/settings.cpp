#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"

namespace stratos::server {
namespace {

using enum SettingType;

constexpr std::string_view kServer = "Server and TLS";
constexpr std::string_view kLog = "Logging";
constexpr std::string_view kDatabase = "Database";
constexpr std::string_view kSecrets = "Keys and sessions";
constexpr std::string_view kSignIn = "Sign-in";
constexpr std::string_view kEndpoints = "Endpoints and outgoing calls";
constexpr std::string_view kMail = "Invitations by mail";
constexpr std::string_view kFrontEnd = "Passed to the front end";
constexpr std::string_view kHosting = "Hosting and life cycle";

constexpr auto kSettings = std::to_array<SettingInfo>({
    {"CONSOLE_PROXY_TLS_ADDRESS", kServer, Text, ":5443", "",
     "HTTPS listener as host:port or :port; \"off\" for none"},
    {"STRATOS_HTTP_ADDRESS", kServer, Text, "", "",
     "additional plain HTTP listener as host:port, for use behind a proxy that terminates TLS"},
    {"STRATOS_METRICS_ADDRESS", kServer, Text, "", "",
     "plain HTTP listener as host:port for /metrics, in the format of Prometheus; whoever reaches "
     "it reads them"},
    {"CONSOLE_PROXY_CERT_PATH", kServer, Text, "", "", "PEM file with the certificate chain"},
    {"CONSOLE_PROXY_CERT_KEY_PATH", kServer, Text, "", "", "PEM file with its private key"},
    {"CONSOLE_PROXY_CERT", kServer, Text, "", "", "certificate chain as PEM text"},
    {"CONSOLE_PROXY_CERT_KEY", kServer, SettingType::SecretText, "", "",
     "its private key as PEM text"},
    {"UI_PATH", kServer, Text, "./ui", "",
     "folder with the built front end; when it is not set and does not exist, the front end that "
     "came with the program; only the API is served without one"},
    {"STRATOS_CONTENT_SECURITY_POLICY", kServer, Text, "", "",
     "Content-Security-Policy of the front end; \"off\" for none; default: the one that its "
     "index.html names, else one that lets usual front ends work"},
    {"STRATOS_TRUSTED_PROXIES", kServer, List, "", "",
     "addresses and networks (10.0.0.0/8; \"private\" for all private ones) of proxies whose "
     "X-Forwarded-For, -Proto and -Host count"},
    {"ALLOWED_ORIGINS", kServer, List, "", "",
     "origins that may use the API from another site; * and ? are wildcards; empty: none"},
    {"STRATOS_HSTS_MAX_AGE_IN_SECS", kServer, Integer, "", "",
     "sends Strict-Transport-Security with that age"},
    {"STRATOS_MAX_REQUESTS", kServer, Integer, "64", "",
     "requests that are answered at the same time beside proxied ones; further ones wait"},
    {"STRATOS_EVENT_LOOPS", kServer, Integer, "0", "",
     "threads that serve connections and proxied requests; 0: one per core, 64 at most"},
    {"STRATOS_MAX_CONNECTIONS", kServer, Integer, "4096", "", "open connections"},
    {"STRATOS_SHUTDOWN_DELAY_IN_SECS", kServer, Integer, "0", "",
     "how long new requests are still served after SIGTERM, while /readyz answers 503 already"},
    {"STRATOS_SHUTDOWN_TIMEOUT_IN_SECS", kServer, Integer, "30", "",
     "how long requests in flight may take to finish after that"},

    {"LOG_LEVEL", kLog, Text, "info", "", "panic, fatal, error, warn, info, debug or trace"},
    {"LOG_TO_JSON", kLog, Text, "", "", "\"true\" writes JSON lines; anything else text"},
    {"LOG_API_REQUESTS", kLog, Text, "true", "",
     "one line per request; anything but \"true\" turns it off"},

    {"DATABASE_PROVIDER", kDatabase, Choice, "sqlite", "sqlite|pgsql|mysql",
     "sqlite or pgsql (mysql is not supported yet)"},
    {"DB_HOST", kDatabase, Text, "", "", "PostgreSQL host name or socket folder"},
    {"DB_PORT", kDatabase, Integer, "5432", "", "PostgreSQL port"},
    {"DB_USER", kDatabase, Text, "", "", "PostgreSQL user"},
    {"DB_PASSWORD", kDatabase, SettingType::SecretText, "", "", "its password"},
    {"DB_DATABASE_NAME", kDatabase, Text, "", "", "PostgreSQL database"},
    {"DB_SSL_MODE", kDatabase, Choice, "disable", "disable|require|verify-ca|verify-full",
     "TLS to PostgreSQL"},
    {"DB_CONNECT_TIMEOUT_IN_SECS", kDatabase, Integer, "10", "", "time to connect to PostgreSQL"},
    {"STRATOS_DB_STATEMENT_TIMEOUT_IN_SECS", kDatabase, Integer, "30", "",
     "time for one statement on PostgreSQL, then it is cancelled; 0 for no limit"},
    {"STRATOS_CACHE_STALENESS_IN_SECS", kDatabase, Integer, "3", "",
     "how long a change by another process may stay unseen when the database does not announce it; "
     "0 caches nothing"},
    {"STRATOS_DB_MAX_CONNECTIONS", kDatabase, Integer, "16", "",
     "connections to the database; requests wait for a free one"},
    {"DB_CERT", kDatabase, Text, "", "", "client certificate file for PostgreSQL"},
    {"DB_CERT_KEY", kDatabase, Text, "", "", "key file of that certificate"},
    {"DB_ROOT_CERT", kDatabase, Text, "", "",
     "CA file that PostgreSQL's certificate must come from"},
    {"SQLITE_DB_DIR", kDatabase, Text, ".", "",
     "folder of console-database.db and of the generated certificate"},
    {"SQLITE_KEEP_DB", kDatabase, Flag, "", "",
     "false deletes the SQLite database at each start; default: kept, except on Cloud Foundry"},

    {"ENCRYPTION_KEY", kSecrets, SettingType::SecretText, "", "",
     "key of the stored tokens: 64 hexadecimal digits (openssl rand -hex 32); 32 or 48 work, too"},
    {"ENCRYPTION_KEY_VOLUME", kSecrets, Text, "", "", "folder of a file with that key"},
    {"ENCRYPTION_KEY_FILENAME", kSecrets, Text, "", "", "name of the file in that folder"},
    {"STRATOS_GENERATE_ENCRYPTION_KEY", kSecrets, Flag, "false", "",
     "makes that file (default: encryption-key in SQLITE_DB_DIR) with a new key when neither it "
     "nor "
     "a SQLite database exists yet"},
    {"ENCRYPTION_KEY_PREVIOUS", kSecrets, SettingType::SecretText, "", "",
     "comma separated earlier keys, needed until stratos-server rekey has finished"},
    {"SESSION_STORE_SECRET", kSecrets, SettingType::SecretText, "", "",
     "key of the session cookies; when not set, one is made and kept in the database"},
    {"SESSION_STORE_EXPIRY", kSecrets, Text, "20", "", "minutes until an unused session ends"},
    {"STRATOS_SESSION_MAX_AGE_IN_MINUTES", kSecrets, Integer, "0", "",
     "minutes until a session ends however much it is used; 0 for no such limit"},
    {"COOKIE_DOMAIN", kSecrets, Text, "", "", "domain of the session cookie; - for none"},

    {"AUTH_ENDPOINT_TYPE", kSignIn, Choice, "remote", "remote|local|oidc|none",
     "remote (a UAA), local (users in the database), oidc (an OpenID Connect provider) or none "
     "(everybody is administrator; on loopback addresses only)",
     true},
    {"STRATOS_LOGIN_THROTTLE", kSignIn, Flag, "true", "",
     "slows down guessing of passwords; false only where something in front of the console does"},
    {"STRATOS_SETUP_ACCESS", kSignIn, Choice, "code", "code|open",
     "who may run the set-up wizard: who has the code from the log, or anybody who comes first"},
    {"STRATOS_ALLOW_NO_SIGN_IN", kSignIn, Flag, "false", "",
     "none: also on addresses that other machines can reach"},
    {"LOCAL_USER", kSignIn, Text, "", "", "local: the first user", true},
    {"LOCAL_USER_PASSWORD", kSignIn, SettingType::SecretText, "", "",
     "local: password of the first user, up to 72 bytes", true},
    {"LOCAL_USER_SCOPE", kSignIn, Text, "", "",
     "local: scope of the first user; default: CONSOLE_ADMIN_SCOPE or stratos.admin", true},
    {"UAA_ENDPOINT", kSignIn, Url, "", "", "remote: URL of the UAA", true},
    {"CONSOLE_CLIENT", kSignIn, Text, "", "", "remote: UAA client of the console", true},
    {"CONSOLE_CLIENT_SECRET", kSignIn, SettingType::SecretText, "", "", "remote: its secret", true},
    {"CONSOLE_ADMIN_SCOPE", kSignIn, Text, "", "", "scope that makes a console administrator",
     true},
    {"SKIP_SSL_VALIDATION", kSignIn, Flag, "false", "", "remote: accept any certificate of the UAA",
     true},

    {"STRATOS_SIGN_IN_CA_FILE", kSignIn, Text, "", "",
     "remote, oidc: PEM file with authorities that the certificate of the UAA or of the provider "
     "may come from, beside those of the system; also for the foundation that AUTO_REG_CF_URL "
     "names"},

    {"SSO_LOGIN", kSignIn, Flag, "false", "", "remote: sign in at the UAA's own page, by redirect",
     true},
    {"AUTHORIZATION_ENDPOINT", kSignIn, Url, "", "",
     "remote: URL at which browsers find the UAA; default: UAA_ENDPOINT", true},
    {"SSO_OPTIONS", kSignIn, Text, "", "",
     "comma separated: nosplash starts it at once, logout also signs out at the UAA"},
    {"SSO_ALLOWLIST", kSignIn, Text, "", "",
     "comma separated URLs that such a sign-in may return to; default: this console only"},
    {"SSO_WHITELIST", kSignIn, Text, "", "", "older name of SSO_ALLOWLIST"},
    {"STRATOS_SSO_PASSWORD_LOGIN", kSignIn, Flag, "true", "",
     "false refuses passwords where single sign-on is on"},

    {"OIDC_ISSUER", kSignIn, Text, "", "",
     "oidc: the provider's issuer URL, exactly as it writes it", true},
    {"OIDC_CLIENT_ID", kSignIn, Text, "", "", "oidc: client of the console at the provider", true},
    {"OIDC_CLIENT_SECRET", kSignIn, SettingType::SecretText, "", "",
     "oidc: its secret; empty for a public client", true},
    {"OIDC_SCOPES", kSignIn, Text, "openid profile email", "",
     "oidc: scopes to ask for, with blanks between; many providers want offline_access, too", true},
    {"OIDC_PROMPT", kSignIn, Text, "", "",
     "oidc: prompt parameter of the sign-in, for example consent or select_account", true},
    {"OIDC_USERNAME_CLAIM", kSignIn, Text, "preferred_username", "",
     "oidc: claim that is shown as the user's name", true},
    {"OIDC_GROUPS_CLAIM", kSignIn, Text, "groups", "",
     "oidc: claim with the user's groups; dots lead into objects (realm_access.roles)", true},
    {"OIDC_ADMIN_GROUPS", kSignIn, Text, "", "",
     "oidc: comma separated groups whose members administer the console; default: nobody", true},
    {"OIDC_REQUIRED_GROUPS", kSignIn, Text, "", "",
     "oidc: comma separated groups that may sign in at all; default: everybody", true},
    {"OIDC_EMAIL_DOMAINS", kSignIn, Text, "", "",
     "oidc: comma separated domains of verified e-mail addresses that may sign in", true},
    {"OIDC_SKIP_SSL_VALIDATION", kSignIn, Flag, "false", "",
     "oidc: accept any certificate of the provider", true},

    {"CF_CLIENT", kEndpoints, Text, "cf", "",
     "client of endpoints that are registered without one"},
    {"CF_CLIENT_SECRET", kEndpoints, SettingType::SecretText, "", "", "its secret"},
    {"AUTO_REG_CF_URL", kEndpoints, Text, "", "",
     "API of a Cloud Foundry that is registered by itself and to which users of the UAA are "
     "connected when they sign in; on Cloud Foundry the one that the console runs on"},
    {"AUTO_REG_CF_NAME", kEndpoints, Text, "Cloud Foundry", "", "its name in the console"},
    {"USER_ENDPOINTS_ENABLED", kEndpoints, Choice, "disabled", "disabled|admin_only|enabled",
     "who may register endpoints of their own"},
    {"ARTIFACT_HUB_DISABLED", kEndpoints, Flag, "false", "", "nobody registers an Artifact Hub"},
    {"AWS_REGION", kEndpoints, Text, "", "",
     "region of EKS clusters whose address does not name one; default: AWS_DEFAULT_REGION"},
    {"AWS_DEFAULT_REGION", kEndpoints, Text, "", "", "older name of AWS_REGION"},
    {"HTTP_CONNECTION_TIMEOUT_IN_SECS", kEndpoints, Integer, "10", "",
     "time to connect; 0 for no limit of its own"},
    {"HTTP_CLIENT_TIMEOUT_IN_SECS", kEndpoints, Integer, "30", "",
     "time for a proxied GET or HEAD; 0 for no limit"},
    {"HTTP_CLIENT_TIMEOUT_MUTATING_IN_SECS", kEndpoints, Integer, "", "",
     "time for other proxied calls; default: the previous one when that is set, else 120"},
    {"HTTP_CLIENT_TIMEOUT_LONGRUNNING_IN_SECS", kEndpoints, Integer, "600", "",
     "time for calls that the front end marks as long running"},
    {"STRATOS_ENDPOINT_FAILURES", kEndpoints, Integer, "5", "",
     "calls of an endpoint in a row without any answer, after which it is left alone for a while; "
     "0: never"},
    {"STRATOS_ENDPOINT_MAX_CALLS", kEndpoints, Integer, "1000", "",
     "calls of one endpoint that may wait for an answer at the same time; 0: any number"},
    {"HTTP_PROXY", kEndpoints, Text, "", "", "proxy for http endpoints (environment, either case)"},
    {"HTTPS_PROXY", kEndpoints, Text, "", "",
     "proxy for https endpoints (environment, either case)"},
    {"NO_PROXY", kEndpoints, Text, "", "",
     "hosts that are called without a proxy (environment, either case)"},
    {"STRATOS_ENDPOINTS_FILE", kEndpoints, Text, "", "",
     "YAML or JSON file with endpoints that are registered at each start"},
    {"STRATOS_OUTGOING_DENY", kEndpoints, List, "", "",
     "addresses and networks (10.0.0.0/8, private, loopback) that endpoints may not have; "
     "link-local, metadata, multicast and reserved ones are refused anyway"},
    {"STRATOS_OUTGOING_ALLOW", kEndpoints, List, "", "",
     "exceptions from that, also from what is refused anyway; the smaller network counts"},

    {"SMTP_HOST", kMail, Text, "", "",
     "mail server; without it, or without a sender, nobody is invited"},
    {"SMTP_PORT", kMail, Integer, "25", "", "its port; 0 for 25; on 465 TLS from the first byte"},
    {"SMTP_FROM_ADDRESS", kMail, Text, "", "", "sender: an address, or Name <address>"},
    {"SMTP_AUTH", kMail, Flag, "true", "", "\"false\" ignores SMTP_USER and SMTP_PASSWORD"},
    {"SMTP_USER", kMail, Text, "", "", "user at the mail server; sent over TLS only"},
    {"SMTP_PASSWORD", kMail, SettingType::SecretText, "", "", "its password"},
    {"STRATOS_SMTP_TLS", kMail, Choice, "auto", "auto|starttls|implicit",
     "auto: STARTTLS where the mail server offers it; the others insist"},
    {"STRATOS_SMTP_SKIP_SSL_VALIDATION", kMail, Flag, "false", "",
     "accept any certificate of the mail server"},
    {"TEMPLATE_DIR", kMail, Text, "", "", "folder of the templates of the mail"},
    {"INVITE_USER_TEXT_TEMPLATE", kMail, Text, "user-invite-email.txt", "",
     "file of the text there; a built-in text and HTML when it does not exist"},
    {"INVITE_USER_HTML_TEMPLATE", kMail, Text, "user-invite-email.html", "",
     "file of the HTML there; text only when it does not exist and the text does"},
    {"INVITE_USER_SUBJECT", kMail, Text, "", "", "subject, itself a template"},

    {"ENABLE_TECH_PREVIEW", kFrontEnd, Flag, "false", "", "shows previews of features"},
    {"UI_LIST_MAX_SIZE", kFrontEnd, Integer, "0", "", "longest list that is loaded at once"},
    {"UI_LIST_ALLOW_LOAD_MAXED", kFrontEnd, Flag, "false", "", "lets users load longer lists"},
    {"API_KEYS_ENABLED", kFrontEnd, Choice, "admin_only", "disabled|admin_only|all_users",
     "who may make API keys"},
    {"FEATURE_ALLOW_BACKUP", kFrontEnd, Flag, "true", "",
     "lets administrators back up and restore endpoints and tokens"},
    {"HOME_VIEW_SHOW_FAVORITES_ONLY", kFrontEnd, Flag, "false", "",
     "start page with favourites only"},

    {"HELM_NAME", kHosting, Text, "", "", "set by the Helm chart: name of the release"},
    {"HELM_REVISION", kHosting, Text, "", "", "set by the Helm chart"},
    {"HELM_CHART_VERSION", kHosting, Text, "", "", "set by the Helm chart"},
    {"HELM_LAST_MODIFIED", kHosting, Text, "", "", "set by the Helm chart"},
    {"STRATOS_DEPLOYMENT_DOCKER", kHosting, Text, "", "", "set in container images; shown only"},
    {"STRATOS_DEPLOYMENT_DOCKER_AIO", kHosting, Text, "", "",
     "set in the all-in-one container image; shown only"},
    {"STRATOS_SECRETS_DIRECTORY", kHosting, Text, "/etc/secrets", "",
     "folder with one file per setting (environment)"},
    {"UPGRADE_VOLUME", kHosting, Text, "", "", "folder of the upgrade lock"},
    {"UPGRADE_LOCK_FILENAME", kHosting, Text, "", "",
     "while this file exists every request is answered 503"},
    {"VCAP_APPLICATION", kHosting, Text, "", "",
     "set by Cloud Foundry; then plain HTTP is served on PORT"},
    {"VCAP_SERVICES", kHosting, Text, "", "",
     "set by Cloud Foundry; a bound PostgreSQL service is used as the database, of several the one "
     "with the tag stratos"},
    {"VCAP_SERVICES_FILE_PATH", kHosting, Text, "", "",
     "set by Cloud Foundry instead of VCAP_SERVICES: a file with the same content (environment)"},
    {"CF_UPS_NAME", kHosting, Text, "", "",
     "name of a user-provided service that holds settings (environment)"},
    {"PORT", kHosting, Integer, "8080", "", "port on Cloud Foundry"},
    {"CF_API_URL", kHosting, Url, "", "",
     "on Cloud Foundry: API of the foundation; default: cf_api of VCAP_APPLICATION"},
    {"CF_API_FORCE_SECURE", kHosting, Text, "", "",
     "on Cloud Foundry, set to anything: calls the API by https although it was given with http"},
    {"STRATOS_ADMIN_SCOPE", kHosting, Text, "cloud_controller.admin", "",
     "on Cloud Foundry: scope that makes a console administrator"},
    {"SKIP_AUTO_REGISTER", kHosting, Text, "", "",
     "on Cloud Foundry, set to anything: does not register the foundation by itself"},
    {"FORCE_ENABLE_PERSISTENCE_FEATURES", kHosting, Flag, "", "",
     "on Cloud Foundry: whether the front end shows what needs a database that lasts; default: it "
     "does unless the database is SQLite"},
    {"CF_SYSTEM_CERT_PATH", kHosting, Text, "", "",
     "set by Cloud Foundry: folder with certificates of authorities that are trusted in addition"},
    {"CF_INSTANCE_INDEX", kHosting, Text, "", "",
     "set by Cloud Foundry; with SQLite, no instance accepts the sessions of another one"},
});

std::optional<bool> parseFlag(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

}  // namespace

std::span<const SettingInfo> knownSettings() { return kSettings; }

const SettingInfo& settingInfo(std::string_view name) {
  const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                  [&](const SettingInfo& info) { return info.name == name; });
  if (found == kSettings.end()) {
    throw Error(ErrorCode::Internal, "There is no setting " + std::string(name));
  }
  return *found;
}

bool mayComeFromDatabase(std::string_view name) {
  return std::any_of(kSettings.begin(), kSettings.end(),
                     [&](const SettingInfo& info) { return info.inDatabase && info.name == name; });
}

bool Settings::isSet(std::string_view name) const {
  const auto found = chain_.find(settingInfo(name).name);
  return found && !found->value.empty();
}

std::string Settings::text(std::string_view name) const {
  const SettingInfo& info = settingInfo(name);
  const auto found = chain_.find(info.name);
  return found ? found->value : std::string(info.defaultValue);
}

Secret Settings::secret(std::string_view name) const { return Secret(text(name)); }

std::int64_t Settings::integer(std::string_view name, std::int64_t least,
                               std::int64_t greatest) const {
  const SettingInfo& info = settingInfo(name);
  const std::string value = effective(info);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < least ||
      number > greatest) {
    refuse(info,
           "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest));
  }
  return number;
}

std::chrono::seconds Settings::seconds(std::string_view name) const {
  constexpr std::int64_t kWeek = 7 * 24 * 3600;
  return std::chrono::seconds{integer(name, 0, kWeek)};
}

bool Settings::flag(std::string_view name) const {
  const SettingInfo& info = settingInfo(name);
  const auto value = parseFlag(effective(info));
  if (!value) refuse(info, "true or false");
  return *value;
}

std::vector<std::string> Settings::list(std::string_view name) const {
  std::vector<std::string> elements;
  for (const std::string& element : split(text(name), ',')) {
    if (const std::string_view trimmed = trim(element); !trimmed.empty()) {
      elements.emplace_back(trimmed);
    }
  }
  return elements;
}

std::string Settings::url(std::string_view name) const {
  const SettingInfo& info = settingInfo(name);
  const std::string value = effective(info);
  if (value.empty()) return value;
  const auto parsed = stratos::Url::tryParse(value);
  if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https")) {
    refuse(info, "an absolute http or https URL");
  }
  return value;
}

std::string Settings::choice(std::string_view name) const {
  const SettingInfo& info = settingInfo(name);
  std::string value = effective(info);
  const std::vector<std::string> allowed = split(info.allowed, '|');
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    std::string names;
    for (const std::string& each : allowed) names.append(names.empty() ? "" : ", ").append(each);
    refuse(info, "one of " + names);
  }
  return value;
}

std::string Settings::effective(const SettingInfo& info) const {
  const auto found = chain_.find(info.name);
  const std::string value = found ? std::string(trim(found->value)) : std::string();
  return value.empty() ? std::string(info.defaultValue) : value;
}

void Settings::refuse(const SettingInfo& info, const std::string& allowed) const {
  const auto found = chain_.find(info.name);
  std::string text(info.name);
  if (found) text.append(" in ").append(found->source);
  if (info.type != SettingType::SecretText && found) text.append(" is \"" + found->value + "\"");
  throw Error(ErrorCode::InvalidArgument, text + (found ? ", but" : "") + " must be " + allowed);
}

}  // namespace stratos::server
