#include "server_config.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#include "health_gate.hpp"
#include "service_binding.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/proxy/target.hpp"

namespace stratos::server {
namespace {

constexpr std::int64_t kMaxPort = 65'535;
constexpr std::chrono::seconds kMutatingTimeout{120};
// Stands for "no limit" where a wait has to end some day.
constexpr std::chrono::hours kNoLimit{24};

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::InvalidArgument, sentence);
}

std::string joinNames(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// -- Database --

void requireSet(const Settings& settings, std::initializer_list<const char*> names) {
  std::vector<std::string> missing;
  for (const char* name : names) {
    if (!settings.isSet(name)) missing.emplace_back(name);
  }
  if (!missing.empty()) refuse("DATABASE_PROVIDER is pgsql, but not set: " + joinNames(missing));
}

std::optional<BoundDatabase> boundDatabase(const Settings& settings) {
  if (settings.isSet("VCAP_SERVICES")) return findBoundDatabase(settings.text("VCAP_SERVICES"));
  // The lookup chain has read the file unless that was impossible.
  if (settings.isSet("VCAP_SERVICES_FILE_PATH")) {
    refuse("The file " + settings.text("VCAP_SERVICES_FILE_PATH") +
           ", which VCAP_SERVICES_FILE_PATH names, cannot be read");
  }
  return std::nullopt;
}

// What the operator sets counts, then what the service asks for.
std::string tlsMode(const Settings& settings, const std::optional<BoundDatabase>& bound) {
  if (settings.isSet("DB_SSL_MODE") || !bound || bound->sslMode.empty()) {
    return settings.choice("DB_SSL_MODE");
  }
  const std::vector<std::string> allowed = split(settingInfo("DB_SSL_MODE").allowed, '|');
  if (std::find(allowed.begin(), allowed.end(), bound->sslMode) == allowed.end()) {
    refuse("The bound database service \"" + bound->service +
           "\" cannot be used: its sslmode is none of " + joinNames(allowed) +
           "; set DB_SSL_MODE to one of them");
  }
  return bound->sslMode;
}

db::PostgreSqlOptions loadPostgreSql(const Settings& settings,
                                     const std::optional<BoundDatabase>& bound) {
  db::PostgreSqlOptions options;
  if (bound) {
    options = bound->options;
  } else {
    requireSet(settings, {"DB_HOST", "DB_USER", "DB_DATABASE_NAME"});
    options.host = settings.text("DB_HOST");
    options.user = settings.text("DB_USER");
    options.password = settings.secret("DB_PASSWORD");
    options.database = settings.text("DB_DATABASE_NAME");
    options.port = static_cast<int>(settings.integer("DB_PORT", 1, kMaxPort));
  }
  options.sslMode = tlsMode(settings, bound);
  if (settings.isSet("DB_CERT")) options.sslCert = settings.text("DB_CERT");
  if (settings.isSet("DB_CERT_KEY")) options.sslKey = settings.text("DB_CERT_KEY");
  if (settings.isSet("DB_ROOT_CERT")) options.sslRootCert = settings.text("DB_ROOT_CERT");
  const auto timeout = settings.seconds("DB_CONNECT_TIMEOUT_IN_SECS");
  if (timeout.count() > 0) options.connectTimeout = timeout;
  options.statementTimeout = settings.seconds("STRATOS_DB_STATEMENT_TIMEOUT_IN_SECS");
  return options;
}

// -- Keys --

crypto::EncryptionKey parseKey(std::string_view text, const std::string& origin) {
  try {
    return crypto::EncryptionKey::fromHex(trim(text));
  } catch (const Error& e) {
    refuse("The key in " + origin + " is unusable: " + e.what());
  }
}

// -- The rest --

std::string eitherCase(const Settings& settings, std::string_view name) {
  const LookupChain& chain = settings.chain();
  if (const auto upper = chain.findInEnvironment(settingInfo(name).name)) {
    if (!upper->empty()) return *upper;
  }
  return chain.findInEnvironment(toLower(name)).value_or("");
}

std::chrono::seconds mutatingTimeout(const Settings& settings) {
  const auto reading = settings.seconds("HTTP_CLIENT_TIMEOUT_IN_SECS");
  if (settings.isSet("HTTP_CLIENT_TIMEOUT_MUTATING_IN_SECS")) {
    const auto said = settings.seconds("HTTP_CLIENT_TIMEOUT_MUTATING_IN_SECS");
    return said.count() > 0 ? said : reading;
  }
  return settings.isSet("HTTP_CLIENT_TIMEOUT_IN_SECS") ? reading : kMutatingTimeout;
}

/// What UI_PATH says. When it is not set: ./ui, else the front end that was installed or built
/// together with this program.
std::filesystem::path uiPath(const Settings& settings) {
  const std::filesystem::path named(settings.text("UI_PATH"));
  std::error_code error;
  if (named.empty() || settings.isSet("UI_PATH") || std::filesystem::is_directory(named, error)) {
    return named;
  }
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return named;
  for (const char* place : {"../share/stratos/console", "console/ui"}) {
    const auto folder = (program.parent_path() / place).lexically_normal();
    if (std::filesystem::exists(folder / "index.html", error)) return folder;
  }
  return named;
}

std::optional<std::filesystem::path> upgradeLock(const Settings& settings) {
  const bool hasVolume = settings.isSet("UPGRADE_VOLUME");
  const bool hasFile = settings.isSet("UPGRADE_LOCK_FILENAME");
  if (!hasVolume && !hasFile) return std::nullopt;
  if (hasVolume != hasFile) refuse("Set both UPGRADE_VOLUME and UPGRADE_LOCK_FILENAME, or neither");
  std::string path = settings.text("UPGRADE_VOLUME");
  if (!path.starts_with('/')) path.insert(0, "/");
  return std::filesystem::path(path + "/" + settings.text("UPGRADE_LOCK_FILENAME"))
      .lexically_normal();
}

std::chrono::minutes sessionLifetime(const Settings& settings, Warnings& warnings) {
  constexpr std::chrono::minutes kDefault{20};
  constexpr std::int64_t kYear = 366 * 24 * 60;
  const std::string text(trim(settings.text("SESSION_STORE_EXPIRY")));
  if (text.empty()) return kDefault;
  std::int64_t minutes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), minutes);
  if (error != std::errc{} || end != text.data() + text.size() || minutes < 1 || minutes > kYear) {
    warnings.push_back("SESSION_STORE_EXPIRY is \"" + text +
                       "\", which is no number of minutes; sessions end after 20");
    return kDefault;
  }
  return std::chrono::minutes{minutes};
}

bool areSet(const Settings& settings, std::initializer_list<const char*> names) {
  return std::all_of(names.begin(), names.end(),
                     [&](const char* name) { return settings.isSet(name); });
}

// The loaders return false when so much is missing that set-up has to ask for it.

bool loadLocalSignIn(const Settings& settings, ConsoleOptions& options) {
  options.signIn.type = AuthType::Local;
  if (!areSet(settings, {"LOCAL_USER", "LOCAL_USER_PASSWORD"})) return false;
  options.signIn.localUser = settings.text("LOCAL_USER");
  options.signIn.localUserPassword = settings.secret("LOCAL_USER_PASSWORD");
  std::string userScope = settings.text("LOCAL_USER_SCOPE");
  std::string adminScope = settings.text("CONSOLE_ADMIN_SCOPE");
  if (userScope.empty() && adminScope.empty()) userScope = adminScope = "stratos.admin";
  if (userScope.empty()) userScope = adminScope;
  if (adminScope.empty()) adminScope = userScope;
  options.signIn.localUserScope = std::move(userScope);
  options.signIn.adminScope = std::move(adminScope);
  return true;
}

/// The authorities that STRATOS_SIGN_IN_CA_FILE names; empty when it does not.
std::string signInAuthorities(const Settings& settings) {
  if (!settings.isSet("STRATOS_SIGN_IN_CA_FILE")) return {};
  const std::string name = settings.text("STRATOS_SIGN_IN_CA_FILE");
  std::ifstream in(name, std::ios::binary);
  std::string pem(std::istreambuf_iterator<char>(in), {});
  if (pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    refuse("STRATOS_SIGN_IN_CA_FILE names " + name + ", which " +
           (in ? "holds no PEM certificate" : "cannot be read"));
  }
  return pem;
}

SsoOptions loadSso(const Settings& settings) {
  return {.enabled = settings.flag("SSO_LOGIN"),
          .options = settings.text("SSO_OPTIONS"),
          .allowList =
              settings.text(settings.isSet("SSO_ALLOWLIST") ? "SSO_ALLOWLIST" : "SSO_WHITELIST"),
          .passwordLogin = settings.flag("STRATOS_SSO_PASSWORD_LOGIN")};
}

bool loadRemoteSignIn(const Settings& settings, ConsoleOptions& options, Warnings& warnings) {
  options.signIn.type = AuthType::Remote;
  if (!areSet(settings, {"UAA_ENDPOINT", "CONSOLE_ADMIN_SCOPE"})) return false;
  options.signIn.adminScope = settings.text("CONSOLE_ADMIN_SCOPE");
  options.signIn.uaa.baseUrl =
      Url::parse(settings.url("UAA_ENDPOINT")).withoutTrailingSlash().str();
  options.signIn.uaa.clientId = settings.text("CONSOLE_CLIENT");
  options.signIn.uaa.clientSecret = settings.secret("CONSOLE_CLIENT_SECRET");
  options.signIn.uaa.trust.skipVerification = settings.flag("SKIP_SSL_VALIDATION");
  options.signIn.uaa.trust.caCertificatePem = signInAuthorities(settings);
  options.signIn.authorizationEndpoint = settings.url("AUTHORIZATION_ENDPOINT");
  options.signIn.sso = loadSso(settings);
  if (options.signIn.uaa.trust.skipVerification) {
    warnings.emplace_back("SKIP_SSL_VALIDATION is on: the UAA's certificate is not checked");
  }
  return true;
}

std::vector<std::string> words(const Settings& settings, const char* name, char separator) {
  std::vector<std::string> result;
  for (const std::string& part : split(settings.text(name), separator)) {
    if (const auto word = trim(part); !word.empty()) result.emplace_back(word);
  }
  return result;
}

void loadOidcSignIn(const Settings& settings, ConsoleOptions& options, Warnings& warnings) {
  SignInOptions& signIn = options.signIn;
  signIn.type = AuthType::Oidc;
  std::vector<std::string> missing;
  for (const char* name : {"OIDC_ISSUER", "OIDC_CLIENT_ID"}) {
    if (settings.text(name).empty()) missing.emplace_back(name);
  }
  if (!missing.empty()) refuse("AUTH_ENDPOINT_TYPE is oidc, but not set: " + joinNames(missing));
  if (!settings.text("CONSOLE_ADMIN_SCOPE").empty()) {
    signIn.adminScope = settings.text("CONSOLE_ADMIN_SCOPE");
  }
  signIn.sso = {.enabled = true,
                .options = settings.text("SSO_OPTIONS"),
                .allowList = settings.text(settings.isSet("SSO_ALLOWLIST") ? "SSO_ALLOWLIST"
                                                                           : "SSO_WHITELIST"),
                .passwordLogin = false};
  auth::OidcOptions& oidc = signIn.oidc;
  oidc.issuer = settings.text("OIDC_ISSUER");
  oidc.clientId = settings.text("OIDC_CLIENT_ID");
  oidc.clientSecret = settings.secret("OIDC_CLIENT_SECRET");
  oidc.scopes = words(settings, "OIDC_SCOPES", ' ');
  oidc.prompt = settings.text("OIDC_PROMPT");
  oidc.userNameClaim = settings.text("OIDC_USERNAME_CLAIM");
  oidc.groupsClaim = settings.text("OIDC_GROUPS_CLAIM");
  oidc.adminGroups = words(settings, "OIDC_ADMIN_GROUPS", ',');
  oidc.requiredGroups = words(settings, "OIDC_REQUIRED_GROUPS", ',');
  oidc.emailDomains = words(settings, "OIDC_EMAIL_DOMAINS", ',');
  oidc.trust.skipVerification = settings.flag("OIDC_SKIP_SSL_VALIDATION");
  oidc.trust.caCertificatePem = signInAuthorities(settings);
  if (oidc.adminGroups.empty()) {
    warnings.emplace_back("OIDC_ADMIN_GROUPS is not set: nobody administers this console");
  }
  if (oidc.trust.skipVerification) {
    warnings.emplace_back(
        "OIDC_SKIP_SSL_VALIDATION is on: the provider's certificate is not checked");
  }
}

DiagnosticsOptions loadDiagnostics(const Settings& settings) {
  DiagnosticsOptions diagnostics;
  diagnostics.helmName = settings.text("HELM_NAME");
  diagnostics.helmRevision = settings.text("HELM_REVISION");
  diagnostics.helmChartVersion = settings.text("HELM_CHART_VERSION");
  diagnostics.helmLastModified = settings.text("HELM_LAST_MODIFIED");
  for (const auto& [name, type] : std::initializer_list<std::pair<const char*, const char*>>{
           {"HELM_NAME", "Kubernetes"},
           {"VCAP_APPLICATION", "Cloud Foundry"},
           {"STRATOS_DEPLOYMENT_DOCKER", "Docker"},
           {"STRATOS_DEPLOYMENT_DOCKER_AIO", "Docker All-in-One"}}) {
    if (settings.isSet(name)) {
      diagnostics.deploymentType = type;
      break;
    }
  }
  return diagnostics;
}

/// With SQLite each instance of an application has sessions of its own.
Secret sessionSecret(const Settings& settings) {
  Secret secret = settings.secret("SESSION_STORE_SECRET");
  const bool isShared = settings.choice("DATABASE_PROVIDER") == "pgsql" || boundDatabase(settings);
  if (secret.empty() || isShared || !settings.isSet("CF_INSTANCE_INDEX")) return secret;
  return Secret{secret.reveal() + "_" + settings.text("CF_INSTANCE_INDEX")};
}

std::vector<IpNetwork> trustedProxies(const Settings& settings) {
  std::vector<IpNetwork> networks;
  std::vector<std::string> entries = settings.list("STRATOS_TRUSTED_PROXIES");
  // An application on Cloud Foundry is reached through the platform's router only.
  if (settings.isSet("VCAP_APPLICATION") && !settings.isSet("STRATOS_TRUSTED_PROXIES")) {
    entries.emplace_back("private");
  }
  for (const std::string& entry : entries) {
    if (entry == "private") {
      for (const char* range : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                "127.0.0.0/8", "::1", "fc00::/7"}) {
        networks.push_back(*IpNetwork::parse(range));
      }
    } else if (const auto network = IpNetwork::parse(entry)) {
      networks.push_back(*network);
    } else {
      refuse("STRATOS_TRUSTED_PROXIES holds \"" + entry +
             "\", which is no address, no network such as 10.0.0.0/8, and not \"private\"");
    }
  }
  return networks;
}

http::AddressPolicy addressPolicy(const Settings& settings) {
  http::AddressPolicy policy;
  const auto require = [](bool understood, const std::string& name, const std::string& entry) {
    if (understood) return;
    refuse(name + " holds \"" + entry +
           "\", which is no address, no network such as 10.0.0.0/8, and neither \"private\" nor "
           "\"loopback\"");
  };
  for (const std::string& entry : settings.list("STRATOS_OUTGOING_DENY")) {
    require(policy.deny(entry), "STRATOS_OUTGOING_DENY", entry);
  }
  for (const std::string& entry : settings.list("STRATOS_OUTGOING_ALLOW")) {
    require(policy.allow(entry), "STRATOS_OUTGOING_ALLOW", entry);
  }
  return policy;
}

}  // namespace

LogConfig loadLogConfig(const Settings& settings, Warnings& warnings) {
  LogConfig config;
  if (settings.text("LOG_TO_JSON") == "true") config.format = LogFormat::Json;
  const std::string level(trim(settings.text("LOG_LEVEL")));
  if (const auto parsed = parseLogLevel(level)) {
    config.level = *parsed;
  } else if (!level.empty()) {
    warnings.push_back("LOG_LEVEL is \"" + level + "\", which is no level; using info");
  }
  return config;
}

DatabaseConfig loadDatabaseConfig(const Settings& settings, Warnings& warnings) {
  DatabaseConfig config;
  const std::string provider = settings.choice("DATABASE_PROVIDER");
  const bool onCloudFoundry = settings.isSet("VCAP_APPLICATION");
  config.pool.maxConnections =
      static_cast<std::size_t>(settings.integer("STRATOS_DB_MAX_CONNECTIONS", 1, 10'000));
  const std::optional<BoundDatabase> bound = boundDatabase(settings);
  if (provider == "pgsql" || bound) {
    config.dialect = db::Dialect::PostgreSql;
    config.postgreSql = loadPostgreSql(settings, bound);
    if (bound) config.service = bound->service;
    return config;
  }
  if (provider == "mysql") {
    refuse("MySQL is not supported yet; set DATABASE_PROVIDER to sqlite or pgsql");
  }
  const std::filesystem::path folder(settings.text("SQLITE_DB_DIR"));
  std::error_code error;
  if (!std::filesystem::is_directory(folder.empty() ? "." : folder, error)) {
    refuse("SQLITE_DB_DIR is \"" + folder.string() + "\", which is no folder");
  }
  config.sqlite.file = (folder / "console-database.db").string();
  if (settings.isSet("SQLITE_KEEP_DB")) {
    if (!settings.flag("SQLITE_KEEP_DB")) {
      config.deleteReason = "SQLITE_KEEP_DB is false";
      warnings.emplace_back("SQLITE_KEEP_DB is false: the database is deleted at every start");
    }
  } else if (onCloudFoundry) {
    config.deleteReason = "the disk of a Cloud Foundry application does not outlive it";
  }
  return config;
}

Listeners loadListeners(const Settings& settings) {
  Listeners listeners;
  if (settings.isSet("VCAP_APPLICATION")) {
    // The platform's router terminates TLS and finds the process by its port.
    ListenAddress address;
    address.port = static_cast<std::uint16_t>(settings.integer("PORT", 0, kMaxPort));
    listeners.http = address;
    return listeners;
  }
  if (const std::string text = settings.text("CONSOLE_PROXY_TLS_ADDRESS"); text != "off") {
    listeners.https =
        ListenAddress::parse(text.empty() ? ":5443" : text, "CONSOLE_PROXY_TLS_ADDRESS");
  }
  if (settings.isSet("STRATOS_HTTP_ADDRESS")) {
    listeners.http =
        ListenAddress::parse(settings.text("STRATOS_HTTP_ADDRESS"), "STRATOS_HTTP_ADDRESS");
  }
  if (!listeners.https && !listeners.http) {
    refuse(
        "CONSOLE_PROXY_TLS_ADDRESS is off and STRATOS_HTTP_ADDRESS is not set: there is nothing "
        "to listen on");
  }
  return listeners;
}

std::optional<std::filesystem::path> encryptionKeyFile(const Settings& settings) {
  const std::string volume = settings.text("ENCRYPTION_KEY_VOLUME");
  const std::string name = settings.text("ENCRYPTION_KEY_FILENAME");
  if (volume.empty() && name.empty()) {
    if (!settings.flag("STRATOS_GENERATE_ENCRYPTION_KEY")) return std::nullopt;
    const std::string folder = settings.text("SQLITE_DB_DIR");
    return std::filesystem::path(folder.empty() ? "." : folder) / "encryption-key";
  }
  if (name.empty()) refuse("ENCRYPTION_KEY_VOLUME is set, but ENCRYPTION_KEY_FILENAME is not");
  // Shipped configurations give the volume without its leading slash; a file name with one marks a
  // volume that is relative on purpose.
  std::string path = volume;
  if (!name.starts_with('/')) path.insert(0, "/");
  return std::filesystem::path(path + "/" + name).lexically_normal();
}

std::vector<crypto::EncryptionKey> loadKeys(const Settings& settings, std::string& origin,
                                            Warnings& warnings) {
  std::vector<crypto::EncryptionKey> keys;
  if (settings.isSet("ENCRYPTION_KEY")) {
    origin = "ENCRYPTION_KEY";
    keys.push_back(parseKey(settings.secret("ENCRYPTION_KEY").reveal(), origin));
  } else if (const auto file = encryptionKeyFile(settings)) {
    origin = file->string();
    std::ifstream in(*file, std::ios::binary);
    if (!in) {
      refuse("The key file " + origin + " cannot be read" +
             (settings.flag("STRATOS_GENERATE_ENCRYPTION_KEY")
                  ? "; stratos-server serve makes it on its first start"
                  : ""));
    }
    const Secret content{std::string(std::istreambuf_iterator<char>(in), {})};
    keys.push_back(parseKey(content.reveal(), origin));
  } else {
    refuse(
        "ENCRYPTION_KEY is not set, and neither are ENCRYPTION_KEY_VOLUME and "
        "ENCRYPTION_KEY_FILENAME; make a key with \"openssl rand -hex 32\" and keep it with your "
        "backups: stored tokens cannot be read without it");
  }
  if (keys.front().isPubliclyKnown()) {
    warnings.emplace_back(
        "the encryption key is the one that the packages of Stratos publish: anybody can decrypt "
        "the "
        "stored tokens; set a key of your own");
  }
  const Secret previous = settings.secret("ENCRYPTION_KEY_PREVIOUS");
  for (const std::string& text : split(previous.reveal(), ',')) {
    if (!trim(text).empty()) keys.push_back(parseKey(text, "ENCRYPTION_KEY_PREVIOUS"));
  }
  return keys;
}

ServerConfig loadServerConfig(const Settings& settings, Warnings& warnings) {
  ServerConfig config;
  config.onCloudFoundry = settings.isSet("VCAP_APPLICATION");
  config.database = loadDatabaseConfig(settings, warnings);
  config.keys = loadKeys(settings, config.keyOrigin, warnings);
  const Listeners listeners = loadListeners(settings);
  config.https = listeners.https;
  config.http = listeners.http;
  if (settings.isSet("STRATOS_METRICS_ADDRESS")) {
    config.metrics = ListenAddress::parse(settings.text("STRATOS_METRICS_ADDRESS"),
                                          "STRATOS_METRICS_ADDRESS");
  }

  config.certificate.chainFile = settings.text("CONSOLE_PROXY_CERT_PATH");
  config.certificate.keyFile = settings.text("CONSOLE_PROXY_CERT_KEY_PATH");
  config.certificate.chainPem = settings.text("CONSOLE_PROXY_CERT");
  config.certificate.keyPem = settings.secret("CONSOLE_PROXY_CERT_KEY");
  const std::string folder = settings.text("SQLITE_DB_DIR");
  config.certificate.generatedDirectory = folder.empty() ? "." : folder;

  config.server.eventLoops = static_cast<std::size_t>(settings.integer("STRATOS_EVENT_LOOPS", 0, 64));
  config.server.mostlyWaits = [](std::string_view target) {
    return proxy::isProxied(target) || HealthGate::isHealthTarget(target);
  };
  config.server.workers =
      static_cast<std::size_t>(settings.integer("STRATOS_MAX_REQUESTS", 2, 10'000));
  config.server.maxConnections =
      static_cast<std::size_t>(settings.integer("STRATOS_MAX_CONNECTIONS", 1, 1'000'000));
  config.shutdownDelay = settings.seconds("STRATOS_SHUTDOWN_DELAY_IN_SECS");
  config.shutdownTimeout = settings.seconds("STRATOS_SHUTDOWN_TIMEOUT_IN_SECS");
  config.uiPath = uiPath(settings);
  config.pagePolicy = settings.text("STRATOS_CONTENT_SECURITY_POLICY");
  config.upgradeLock = upgradeLock(settings);

  const auto connect = settings.seconds("HTTP_CONNECTION_TIMEOUT_IN_SECS");
  config.transport.connectTimeout = connect.count() > 0 ? std::chrono::milliseconds{connect}
                                                        : std::chrono::milliseconds{kNoLimit};
  const auto longRunning = settings.seconds("HTTP_CLIENT_TIMEOUT_LONGRUNNING_IN_SECS");
  config.transport.idleTimeout =
      longRunning.count() > 0
          ? std::max(config.transport.idleTimeout, std::chrono::milliseconds{longRunning})
          : std::chrono::milliseconds{kNoLimit};
  // All requests in progress may be calls of one endpoint; with fewer places in the pool the rest
  // would make a new connection each time.
  constexpr std::size_t kMostIdle = 1'024;
  config.transport.maxIdlePerOrigin = std::max(
      config.transport.maxIdlePerOrigin, std::min(config.server.maxConnections, kMostIdle));
  config.transport.httpProxy = eitherCase(settings, "HTTP_PROXY");
  config.transport.httpsProxy = eitherCase(settings, "HTTPS_PROXY");
  config.transport.noProxy = eitherCase(settings, "NO_PROXY");
  config.transport.addresses = addressPolicy(settings);
  return config;
}

const char* describe(AuthType type) {
  switch (type) {
    case AuthType::Local:
      return "local users";
    case AuthType::Remote:
      return "UAA";
    case AuthType::Oidc:
      return "OpenID Connect";
    case AuthType::None:
      break;
  }
  return "none";
}

std::optional<SignInOptions> loadSignIn(const Settings& settings, Warnings& warnings) {
  ConsoleOptions options;
  const std::string type = settings.choice("AUTH_ENDPOINT_TYPE");
  bool isComplete = true;
  if (type == "none") {
    options.signIn.type = AuthType::None;
    options.signIn.anyHost = settings.flag("STRATOS_ALLOW_NO_SIGN_IN");
    warnings.emplace_back(
        "AUTH_ENDPOINT_TYPE is none: everybody who reaches this console is its administrator");
  } else if (type == "local") {
    isComplete = loadLocalSignIn(settings, options);
  } else if (type == "oidc") {
    loadOidcSignIn(settings, options, warnings);
  } else {
    isComplete = loadRemoteSignIn(settings, options, warnings);
  }
  return isComplete ? std::optional(std::move(options.signIn)) : std::nullopt;
}

void refuseOpenConsole(const ServerConfig& config, const SignInOptions& signIn) {
  if (signIn.type != AuthType::None || signIn.anyHost) return;
  for (const auto* address : {&config.https, &config.http}) {
    if (!*address) continue;
    const std::string& host = (*address)->host;
    if (host == "localhost" || host == "::1" || host.starts_with("127.")) continue;
    refuse("AUTH_ENDPOINT_TYPE is none, but the console listens on " + (*address)->str() +
           ": everybody who reaches it would be its administrator. Listen on 127.0.0.1 "
           "(CONSOLE_PROXY_TLS_ADDRESS), or set STRATOS_ALLOW_NO_SIGN_IN=true if that is wanted");
  }
}

ext::UserInviteOptions loadUserInvite(const Settings& settings, Warnings& warnings) {
  constexpr std::int64_t kMaxPort = 65535;
  ext::UserInviteOptions options;
  options.smtp.host = settings.text("SMTP_HOST");
  if (const auto port = settings.integer("SMTP_PORT", 0, kMaxPort); port != 0) {
    options.smtp.port = static_cast<std::uint16_t>(port);
  }
  const std::string tls = settings.choice("STRATOS_SMTP_TLS");
  options.smtp.tls = tls == "starttls"   ? ext::SmtpTls::StartTls
                     : tls == "implicit" ? ext::SmtpTls::Implicit
                                         : ext::SmtpTls::Auto;
  options.smtp.trust.skipVerification = settings.flag("STRATOS_SMTP_SKIP_SSL_VALIDATION");
  if (settings.flag("SMTP_AUTH")) {
    options.smtp.user = settings.text("SMTP_USER");
    options.smtp.password = settings.secret("SMTP_PASSWORD");
  }
  options.from = settings.text("SMTP_FROM_ADDRESS");
  if (options.smtp.host.empty() != options.from.empty()) {
    warnings.emplace_back(
        "of SMTP_HOST and SMTP_FROM_ADDRESS one is missing, so nobody can be invited by mail");
  }
  options.subject = settings.text("INVITE_USER_SUBJECT");
  const auto read = [&](const char* name) -> std::string {
    const auto file = std::filesystem::path(settings.text("TEMPLATE_DIR")) / settings.text(name);
    std::ifstream in(file, std::ios::binary);
    if (in) return {std::istreambuf_iterator<char>(in), {}};
    if (settings.isSet(name)) {
      warnings.push_back(std::string{name} + " names " + file.string() +
                         ", which cannot be read: the built-in mail is used");
    }
    return {};
  };
  options.textTemplate = read("INVITE_USER_TEXT_TEMPLATE");
  if (!options.textTemplate.empty()) options.htmlTemplate = read("INVITE_USER_HTML_TEMPLATE");
  return options;
}

std::optional<ext::EndpointsFile> loadEndpointsFile(const Settings& settings) {
  if (!settings.isSet("STRATOS_ENDPOINTS_FILE")) return std::nullopt;
  return ext::readEndpointsFile(
      settings.text("STRATOS_ENDPOINTS_FILE"),
      [&](const std::string& name) { return settings.chain().findInEnvironment(name); });
}

ConsoleOptions loadConsoleOptions(const Settings& settings, Warnings& warnings) {
  ConsoleOptions options;
  options.version = STRATOS_SERVER_VERSION;
  if (auto signIn = loadSignIn(settings, warnings)) {
    options.signIn = std::move(*signIn);
  } else {
    options.setup.emplace().openToAll = settings.choice("STRATOS_SETUP_ACCESS") == "open";
  }

  constexpr std::int64_t kLongestStaleness = 60;
  options.caches.staleness = std::chrono::seconds{
      settings.integer("STRATOS_CACHE_STALENESS_IN_SECS", 0, kLongestStaleness)};
  options.throttle.enabled = settings.flag("STRATOS_LOGIN_THROTTLE");
  options.session.secret = sessionSecret(settings);
  options.session.lifetime = sessionLifetime(settings, warnings);
  constexpr std::int64_t kYears = 10LL * 366 * 24 * 60;
  options.session.maxAge =
      std::chrono::minutes{settings.integer("STRATOS_SESSION_MAX_AGE_IN_MINUTES", 0, kYears)};
  options.session.cookieDomain = settings.text("COOKIE_DOMAIN");

  const std::string userEndpoints = settings.choice("USER_ENDPOINTS_ENABLED");
  options.endpoints.userEndpoints = userEndpoints == "enabled" ? endpoint::UserEndpoints::Enabled
                                    : userEndpoints == "admin_only"
                                        ? endpoint::UserEndpoints::AdminOnly
                                        : endpoint::UserEndpoints::Disabled;
  if (userEndpoints == "enabled" && !settings.isSet("STRATOS_OUTGOING_DENY")) {
    warnings.emplace_back(
        "USER_ENDPOINTS_ENABLED is enabled: users can make the console call this machine and its "
        "private networks; STRATOS_OUTGOING_DENY=loopback,private closes them");
  }
  if (settings.isSet("CF_CLIENT")) options.endpoints.defaultClientId = settings.text("CF_CLIENT");
  options.endpoints.defaultClientSecret = settings.secret("CF_CLIENT_SECRET");

  options.breaker.failures =
      static_cast<std::size_t>(settings.integer("STRATOS_ENDPOINT_FAILURES", 0, 1'000));
  options.breaker.maxWaiting =
      static_cast<std::size_t>(settings.integer("STRATOS_ENDPOINT_MAX_CALLS", 0, 1'000'000));
  options.proxy.timeouts.reading = settings.seconds("HTTP_CLIENT_TIMEOUT_IN_SECS");
  options.proxy.timeouts.mutating = mutatingTimeout(settings);
  options.proxy.timeouts.longRunning = settings.seconds("HTTP_CLIENT_TIMEOUT_LONGRUNNING_IN_SECS");

  options.trustedProxies = trustedProxies(settings);
  options.allowedOrigins = settings.list("ALLOWED_ORIGINS");
  if (settings.isSet("STRATOS_HSTS_MAX_AGE_IN_SECS")) {
    constexpr std::int64_t kTenYears = 10LL * 366 * 24 * 3600;
    options.hstsMaxAge =
        std::chrono::seconds{settings.integer("STRATOS_HSTS_MAX_AGE_IN_SECS", 0, kTenYears)};
  }
  options.logRequests = settings.text("LOG_API_REQUESTS") == "true";
  options.enableTechPreview = settings.flag("ENABLE_TECH_PREVIEW");
  options.listMaxSize = settings.integer("UI_LIST_MAX_SIZE", 0, 1'000'000'000);
  options.listAllowLoadMaxed = settings.flag("UI_LIST_ALLOW_LOAD_MAXED");
  options.apiKeysEnabled = settings.choice("API_KEYS_ENABLED");
  options.diagnostics = loadDiagnostics(settings);
  options.homeViewShowFavoritesOnly = settings.flag("HOME_VIEW_SHOW_FAVORITES_ONLY");
  return options;
}

SignInOptions signInOn(const Settings& settings, const Foundation& foundation,
                       const FoundationServers& servers) {
  SignInOptions options;
  options.type = AuthType::Remote;
  options.adminScope = settings.text("STRATOS_ADMIN_SCOPE");
  options.uaa = {.baseUrl = Url::parse(servers.uaaUrl).withoutTrailingSlash().str(),
                 .clientId = settings.text("CF_CLIENT"),
                 .clientSecret = settings.secret("CF_CLIENT_SECRET"),
                 .trust = foundation.trust};
  options.authorizationEndpoint = servers.authorizationEndpoint;
  options.sso = loadSso(settings);
  return options;
}

ext::CloudFoundryOptions loadCloudFoundry(const Settings& settings, const Foundation* foundation) {
  ext::CloudFoundryOptions options;
  ext::AutoRegistration& registration = options.autoRegistration;
  registration.url = settings.text("AUTO_REG_CF_URL");
  if (registration.url.empty() && foundation && !settings.isSet("SKIP_AUTO_REGISTER")) {
    registration.url = foundation->apiUrl;
  }
  registration.name = settings.text("AUTO_REG_CF_NAME");
  registration.trust.skipVerification = settings.flag("SKIP_SSL_VALIDATION");
  if (!registration.url.empty() && !foundation) {
    registration.trust.caCertificatePem = signInAuthorities(settings);
  }
  return options;
}

ext::CloudFoundryHostingOptions loadHosting(const Settings& settings, const Foundation& foundation,
                                            db::Dialect dialect) {
  const bool isOwnDatabase = dialect == db::Dialect::Sqlite;
  const char* force = "FORCE_ENABLE_PERSISTENCE_FEATURES";
  return {
      .applicationGuid = foundation.applicationGuid,
      .spaceGuid = foundation.spaceGuid,
      .disablePersistenceFeatures = settings.isSet(force) ? !settings.flag(force) : isOwnDatabase,
      .keepBrowsersApart = isOwnDatabase};
}

}  // namespace stratos::server
