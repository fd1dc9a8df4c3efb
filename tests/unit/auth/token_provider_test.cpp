#include "stratos/auth/token_provider.hpp"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/gate.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::auth {
namespace {

using namespace std::chrono_literals;
using test::cfEndpoint;
using test::Gate;
using test::oauthToken;
using test::OpenAtExit;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;

constexpr const char* kInvalidGrant = R"({"error":"invalid_grant"})";

http::ClientResponse granted(const std::string& access, const std::string& refresh,
                             int expiresIn = 600) {
  std::string body =
      R"({"access_token":")" + access + R"(","expires_in":)" + std::to_string(expiresIn);
  if (!refresh.empty()) body += R"(,"refresh_token":")" + refresh + "\"";
  return reply(200, body + "}");
}

/// A token store whose calls can be made to fail.
class FaultyStore final : public store::TokenStore {
 public:
  explicit FaultyStore(store::TokenStore& real) : real_(real) {}

  std::atomic<bool> failReads = false;
  std::atomic<bool> failWrites = false;
  std::function<void()> beforeWrite = [] {};
  std::function<void()> afterRead = [] {};
  std::optional<store::TokenRecord> cached;  ///< Answers the next findForEndpoint().

  std::optional<store::TokenRecord> findForEndpoint(const UserId& user,
                                                    const EndpointId& endpoint) override {
    if (cached) return std::exchange(cached, std::nullopt);
    return real_.findForEndpoint(user, endpoint);
  }
  std::optional<store::TokenRecord> findById(const UserId& owner, const TokenId& id) override {
    if (failReads) throw Error(ErrorCode::Unavailable, "the database is away");
    auto found = real_.findById(owner, id);
    afterRead();
    return found;
  }
  std::optional<store::TokenRecord> findConsoleToken(const UserId& user) override {
    return real_.findConsoleToken(user);
  }
  std::vector<store::TokenRecord> listForUser(const UserId& user,
                                              std::vector<EndpointId>* unreadable) override {
    return real_.listForUser(user, unreadable);
  }
  store::TokenRecord saveConsoleToken(const store::TokenRecord& record) override {
    return real_.saveConsoleToken(record);
  }
  store::TokenRecord saveEndpointToken(const store::TokenRecord& record) override {
    return real_.saveEndpointToken(record);
  }
  std::optional<store::TokenRecord> replaceIfUnchanged(const store::TokenRecord& record) override {
    if (failWrites) throw Error(ErrorCode::Unavailable, "the database is away");
    beforeWrite();
    return real_.replaceIfUnchanged(record);
  }
  bool removeForEndpoint(const UserId& owner, const EndpointId& endpoint) override {
    return real_.removeForEndpoint(owner, endpoint);
  }
  bool markDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    return real_.markDisconnected(owner, endpoint);
  }
  bool wasDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    return real_.wasDisconnected(owner, endpoint);
  }

 private:
  store::TokenStore& real_;
};

class TokenProviderTest : public ::testing::Test {
 protected:
  std::int64_t now() const { return toUnixSeconds(clock_.now()); }
  static Deadline soon() { return Deadline::after(30s); }

  store::TokenRecord save(const std::string& owner, const std::string& access,
                          const std::string& refresh, std::int64_t lifeSeconds,
                          const std::string& endpoint = "e1") {
    return sql_.tokens.saveEndpointToken(
        oauthToken(owner, endpoint, access, refresh, now() + lifeSeconds));
  }
  TokenResult get(const std::string& user = "u1") {
    return provider_.get(UserId{user}, endpoint_, soon());
  }
  store::TokenRecord stored(const std::string& user = "u1") {
    return sql_.tokens.findForEndpoint(UserId{user}, endpoint_.id).value();
  }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  FaultyStore tokens_{sql_.tokens};
  ScriptedTransport network_{
      [](const SentRequest&) { return granted("new-access", "new-refresh"); }};
  UaaClient uaa_{network_};
  store::EndpointRecord endpoint_ = cfEndpoint("e1");
  store::SqlTokenLeaseStore leases_{sql_.database()};
  TokenProvider provider_{tokens_,
                          &leases_,
                          uaa_,
                          clock_,
                          sql_.random,
                          log_,
                          {.storeTimeout = 0ms, .pollInterval = 1ms}};
};

TEST_F(TokenProviderTest, HandsOutAFreshTokenWithoutAskingTheServer) {
  save("u1", "access", "refresh", 31);
  const TokenResult token = get();
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token.record.authToken.reveal(), "access");
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, SaysNotConnectedWhenThereIsNoToken) {
  EXPECT_EQ(get().failure, TokenFailure::NotConnected);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, RenewsAStaleTokenAndStoresTheRotatedOne) {
  save("u1", "access", "refresh", 29);
  const TokenResult token = get();
  ASSERT_TRUE(token.ok()) << token.reason;
  EXPECT_EQ(token.record.authToken.reveal(), "new-access");
  EXPECT_EQ(stored().authToken.reveal(), "new-access");
  EXPECT_EQ(stored().refreshToken.reveal(), "new-refresh");
  EXPECT_EQ(stored().expiry, now() + 600) << "an opaque token ends when expires_in says";
  EXPECT_EQ(stored().version, token.record.version);

  const SentRequest sent = network_.sent().at(0);
  EXPECT_EQ(sent.url, "https://uaa.e1.example.com/oauth/token");
  EXPECT_EQ(sent.field("refresh_token"), "refresh");
  EXPECT_EQ(sent.headers.get("Authorization"), "Basic Y2Y6");
  EXPECT_TRUE(get().ok());
  EXPECT_EQ(network_.count(), 1U) << "the new one is fresh";
  for (const char* secret : {"access", "refresh"}) EXPECT_FALSE(log_.mentions(secret)) << secret;
}

TEST_F(TokenProviderTest, KeepsTheRefreshTokenWhenTheServerSendsNone) {
  save("u1", "access", "refresh", 0);
  network_.answer([](const SentRequest&) { return granted("new-access", ""); });
  ASSERT_TRUE(get().ok());
  EXPECT_EQ(stored().refreshToken.reveal(), "refresh");
}

TEST_F(TokenProviderTest, AsksOnceForThirtyTwoConcurrentCallers) {
  save("u1", "access", "refresh", -10);
  Gate server;
  network_.answer([&](const SentRequest&) {
    server.pass();
    return granted("new-access", "new-refresh");
  });
  constexpr int kCallers = 32;
  std::atomic<int> good = 0;
  std::vector<std::jthread> callers;
  OpenAtExit release(server);
  callers.reserve(kCallers);
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      const TokenResult token = get();
      if (token.ok() && token.record.authToken.reveal() == "new-access") ++good;
    });
  }
  server.awaitArrivals(1);
  server.open();
  callers.clear();
  EXPECT_EQ(good, kCallers);
  EXPECT_EQ(network_.count(), 1U);
}

TEST_F(TokenProviderTest, DoesNotLetOneRowWaitForAnother) {
  save("u1", "a1", "r1", -10);
  save("u2", "a2", "r2", -10);
  Gate server;
  network_.answer([&](const SentRequest& request) {
    if (request.field("refresh_token") == "r1") server.pass();
    return granted("new-of-" + request.field("refresh_token"), "");
  });
  std::jthread blocked;
  OpenAtExit release(server);
  TokenResult first;
  blocked = std::jthread([&] { first = get("u1"); });
  server.awaitArrivals(1);
  const TokenResult second = get("u2");
  EXPECT_EQ(second.record.authToken.reveal(), "new-of-r2");
  server.open();
  blocked.join();
  EXPECT_EQ(first.record.authToken.reveal(), "new-of-r1");
}

TEST_F(TokenProviderTest, LosesAgainstAConnectionMadeMeanwhile) {
  save("u1", "access", "refresh", -10);
  network_.answer([&](const SentRequest&) {
    save("u1", "reconnected", "reconnected-refresh", 900);
    return granted("late-access", "late-refresh");
  });
  const TokenResult token = get();
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token.record.authToken.reveal(), "reconnected");
  EXPECT_EQ(stored().authToken.reveal(), "reconnected");
  EXPECT_EQ(stored().refreshToken.reveal(), "reconnected-refresh");
}

TEST_F(TokenProviderTest, StoresTheRotatedTokenAlthoughTheRowWasReencryptedMeanwhile) {
  const store::TokenRecord row = save("u1", "access", "refresh", -10);
  network_.answer([&](const SentRequest&) {
    EXPECT_TRUE(sql_.tokens.replaceIfUnchanged(row).has_value());  // New nonce, same text.
    return granted("new-access", "new-refresh");
  });
  ASSERT_TRUE(get().ok());
  EXPECT_EQ(stored().refreshToken.reveal(), "new-refresh")
      << "the server has forgotten the old one, so losing the new one ends the connection";
}

TEST_F(TokenProviderTest, RenewsARefusedTokenAlthoughItsRowWasReencryptedMeanwhile) {
  const store::TokenRecord refused = save("u1", "access", "refresh", 900);
  ASSERT_TRUE(sql_.tokens.replaceIfUnchanged(refused).has_value());  // New nonce, same text.
  network_.answer([](const SentRequest&) { return granted("new-access", "new-refresh"); });
  const TokenResult token = provider_.renew(endpoint_, refused, soon());
  ASSERT_TRUE(token.ok()) << token.reason;
  EXPECT_EQ(token.record.authToken.reveal(), "new-access");
}

TEST_F(TokenProviderTest, DoesNotBringBackAConnectionThatWasRemovedMeanwhile) {
  save("u1", "access", "refresh", -10);
  network_.answer([&](const SentRequest&) {
    sql_.tokens.removeForEndpoint(UserId{"u1"}, endpoint_.id);
    return granted("late-access", "late-refresh");
  });
  EXPECT_EQ(get().failure, TokenFailure::NotConnected);
  EXPECT_FALSE(sql_.tokens.findForEndpoint(UserId{"u1"}, endpoint_.id).has_value());
}

TEST_F(TokenProviderTest, UsesTheSuccessorThatAnotherProcessHasStored) {
  save("u1", "access", "refresh", -10);
  network_.answer([&](const SentRequest&) {
    save("u1", "others-access", "others-refresh", 900);
    return reply(400, kInvalidGrant);
  });
  const TokenResult token = get();
  ASSERT_TRUE(token.ok()) << token.reason;
  EXPECT_EQ(token.record.authToken.reveal(), "others-access");
  EXPECT_TRUE(get().ok());
}

TEST_F(TokenProviderTest, RemembersARefusalUntilTheUserConnectsAnew) {
  save("u1", "access", "refresh", -10);
  network_.answer([](const SentRequest&) { return reply(400, kInvalidGrant); });
  EXPECT_EQ(get().failure, TokenFailure::Rejected);
  EXPECT_EQ(get().failure, TokenFailure::Rejected);
  EXPECT_EQ(provider_.renew(endpoint_, stored(), soon()).failure, TokenFailure::Rejected);
  EXPECT_EQ(network_.count(), 1U);
  EXPECT_EQ(stored().refreshToken.reveal(), "refresh") << "the row itself stays as it is";

  save("u1", "again", "refresh-2", -10);
  network_.answer([](const SentRequest&) { return granted("new-access", ""); });
  EXPECT_EQ(get().record.authToken.reveal(), "new-access");
}

TEST_F(TokenProviderTest, WritesNothingForATokenThatIsKnownToBeRefused) {
  save("u1", "access", "refresh", -10);
  save("u2", "access", "", -10);
  network_.answer([](const SentRequest&) { return reply(400, kInvalidGrant); });
  ASSERT_EQ(get().failure, TokenFailure::Rejected);
  for (const char* user : {"u1", "u2"}) {
    const std::uint64_t before = sql_.database().statementCount();
    EXPECT_EQ(get(user).failure, TokenFailure::Rejected);
    EXPECT_EQ(sql_.database().statementCount() - before, 2U) << "the row is read, twice";
  }
}

TEST_F(TokenProviderTest, BridgesAnOutageWithWhatIsLeftOfTheOldToken) {
  save("u1", "access", "refresh", 5);
  network_.answer([](const SentRequest&) {
    return test::transportFailure(http::TransportFailure::Refused, "connection refused");
  });
  const TokenResult token = get();
  ASSERT_TRUE(token.ok()) << token.reason;
  EXPECT_EQ(token.record.authToken.reveal(), "access");
  EXPECT_EQ(network_.count(), 1U);

  clock_.advance(5s);
  EXPECT_EQ(get().failure, TokenFailure::Unreachable);
}

TEST_F(TokenProviderTest, ChangesNothingDuringAnOutage) {
  const store::TokenRecord before = save("u1", "access", "refresh", -10);
  for (const int status : {429, 500, 503, 200}) {
    network_.answer([status](const SentRequest&) { return reply(status, "<html>"); });
    EXPECT_EQ(get().failure, TokenFailure::Unreachable) << status;
  }
  EXPECT_EQ(stored().version, before.version);
  network_.answer([](const SentRequest&) { return granted("new-access", ""); });
  EXPECT_TRUE(get().ok()) << "the outage has passed";
}

/// One renewal per server at a time, and no patience.
class HangingServerTest : public TokenProviderTest {
 protected:
  TokenResult narrow(const std::string& user, const store::EndpointRecord& endpoint) {
    return narrow_.get(UserId{user}, endpoint, soon());
  }

  TokenProvider narrow_{tokens_,
                        nullptr,
                        uaa_,
                        clock_,
                        sql_.random,
                        log_,
                        {.renewalsPerServer = 1, .turnTimeout = 0ms}};
};

TEST_F(HangingServerTest, HoldsUpNobodyButTheOneWhoAsksIt) {
  save("u1", "a1", "r1", -10);
  save("u2", "a2", "r2", -10);
  save("u3", "a3", "r3", 5);
  save("u2", "a4", "r4", -10, "e2");
  Gate server;
  network_.answer([&](const SentRequest& request) {
    if (request.field("refresh_token") == "r1") server.pass();
    return granted("new-of-" + request.field("refresh_token"), "");
  });
  std::jthread blocked;
  OpenAtExit release(server);
  TokenResult first;
  blocked = std::jthread([&] { first = narrow("u1", endpoint_); });
  server.awaitArrivals(1);
  EXPECT_EQ(narrow("u2", endpoint_).failure, TokenFailure::Unreachable);
  EXPECT_EQ(narrow("u3", endpoint_).record.authToken.reveal(), "a3") << "it lives five seconds";
  EXPECT_EQ(narrow("u2", cfEndpoint("e2")).record.authToken.reveal(), "new-of-r4");
  EXPECT_EQ(network_.count(), 2U);
  server.open();
  blocked.join();
  EXPECT_EQ(first.record.authToken.reveal(), "new-of-r1");
  EXPECT_EQ(narrow("u2", endpoint_).record.authToken.reveal(), "new-of-r2");
}

TEST_F(HangingServerTest, OthersWaitForTheirTurn) {
  TokenProvider patient(tokens_, nullptr, uaa_, clock_, sql_.random, log_,
                        {.renewalsPerServer = 1, .turnTimeout = 60s});
  Gate server;
  std::atomic<int> inside = 0;
  network_.answer([&](const SentRequest& request) {
    server.pass();
    EXPECT_EQ(++inside, 1);
    --inside;
    return granted("new-of-" + request.field("refresh_token"), "");
  });
  constexpr int kUsers = 5;
  for (int i = 0; i < kUsers; ++i) {
    const std::string n = std::to_string(i);
    save("u" + n, "a" + n, "r" + n, -10);
  }
  std::vector<std::jthread> threads;
  OpenAtExit release(server);
  for (int i = 0; i < kUsers; ++i) {
    threads.emplace_back([&, n = std::to_string(i)] {
      const TokenResult token = patient.get(UserId{"u" + n}, endpoint_, soon());
      EXPECT_EQ(token.record.authToken.reveal(), "new-of-r" + n) << token.reason;
    });
  }
  server.awaitArrivals(1);
  server.open();
  threads.clear();
  EXPECT_EQ(network_.count(), static_cast<std::size_t>(kUsers));
}

TEST_F(HangingServerTest, IsLeftAloneForAMoment) {
  save("u1", "a1", "r1", -10);
  save("u2", "a2", "r2", -10);
  save("u3", "a3", "r3", 60);
  network_.answer([&](const SentRequest&) {
    clock_.advance(15s);
    return test::transportFailure(http::TransportFailure::TimedOut, "no answer");
  });
  EXPECT_EQ(narrow("u1", endpoint_).failure, TokenFailure::Unreachable);
  const TokenResult second = narrow("u2", endpoint_);
  EXPECT_EQ(second.failure, TokenFailure::Unreachable);
  EXPECT_EQ(second.reason, "the authorization server does not answer");
  clock_.advance(5s - 1ms);
  EXPECT_EQ(narrow("u2", endpoint_).failure, TokenFailure::Unreachable);
  EXPECT_EQ(network_.count(), 1U);
  network_.answer([](const SentRequest&) { return granted("new", ""); });
  clock_.advance(1ms);
  EXPECT_EQ(narrow("u2", endpoint_).record.authToken.reveal(), "new");
}

TEST_F(TokenProviderTest, TellsAMisconfiguredClientFromARefusedToken) {
  const store::TokenRecord before = save("u1", "access", "refresh", -10);
  network_.answer([](const SentRequest&) { return reply(401, R"({"error":"invalid_client"})"); });
  EXPECT_EQ(get().failure, TokenFailure::Misconfigured);
  EXPECT_EQ(stored().version, before.version);
  network_.answer([](const SentRequest&) { return granted("new-access", ""); });
  EXPECT_TRUE(get().ok()) << "the administrator has corrected the client";
}

TEST_F(TokenProviderTest, RenewsExactlyOnceForManyRefusalsOfTheSameToken) {
  const store::TokenRecord refused = save("u1", "access", "refresh", 600);
  Gate server;
  network_.answer([&](const SentRequest&) {
    server.pass();
    return granted("new-access", "new-refresh");
  });
  std::atomic<int> good = 0;
  std::vector<std::jthread> callers;
  OpenAtExit release(server);
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&] {
      const TokenResult token = provider_.renew(endpoint_, refused, soon());
      if (token.ok() && token.record.authToken.reveal() == "new-access") ++good;
    });
  }
  server.awaitArrivals(1);
  server.open();
  callers.clear();
  EXPECT_EQ(good, 16);
  EXPECT_EQ(network_.count(), 1U);
  // Who comes late with the same refused token gets its successor.
  EXPECT_EQ(provider_.renew(endpoint_, refused, soon()).record.authToken.reveal(), "new-access");
  EXPECT_EQ(network_.count(), 1U);
  // The refusal of the successor is another matter.
  network_.answer([](const SentRequest&) { return granted("third", ""); });
  EXPECT_EQ(provider_.renew(endpoint_, stored(), soon()).record.authToken.reveal(), "third");
  EXPECT_EQ(network_.count(), 2U);
}

TEST_F(TokenProviderTest, CannotRenewFixedCredentials) {
  store::TokenRecord token = oauthToken("u1", "e1", "dTpw", "u", 0);
  token.authType = "HttpBasic";
  sql_.tokens.saveEndpointToken(token);
  EXPECT_TRUE(get().ok()) << "an expiry of zero means none here";
  EXPECT_EQ(provider_.renew(endpoint_, stored(), soon()).failure, TokenFailure::Rejected);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, NeverSendsTheSecretsOfOtherKindsToATokenEndpoint) {
  for (const char* type : {"aws-iam", "gke-auth", "uaa-client", "OIDC", "kube-cert-auth"}) {
    store::TokenRecord token = oauthToken("u1", "e1", "t", R"({"secretKey":"k"})", 0);
    token.authType = type;
    sql_.tokens.saveEndpointToken(token);
    (void)get();
    (void)provider_.renew(endpoint_, stored(), soon());
  }
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, LetsAWaiterGoAtItsDeadline) {
  save("u1", "access", "refresh", -10);
  Gate server;
  network_.answer([&](const SentRequest&) {
    server.pass();
    return granted("new-access", "");
  });
  TokenResult first;
  std::jthread leader;
  OpenAtExit release(server);
  leader = std::jthread([&] { first = get(); });
  server.awaitArrivals(1);
  try {
    (void)provider_.get(UserId{"u1"}, endpoint_, Deadline::after(20ms));
    ADD_FAILURE() << "the flight is still held";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::DeadlineExceeded);
  }
  server.open();
  leader.join();
  EXPECT_TRUE(first.ok());
}

TEST_F(TokenProviderTest, GivesTheRefreshItsOwnDeadlineWhoeverStartsIt) {
  save("u1", "access", "refresh", -10);
  (void)provider_.get(UserId{"u1"}, endpoint_, Deadline::after(1ms));
  const Deadline used = network_.sent().at(0).deadline;
  EXPECT_FALSE(used.isNever());
  EXPECT_GT(used.remaining(), 1s) << "others may wait for the same answer";
}

TEST_F(TokenProviderTest, KeepsATokenThatCannotBeStoredUntilItCan) {
  save("u1", "access", "refresh", -10);
  Gate server;
  network_.answer([&](const SentRequest&) {
    server.pass();
    return granted("new-access", "new-refresh");
  });
  tokens_.failWrites = true;
  std::atomic<int> served = 0;
  std::vector<std::jthread> callers;
  OpenAtExit release(server);
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      if (get().record.authToken.reveal() == "new-access") ++served;
    });
  }
  server.awaitArrivals(1);
  server.open();
  callers.clear();
  EXPECT_EQ(served, 8);
  EXPECT_EQ(stored().authToken.reveal(), "access");
  tokens_.failWrites = false;
  EXPECT_EQ(get().record.authToken.reveal(), "new-access");
  EXPECT_EQ(stored().refreshToken.reveal(), "new-refresh");
  EXPECT_EQ(network_.count(), 1U) << "the old refresh token is gone: asking again would fail";
}

TEST_F(TokenProviderTest, RenewsATokenThatWasNeverStoredFromItself) {
  save("u1", "access", "refresh", -10);
  tokens_.failWrites = true;
  ASSERT_TRUE(get().ok());
  clock_.advance(601s);
  tokens_.failWrites = false;
  network_.answer([&](const SentRequest& sent) {
    return sent.field("refresh_token") == "new-refresh" ? granted("third", "third-refresh")
                                                        : reply(400, kInvalidGrant);
  });
  EXPECT_EQ(get().record.authToken.reveal(), "third");
  EXPECT_EQ(stored().refreshToken.reveal(), "third-refresh");
}

TEST_F(TokenProviderTest, ATokenThatIsWrittenWhileItsRowIsReadIsNotRedeemedTwice) {
  save("u1", "access", "refresh", -10);
  // The row has been read in its old state when the writer behind gets through.
  const auto armed = std::make_shared<std::atomic<bool>>(false);
  tokens_.afterRead = [this, armed, caller = std::this_thread::get_id()] {
    if (std::this_thread::get_id() != caller || !armed->exchange(false)) return;
    tokens_.failWrites = false;
    const Deadline deadline = soon();
    while (stored().refreshToken.reveal() != "new-refresh" && !deadline.hasPassed()) {
      std::this_thread::yield();
    }
  };
  tokens_.failWrites = true;
  ASSERT_TRUE(get().ok());
  clock_.advance(601s);
  network_.answer([&](const SentRequest& sent) {
    return sent.field("refresh_token") == "new-refresh" ? granted("third", "third-refresh")
                                                        : reply(400, kInvalidGrant);
  });
  *armed = true;
  EXPECT_EQ(get().record.authToken.reveal(), "third");
  EXPECT_EQ(stored().refreshToken.reveal(), "third-refresh");
}

TEST_F(TokenProviderTest, DropsATokenThatWasNeverStoredWhenTheUserConnectsAnew) {
  save("u1", "access", "refresh", -10);
  tokens_.failWrites = true;
  ASSERT_TRUE(get().ok());
  tokens_.failWrites = false;
  save("u1", "connected-anew", "other-refresh", 600);
  EXPECT_EQ(get().record.authToken.reveal(), "connected-anew");
  clock_.advance(600s);
  network_.answer([&](const SentRequest& sent) {
    return sent.field("refresh_token") == "other-refresh" ? granted("fourth", "")
                                                          : reply(400, kInvalidGrant);
  });
  EXPECT_EQ(get().record.authToken.reveal(), "fourth");
}

TEST_F(TokenProviderTest, PassesAFailureToReadTheRowOn) {
  save("u1", "access", "refresh", 600);
  tokens_.failReads = true;
  EXPECT_THROW((void)provider_.renew(endpoint_, stored(), soon()), Error);
  tokens_.failReads = false;
  EXPECT_TRUE(provider_.renew(endpoint_, stored(), soon()).ok());
}

TEST_F(TokenProviderTest, BridgesAnOutageOfTheDatabaseWithWhatIsLeftOfTheToken) {
  save("u1", "access", "refresh", 10);
  tokens_.failReads = true;
  EXPECT_EQ(get().record.authToken.reveal(), "access");
  clock_.advance(10s);
  EXPECT_THROW((void)get(), Error);
}

/// A second process on the same database.
class OtherProcess {
 public:
  OtherProcess(store::TokenStore& tokens, store::TokenLeaseStore& leases, UaaClient& uaa,
               const Clock& clock, Random& random, LogSink& log)
      : provider(tokens, &leases, uaa, clock, random, log, {.pollInterval = 1ms}) {}
  TokenProvider provider;
};

TEST_F(TokenProviderTest, WaitsForAnotherProcessThatRenewsTheRow) {
  const auto row = save("u1", "access", "refresh", -10);
  Gate server;
  network_.answer([&](const SentRequest&) {
    server.pass();
    return granted("new-access", "new-refresh");
  });
  OtherProcess other(tokens_, leases_, uaa_, clock_, sql_.random, log_);
  TokenResult here;
  TokenResult there;
  std::jthread second;
  std::jthread first;
  OpenAtExit release(server);
  first = std::jthread([&] { here = get(); });
  server.awaitArrivals(1);
  EXPECT_FALSE(leases_.tryAcquire(row.owner, row.id, "a third process", 1s));
  second = std::jthread([&] { there = other.provider.get(UserId{"u1"}, endpoint_, soon()); });
  server.open();
  first.join();
  second.join();
  EXPECT_EQ(here.record.authToken.reveal(), "new-access");
  EXPECT_EQ(there.record.authToken.reveal(), "new-access");
  EXPECT_EQ(network_.count(), 1U);
  EXPECT_TRUE(leases_.tryAcquire(row.owner, row.id, "a third process", 1s)) << "was given back";
}

TEST_F(TokenProviderTest, TakesOverTheLeaseOfAProcessThatDied) {
  const auto row = save("u1", "access", "refresh", -10);
  ASSERT_TRUE(leases_.tryAcquire(row.owner, row.id, "the dead one", 1h));
  sql_.database().connect().execute("UPDATE stratos_token_leases SET expires_at = 0");
  EXPECT_EQ(get().record.authToken.reveal(), "new-access");
}

TEST_F(TokenProviderTest, UsesWhatTheHolderOfTheLeaseHasStoredBeforeItGivesItBack) {
  const auto row = save("u1", "access", "refresh", -10);
  ASSERT_TRUE(leases_.tryAcquire(row.owner, row.id, "the holder", 1h));
  TokenResult here;
  std::jthread waiter([&] { here = get(); });
  save("u1", "by-the-holder", "r2", 600);
  waiter.join();
  EXPECT_EQ(here.record.authToken.reveal(), "by-the-holder");
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, UpdatesTheSharedRowWhoeverNeedsIt) {
  const std::string shared{kSharedUserGuid};
  save(shared, "access", "refresh", -10);
  EXPECT_EQ(get("anybody").record.authToken.reveal(), "new-access");
  EXPECT_EQ(stored("somebody-else").authToken.reveal(), "new-access");
  EXPECT_TRUE(stored("somebody-else").isShared());
  EXPECT_TRUE(get("somebody-else").ok());
  EXPECT_EQ(network_.count(), 1U);
}

TEST_F(TokenProviderTest, PrefersTheUsersOwnTokenToASharedOne) {
  save(std::string{kSharedUserGuid}, "shared", "r", 600);
  save("u1", "own", "r", 600);
  EXPECT_EQ(get("u1").record.authToken.reveal(), "own");
  EXPECT_EQ(get("u2").record.authToken.reveal(), "shared");
}

TEST_F(TokenProviderTest, RenewsTheRowBehindALinkOnceForAllWhoShareIt) {
  const store::TokenRecord login =
      sql_.tokens.saveConsoleToken(oauthToken("u1", "STRATOS", "login", "refresh", now() - 10));
  store::TokenRecord link = oauthToken("u1", "e1", "", "", 0);
  link.linkedTo = login.id;
  sql_.tokens.saveEndpointToken(link);

  EXPECT_EQ(get().record.authToken.reveal(), "new-access");
  const TokenResult console = provider_.getConsole(UserId{"u1"}, uaaOf(endpoint_), soon());
  EXPECT_EQ(console.record.authToken.reveal(), "new-access");
  EXPECT_EQ(network_.count(), 1U);
}

TEST_F(TokenProviderTest, FixedCredentialsThatWereReplacedMeanwhileAreUsed) {
  store::TokenRecord token = oauthToken("u1", "e1", "b2xk", "u", 0);
  token.authType = "HttpBasic";
  const store::TokenRecord seen = sql_.tokens.saveEndpointToken(token);
  token.authToken = Secret{"bmV3"};
  sql_.tokens.saveEndpointToken(token);
  EXPECT_EQ(provider_.renew(endpoint_, seen, soon()).record.authToken.reveal(), "bmV3");
  EXPECT_EQ(provider_.renew(endpoint_, stored(), soon()).failure, TokenFailure::Rejected);
}

TEST_F(TokenProviderTest, FindsAConnectionThatWasMadeAnewAsAnotherRow) {
  const store::TokenRecord seen = save("u1", "access", "refresh", -10);
  sql_.tokens.removeForEndpoint(UserId{"u1"}, endpoint_.id);
  ASSERT_NE(save("u1", "others-access", "others-refresh", 900).id, seen.id);
  tokens_.cached = seen;
  EXPECT_EQ(get().record.authToken.reveal(), "others-access");
  EXPECT_EQ(provider_.renew(endpoint_, seen, soon()).record.authToken.reveal(), "others-access");
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, UsesATokenWithoutRefreshTokenUntilItEnds) {
  save("u1", "access", "", 10);
  EXPECT_EQ(get().record.authToken.reveal(), "access");
  EXPECT_EQ(provider_.renew(endpoint_, stored(), soon()).failure, TokenFailure::Rejected);
  clock_.advance(10s);
  EXPECT_EQ(get().failure, TokenFailure::Rejected);
  EXPECT_EQ(network_.count(), 0U);
  EXPECT_FALSE(get().reason.empty());
}

TEST_F(TokenProviderTest, TreatsARowThatWasDisconnectedMeanwhileAsGone) {
  const store::TokenRecord seen = save("u1", "access", "refresh", 600);
  store::TokenRecord cleared = seen;
  cleared.disconnected = true;
  cleared.authToken = Secret{"cleared_token"};
  cleared.refreshToken = Secret{"cleared_token"};
  sql_.tokens.saveEndpointToken(cleared);
  EXPECT_EQ(provider_.renew(endpoint_, seen, soon()).failure, TokenFailure::NotConnected);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(TokenProviderTest, TakesAnyStoredExpiry) {
  for (const std::int64_t expiry : {INT64_MAX, INT64_MAX / 1000 + 1}) {
    sql_.tokens.saveEndpointToken(oauthToken("u1", "e1", "access", "refresh", expiry));
    EXPECT_EQ(get().record.authToken.reveal(), "access") << expiry;
  }
  EXPECT_EQ(network_.count(), 0U);
  for (const std::int64_t expiry : {INT64_MIN, std::int64_t{0}}) {
    sql_.tokens.saveEndpointToken(oauthToken("u1", "e1", "access", "refresh", expiry));
    EXPECT_EQ(get().record.authToken.reveal(), "new-access") << expiry;
  }
}

}  // namespace
}  // namespace stratos::auth
