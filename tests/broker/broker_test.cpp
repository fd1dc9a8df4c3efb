// Several processes renew tokens in one PostgreSQL, against a UAA in its strictest mode: every
// refresh token works once and is dead at once. Processes are killed at the worst moments, the UAA
// and the database fail; whatever can be served is served, and each expiry costs one redemption.

#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "private_postgres.hpp"
#include "replica_process.hpp"
#include "stratos/auth/auth_scheme.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/fake_uaa.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::broker_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::Each;
using testing::FaultKind;
using ::testing::Field;
using ::testing::SizeIs;

constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::size_t kReplicas = 3;
constexpr std::size_t kThreads = 8;

/// One row of the token table, under two endpoints: its own and one that links to it.
constexpr const char* kLinked = "user-1@foundation,user-1@metrics";
/// That row, and one that users share.
constexpr const char* kBothRows = "user-1@foundation,user-1@metrics,user-2@common,user-3@common";

struct Answer {
  std::string outcome;
  std::string target;
  std::string token;
  std::string reason;
};

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  return out << answer.target << ": " << answer.outcome << " " << answer.reason;
}

MATCHER_P(HasOutcome, outcome, "") {
  return ::testing::ExplainMatchResult(outcome, arg.outcome, result_listener);
}

/// What stays for all cases: starting a PostgreSQL takes longer than most of them.
struct Place {
  Place() {
    store::migrateSchema(*database, log);
    uaa.addUser({.name = "ada", .password = "ada-pass", .scopes = {"cloud_controller.read"}});
    uaa.addClient({.id = "cf", .secret = "", .grants = {"password", "refresh_token"}});
  }

  testing::ManualClock clock;
  testing::CapturingLogSink log;
  testing::FakeUaa uaa{clock,
                       {.refreshMode = testing::RefreshMode::RotateOnce,
                        .opaqueAccessTokens = true,
                        .opaqueRefreshTokens = true}};
  testing::PrivatePostgres postgres;
  std::unique_ptr<db::Database> database = db::Database::openPostgreSql(postgres.options());
  crypto::SystemRandom random;
  crypto::TokenCipher cipher{
      {crypto::EncryptionKey::fromHex(kKey)}, crypto::CipherFormat::Gcm, random};
  store::SqlTokenStore tokens{*database, cipher, random};
  http::PooledTransport transport;
  auth::UaaClient client{transport};
  std::vector<std::unique_ptr<ReplicaProcess>> replicas{kReplicas};
  int batches = 0;
};

class BrokerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (testing::PrivatePostgres::isAvailable()) place_ = std::make_unique<Place>();
  }
  static void TearDownTestSuite() {
    if (!place_) return;
    for (const auto& replica : place_->replicas) {
      // Its sanitizers have the last word.
      if (!replica || !replica->isAlive()) continue;
      EXPECT_EQ(replica->finish(), 0);
    }
    place_.reset();
  }
  void SetUp() override {
    if (!place_) GTEST_SKIP() << testing::PrivatePostgres::skipReason();
    for (auto& replica : place_->replicas) {
      if (!replica || !replica->isAlive()) replica = start();
    }
    connect();
    place_->postgres.execute("DELETE FROM stratos_token_leases");
    place_->uaa.server().clearRequests();
    before_ = place_->uaa.counters();
  }

  void TearDown() override {
    // The next case begins with other processes, then.
    if (!place_ || !HasFailure()) return;
    server().clearFaults();
    for (const auto& replica : place_->replicas) replica->kill();
  }

  static std::unique_ptr<ReplicaProcess> start(std::size_t threads = kThreads,
                                               std::chrono::milliseconds refreshTimeout = 60s,
                                               std::chrono::milliseconds storeTimeout = 60s) {
    const db::PostgreSqlOptions database = place_->postgres.options();
    auto replica = std::make_unique<ReplicaProcess>(std::vector<std::string>{
        std::string("BROKER_KEY=") + kKey, "BROKER_UAA=" + place_->uaa.url(),
        "BROKER_DB_HOST=" + database.host, "BROKER_DB_PORT=" + std::to_string(database.port),
        "BROKER_DB_USER=" + database.user, "BROKER_DB_PASSWORD=" + database.password.reveal(),
        "BROKER_DB_NAME=" + database.database, "BROKER_THREADS=" + std::to_string(threads),
        "BROKER_REFRESH_TIMEOUT=" + std::to_string(refreshTimeout.count()),
        "BROKER_STORE_TIMEOUT=" + std::to_string(storeTimeout.count())});
    replica->send("time " + std::to_string(now()));
    return replica;
  }

  static std::int64_t now() { return toUnixSeconds(place_->clock.now()); }

  /// New tokens in all rows, as users make them when they connect again.
  static void connect() {
    store::TokenRecord own = login(UserId{"user-1"}, "foundation");
    own = place_->tokens.saveEndpointToken(own);
    store::TokenRecord link;
    link.owner = own.owner;
    link.endpoint = EndpointId{"metrics"};
    link.linkedTo = own.id;
    place_->tokens.saveEndpointToken(link);
    place_->tokens.saveEndpointToken(login(UserId{std::string(kSharedUserGuid)}, "common"));
  }
  static store::TokenRecord login(const UserId& owner, const std::string& endpoint) {
    auth::UaaTarget target;
    target.baseUrl = place_->uaa.url();
    target.clientId = "cf";
    const auth::GrantResult answer =
        place_->client.passwordGrant(target, "ada", Secret{"ada-pass"}, Deadline::after(60s));
    if (answer.status != auth::GrantStatus::Granted) throw std::runtime_error(answer.detail);
    store::TokenRecord token;
    token.owner = owner;
    token.endpoint = EndpointId{endpoint};
    token.authToken = answer.grant.accessToken;
    token.refreshToken = answer.grant.refreshToken;
    token.expiry = expiryOf(answer.grant, place_->clock.now());
    return token;
  }

  static void pass(std::chrono::seconds time) {
    place_->clock.advance(time);
    for (const auto& replica : place_->replicas) {
      if (replica->isAlive()) replica->send("time " + std::to_string(now()));
    }
  }
  static void expire() { pass(601s); }

  static ReplicaProcess& replica(std::size_t index) { return *place_->replicas.at(index); }

  /// All threads of one process ask; returns the name of what they will answer.
  static std::string ask(ReplicaProcess& replica, const std::string& targets,
                         const std::string& command = "ask") {
    std::string batch = "batch-" + std::to_string(++place_->batches);
    for (const char* event : {"waiting", "read"}) replica.drop(event);
    replica.send(command + " " + batch + " " + targets);
    return batch;
  }
  static std::vector<Answer> answers(ReplicaProcess& replica, const std::string& batch,
                                     std::size_t count = kThreads) {
    std::vector<Answer> all;
    for (const std::string& line : replica.take(batch + " ", count)) {
      std::istringstream words(line);
      Answer answer;
      std::string name;
      words >> name >> answer.outcome >> answer.target >> answer.token;
      std::getline(words, answer.reason);
      all.push_back(std::move(answer));
    }
    return all;
  }
  /// All threads of all processes that live ask at once.
  static std::vector<Answer> askAll(const std::string& targets,
                                    const std::string& command = "ask") {
    std::map<ReplicaProcess*, std::string> batches;
    for (const auto& replica : place_->replicas) {
      if (replica->isAlive()) batches[replica.get()] = ask(*replica, targets, command);
    }
    std::vector<Answer> all;
    for (const auto& [replica, batch] : batches) {
      for (Answer& answer : answers(*replica, batch)) all.push_back(std::move(answer));
    }
    return all;
  }
  /// Two processes ask and come to wait for another one; returns their batches.
  static std::map<std::size_t, std::string> letWait(const std::vector<std::size_t>& indexes) {
    std::map<std::size_t, std::string> batches;
    for (const std::size_t index : indexes) batches[index] = ask(replica(index), kLinked);
    for (const std::size_t index : indexes) (void)replica(index).take("waiting");
    return batches;
  }
  static std::vector<Answer> answersOf(const std::map<std::size_t, std::string>& batches) {
    std::vector<Answer> all;
    for (const auto& [index, batch] : batches) {
      for (Answer& answer : answers(replica(index), batch)) all.push_back(std::move(answer));
    }
    return all;
  }

  /// Its threads ask, and the one that comes to `point` stops there while the others wait for it;
  /// returns their batch.
  static std::string holdAt(ReplicaProcess& replica, const std::string& point) {
    replica.send("stop-at " + point);
    std::string batch = ask(replica, kLinked);
    (void)replica.take("stopped " + point);
    (void)replica.take("read");
    return batch;
  }

  /// Every answer is a token that works, and `tokens` different ones in all.
  static void expectServed(const std::vector<Answer>& all, std::size_t tokens = 1) {
    EXPECT_THAT(all, Each(HasOutcome("ok")));
    std::set<std::string> different;
    for (const Answer& answer : all) {
      if (answer.outcome == "ok") different.insert(answer.token);
    }
    EXPECT_EQ(different.size(), tokens);
    for (const std::string& token : different) {
      EXPECT_TRUE(place_->uaa.findAccessToken(token)) << "a token that the UAA does not know";
    }
  }

  [[nodiscard]] std::uint64_t redemptions() const {
    return place_->uaa.counters().refreshes - before_.refreshes;
  }
  [[nodiscard]] std::uint64_t refusals() const {
    return place_->uaa.counters().refusedRefreshes - before_.refusedRefreshes;
  }
  /// How often the refresh token was sent that was sent most often.
  static std::size_t mostOftenSent() {
    std::map<std::string, std::size_t> sent;
    std::size_t most = 0;
    for (const auto& request : place_->uaa.server().requestsTo("/oauth/token")) {
      const auto fields = decodeForm(request.body).value();
      for (const auto& [name, value] : fields) {
        if (name == "refresh_token") most = std::max(most, ++sent[value]);
      }
    }
    return most;
  }
  /// The leases of the dead end by the database's clock after `rest`, as if their time was over.
  static void endLeases(std::chrono::milliseconds rest = 0ms) {
    place_->postgres.execute(
        "UPDATE stratos_token_leases SET expires_at ="
        " CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + " +
        std::to_string(rest.count()));
  }
  [[nodiscard]] static std::int64_t leases() {
    return place_->database->connect()
        .queryOne("SELECT COUNT(*) AS n FROM stratos_token_leases")
        .value()
        .integer("n");
  }
  static testing::FakeUpstream& server() { return place_->uaa.server(); }

  static std::unique_ptr<Place> place_;  // NOLINT: of the suite, as GoogleTest wants it.
  testing::UaaCounters before_;
};

std::unique_ptr<Place> BrokerTest::place_;

TEST_F(BrokerTest, EachExpiryIsOneRedemptionHoweverManyProcessesAsk) {
  constexpr std::uint64_t kRounds = 12;
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    expire();
    // As a load balancer does with connections that nobody used for a minute.
    if (round % 2 == 0) server().closeConnections();
    const auto all = askAll(kBothRows);
    EXPECT_THAT(all, SizeIs(kReplicas * kThreads));
    expectServed(all, 2);
    ASSERT_EQ(redemptions(), 2 * round) << "one for each row";
  }
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(mostOftenSent(), 1U);
  EXPECT_EQ(leases(), 0);
}

TEST_F(BrokerTest, ATokenThatTheEndpointRefusesIsRenewedOnceForAll) {
  expectServed(askAll(kBothRows), 2);
  place_->uaa.revokeAccessTokens();
  expectServed(askAll(kBothRows, "refused"), 2);
  EXPECT_EQ(redemptions(), 2U);
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(mostOftenSent(), 1U);
}

TEST_F(BrokerTest, AHolderKilledBeforeItAskedIsReplacedWhenItsLeaseEnds) {
  std::uint64_t rounds = 0;
  for (const char* point : {"leased", "asking"}) {
    expire();
    (void)holdAt(replica(0), point);
    const auto waiting = letWait({1, 2});
    replica(0).kill();
    endLeases(1s);
    const auto all = answersOf(waiting);
    EXPECT_THAT(all, SizeIs(2 * kThreads));
    expectServed(all);
    EXPECT_EQ(redemptions(), ++rounds);
    place_->replicas[0] = start();
  }
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(mostOftenSent(), 1U);
}

TEST_F(BrokerTest, AHolderKilledWhileTheUaaThinksIsReplaced) {
  expire();
  server().addFault({.kind = FaultKind::Hang, .pathPrefix = "/oauth/token"});
  const std::uint64_t seen = server().requestCount();
  (void)ask(replica(0), kLinked);
  ASSERT_TRUE(server().waitForRequests(seen + 1, Deadline::after(60s)));
  const auto waiting = letWait({1, 2});
  replica(0).kill();
  endLeases();
  expectServed(answersOf(waiting));
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(refusals(), 0U);
}

TEST_F(BrokerTest, AHolderKilledAfterTheWriteCostsNobodyAWait) {
  expire();
  (void)holdAt(replica(0), "stored");
  replica(0).kill();
  expectServed(askAll(kLinked));
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(leases(), 1) << "of the dead; nobody waited for its end";

  expire();
  const auto waiting = letWait({1, 2});
  EXPECT_EQ(redemptions(), 1U) << "it counts until its end";
  endLeases();
  expectServed(answersOf(waiting));
  EXPECT_EQ(redemptions(), 2U);
  EXPECT_EQ(refusals(), 0U);
}

TEST_F(BrokerTest, TroubleOfTheUaaCostsNoToken) {
  using testing::Fault;
  for (const Fault& fault :
       {Fault{.kind = FaultKind::TooManyRequests}, Fault{.kind = FaultKind::Status, .status = 500},
        Fault{.kind = FaultKind::HtmlPage}, Fault{.kind = FaultKind::CloseBeforeAnswer}}) {
    // Stale, but not expired: what is left of its life bridges the outage.
    pass(580s);
    Fault always = fault;
    always.times = -1;
    server().addFault(always);
    expectServed(askAll(kBothRows), 2);
    pass(30s);
    EXPECT_THAT(askAll(kBothRows), Each(HasOutcome("unreachable")));
    server().clearFaults();
    const std::uint64_t before = redemptions();
    expectServed(askAll(kBothRows), 2);
    EXPECT_EQ(redemptions(), before + 2);
  }
  EXPECT_EQ(refusals(), 0U);
}

TEST_F(BrokerTest, AUaaThatNeverAnswersHoldsNobodyForEver) {
  const auto impatient = start(/*threads=*/1, /*refreshTimeout=*/500ms);
  expire();
  impatient->send("time " + std::to_string(now()));
  server().addFault({.kind = FaultKind::Hang, .pathPrefix = "/oauth/token"});
  const std::uint64_t seen = server().requestCount();
  const std::string batch = ask(*impatient, kLinked);
  ASSERT_TRUE(server().waitForRequests(seen + 1, Deadline::after(60s)));
  expectServed(askAll(kLinked));
  EXPECT_THAT(answers(*impatient, batch, 1), Each(HasOutcome("unreachable")));
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(impatient->finish(), 0);
}

TEST_F(BrokerTest, ARestartOfTheDatabaseLosesNoToken) {
  expectServed(askAll(kBothRows), 2);
  place_->postgres.stop();
  place_->postgres.start();
  expire();
  expectServed(askAll(kBothRows), 2);
  ASSERT_EQ(redemptions(), 2U);

  // In the worst moment: the UAA has answered and the answer is not stored.
  expire();
  const std::string batch = holdAt(replica(0), "storing");
  const auto waiting = letWait({1, 2});
  place_->postgres.stop();
  replica(0).send("go");
  (void)replica(0).take("unwritten");
  place_->postgres.start();
  expectServed(answers(replica(0), batch));
  // Who waited was told that the database was away, unless it looked only before and afterwards.
  EXPECT_THAT(answersOf(waiting), Each(HasOutcome(AnyOf("ok", "unavailable"))));
  expectServed(askAll(kLinked));
  EXPECT_EQ(redemptions(), 3U);
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(mostOftenSent(), 1U);
}

TEST_F(BrokerTest, ATokenThatCouldNotBeStoredInTimeIsStoredWhenTheDatabaseIsBack) {
  const auto holder = start(/*threads=*/1, /*refreshTimeout=*/60s, /*storeTimeout=*/0ms);
  expire();
  holder->send("time " + std::to_string(now()));
  const std::string batch = holdAt(*holder, "storing");
  place_->postgres.stop();
  holder->send("go");
  auto all = answers(*holder, batch, 1);
  expectServed(all);
  (void)holder->take("log a renewed token cannot be stored yet and is kept in memory");
  place_->postgres.start();
  // Nobody asks the holder again.
  for (Answer& answer : askAll(kLinked)) all.push_back(std::move(answer));
  expectServed(all);
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(refusals(), 0U);
  EXPECT_EQ(holder->finish(), 0);
}

// A pause of any length, as of a virtual machine: no lease helps, the UAA knows nothing of it.
TEST_F(BrokerTest, AHolderThatSleepsPastItsLeaseUsesWhatOthersStored) {
  expire();
  const std::string batch = holdAt(replica(0), "asking");
  const auto waiting = letWait({1, 2});
  endLeases();
  auto all = answersOf(waiting);
  replica(0).send("go");
  for (Answer& answer : answers(replica(0), batch)) all.push_back(std::move(answer));
  expectServed(all);
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(refusals(), 1U) << "of the sleeper, who must have seen the newer row then";
  expire();
  expectServed(askAll(kLinked));
}

TEST_F(BrokerTest, ALateWriterOverwritesNothing) {
  expire();
  const std::string batch = holdAt(replica(0), "storing");
  connect();
  const auto first = answers(replica(1), ask(replica(1), kLinked));
  replica(0).send("go");
  auto all = answers(replica(0), batch);
  all.insert(all.end(), first.begin(), first.end());
  expectServed(all);
  for (Answer& answer : askAll(kLinked)) all.push_back(std::move(answer));
  expectServed(all);
  EXPECT_EQ(redemptions(), 1U);
}

// What one trouble leaves behind meets the next one.
TEST_F(BrokerTest, TroublesInAnyOrderCostOneRedemptionForEachExpiry) {
  std::minstd_rand random(20261127);
  const auto oneOf = [&](const std::vector<std::string>& all) {
    return all[random() % all.size()];
  };
  constexpr std::uint64_t kRounds = 16;
  std::uint64_t sleepers = 0;
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    const std::size_t holder = random() % kReplicas;
    const std::string trouble = oneOf(
        {"none", "kill", "kill", "uaa", "uaa", "database", "database while storing", "sleep"});
    SCOPED_TRACE(std::to_string(round) + ": " + trouble + " of " + std::to_string(holder));
    expire();
    if (trouble == "kill") {
      (void)holdAt(replica(holder), oneOf({"leased", "asking", "stored"}));
      replica(holder).kill();
      endLeases();
      place_->replicas[holder] = start();
    } else if (trouble == "uaa") {
      server().addFault({.kind = random() % 2 == 0 ? FaultKind::TooManyRequests : FaultKind::Status,
                         .pathPrefix = "/oauth/token"});
      EXPECT_THAT(answers(replica(holder), ask(replica(holder), kLinked)),
                  Each(HasOutcome(AnyOf("unreachable", "ok"))));
    } else if (trouble == "database") {
      place_->postgres.stop();
      place_->postgres.start();
    } else if (trouble == "database while storing") {
      const std::string batch = holdAt(replica(holder), "storing");
      place_->postgres.stop();
      replica(holder).send("go");
      (void)replica(holder).take("unwritten");
      place_->postgres.start();
      expectServed(answers(replica(holder), batch));
    } else if (trouble == "sleep") {
      const std::string batch = holdAt(replica(holder), "asking");
      endLeases();
      const std::size_t other = (holder + 1) % kReplicas;
      expectServed(answers(replica(other), ask(replica(other), kLinked)));
      replica(holder).send("go");
      expectServed(answers(replica(holder), batch));
      ++sleepers;
    }
    expectServed(askAll(kLinked));
    ASSERT_EQ(redemptions(), round);
    ASSERT_EQ(refusals(), sleepers);
  }
}

// The window that cannot be closed: the server has dropped the old token, and the only process that
// knows the new one is gone.
TEST_F(BrokerTest, ATokenLostBetweenAnswerAndWriteEndsAsRejected) {
  expire();
  (void)holdAt(replica(0), "storing");
  const auto waiting = letWait({1, 2});
  replica(0).kill();
  endLeases();
  auto all = answersOf(waiting);
  place_->replicas[0] = start();
  for (Answer& answer : askAll(kLinked)) all.push_back(std::move(answer));
  EXPECT_THAT(all, SizeIs(2 * kThreads + kReplicas * kThreads));
  EXPECT_THAT(all, Each(HasOutcome("rejected")));
  EXPECT_THAT(all, Each(Field(&Answer::reason, ::testing::HasSubstr("connect again"))));
  for (std::size_t index = 0; index < kReplicas; ++index) {
    EXPECT_TRUE(replica(index).has("log the authorization server refuses to renew a token"));
  }
  EXPECT_EQ(redemptions(), 1U);
  EXPECT_EQ(refusals(), kReplicas) << "each process finds out once and remembers it";

  connect();
  expectServed(askAll(kBothRows), 2);
}

// The same without a death: the answer is lost on the way.
TEST_F(BrokerTest, AnAnswerThatIsLostEndsAsRejected) {
  expire();
  server().addFault({.kind = FaultKind::CloseAfterHandling, .pathPrefix = "/oauth/token"});
  const auto first = answers(replica(0), ask(replica(0), kLinked));
  EXPECT_THAT(first, Each(HasOutcome(AnyOf("unreachable", "rejected"))));
  EXPECT_THAT(askAll(kLinked), Each(HasOutcome("rejected")));
  EXPECT_EQ(redemptions(), 1U);
  connect();
  expectServed(askAll(kBothRows), 2);
}

}  // namespace
}  // namespace stratos::broker_test
