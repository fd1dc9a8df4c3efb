#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "certificate.hpp"
#include "foundation.hpp"
#include "http_server.hpp"
#include "log_sink.hpp"
#include "settings.hpp"
#include "stratos/console/options.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/endpoints_file.hpp"
#include "stratos/ext/user_invite.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::server {

/// Sentences for the log about settings that were understood, but not as they stand.
using Warnings = std::vector<std::string>;

struct LogConfig {
  LogFormat format = LogFormat::Text;
  LogLevel level = LogLevel::Info;
};

struct DatabaseConfig {
  db::Dialect dialect = db::Dialect::Sqlite;
  db::SqliteOptions sqlite;          ///< Only for Sqlite.
  db::PostgreSqlOptions postgreSql;  ///< Only for PostgreSql.
  db::PoolOptions pool;
  /// The Cloud Foundry service that the database comes from; empty when it does not.
  std::string service;
  /// Delete the SQLite file before it is opened; says why.
  std::optional<std::string> deleteReason;
};

/// Where the server listens; at least one of the two.
struct Listeners {
  std::optional<ListenAddress> https;
  std::optional<ListenAddress> http;
};

/// Everything about the process around the console. A value.
struct ServerConfig {
  DatabaseConfig database;
  /// The current key first.
  std::vector<crypto::EncryptionKey> keys;
  std::string keyOrigin;  ///< For the log.

  std::optional<ListenAddress> https;
  std::optional<ListenAddress> http;
  /// For /metrics, plain HTTP; nothing else is answered there.
  std::optional<ListenAddress> metrics;
  CertificatePlaces certificate;
  HttpServerOptions server;
  /// From the signal to stop until connections are refused; /readyz says meanwhile that it ends.
  std::chrono::seconds shutdownDelay{0};
  std::chrono::seconds shutdownTimeout{30};

  std::filesystem::path uiPath;
  std::string pagePolicy;  ///< See policyFor().
  std::optional<std::filesystem::path> upgradeLock;
  http::PooledTransportOptions transport;
  bool onCloudFoundry = false;
};

[[nodiscard]] LogConfig loadLogConfig(const Settings& settings, Warnings& warnings);

/// All of these throw Error(InvalidArgument) with one sentence that says what to change.
[[nodiscard]] Listeners loadListeners(const Settings& settings);
/// The file that ENCRYPTION_KEY_VOLUME and ENCRYPTION_KEY_FILENAME name; without them, where a key
/// is made, one beside the database; otherwise nothing.
[[nodiscard]] std::optional<std::filesystem::path> encryptionKeyFile(const Settings& settings);
[[nodiscard]] DatabaseConfig loadDatabaseConfig(const Settings& settings, Warnings& warnings);
[[nodiscard]] std::vector<crypto::EncryptionKey> loadKeys(const Settings& settings,
                                                          std::string& origin, Warnings& warnings);
/// Everything that cannot come from the database.
[[nodiscard]] ServerConfig loadServerConfig(const Settings& settings, Warnings& warnings);
/// For people: "local users", "UAA", ...
[[nodiscard]] const char* describe(AuthType type);
/// How users sign in; empty when so little is set that the set-up wizard has to ask for it.
[[nodiscard]] std::optional<SignInOptions> loadSignIn(const Settings& settings, Warnings& warnings);
/// Refuses a console without sign-in on an address that others can reach.
void refuseOpenConsole(const ServerConfig& config, const SignInOptions& signIn);
/// How users are invited by mail, the templates included.
[[nodiscard]] ext::UserInviteOptions loadUserInvite(const Settings& settings, Warnings& warnings);
/// The endpoints file with what it refers to; empty when there is none.
[[nodiscard]] std::optional<ext::EndpointsFile> loadEndpointsFile(const Settings& settings);
/// The console's own options, once the database is the first source of the settings. The session
/// secret stays as it was set: see obtainSessionSecret(). In set-up mode the caller fills in how
/// the settings are read again, and the code.
[[nodiscard]] ConsoleOptions loadConsoleOptions(const Settings& settings, Warnings& warnings);

/// How users of an application on Cloud Foundry sign in: at the foundation's UAA, with CF_CLIENT.
[[nodiscard]] SignInOptions signInOn(const Settings& settings, const Foundation& foundation,
                                     const FoundationServers& servers);

/// `foundation`: the one that the console runs on, null elsewhere.
[[nodiscard]] ext::CloudFoundryOptions loadCloudFoundry(const Settings& settings,
                                                        const Foundation* foundation);
[[nodiscard]] ext::CloudFoundryHostingOptions loadHosting(const Settings& settings,
                                                          const Foundation& foundation,
                                                          db::Dialect dialect);

}  // namespace stratos::server
