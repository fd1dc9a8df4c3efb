#include <gtest/gtest.h>

#include "signing_key.hpp"
#include "stratos/auth/oidc_client.hpp"
#include "stratos/auth/oidc_login.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::auth {
namespace {

using test::keySet;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;
using test::SigningKey;

const Deadline kSoon = Deadline::after(std::chrono::minutes{2});
constexpr const char* kIssuer = "https://id.x/realms/one";

/// A provider whose every answer can be bent.
class OidcLoginTest : public ::testing::Test {
 protected:
  OidcLoginTest() {
    options_.issuer = kIssuer;
    options_.clientId = "console";
    options_.clientSecret = Secret{"s e:c"};
    options_.adminGroups = {"console admins"};
    network_.answer([this](const SentRequest& request) { return answer(request); });
  }

  http::ClientResponse answer(const SentRequest& request) {
    if (request.url == std::string{kIssuer} + "/.well-known/openid-configuration") {
      return reply(
          200,
          R"({"issuer":")" + issuer_ +
              R"(","authorization_endpoint":"https://id.x/auth?a=b",)"
              R"("token_endpoint":"https://id.x/token","jwks_uri":"https://id.x/keys",)"
              R"("userinfo_endpoint":"https://id.x/me","end_session_endpoint":"https://id.x/end")" +
              metadata_ + "}");
    }
    if (request.url == "https://id.x/keys") return reply(200, keySet(key_.jwk()));
    if (request.url == "https://id.x/me") return reply(200, userInfo_);
    if (request.url != "https://id.x/token") return reply(404, "");
    if (tokenStatus_ != 200) return reply(tokenStatus_, R"({"error":")" + tokenError_ + "\"}");
    return reply(
        200, R"({"access_token":")" + accessToken_ + R"(","token_type":"Bearer","expires_in":300)" +
                 (refreshToken_.empty() ? "" : R"(,"refresh_token":")" + refreshToken_ + "\"") +
                 R"(,"id_token":")" + (idToken_.empty() ? makeIdToken() : idToken_) + "\"}");
  }
  std::string makeIdToken() const {
    const std::int64_t now = toUnixSeconds(clock_.now());
    return key_.token(R"({"iss":")" + std::string{kIssuer} + R"(","sub":")" + subject_ +
                      R"(","aud":"console","nonce":")" + nonce_ + R"(","iat":)" +
                      std::to_string(now) + R"(,"exp":)" + std::to_string(now + 60) + claims_ +
                      "}");
  }
  OidcLogin make() {
    return {OidcCollaborators{.transport = network_,
                              .verifier = verifier_,
                              .tokens = sql_.tokens,
                              .leases = nullptr,
                              .clock = clock_,
                              .random = sql_.random,
                              .log = log_},
            options_, "stratos.admin"};
  }
  LoginResult signIn(OidcLogin& login, const std::string& issuer = {}) {
    return login.redeem(Secret{"code"}, issuer, flow_, kSoon);
  }
  bool isRefused() {
    OidcLogin login = make();
    const LoginResult result = signIn(login);
    return !result.accepted && !result.refusal.empty() &&
           !sql_.tokens.findConsoleToken(oidcUserId(kIssuer, subject_));
  }

  const SsoFlow flow_{.redirectUri = "https://console.x/cb",
                      .state = "state",
                      .nonce = "nonce",
                      .codeVerifier = Secret{std::string(43, 'v')}};
  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  const SigningKey key_{"ES256"};
  ScriptedTransport network_{[](const SentRequest&) { return reply(500, ""); }};
  JwtVerifier verifier_{network_, clock_, log_};
  OidcOptions options_;

  std::string issuer_ = kIssuer;
  std::string metadata_;
  std::string subject_ = "ann-1";
  std::string nonce_ = "nonce";
  std::string claims_ = R"(,"preferred_username":"ann","groups":["console admins","x"])";
  std::string userInfo_ = R"({"sub":"ann-1"})";
  std::string idToken_;
  std::string accessToken_ = "access-1";
  std::string refreshToken_ = "refresh-1";
  int tokenStatus_ = 200;
  std::string tokenError_;
};

TEST_F(OidcLoginTest, SignsInWithCodePkceAndNonce) {
  OidcLogin login = make();
  const Url url = Url::parse(login.authorizeUrl(flow_, kSoon));
  const auto query = decodeForm(url.rawQuery()).value();
  const auto field = [&](const std::string& name) {
    for (const auto& [key, value] : query) {
      if (key == name) return value;
    }
    return std::string{"(absent)"};
  };
  EXPECT_EQ(field("a"), "b");
  EXPECT_EQ(field("response_type"), "code");
  EXPECT_EQ(field("scope"), "openid profile email");
  EXPECT_EQ(field("state"), "state");
  EXPECT_EQ(field("nonce"), "nonce");
  EXPECT_EQ(field("code_challenge_method"), "S256");
  EXPECT_EQ(field("code_challenge"), toBase64Url(crypto::sha256(std::string(43, 'v'))));
  EXPECT_EQ(field("redirect_uri"), "https://console.x/cb");

  const LoginResult result = signIn(login);
  ASSERT_TRUE(result.accepted) << result.refusal;
  EXPECT_EQ(result.account, "ann");
  EXPECT_TRUE(result.admin);
  EXPECT_EQ(result.tokenExpiry, toUnixSeconds(clock_.now()) + 300);
  for (const SentRequest& sent : network_.sent()) {
    if (sent.url != "https://id.x/token") continue;
    EXPECT_EQ(sent.field("code_verifier"), std::string(43, 'v'));
    EXPECT_EQ(sent.field("redirect_uri"), "https://console.x/cb");
    EXPECT_EQ(sent.headers.get("authorization"), "Basic " + toBase64("console:s+e%3Ac"));
  }
  const auto user = login.findUser(result.user);
  ASSERT_TRUE(user);
  EXPECT_TRUE(user->admin);
  EXPECT_EQ(user->scopes, std::vector<std::string>{"stratos.admin"});
  const auto row = sql_.tokens.findConsoleToken(result.user);
  EXPECT_EQ(row->authType, "OIDC");
  UaaClient uaa{network_};
  EXPECT_FALSE(AuthSchemes{uaa}.isOAuth2(*row));
  EXPECT_EQ(row->metadata, "");
}

TEST_F(OidcLoginTest, S9AWrongIdTokenIsRefused) {
  const std::string good = makeIdToken();
  nonce_ = "another";
  EXPECT_TRUE(isRefused());
  nonce_ = "nonce";
  claims_ += R"(,"at_hash":"AAAAAAAAAAAAAAAAAAAAAA")";
  EXPECT_TRUE(isRefused());
  idToken_ = SigningKey("ES256").token(R"({"iss":"x"})");
  EXPECT_TRUE(isRefused());
  idToken_ = good.substr(0, good.rfind('.') + 1);
  EXPECT_TRUE(isRefused());
  idToken_ = test::jwt(R"({"iss":"https://id.x/realms/one","sub":"ann-1","aud":"console"})");
  EXPECT_TRUE(isRefused());
  idToken_ = key_.token(R"({"iss":"https://id.x/realms/one","sub":"ann-1","aud":"other",)"
                        R"("nonce":"nonce","iat":1,"exp":9999999999})");
  EXPECT_TRUE(isRefused());
  idToken_ = good;
  clock_.advance(std::chrono::minutes{3});
  EXPECT_TRUE(isRefused());
}

TEST_F(OidcLoginTest, UserInfoOfAnotherUserIsRefused) {
  claims_.clear();
  userInfo_ = R"({"sub":"bob","groups":["console admins"]})";
  EXPECT_TRUE(isRefused());
}

TEST_F(OidcLoginTest, AnAnswerOfAnotherIssuerIsRefused) {
  OidcLogin silent = make();
  EXPECT_FALSE(signIn(silent, "https://evil.x").accepted);
  EXPECT_TRUE(signIn(silent).accepted);
  metadata_ = R"(,"authorization_response_iss_parameter_supported":true)";
  OidcLogin login = make();
  EXPECT_FALSE(signIn(login).accepted);
  EXPECT_FALSE(signIn(login, "https://evil.x").accepted);
  EXPECT_TRUE(signIn(login, kIssuer).accepted);
}

TEST_F(OidcLoginTest, ADocumentOfAnotherIssuerIsNotUsed) {
  issuer_ = std::string{kIssuer} + "/";
  OidcLogin login = make();
  EXPECT_THROW(static_cast<void>(login.authorizeUrl(flow_, kSoon)), Error);
}

TEST_F(OidcLoginTest, RefusesSettingsThatCannotBeSafe) {
  for (const char* issuer : {"", "id.x", "http://id.x", "https://id.x?a=b", "https://id.x#f"}) {
    options_.issuer = issuer;
    EXPECT_THROW(make(), Error) << issuer;
  }
  options_.issuer = "http://127.0.0.1:1";
  EXPECT_NO_THROW(make());
}

TEST_F(OidcLoginTest, S8RolesAreExact) {
  for (const char* groups : {R"(["console admins "])", R"(["Console admins"])", R"(["console"])",
                             R"(["console","admins"])", R"("x console admins")", "[[]]", "7"}) {
    claims_ = R"(,"preferred_username":"ann","groups":)" + std::string{groups};
    OidcLogin login = make();
    const LoginResult result = signIn(login);
    ASSERT_TRUE(result.accepted);
    EXPECT_FALSE(result.admin) << groups;
    EXPECT_EQ(login.findUser(result.user)->scopes, std::vector<std::string>{});
  }
  options_.adminGroups = {""};
  claims_ = R"(,"preferred_username":"ann","groups":[""])";
  OidcLogin login = make();
  EXPECT_FALSE(signIn(login).admin);
}

TEST_F(OidcLoginTest, ReadsGroupsByAPathAndFromUserInfo) {
  options_.groupsClaim = "realm_access.roles";
  claims_.clear();
  userInfo_ = R"({"sub":"ann-1","email":"a@x.org","realm_access":{"roles":["console admins"]}})";
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  EXPECT_TRUE(result.admin);
  EXPECT_EQ(result.account, "a@x.org");
}

TEST_F(OidcLoginTest, AdmitsOnlyTheGroupsAndVerifiedDomainsThatAreWanted) {
  options_.requiredGroups = {"team"};
  claims_ = R"(,"preferred_username":"ann","groups":["x"])";
  EXPECT_TRUE(isRefused());
  claims_ = R"(,"preferred_username":"ann","groups":["team"])";
  options_.emailDomains = {"Example.org"};
  for (const char* mail :
       {R"("email":"a@example.org")", R"("email":"a@example.org","email_verified":false)",
        R"("email":"a@notexample.org","email_verified":true)",
        R"("email":"a@example.org@evil.x","email_verified":true)"}) {
    const std::string before = claims_;
    claims_ += "," + std::string{mail};
    EXPECT_TRUE(isRefused()) << mail;
    claims_ = before;
  }
  claims_ += R"(,"email":"a@example.org","email_verified":true)";
  OidcLogin login = make();
  EXPECT_TRUE(signIn(login).accepted);
}

TEST_F(OidcLoginTest, RenewsRotatesAndReadsRolesAnew) {
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  EXPECT_TRUE(login.verify(result.user, result.tokenExpiry, kSoon).accepted);
  clock_.advance(std::chrono::minutes{6});
  accessToken_ = "access-2";
  refreshToken_ = "refresh-2";
  claims_ = R"(,"preferred_username":"ann","groups":["x"])";
  const VerifyResult renewed = login.verify(result.user, result.tokenExpiry, kSoon);
  ASSERT_TRUE(renewed.accepted) << renewed.refusal;
  EXPECT_EQ(renewed.tokenExpiry, toUnixSeconds(clock_.now()) + 300);
  EXPECT_EQ(network_.sent().back().field("grant_type"), "refresh_token");
  EXPECT_EQ(network_.sent().back().field("refresh_token"), "refresh-1");
  EXPECT_FALSE(login.findUser(result.user)->admin);
  clock_.advance(std::chrono::minutes{6});
  EXPECT_TRUE(login.verify(result.user, renewed.tokenExpiry, kSoon).accepted);
  EXPECT_EQ(network_.sent().back().field("refresh_token"), "refresh-2");
}

TEST_F(OidcLoginTest, ASessionOutlivesAnOutageButNotARefusal) {
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  clock_.advance(std::chrono::minutes{6});
  tokenStatus_ = 503;
  const VerifyResult away = login.verify(result.user, 77, kSoon);
  EXPECT_TRUE(away.accepted);
  EXPECT_EQ(away.tokenExpiry, 77);
  const std::size_t asked = network_.count();
  EXPECT_TRUE(login.verify(result.user, 77, kSoon).accepted);
  EXPECT_EQ(network_.count(), asked);  // A provider that is away is left alone for a moment.
  EXPECT_TRUE(login.findUser(result.user));

  clock_.advance(std::chrono::minutes{1});
  tokenStatus_ = 400;
  tokenError_ = "invalid_grant";
  EXPECT_FALSE(login.verify(result.user, 77, kSoon).accepted);
  EXPECT_FALSE(login.findUser(result.user));
  tokenStatus_ = 200;
  EXPECT_FALSE(login.verify(result.user, 77, kSoon).accepted);
  EXPECT_TRUE(signIn(login).accepted);
  EXPECT_TRUE(login.findUser(result.user));
}

TEST_F(OidcLoginTest, WithoutARefreshTokenTheSessionEndsWithTheAccessToken) {
  refreshToken_.clear();
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  clock_.advance(std::chrono::seconds{299});
  EXPECT_TRUE(login.verify(result.user, result.tokenExpiry, kSoon).accepted);
  clock_.advance(std::chrono::seconds{1});
  EXPECT_FALSE(login.verify(result.user, result.tokenExpiry, kSoon).accepted);
  EXPECT_FALSE(login.findUser(result.user));
}

TEST_F(OidcLoginTest, ARenewalForAnotherUserEndsTheSession) {
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  clock_.advance(std::chrono::minutes{6});
  subject_ = "bob-1";
  EXPECT_FALSE(login.verify(result.user, result.tokenExpiry, kSoon).accepted);
}

TEST_F(OidcLoginTest, LeavesAtTheProvider) {
  OidcLogin login = make();
  const LoginResult result = signIn(login);
  const std::string url = login.logoutUrl("https://console.x/cb?state=logout", &result.user, kSoon);
  const auto query = decodeForm(Url::parse(url).rawQuery()).value();
  EXPECT_EQ(query[1].second, "https://console.x/cb");
  EXPECT_EQ(query[2].second, "logout");
  EXPECT_EQ(query[3].first, "id_token_hint");
  EXPECT_EQ(url.substr(0, 17), "https://id.x/end?");
  EXPECT_EQ(login.logoutUrl("https://console.x/cb", nullptr, kSoon).find("id_token"),
            std::string::npos);
}

TEST_F(OidcLoginTest, PasswordsAreRefused) {
  OidcLogin login = make();
  const LoginResult result = login.login("ann", Secret{"pw"}, kSoon);
  EXPECT_FALSE(result.accepted);
  EXPECT_NE(result.refusal, "");
}

TEST(OidcUserIdTest, IsStableAndBelongsToOneIssuer) {
  const std::string id = oidcUserId("https://a", "1").str();
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '8');
  EXPECT_EQ(oidcUserId("https://a", "1").str(), id);
  EXPECT_NE(oidcUserId("https://b", "1").str(), id);
  EXPECT_NE(oidcUserId("https://a1", "").str(), id);
}

}  // namespace
}  // namespace stratos::auth
