#include "stratos/proxy/forwarder.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::proxy {
namespace {

using namespace std::chrono_literals;
using test::oauthToken;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;

constexpr std::size_t kReplayLimit = 1000;

class ForwarderTest : public ::testing::Test {
 protected:
  std::int64_t now() const { return toUnixSeconds(clock_.now()); }
  void connect(const std::string& access = "old", std::int64_t life = 600,
               const std::string& type = "OAuth2") {
    store::TokenRecord token = oauthToken("u1", "e1", access, "refresh", now() + life);
    token.authType = type;
    sql_.tokens.saveEndpointToken(token);
  }
  /// An endpoint that takes only `token`, beside a server that grants "new".
  void acceptOnly(const std::string& token) {
    network_.answer([token](const SentRequest& request) {
      if (request.url.find("/oauth/token") != std::string::npos) {
        return reply(200, R"({"access_token":"new","expires_in":600})");
      }
      if (request.headers.get("Authorization") != "bearer " + token) {
        return reply(401, "who are you", {{"WWW-Authenticate", "Bearer"}});
      }
      return reply(200, "echo:" + request.body);
    });
  }
  ForwardRequest call(http::Body body = {}) const {
    return {.endpoint = endpoint_,
            .user = UserId{"u1"},
            .method = "POST",
            .url = Url::parse("https://api.e1.example.com/v3/apps"),
            .headers = {{"Accept", "x/y"}},
            .body = std::move(body),
            .withoutToken = false,
            .deadline = Deadline::after(30s)};
  }
  static http::Body stream(std::string text, bool lengthKnown) {
    const auto length = text.size();
    auto source = std::make_unique<test::PiecewiseSource>(std::move(text), 100);
    return lengthKnown ? http::Body{std::move(source), length} : http::Body{std::move(source)};
  }
  std::vector<SentRequest> apiCalls() const {
    auto all = network_.sent();
    std::erase_if(all, [](const SentRequest& request) {
      return request.url.find("/oauth/token") != std::string::npos;
    });
    return all;
  }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  ScriptedTransport network_{[](const SentRequest&) { return reply(200, "ok"); }};
  auth::UaaClient uaa_{network_};
  auth::TokenProvider provider_{sql_.tokens, nullptr, uaa_, clock_, sql_.random, log_};
  store::EndpointRecord endpoint_ = test::cfEndpoint("e1");
  Forwarder forwarder_{network_, provider_, log_, {.replayLimitBytes = kReplayLimit}};
};

TEST_F(ForwarderTest, SendsTheCallWithTheUsersToken) {
  connect();
  endpoint_.caCertificate = "PEM";
  ForwardResult result = forwarder_.forward(call(http::Body{"data"}));
  ASSERT_EQ(result.status, ForwardStatus::Answered);
  EXPECT_EQ(result.response.body.readAll(100), "ok");
  const SentRequest sent = network_.sent().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://api.e1.example.com/v3/apps");
  EXPECT_EQ(sent.headers.get("Authorization"), "bearer old");
  EXPECT_EQ(sent.headers.get("Accept"), "x/y");
  EXPECT_EQ(sent.body, "data");
  EXPECT_EQ(sent.trust.caCertificatePem, "PEM");
  EXPECT_EQ(network_.count(), 1U);
}

TEST_F(ForwarderTest, RenewsAfterA401AndReplaysTheBody) {
  for (const bool lengthKnown : {true, false}) {
    connect();
    acceptOnly("new");
    const std::size_t before = apiCalls().size();
    ForwardResult result =
        forwarder_.forward(call(stream(std::string(kReplayLimit, 'x'), lengthKnown)));
    ASSERT_EQ(result.status, ForwardStatus::Answered);
    EXPECT_EQ(result.response.status, 200);
    EXPECT_EQ(result.response.body.readAll(10'000), "echo:" + std::string(kReplayLimit, 'x'));
    EXPECT_EQ(apiCalls().size(), before + 2);
    EXPECT_EQ(apiCalls().back().headers.all("Authorization").size(), 1U);
  }
}

TEST_F(ForwarderTest, StreamsALargeBodyOnceAndPassesIts401On) {
  for (const bool lengthKnown : {true, false}) {
    connect();
    acceptOnly("new");
    const std::size_t before = network_.count();
    const std::string large(kReplayLimit + 1, 'x');
    ForwardResult result = forwarder_.forward(call(stream(large, lengthKnown)));
    ASSERT_EQ(result.status, ForwardStatus::Answered);
    EXPECT_EQ(result.response.status, 401);
    EXPECT_EQ(result.response.body.readAll(100), "who are you");
    ASSERT_EQ(network_.count(), before + 1);
    EXPECT_TRUE(network_.sent().back().streamed);
    EXPECT_EQ(network_.sent().back().body, large);
  }
}

TEST_F(ForwarderTest, GivesUpAfterASecond401) {
  connect();
  acceptOnly("another");
  const ForwardResult result = forwarder_.forward(call());
  EXPECT_EQ(result.status, ForwardStatus::TokenFailed);
  EXPECT_EQ(result.reason, "failed to authorize");
  EXPECT_EQ(apiCalls().size(), 2U);
  EXPECT_EQ(network_.count(), 3U);
}

TEST_F(ForwarderTest, PassesA401OfFixedCredentialsOn) {
  connect("dTpw", 0, "HttpBasic");
  acceptOnly("new");
  ForwardResult result = forwarder_.forward(call());
  EXPECT_EQ(result.status, ForwardStatus::Answered);
  EXPECT_EQ(result.response.status, 401);
  EXPECT_EQ(result.response.body.readAll(100), "who are you");
  EXPECT_EQ(network_.count(), 1U);
}

TEST_F(ForwarderTest, SaysNotConnectedWithoutToken) {
  EXPECT_EQ(forwarder_.forward(call()).status, ForwardStatus::NotConnected);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ForwarderTest, SendsNoCredentialsWhenNoneAreWanted) {
  connect();
  ForwardRequest request = call();
  request.withoutToken = true;
  EXPECT_EQ(forwarder_.forward(std::move(request)).status, ForwardStatus::Answered);
  EXPECT_FALSE(network_.sent().at(0).headers.has("Authorization"));
}

TEST_F(ForwarderTest, ReportsARefusedRenewal) {
  connect();
  network_.answer([](const SentRequest& request) {
    return request.url.find("/oauth/token") != std::string::npos
               ? reply(400, R"({"error":"invalid_grant"})")
               : reply(401, "");
  });
  const ForwardResult result = forwarder_.forward(call());
  EXPECT_EQ(result.status, ForwardStatus::TokenFailed);
  EXPECT_FALSE(result.reason.empty());
  EXPECT_EQ(apiCalls().size(), 1U);
}

TEST_F(ForwarderTest, ReportsTransportFailuresWithoutHostsForTheBrowser) {
  connect();
  for (const auto kind : {http::TransportFailure::Refused, http::TransportFailure::Tls,
                          http::TransportFailure::TimedOut, http::TransportFailure::Broken,
                          http::TransportFailure::Forbidden}) {
    network_.answer([kind](const SentRequest&) {
      return test::transportFailure(kind, "10.1.2.3:443 internal.host");
    });
    const ForwardResult result = forwarder_.forward(call());
    EXPECT_EQ(result.status, ForwardStatus::TransportFailed);
    EXPECT_EQ(result.failure, kind);
    EXPECT_FALSE(result.reason.empty());
    EXPECT_EQ(result.reason.find("10.1"), std::string::npos);
    EXPECT_EQ(result.reason.find("host"), std::string::npos);
  }
  EXPECT_TRUE(log_.mentions("internal.host"));
  EXPECT_FALSE(log_.mentions("old"));
}

TEST_F(ForwarderTest, TakesTheTokenAlongOnlyWithinTheOrigin) {
  connect();
  network_.answer([](const SentRequest& request) {
    if (request.url == "https://api.e1.example.com/v3/apps") {
      return reply(307, "", {{"Location", "/moved"}});
    }
    if (request.url == "https://api.e1.example.com/moved") {
      return reply(307, "", {{"Location", "https://evil.example.com/x"}});
    }
    return reply(200, "");
  });
  EXPECT_EQ(forwarder_.forward(call()).status, ForwardStatus::Answered);
  const auto sent = network_.sent();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[1].headers.get("Authorization"), "bearer old");
  EXPECT_FALSE(sent[2].headers.has("Authorization"));
}

TEST_F(ForwarderTest, ReportsAStoredTokenThatCannotBeUsed) {
  connect("not base64!", 0, "Bearer");
  EXPECT_EQ(forwarder_.forward(call()).status, ForwardStatus::TokenFailed);
  connect(toBase64("a\r\nX-Evil: 1"), 0, "Token");
  EXPECT_EQ(forwarder_.forward(call()).status, ForwardStatus::TokenFailed);
  sql_.database().connect().execute("UPDATE tokens SET auth_token = $1",
                                    {db::Blob{"SG\x01 changed by hand"}});
  const ForwardResult result = forwarder_.forward(call());
  EXPECT_EQ(result.status, ForwardStatus::TokenFailed);
  EXPECT_EQ(result.reason, "the stored token cannot be used; connect again");
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ForwarderTest, ReportsACallThatCannotBeSent) {
  connect();
  network_.answer([](const SentRequest&) -> http::ClientResponse {
    throw Error(ErrorCode::InvalidArgument, "the CA certificate is not a PEM certificate");
  });
  EXPECT_EQ(forwarder_.forward(call()).status, ForwardStatus::TransportFailed);
  // A body that is still being read may be the browser's fault.
  EXPECT_THROW((void)forwarder_.forward(call(stream(std::string(kReplayLimit + 1, 'x'), true))),
               Error);
}

TEST_F(ForwarderTest, LeavesAnEndpointAloneThatDoesNotAnswer) {
  connect();
  CircuitBreaker breaker(clock_, {.failures = 2, .pause = std::chrono::seconds{1}});
  Forwarder careful(network_, provider_, log_, {}, &breaker);
  network_.answer([](const SentRequest&) {
    http::ClientResponse none;
    none.failure = http::TransportFailure::TimedOut;
    return none;
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(careful.forward(call()).status, ForwardStatus::TransportFailed);
  }
  const ForwardResult held = careful.forward(call());
  EXPECT_EQ(held.status, ForwardStatus::HeldBack);
  EXPECT_EQ(held.reason, "the endpoint does not answer; the next try is in 1 s");
  EXPECT_EQ(network_.count(), 2U);
  // Any answer counts, also one that says that something is wrong.
  network_.answer([](const SentRequest&) { return reply(500, "oops"); });
  clock_.advance(std::chrono::seconds{1});
  EXPECT_EQ(careful.forward(call()).status, ForwardStatus::Answered);
  EXPECT_EQ(careful.forward(call()).status, ForwardStatus::Answered);
}

TEST_F(ForwarderTest, PassesAFailureOfTheBrowsersBodyOn) {
  connect();
  auto source = std::make_unique<test::PiecewiseSource>(
      "abc", 1, std::make_exception_ptr(Error{ErrorCode::InvalidArgument, "too large"}));
  try {
    (void)forwarder_.forward(call(http::Body{std::move(source)}));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
  }
  EXPECT_EQ(network_.count(), 0U);
}

}  // namespace
}  // namespace stratos::proxy
