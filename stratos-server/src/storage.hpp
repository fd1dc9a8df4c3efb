#pragma once

#include <chrono>
#include <memory>
#include <stop_token>

#include "server_config.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/settings_store.hpp"

namespace stratos::server {

struct DatabaseWait {
  std::chrono::milliseconds total = std::chrono::minutes{10};
  std::chrono::milliseconds pause{1'000};
};

/// Opens the database. A PostgreSQL server that is not up yet is waited for; one that refuses the
/// user, the password or the database is not. Throws Error:
/// Unavailable when it cannot be had in time, Cancelled when `stop` was requested.
[[nodiscard]] std::unique_ptr<db::Database> openDatabase(const DatabaseConfig& config, LogSink& log,
                                                         const std::stop_token& stop,
                                                         const DatabaseWait& wait = {});

/// The key of the session cookies: the configured one, unless it is empty or upstream's
/// placeholder; then one that is made once and kept, encrypted, in the database, so that sessions
/// survive a restart and every replica uses the same.
[[nodiscard]] Secret obtainSessionSecret(const Secret& configured, store::SettingsStore& settings,
                                         const crypto::TokenCipher& cipher, Random& random,
                                         LogSink& log);

/// The code that opens the set-up wizard, the same in all replicas: made once and kept, encrypted,
/// until set-up is done.
[[nodiscard]] Secret obtainSetupCode(store::SettingsStore& settings,
                                     const crypto::TokenCipher& cipher, Random& random);

}  // namespace stratos::server
