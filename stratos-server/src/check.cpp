#include "check.hpp"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

#include <unistd.h>

#include "certificate.hpp"
#include "server_config.hpp"
#include "settings.hpp"
#include "sqlite_copy.hpp"
#include "storage.hpp"
#include "stratos/auth/oidc_client.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/http/cookie.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/settings_store.hpp"

namespace stratos::server {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kUaaTime{10};

class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  /// Runs `step`, which returns what it found or throws what is wrong.
  void run(const std::string& subject, const std::function<std::string()>& step) {
    try {
      const std::string found = step();
      out_ << "ok       " << subject << ": " << found << "\n";
    } catch (const std::exception& e) {
      failed_ = true;
      out_ << "problem  " << subject << ": " << e.what() << "\n";
    }
  }
  void note(const std::string& text) { out_ << "note     " << text << "\n"; }
  [[nodiscard]] int status() const { return failed_ ? EXIT_FAILURE : EXIT_SUCCESS; }

 private:
  std::ostream& out_;
  bool failed_ = false;
};

void readSettings(db::Database& database, LookupChain& chain) {
  chain.setDatabase(store::SettingsStore(database).configGroup("env"), &mayComeFromDatabase);
}

// Migrates a copy and proves the key on it: what the start would do, without doing it.
std::string checkSqlite(const DatabaseConfig& config,
                        const std::vector<crypto::EncryptionKey>& keys, LookupChain& chain) {
  const fs::path file(config.sqlite.file);
  if (!fs::exists(file) || config.deleteReason) {
    const fs::path folder = file.parent_path().empty() ? fs::path(".") : file.parent_path();
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
      throw Error(ErrorCode::Unavailable, "SQLITE_DB_DIR (" + folder.string() +
                                              ") cannot be written; change its owner or mode");
    }
    return "SQLite, " + file.string() + " would be made";
  }
  if (::access(file.c_str(), R_OK | W_OK) != 0) {
    throw Error(ErrorCode::Unavailable,
                file.string() + " cannot be read and written; change its owner or mode");
  }
  if (fs::file_size(file) > SqliteCopy::kMaxBytes) return file.string() + ", too large to be tried";
  const SqliteCopy copy(file);
  const auto database = copy.open();
  NullLogSink silent;
  const store::SchemaReport schema = store::migrateSchema(*database, silent);
  crypto::SystemRandom random;
  static_cast<void>(store::openCipher(*database, keys, random));
  readSettings(*database, chain);
  return "SQLite, " + file.string() + ", the key fits, " +
         std::to_string(schema.upstreamApplied + schema.ownApplied) + " migrations to apply";
}

// Changes nothing: other processes may be using it.
std::string checkPostgreSql(const DatabaseConfig& config,
                            const std::vector<crypto::EncryptionKey>& keys, LookupChain& chain) {
  const auto database = db::Database::openPostgreSql(config.postgreSql);
  static_cast<void>(database->connect().query("SELECT 1"));
  std::string schema = "empty, the schema would be made";
  if (db::Connection connection = database->connect(); db::hasTable(connection, "config")) {
    schema = "schema " + std::to_string(store::reportedSchemaVersion(*database));
    crypto::SystemRandom random;
    schema += store::proveKeys(*database, keys, random)
                  ? ", the key fits"
                  : ", of an older release: the key is tried once it has been migrated";
    readSettings(*database, chain);
  }
  return database->description() + ", " + schema;
}

std::string checkCertificate(const ServerConfig& config) {
  if (!config.https) return "not needed, plain HTTP only";
  const SystemClock clock;
  const auto pair = findCertificate(config.certificate, clock.now());
  if (!pair) return "none yet, a self-signed one would be made";
  static_cast<void>(makeServerContext(*pair));
  const TimePoint expiry = expiryOf(pair->chainPem);
  if (expiry <= clock.now()) {
    throw Error(ErrorCode::InvalidArgument,
                pair->origin + " has expired on " + http::formatHttpDate(expiry) + "; replace it");
  }
  return pair->origin + ", valid until " + http::formatHttpDate(expiry);
}

std::string checkUaa(const ServerConfig& config, const ConsoleOptions& options) {
  http::PooledTransport transport(config.transport);
  http::ClientRequest request{"GET", Url::parse(options.signIn.uaa.baseUrl + "/info"), {}, {}, {}};
  request.headers.set("Accept", "application/json");
  request.trust = options.signIn.uaa.trust;
  request.trust.anyAddress = true;
  request.deadline = Deadline::after(kUaaTime);
  const http::ClientResponse response = transport.send(std::move(request));
  if (response.failed()) {
    const bool tls = response.failure == http::TransportFailure::Tls;
    throw Error(
        ErrorCode::Unavailable,
        options.signIn.uaa.baseUrl + " cannot be reached: " + response.detail +
            (tls ? "; name its CA in STRATOS_SIGN_IN_CA_FILE, or set SKIP_SSL_VALIDATION=true if you "
                   "accept the risk"
                 : "; check UAA_ENDPOINT, the network and the proxy settings"));
  }
  if (response.status != 200) {
    throw Error(ErrorCode::Unavailable, options.signIn.uaa.baseUrl + "/info answers " +
                                            std::to_string(response.status) +
                                            "; UAA_ENDPOINT does not name a UAA");
  }
  return options.signIn.uaa.baseUrl + " answers";
}

std::string checkOidc(const ServerConfig& config, const ConsoleOptions& options) {
  http::PooledTransport transport(config.transport);
  const SystemClock clock;
  auth::OidcOptions provider = options.signIn.oidc;
  provider.trust.anyAddress = true;
  auth::OidcClient client(transport, clock, std::move(provider));
  static_cast<void>(client.metadata(Deadline::after(kUaaTime)));
  return options.signIn.oidc.issuer + " answers";
}

}  // namespace

int check(SettingMap environment, std::ostream& out, const LookupPlaces& places) {
  LookupChain chain(std::move(environment), places);
  const Settings settings(chain);
  Report report(out);
  Warnings warnings = chain.warnings();
  std::optional<ServerConfig> config;
  report.run("settings", [&] {
    static_cast<void>(loadLogConfig(settings, warnings));
    config = loadServerConfig(settings, warnings);
    return std::string("understood");
  });
  std::optional<ConsoleOptions> options;
  if (config) {
    report.run("encryption key", [&] { return "from " + config->keyOrigin; });
    report.run("database", [&] {
      return config->database.dialect == db::Dialect::Sqlite
                 ? checkSqlite(config->database, config->keys, chain)
                 : checkPostgreSql(config->database, config->keys, chain);
    });
    report.run("certificate", [&] { return checkCertificate(*config); });
  }
  // After the database, which may hold these settings.
  report.run("sign-in", [&] {
    options = loadConsoleOptions(settings, warnings);
    if (config) refuseOpenConsole(*config, options->signIn);
    return std::string(options->setup ? "not set up: the set-up wizard will ask for it"
                                      : describe(options->signIn.type));
  });
  report.run("invitations", [&] {
    const ext::UserInviteOptions invitations = loadUserInvite(settings, warnings);
    static_cast<void>(ext::makeUserInvite(invitations));
    return std::string(invitations.smtp.host.empty() || invitations.from.empty()
                           ? "off, no mail server and sender are set"
                           : "by mail through " + invitations.smtp.host);
  });
  report.run("endpoints file", [&]() -> std::string {
    const auto file = loadEndpointsFile(settings);
    if (!file) return "none";
    return file->path.string() + ", " + std::to_string(file->endpoints.size()) +
           (file->endpoints.size() == 1 ? " endpoint" : " endpoints") +
           (file->prune ? "; others that it once brought are removed" : "");
  });
  if (config && options && !options->setup && options->signIn.type == AuthType::Remote) {
    report.run("UAA", [&] { return checkUaa(*config, *options); });
  }
  if (config && options && !options->setup && options->signIn.type == AuthType::Oidc) {
    report.run("OpenID Connect", [&] { return checkOidc(*config, *options); });
  }
  for (const std::string& warning : warnings) report.note(warning);
  return report.status();
}

}  // namespace stratos::server
