// What replicas tell each other through PostgreSQL.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "private_postgres.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/cached_stores.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "tcp_relay.hpp"

namespace stratos::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::PrivatePgBouncer;
using testing::PrivatePostgres;

constexpr const char* kChannel = "stratos_changes";

/// One process as far as the stores are concerned.
struct Replica {
  explicit Replica(const db::PostgreSqlOptions& options)
      : database(db::Database::openPostgreSql(options)),
        cipher({crypto::EncryptionKey::fromHex(std::string(64, 'a'))}, crypto::CipherFormat::Gcm,
               random),
        sqlSessions(*database),
        sqlEndpoints(*database, cipher),
        sqlTokens(*database, cipher, random),
        stores(sqlSessions, sqlEndpoints, sqlTokens, clock) {}

  [[nodiscard]] bool has(const std::string& session) {
    return stores.sessions().find(session).has_value();
  }
  /// True once the session is not there any more; false when that takes too long.
  [[nodiscard]] bool loses(const std::string& session) {
    const Deadline deadline = Deadline::after(60s);
    while (has(session)) {
      if (deadline.hasPassed()) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<db::Database> database;
  crypto::SystemRandom random;
  crypto::TokenCipher cipher;
  testing::ManualClock clock;  ///< Stands still: nothing becomes too old.
  SqlSessionStore sqlSessions;
  SqlEndpointStore sqlEndpoints;
  SqlTokenStore sqlTokens;
  CachedStores stores;
};

class ChangeListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!PrivatePostgres::isAvailable()) GTEST_SKIP() << PrivatePostgres::skipReason();
    server_ = std::make_unique<PrivatePostgres>();
    here_ = std::make_unique<Replica>(server_->options());
    migrateSchema(*here_->database, log_);
    for (const char* id : {"s1", "s2"}) {
      SessionRecord record;
      record.idHash = id;
      record.user = UserId{"ann"};
      record.expiresAt = here_->clock.now() + 1h;
      here_->sqlSessions.insert(record);
    }
  }

  testing::CapturingLogSink log_;
  std::unique_ptr<PrivatePostgres> server_;
  std::unique_ptr<Replica> here_;
};

TEST_F(ChangeListenerTest, EveryChangeIsAnnouncedWhenItIsCommitted) {
  const auto listener = here_->database->listen(kChannel);
  ASSERT_TRUE(listener);
  EXPECT_THAT(listener->wait(0s), IsEmpty());
  here_->sqlSessions.remove("s1");
  EXPECT_THAT(listener->wait(60s), ElementsAre("session s1"));

  EndpointRecord endpoint;
  endpoint.id = EndpointId{"e1"};
  endpoint.type = "cf";
  here_->sqlEndpoints.insert(endpoint);
  here_->sqlEndpoints.update(endpoint);
  EXPECT_THAT(listener->wait(60s), ElementsAre("endpoint e1"));

  TokenRecord token;
  token.owner = UserId{"ann"};
  token.endpoint = endpoint.id;
  token.authToken = Secret{"x"};
  here_->sqlTokens.saveEndpointToken(token);
  EXPECT_THAT(listener->wait(60s), ElementsAre("token ann"));
  here_->database->connect().execute("DELETE FROM tokens");  // Whoever does it.
  EXPECT_THAT(listener->wait(60s), ElementsAre("token ann"));

  try {
    here_->database->transact([](db::Connection& connection, db::Transaction&) {
      connection.execute("DELETE FROM stratos_sessions");
      throw Error(ErrorCode::Cancelled, "not this time");
    });
  } catch (const Error&) {
  }
  here_->sqlSessions.remove("s2");
  EXPECT_THAT(listener->wait(60s), ElementsAre("session s2")) << "what was rolled back was not";
}

TEST_F(ChangeListenerTest, WhatNamesNoRowIsAnnouncedAsEverything) {
  const auto listener = here_->database->listen(kChannel);
  ASSERT_TRUE(listener);
  here_->database->connect().execute("TRUNCATE tokens");
  EXPECT_THAT(listener->wait(60s), ElementsAre("everything"));
  // A row that changes hands concerns both.
  auto connection = here_->database->connect();
  connection.execute("UPDATE stratos_sessions SET id_hash = 's9' WHERE id_hash = 's1'");
  std::vector<std::string> announced;
  while (announced.size() < 2) {
    for (auto& each : listener->wait(60s)) announced.push_back(std::move(each));
  }
  EXPECT_THAT(announced, ElementsAre("session s1", "session s9"));
}

TEST_F(ChangeListenerTest, AWaitCanBeEnded) {
  const auto listener = here_->database->listen(kChannel);
  listener->interrupt();
  EXPECT_THAT(listener->wait(1h), IsEmpty());
  server_->stop();
  EXPECT_THROW(while (true) static_cast<void>(listener->wait(1h)), Error);
  EXPECT_THROW(static_cast<void>(here_->database->listen(kChannel)), Error);
}

TEST_F(ChangeListenerTest, NobodyListensThroughAPooler) {
  if (!PrivatePgBouncer::isAvailable()) GTEST_SKIP() << PrivatePgBouncer::skipReason();
  const PrivatePgBouncer pooler(*server_, 2);
  const auto database = db::Database::openPostgreSql(pooler.options());
  EXPECT_FALSE(database->listen(kChannel));
}

TEST_F(ChangeListenerTest, AnotherReplicaLearnsAtOnce) {
  Replica there(server_->options());
  const ChangeListener listener(*there.database, there.stores, log_);
  EXPECT_TRUE(there.has("s1"));
  EXPECT_TRUE(there.has("s2"));
  here_->stores.sessions().remove("s1");
  EXPECT_TRUE(there.loses("s1"));
  EXPECT_TRUE(there.has("s2"));
}

TEST_F(ChangeListenerTest, WhatWasMissedWhileTheServerWasAwayIsReadAnew) {
  Replica there(server_->options());
  const ChangeListener listener(*there.database, there.stores, log_);
  EXPECT_TRUE(there.has("s1"));
  server_->stop();
  server_->start();
  here_->stores.sessions().remove("s1");
  EXPECT_TRUE(there.loses("s1"));
}

TEST_F(ChangeListenerTest, AServerThatDoesNotAnswerHoldsNobodyUp) {
  auto options = server_->options();
  testing::TcpRelay relay(static_cast<std::uint16_t>(options.port));
  relay.muteListeners();
  options.host = "127.0.0.1";
  options.port = relay.port();
  options.connectTimeout = 1s;
  const auto database = db::Database::openPostgreSql(options);
  EXPECT_THROW(static_cast<void>(database->listen(kChannel)), Error);
}

TEST_F(ChangeListenerTest, WithTheChannelCutAChangeIsSeenWithinTheStaleness) {
  auto options = server_->options();
  testing::TcpRelay relay(static_cast<std::uint16_t>(options.port));
  options.host = "127.0.0.1";
  options.port = relay.port();
  Replica there(options);
  const ChangeListener listener(*there.database, there.stores, log_);
  // The channel works, and then is silent without anybody noticing.
  EXPECT_TRUE(there.has("s1"));
  here_->stores.sessions().remove("s1");
  EXPECT_TRUE(there.loses("s1"));
  relay.muteListeners();
  EXPECT_TRUE(there.has("s2"));
  here_->stores.sessions().remove("s2");
  there.clock.advance(CacheOptions{}.staleness - 1ms);
  EXPECT_TRUE(there.has("s2"));
  there.clock.advance(1ms);
  EXPECT_FALSE(there.has("s2"));
}

}  // namespace
}  // namespace stratos::store
