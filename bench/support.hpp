#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/base/log.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/session_store.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::bench {

/// A new SQLite database in a temporary directory, migrated, with the stores of the hot path on it.
/// A set-up of some 50 ms: keep it out of the measured loops.
class Stores {
 public:
  Stores();

  /// Stores an endpoint of the whole system; `number` tells several apart.
  store::EndpointRecord addEndpoint(std::size_t number = 0);
  /// Stores a token of `user` for `endpoint` that is good for another hour.
  void addToken(const UserId& user, const EndpointId& endpoint);

 private:
  testing::TestDatabase directory_;

 public:
  SystemClock clock;
  crypto::SystemRandom random;
  NullLogSink log;
  std::unique_ptr<db::Database> database;
  crypto::TokenCipher cipher;
  store::SqlEndpointStore endpoints;
  store::SqlTokenStore tokens;
  store::SqlSessionStore sessions;
};

/// An access token as a UAA issues it to an administrator: a dozen scopes, a signature as long as
/// that of RSA-2048; about 1.6 KiB.
[[nodiscard]] std::string makeAccessToken(std::int64_t expiry);

}  // namespace stratos::bench
