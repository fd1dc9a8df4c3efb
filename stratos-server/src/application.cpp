#include "application.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "certificate.hpp"
#include "certificate_watch.hpp"
#include "front_end.hpp"
#include "health_gate.hpp"
#include "http_server.hpp"
#include "key_file.hpp"
#include "log_sink.hpp"
#include "metrics.hpp"
#include "platform_authorities.hpp"
#include "rekey.hpp"
#include "server_config.hpp"
#include "signals.hpp"
#include "storage.hpp"
#include "stratos/base/error.hpp"
#include "stratos/console/console.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/ext/backup.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/endpoints_file.hpp"
#include "stratos/ext/git.hpp"
#include "stratos/ext/helm.hpp"
#include "stratos/ext/kubernetes.hpp"
#include "stratos/ext/metrics.hpp"
#include "stratos/ext/user_favorites.hpp"
#include "stratos/ext/user_info.hpp"
#include "stratos/ext/user_invite.hpp"
#include "stratos/http/static_files.hpp"
#include "stratos/store/console_config.hpp"
#include "stratos/store/rekey.hpp"
#include "stratos/store/schema.hpp"
#include "upgrade_gate.hpp"

namespace stratos::server {
namespace {

constexpr std::chrono::minutes kSweepInterval{3};
constexpr std::chrono::minutes kCertificateInterval{1};
constexpr std::chrono::seconds kUpgradePoll{1};
constexpr const char* kUpgrading = "an upgrade is going on";

void warn(LogSink& log, Warnings& warnings) {
  for (const std::string& warning : warnings) stratos::log(log, LogLevel::Warning, warning);
  warnings.clear();
}

// False when the stop was requested before `time` had passed.
bool pauseFor(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

/// Returns the certificate of the https listener, which is the first one, if there is one.
std::optional<CertificatePair> listen(HttpServer& server, const ServerConfig& config,
                                      LogSink& log) {
  std::string addresses;
  std::optional<CertificatePair> served;
  if (config.https) {
    const SystemClock clock;
    served = obtainCertificate(config.certificate, clock.now(), log);
    const CertificatePair& pair = *served;
    const auto tls = makeServerContext(pair);
    stratos::log(log, LogLevel::Info, "certificate",
                 {{"origin", pair.origin}, {"sha256", fingerprintSha256(pair.chainPem)}});
    if (expiryOf(pair.chainPem) <= clock.now()) {
      stratos::log(log, LogLevel::Warning, "the certificate has expired");
    }
    ListenAddress bound = *config.https;
    bound.port = server.listen(bound, tls);
    addresses = "https=" + bound.str();
  }
  if (config.http) {
    ListenAddress bound = *config.http;
    bound.port = server.listen(bound);
    addresses.append(addresses.empty() ? "" : " ").append("http=" + bound.str());
  }
  server.start();
  stratos::log(log, LogLevel::Info, "listening " + addresses);
  return served;
}

/// A listener of its own for /metrics, or nothing.
class MetricsServer {
 public:
  MetricsServer(const ServerConfig& config, std::function<void(MetricsText&)> write, LogSink& log)
      : handler_(std::move(write)) {
    if (!config.metrics) return;
    HttpServerOptions options;
    options.eventLoops = 1;
    options.workers = 2;
    options.blockingThreads = 1;
    options.maxConnections = 64;
    server_ = std::make_unique<HttpServer>(handler_, log, options);
    ListenAddress bound = *config.metrics;
    bound.port = server_->listen(bound);
    server_->start();
    stratos::log(log, LogLevel::Info, "metrics on " + bound.str());
  }

 private:
  MetricsHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

// While the upgrade lock exists, nothing but its answer is served. False when asked to stop.
bool waitForUpgrade(const ServerConfig& config, LogSink& log, const std::stop_token& stop) {
  UpgradeGate gate(config.upgradeLock, nullptr);
  if (!gate.isLocked()) return true;
  stratos::log(log, LogLevel::Warning, "waiting for the end of an upgrade",
               {{"lock", config.upgradeLock->string()}});
  HealthGate health(gate, [] { return std::string(kUpgrading); }, log);
  HttpServer server(health, log, config.server);
  static_cast<void>(listen(server, config, log));
  while (gate.isLocked()) {
    if (!pauseFor(kUpgradePoll, stop)) return false;
  }
  static_cast<void>(server.stop(config.shutdownTimeout));
  return true;
}

std::unique_ptr<http::Handler> openFrontEnd(const ServerConfig& config, LogSink& log) {
  std::error_code error;
  if (config.uiPath.empty() || !std::filesystem::is_directory(config.uiPath, error)) {
    stratos::log(log, LogLevel::Info, "front end: none, serving the API only",
                 {{"ui_path", config.uiPath.string()}});
    return nullptr;
  }
  stratos::log(log, LogLevel::Info, "front end", {{"ui_path", config.uiPath.string()}});
  return std::make_unique<PolicyHandler>(std::make_unique<http::StaticFiles>(config.uiPath),
                                         policyFor(config.uiPath, config.pagePolicy));
}

// On SIGHUP, and when its files change.
std::jthread startCertificateWatch(CertificateWatch* watch, const SignalWatcher& signals) {
  return std::jthread([watch, &signals](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const bool isAsked = signals.awaitHangUp(kCertificateInterval, stop);
      if (watch == nullptr || stop.stop_requested()) continue;
      if (isAsked) {
        watch->reload();
      } else {
        watch->look();
      }
    }
  });
}

// Removes expired sessions now and then.
std::jthread startSweeper(Console& console, LogSink& log) {
  return std::jthread([&console, &log](const std::stop_token& stop) {
    while (pauseFor(kSweepInterval, stop)) {
      try {
        console.sweep();
      } catch (const std::exception& e) {
        stratos::log(log, LogLevel::Warning, "cannot remove expired sessions",
                     {{"reason", e.what()}});
      }
    }
  });
}

// Brings the endpoints of the endpoints file; does nothing without one.
std::jthread startReconciler(ext::DeclaredEndpoints* declared) {
  if (declared == nullptr) return {};
  return std::jthread([declared](const std::stop_token& stop) { declared->run(stop); });
}

// What an early release kept in a table of its own counts from now on as if the set-up wizard had
// stored it.
void moveOldConfiguration(db::Database& database, const LookupChain& chain, LogSink& log) {
  const auto report = store::moveConsoleConfig(database, [&chain](std::string_view name) {
    const auto found = chain.find(name);
    return found ? std::optional(found->value) : std::nullopt;
  });
  if (report.outcome == store::ConsoleConfigMove::Ambiguous) {
    stratos::log(log, LogLevel::Warning,
                 "console_config has more than one row, so nothing of it is used; delete the wrong "
                 "ones");
  }
  std::string names;
  for (const std::string& name : report.written) {
    names.append(names.empty() ? "" : " ").append(name);
  }
  if (!names.empty()) {
    stratos::log(log, LogLevel::Info, "moved the configuration of an early release",
                 {{"settings", names}});
  }
}

// Follows `stratos-server rekey` of another process. A failure is logged when it begins and when
// its reason changes, not every few seconds.
std::jthread startCipherRefresh(db::Database& database, const crypto::TokenCipher& cipher,
                                LogSink& log) {
  return std::jthread([&database, &cipher, &log](const std::stop_token& stop) {
    std::string lastReason;
    while (pauseFor(kCipherRefreshInterval, stop)) {
      std::string reason;
      try {
        store::refreshCipher(database, cipher);
      } catch (const std::exception& e) {
        reason = e.what();
      }
      if (reason != lastReason && !reason.empty()) {
        stratos::log(log, LogLevel::Error, "cannot follow the database's encryption key",
                     {{"reason", reason}});
      }
      lastReason = std::move(reason);
    }
  });
}

// The wizard stores what it asks for in the database, where any replica finds it.
void prepareSetup(SetupOptions& setup, const ServerConfig& config, const LookupChain& chain,
                  store::SettingsStore& stored, const crypto::TokenCipher& cipher, Random& random,
                  LogSink& log) {
  setup.load = [&config, chain, &stored] {
    LookupChain fresh = chain;
    fresh.setDatabase(stored.configGroup("env"), &mayComeFromDatabase);
    Warnings warnings;
    auto signIn = loadSignIn(Settings(fresh), warnings);
    if (signIn) refuseOpenConsole(config, *signIn);
    return signIn;
  };
  setup.code = obtainSetupCode(stored, cipher, random);
  // This line is the one place where the code is meant to be read.
  stratos::log(log, LogLevel::Warning,
               "the console is not set up: open https://<this console>/pp/v1/setup?code=" +
                   setup.code.reveal() +
                   " in a browser, or set UAA_ENDPOINT and "
                   "CONSOLE_ADMIN_SCOPE, or AUTH_ENDPOINT_TYPE=local and LOCAL_USER");
  if (setup.openToAll) {
    stratos::log(log, LogLevel::Warning,
                 "STRATOS_SETUP_ACCESS is open: whoever comes first sets the console up");
  }
}

// For /readyz.
std::string whyNotReady(const UpgradeGate& gate, db::Database& database) {
  if (gate.isLocked()) return kUpgrading;
  // Somebody may have put an older database in its place.
  if (store::reportedSchemaVersion(database) < store::kUpstreamSchemaVersion) {
    return "the database's schema is not up to date";
  }
  return {};
}

// True when the process may end in order; false when requests had to be cut.
bool runConsole(const ServerConfig& config, LookupChain& chain, LogSink& log,
                const SignalWatcher& signals) {
  const std::stop_token stop = signals.stopToken();
  const Settings settings(chain);
  crypto::SystemRandom random;
  const SystemClock clock;
  const TimePoint startedAt = clock.now();
  Warnings warnings;
  // First of all: with a mistake in it nothing is touched.
  auto endpointsFile = loadEndpointsFile(settings);

  const auto database = openDatabase(config.database, log, stop);
  const store::SchemaReport schema = store::migrateSchema(*database, log);
  stratos::log(log, LogLevel::Info, "database",
               {{"place", database->description()},
                {"schema", store::reportedSchemaVersion(*database)},
                {"created", schema.wasEmpty}});
  const crypto::TokenCipher cipher = store::openCipher(*database, config.keys, random);
  stratos::log(log, LogLevel::Info, "encryption key",
               {{"origin", config.keyOrigin},
                {"writes", cipher.writeFormat() == crypto::CipherFormat::Gcm
                               ? "AES-256-GCM"
                               : "AES-CFB, as upstream does, so that going back stays possible"},
                {"previous_keys", config.keys.size() - 1}});
  if (!cipher.writesWithFirstKey()) {
    stratos::log(log, LogLevel::Warning,
                 "ENCRYPTION_KEY is not in use yet: the database still needs a key of "
                 "ENCRYPTION_KEY_PREVIOUS; run stratos-server rekey");
  }
  moveOldConfiguration(*database, chain, log);
  store::SettingsStore stored(*database);
  const auto known = static_cast<std::ptrdiff_t>(chain.warnings().size());
  chain.setDatabase(stored.configGroup("env"), &mayComeFromDatabase);
  warnings.assign(chain.warnings().begin() + known, chain.warnings().end());

  ConsoleOptions options = loadConsoleOptions(settings, warnings);
  http::PooledTransport pooled(config.transport);
  CallCounter transport(pooled);
  std::optional<Foundation> foundation;
  if (config.onCloudFoundry) foundation = loadFoundation(settings);
  if (foundation && settings.choice("AUTH_ENDPOINT_TYPE") == "remote") {
    options.setup.reset();
    options.signIn =
        signInOn(settings, *foundation, awaitFoundation(*foundation, transport, log, stop));
  }
  warn(log, warnings);
  refuseOpenConsole(config, options.signIn);
  Warnings inviteWarnings;
  auto userInvite = ext::makeUserInvite(loadUserInvite(settings, inviteWarnings));
  warn(log, inviteWarnings);
  if (options.setup) prepareSetup(*options.setup, config, chain, stored, cipher, random, log);
  options.session.secret = obtainSessionSecret(options.session.secret, stored, cipher, random, log);
  if (!options.setup) {
    stratos::log(log, LogLevel::Info, "sign-in",
                 {{"type", describe(options.signIn.type)},
                  {"uaa", options.signIn.uaa.baseUrl},
                  {"admin_scope", options.signIn.adminScope}});
  }

  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(
      ext::makeCloudFoundry(loadCloudFoundry(settings, foundation ? &*foundation : nullptr)));
  if (foundation) {
    extensions.push_back(
        ext::makeCloudFoundryHosting(loadHosting(settings, *foundation, database->dialect())));
  }
  extensions.push_back(ext::makeGit());
  extensions.push_back(
      ext::makeHelm({.artifactHubDisabled = settings.flag("ARTIFACT_HUB_DISABLED")}));
  extensions.push_back(ext::makeKubernetes(
      {.awsRegion =
           settings.text(settings.isSet("AWS_REGION") ? "AWS_REGION" : "AWS_DEFAULT_REGION")}));
  extensions.push_back(ext::makeMetrics());
  extensions.push_back(ext::makeUserFavorites());
  extensions.push_back(ext::makeUserInfo());
  extensions.push_back(std::move(userInvite));
  ext::DeclaredEndpoints* declaredEndpoints = nullptr;
  if (endpointsFile) {
    auto declared = std::make_unique<ext::DeclaredEndpoints>(std::move(*endpointsFile));
    declaredEndpoints = declared.get();
    extensions.push_back(std::move(declared));
  }
  if (settings.flag("FEATURE_ALLOW_BACKUP")) {
    extensions.push_back(ext::makeBackup(*database, cipher, random));
  }
  Console console(std::move(options), {*database, cipher, transport, clock, random, log},
                  std::move(extensions), openFrontEnd(config, log));
  UpgradeGate gate(config.upgradeLock, &console);
  RequestCounter requests(gate);  // Does not see who asks for the health.
  HealthGate health(requests, [&] { return whyNotReady(gate, *database); }, log);
  HttpServer server(health, log, config.server);
  std::optional<CertificateWatch> certificate;
  if (const auto served = listen(server, config, log)) {
    certificate.emplace(
        config.certificate, *served,
        [&server](const Poco::Net::Context::Ptr& tls) { server.replaceTls(0, tls); }, clock, log);
  }
  const auto writeMetrics = [&, &calls = transport](MetricsText& text) {
    text.gauge("stratos_build_info", "Which program this is.");
    text.sample(std::uint64_t{1}, {{"version", STRATOS_SERVER_VERSION}});
    writeProcess(text, startedAt);
    requests.write(text);
    text.gauge("stratos_http_requests_in_flight",
               "Requests whose answer is not complete, streams among them.");
    text.sample(std::uint64_t{server.activeRequests()});
    text.gauge("stratos_http_connections", "Open connections of clients.");
    text.sample(std::uint64_t{server.connections()});
    if (certificate) {
      text.gauge("stratos_certificate_expiry_seconds",
                 "When the certificate that is served ends, in seconds since 1970.");
      text.sample(static_cast<double>(toUnixSeconds(certificate->expiresAt())));
    }
    calls.write(text);
  };
  // Ends last but one: a server that drains is looked at, too.
  const MetricsServer metrics(config, writeMetrics, log);
  {
    const std::jthread certificateWatch =
        startCertificateWatch(certificate ? &*certificate : nullptr, signals);
    const std::jthread sweeper = startSweeper(console, log);
    const std::jthread cipherRefresh = startCipherRefresh(*database, cipher, log);
    const std::jthread reconciler = startReconciler(declaredEndpoints);
    waitForStop(stop);
    health.drain();
    stratos::log(log, LogLevel::Info, "stopping",
                 {{"requests_in_flight", server.activeRequests()}});
    // For those who still send requests here until they have asked /readyz. A second signal ends
    // the process at once.
    std::this_thread::sleep_for(config.shutdownDelay);
  }
  const bool drained = server.stop(config.shutdownTimeout);
  if (!drained && server.activeRequests() > 0) {
    // Their handlers wait for endpoints; destroying the console would wait as long.
    stratos::log(log, LogLevel::Warning, "stopped with requests in flight",
                 {{"requests", server.activeRequests()}});
    return false;
  }
  return true;
}

}  // namespace

int serve(SettingMap environment, const LookupPlaces& places) {
  const SignalWatcher signals;
  LookupChain chain(std::move(environment), places);
  const Settings settings(chain);
  Warnings warnings = chain.warnings();
  const LogConfig logConfig = loadLogConfig(settings, warnings);
  DescriptorLogSink log(logConfig.format, logConfig.level);
  try {
    crypto::SystemRandom random;
    provideKeyFile(settings, random, log);
    trustPlatformAuthorities(settings, log);
    const ServerConfig config = loadServerConfig(settings, warnings);
    warn(log, warnings);
    if (!waitForUpgrade(config, log, signals.stopToken())) return EXIT_SUCCESS;
    if (!runConsole(config, chain, log, signals)) std::_Exit(EXIT_SUCCESS);
    stratos::log(log, LogLevel::Info, "stopped");
    return EXIT_SUCCESS;
  } catch (const Error& e) {
    warn(log, warnings);
    if (e.code() == ErrorCode::Cancelled && signals.stopToken().stop_requested()) {
      stratos::log(log, LogLevel::Info, "stopped before the start was complete");
      return EXIT_SUCCESS;
    }
    stratos::log(log, LogLevel::Error, "cannot start", {{"reason", e.what()}});
  } catch (const std::exception& e) {
    stratos::log(log, LogLevel::Error, "cannot start", {{"reason", e.what()}});
  }
  return EXIT_FAILURE;
}

}  // namespace stratos::server
