#include "stratos/auth/uaa_client.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "support/scripted_transport.hpp"

namespace stratos::auth {
namespace {

using test::jwt;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;
using test::transportFailure;

const Deadline kSoon = Deadline::after(std::chrono::seconds{10});

UaaTarget target() {
  return {.baseUrl = "https://uaa.example.com/base/",
          .clientId = "cf id:&",
          .clientSecret = Secret{"p%s+ \xc3\xa9"},
          .trust = {.skipVerification = false, .caCertificatePem = "PEM"}};
}

TEST(UaaClient, EncodesClientAndFormAsTheServerExpects) {
  ScriptedTransport network(
      [](const SentRequest&) { return reply(200, R"({"access_token":"a"})"); });
  UaaClient uaa(network);
  (void)uaa.passwordGrant(target(), "ann & bob", Secret{"pä+=&%"}, kSoon);

  const SentRequest sent = network.sent().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://uaa.example.com/base/oauth/token");
  EXPECT_EQ(sent.headers.get("Authorization"), "Basic " + toBase64("cf+id%3A%26:p%25s%2B+%C3%A9"));
  EXPECT_EQ(sent.headers.get("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(sent.body,
            "grant_type=password&username=ann+%26+bob&password=p%C3%A4%2B%3D%26%25"
            "&response_type=token");
  EXPECT_EQ(sent.trust.caCertificatePem, "PEM");
  EXPECT_EQ(sent.deadline.at(), kSoon.at());

  (void)uaa.refresh(target(), Secret{"r/+="}, kSoon);
  EXPECT_EQ(network.sent().at(1).body,
            "grant_type=refresh_token&refresh_token=r%2F%2B%3D&response_type=token");
}

TEST(UaaClient, SendsAnEmptyClientSecretAsAnEmptyPassword) {
  ScriptedTransport network(
      [](const SentRequest&) { return reply(200, R"({"access_token":"a"})"); });
  UaaClient uaa(network);
  UaaTarget cf = target();
  cf.clientId = "cf";
  cf.clientSecret = Secret{};
  (void)uaa.passwordGrant(cf, "u", Secret{"p"}, kSoon);
  EXPECT_EQ(network.sent().at(0).headers.get("Authorization"), "Basic Y2Y6");
}

TEST(UaaClient, ReadsAGrant) {
  ScriptedTransport network([](const SentRequest&) {
    return reply(200, R"({"access_token":"a","refresh_token":"r","expires_in":599,)"
                      R"("scope":"x.read y.write"})");
  });
  const GrantResult result = UaaClient{network}.refresh(target(), Secret{"old"}, kSoon);
  EXPECT_EQ(result.status, GrantStatus::Granted);
  EXPECT_EQ(result.grant.accessToken.reveal(), "a");
  EXPECT_EQ(result.grant.refreshToken.reveal(), "r");
  EXPECT_EQ(result.grant.expiresIn, 599);
  EXPECT_EQ(result.grant.scopes, (std::vector<std::string>{"x.read", "y.write"}));
}

struct AnswerCase {
  int status;
  const char* body;
  GrantStatus forPassword;
  GrantStatus forRefresh;
};

class UaaClientAnswer : public ::testing::TestWithParam<AnswerCase> {};

TEST_P(UaaClientAnswer, IsClassifiedByWhatTheCallerCanDo) {
  const AnswerCase& expected = GetParam();
  ScriptedTransport network(
      [&](const SentRequest&) { return reply(expected.status, expected.body); });
  UaaClient uaa(network);
  const GrantResult password = uaa.passwordGrant(target(), "u", Secret{"pw"}, kSoon);
  const GrantResult refresh = uaa.refresh(target(), Secret{"rt"}, kSoon);
  EXPECT_EQ(password.status, expected.forPassword) << expected.status << expected.body;
  EXPECT_EQ(refresh.status, expected.forRefresh) << expected.status << expected.body;
  EXPECT_EQ(password.httpStatus, expected.status);
  EXPECT_TRUE(password.grant.accessToken.empty());
}

using enum GrantStatus;
INSTANTIATE_TEST_SUITE_P(
    All, UaaClientAnswer,
    ::testing::Values(
        AnswerCase{400, R"({"error":"invalid_grant"})", Refused, Refused},
        AnswerCase{401, R"({"error":"invalid_token"})", Refused, Refused},
        AnswerCase{401, R"({"error":"unauthorized"})", Refused, ClientRefused},
        AnswerCase{401, R"({"error":"invalid_client"})", ClientRefused, ClientRefused},
        AnswerCase{400, R"({"error":"unauthorized_client"})", ClientRefused, ClientRefused},
        AnswerCase{400, R"({"error":"invalid_scope"})", ClientRefused, ClientRefused},
        AnswerCase{400, R"({"error":"temporarily_unavailable"})", Refused, Unavailable},
        AnswerCase{400, "", Unavailable, Unavailable},
        AnswerCase{401, "<html>invalid_grant</html>", Unavailable, Unavailable},
        AnswerCase{400, R"({"error":{"code":"invalid_grant"}})", Unavailable, Unavailable},
        AnswerCase{400, R"(["invalid_grant"])", Unavailable, Unavailable},
        AnswerCase{403, R"({"error":"invalid_grant"})", Unavailable, Unavailable},
        AnswerCase{404, R"({"error":"invalid_client"})", Unavailable, Unavailable},
        AnswerCase{429, R"({"error":"invalid_grant"})", Unavailable, Unavailable},
        AnswerCase{500, R"({"error":"invalid_grant"})", Unavailable, Unavailable},
        AnswerCase{503, "busy", Unavailable, Unavailable},
        AnswerCase{302, "", Unavailable, Unavailable},
        AnswerCase{200, "<html>a login page</html>", Unavailable, Unavailable},
        AnswerCase{200, R"({"access_token":7})", Unavailable, Unavailable},
        AnswerCase{200, R"({"access_token":""})", Unavailable, Unavailable},
        AnswerCase{201, R"({"access_token":"a"})", Unavailable, Unavailable}));

TEST(UaaClient, ReportsTransportFailuresAsUnavailable) {
  for (const auto kind : {http::TransportFailure::Refused, http::TransportFailure::Tls,
                          http::TransportFailure::TimedOut, http::TransportFailure::Broken,
                          http::TransportFailure::Forbidden}) {
    ScriptedTransport network(
        [&](const SentRequest&) { return transportFailure(kind, "because"); });
    const GrantResult result = UaaClient{network}.refresh(target(), Secret{"r"}, kSoon);
    EXPECT_EQ(result.status, GrantStatus::Unavailable);
    EXPECT_EQ(result.httpStatus, 0);
    EXPECT_EQ(result.detail, "because");
  }
}

TEST(UaaClient, ReportsAnAnswerThatBreaksOffOrNeverEndsAsUnavailable) {
  ScriptedTransport network([](const SentRequest&) {
    http::ClientResponse response = reply(200, "");
    response.body = http::Body{std::make_unique<test::PiecewiseSource>(
        R"({"access_)", 4,
        std::make_exception_ptr(Error{ErrorCode::DeadlineExceeded, "too slow"}))};
    return response;
  });
  UaaClient uaa(network);
  EXPECT_EQ(uaa.refresh(target(), Secret{"r"}, kSoon).status, GrantStatus::Unavailable);
  network.answer([](const SentRequest&) {
    return reply(200, R"({"access_token":"a","x":")" + std::string(1'000'000, 'x') + "\"}");
  });
  EXPECT_EQ(uaa.refresh(target(), Secret{"r"}, kSoon).status, GrantStatus::Unavailable);
}

TEST(UaaClient, NeverRepeatsASecretThatTheServerQuotes) {
  ScriptedTransport network([](const SentRequest& request) {
    const std::string secret = request.field("grant_type") == "password"
                                   ? request.field("password")
                                   : request.field("refresh_token");
    return reply(401, R"({"error":"invalid_token )" + secret +
                          R"(","error_description":"Invalid refresh token (expired): )" + secret +
                          "\"}");
  });
  UaaClient uaa(network);
  for (const GrantResult& result : {uaa.passwordGrant(target(), "u", Secret{"S3CRET"}, kSoon),
                                    uaa.refresh(target(), Secret{"S3CRET"}, kSoon)}) {
    EXPECT_EQ(result.detail.find("S3CRET"), std::string::npos) << result.detail;
    EXPECT_EQ(result.description.find("S3CRET"), std::string::npos) << result.description;
  }
}

TEST(UaaClient, KeepsAnOrdinaryDescriptionAndDropsAnUnprintableOne) {
  ScriptedTransport network([](const SentRequest&) {
    return reply(401, R"({"error":"unauthorized","error_description":"Bad credentials"})");
  });
  UaaClient uaa(network);
  EXPECT_EQ(uaa.passwordGrant(target(), "u", Secret{"p"}, kSoon).description, "Bad credentials");
  network.answer([](const SentRequest&) {
    return reply(401, R"({"error":"unauthorized","error_description":"a\r\nb"})");
  });
  EXPECT_EQ(uaa.passwordGrant(target(), "u", Secret{"p"}, kSoon).description, "");
}

TEST(UaaClient, AsksNobodyWhenTheAddressIsNoUrl) {
  ScriptedTransport network([](const SentRequest&) { return reply(200, ""); });
  UaaTarget nowhere = target();
  nowhere.baseUrl = "uaa";
  EXPECT_EQ(UaaClient{network}.refresh(nowhere, Secret{"r"}, kSoon).status,
            GrantStatus::Unavailable);
  EXPECT_EQ(network.count(), 0U);
}

TEST(ExpiryOf, PrefersTheTokensOwnWordAndSurvivesAbsurdOnes) {
  const TimePoint now = fromUnixSeconds(1'000'000);
  const auto expiry = [&](const std::string& token, std::int64_t expiresIn) {
    TokenGrant grant;
    grant.accessToken = Secret{token};
    grant.expiresIn = expiresIn;
    return expiryOf(grant, now);
  };
  EXPECT_EQ(expiry(jwt(R"({"exp":1000300})"), 60), 1'000'300);
  EXPECT_EQ(expiry("opaque", 60), 1'000'060);
  EXPECT_GT(expiry("opaque", 0), 1'000'030) << "or it would be renewed at each request";
  EXPECT_GT(expiry("opaque", -5), 1'000'030);
  EXPECT_EQ(expiry("opaque", INT64_MAX), 253'402'300'799);
  EXPECT_EQ(expiry(jwt(R"({"exp":9223372036854775807})"), 60), 253'402'300'799);
  EXPECT_EQ(expiry(jwt(R"({"exp":-4})"), 60), 1'000'060);
}

}  // namespace
}  // namespace stratos::auth
