#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kLogin = "/pp/v1/auth/login/uaa";
constexpr const char* kLogout = "/pp/v1/auth/logout";

std::string refreshedOnce(testing::FakeUaa& uaa) {
  return std::to_string(uaa.counters().refreshes) + "/" +
         std::to_string(uaa.counters().refusedRefreshes);
}

void expectSessionCookie(const Answer& answer, std::chrono::seconds lifetime, TimePoint now) {
  const auto fields = answer.headers.all("Set-Cookie");
  ASSERT_EQ(fields.size(), 1U);
  const ParsedCookie cookie = parseCookie(std::string{fields.front()});
  EXPECT_EQ(cookie.name, "console-session");
  EXPECT_FALSE(cookie.value.empty());
  EXPECT_EQ(cookie.attributes.at("path"), "/");
  EXPECT_EQ(cookie.attributes.count("domain"), 0U);
  EXPECT_EQ(cookie.attributes.at("max-age"), std::to_string(lifetime.count()));
  EXPECT_EQ(cookie.attributes.at("expires"), http::formatHttpDate(now + lifetime));
  EXPECT_EQ(cookie.attributes.count("httponly"), 1U);
  EXPECT_EQ(cookie.attributes.count("secure"), 1U);
  EXPECT_EQ(cookie.attributes.at("samesite"), "Lax");  // Better than upstream, which sends none.
}

void expectClearingCookie(const Answer& answer, TimePoint now) {
  const auto fields = answer.headers.all("Set-Cookie");
  ASSERT_EQ(fields.size(), 1U);
  const ParsedCookie cookie = parseCookie(std::string{fields.front()});
  EXPECT_EQ(cookie.name, "console-session");
  EXPECT_EQ(cookie.value, "");
  EXPECT_EQ(cookie.attributes.at("path"), "/");
  EXPECT_EQ(cookie.attributes.at("expires"), http::formatHttpDate(now - std::chrono::hours{24}));
  EXPECT_EQ(cookie.attributes.count("max-age"), 0U);
  EXPECT_EQ(cookie.attributes.count("httponly"), 1U);
  EXPECT_EQ(cookie.attributes.count("secure"), 1U);
}

class LocalLoginTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(LocalLoginTest);

TEST_P(LocalLoginTest, AnswersAsUpstreamDoes) {
  Browser browser = t().browser();
  const Answer answer = browser.login(kLocalUser, kLocalPassword);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            R"({"account":"root","token_expiry":9223372036854775807,"api_endpoint":null,)"
            R"("admin":true,"user":null})");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(answer.header("Pragma"), "no-cache");
  EXPECT_EQ(answer.header("X-Xsrf-Token").size(), 44U);
  EXPECT_EQ(answer.header("X-Cap-Session-Expires-On"),
            std::to_string(toUnixSeconds(t().clock.now()) + 1200));
  expectSessionCookie(answer, std::chrono::minutes{20}, t().clock.now());
}

TEST_P(LocalLoginTest, AcceptsMultipartAndJson) {
  for (const bool json : {false, true}) {
    Browser browser = t().browser();
    const Answer answer =
        json ? browser.postJson(kLogin, R"({"username":"root","password":"local-pass-5f1c"})")
             : browser.postMultipart(kLogin,
                                     {{"username", kLocalUser}, {"password", kLocalPassword}});
    EXPECT_EQ(answer.status, 200) << answer.body;
  }
}

TEST_P(LocalLoginTest, TakesNoCredentialsFromTheQuery) {  // Better than upstream: S11.
  Browser browser = t().browser();
  const std::string query = std::string{"?username=root&password="} + kLocalPassword;
  EXPECT_EQ(browser.postForm(kLogin + query, {}).status, 401);
  EXPECT_EQ(browser.postMultipart(kLogin + query, {}).status, 401);
  EXPECT_EQ(browser.postJson(kLogin + query, "{}").status, 401);
  EXPECT_EQ(browser.send("POST", kLogin + query).status, 401);
  EXPECT_FALSE(browser.cookie());
}

TEST_P(LocalLoginTest, RefusesWrongPasswordAndUnknownUserWithOneText) {
  Browser browser = t().browser();
  const Answer wrong = browser.login(kLocalUser, "not-the-password");
  const Answer unknown = browser.login("nobody", kLocalPassword);
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(wrong.body, unknown.body);
  EXPECT_THAT(jsonKeys(wrong.body), ElementsAre("status", "error"));
  EXPECT_EQ(jsonAt(wrong.body, "status"), "error");
  EXPECT_NE(jsonAt(wrong.body, "error"), "");
  EXPECT_NE(jsonAt(wrong.body, "error"), "Bad credentials");  // The front end would hide it.
  EXPECT_EQ(wrong.header("Content-Type"), "text/plain; charset=UTF-8");
  for (const char* name : {"Set-Cookie", "X-Xsrf-Token", "X-Cap-Session-Expires-On"}) {
    EXPECT_FALSE(wrong.headers.has(name)) << name;
  }
}

TEST_P(LocalLoginTest, RefusesMissingFields) {
  Browser browser = t().browser();
  for (const Fields& form :
       {Fields{}, Fields{{"username", kLocalUser}}, Fields{{"password", kLocalPassword}},
        Fields{{"username", kLocalUser}, {"password", ""}}}) {
    const Answer answer = browser.postForm(kLogin, form);
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  }
}

TEST_P(LocalLoginTest, RefusesABodyThatCannotBeRead) {  // Better than upstream: B14.
  Browser browser = t().browser();
  const Answer answer = browser.send(
      "POST", kLogin, {{"Content-Type", "application/x-www-form-urlencoded"}}, "username=%zz");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
}

TEST_P(LocalLoginTest, TellsTheRealRole) {  // Better than upstream: S11 says always true.
  auto options = ConsoleFixture::localOptions();
  options.signIn.localUserScope = "stratos.user";
  t().start(options);
  Browser browser = t().browser();
  EXPECT_EQ(jsonAt(browser.login(kLocalUser, kLocalPassword).body, "admin"), "false");
  const Answer info = browser.get("/pp/v1/info");
  EXPECT_EQ(jsonAt(info.body, "user/admin"), "false");
  EXPECT_EQ(jsonAt(info.body, "user/scopes"), R"(["stratos.user","password.write","scim.write"])");
}

TEST_P(LocalLoginTest, NeverChangesAnExistingUser) {
  t().console();
  auto options = ConsoleFixture::localOptions();
  options.signIn.localUserPassword = Secret{"another-pass-91"};
  t().start(options);
  Browser browser = t().browser();
  EXPECT_EQ(browser.login(kLocalUser, "another-pass-91").status, 401);
  EXPECT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200);
}

TEST_P(LocalLoginTest, AlwaysMakesANewSessionAndEndsTheOldOne) {  // Better than upstream: S7.
  Browser browser = t().localAdmin();
  const std::string first = browser.cookie().value();
  const std::string firstXsrf = browser.xsrfToken();
  ASSERT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200);
  EXPECT_NE(browser.cookie().value(), first);
  EXPECT_NE(browser.xsrfToken(), firstXsrf);

  Browser thief = t().browser();
  thief.setCookie("console-session", first);
  EXPECT_EQ(thief.get("/pp/v1/info").status, 401);
}

TEST_P(LocalLoginTest, SetsNothingWhenTheDatabaseIsAway) {
  Browser browser = t().browser();
  const DatabaseOutage outage(t());
  const Answer answer = browser.login(kLocalUser, kLocalPassword);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_FALSE(answer.headers.has("Set-Cookie"));
  EXPECT_FALSE(answer.headers.has("X-Xsrf-Token"));
}

TEST_P(LocalLoginTest, S11GuessingIsSlowedDown) {
  Browser browser = t().browser();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(browser.login(kLocalUser, "a-guess").status, 401);
  const Answer late = browser.login(kLocalUser, kLocalPassword);
  EXPECT_EQ(late.status, 401) << "even the right one has to wait";
  EXPECT_EQ(jsonAt(late.body, "error"), "Too many attempts; try again in 1 seconds");
  EXPECT_EQ(late.header("Retry-After"), "1");
  EXPECT_EQ(t().log.linesWith("audit").back().field("reason"), "too many attempts");
  t().clock.advance(std::chrono::seconds{1});
  EXPECT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200);
}

TEST_P(LocalLoginTest, IsAuditedWithItsOutcome) {  // Better than upstream: S25.
  Browser browser = t().browser();
  ASSERT_EQ(browser.login(kLocalUser, "not-the-password").status, 401);
  ASSERT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200);
  const auto lines = t().log.linesWith("audit");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].field("outcome"), "refused");
  EXPECT_EQ(lines[1].field("outcome"), "success");
  for (const auto& line : lines) {
    EXPECT_EQ(line.field("event"), "session.login");
    EXPECT_EQ(line.field("account"), kLocalUser);
    EXPECT_EQ(line.field("remote"), "192.0.2.7");
  }
}

class UaaLoginTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) t().start(t().remoteOptions());
  }
};
STRATOS_ON_EVERY_DIALECT(UaaLoginTest);

TEST_P(UaaLoginTest, AnswersAsUpstreamDoes) {
  Browser browser = t().browser();
  const Answer answer = browser.login(kAdminUser, kAdminPassword);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"account":"ada","token_expiry":)" +
                             std::to_string(toUnixSeconds(t().clock.now()) + 600) +
                             R"(,"api_endpoint":null,"admin":true,"user":null})");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("X-Xsrf-Token").size(), 44U);
  expectSessionCookie(answer, std::chrono::minutes{20}, t().clock.now());
  EXPECT_EQ(t().userGuid(browser), t().uaa().userGuid(kAdminUser));
}

TEST_P(UaaLoginTest, AsksTheUaaAsUpstreamDoes) {
  Browser browser = t().browser();
  ASSERT_EQ(browser.login(kAdminUser, kAdminPassword).status, 200);
  const auto requests = t().uaa().server().requestsTo("/oauth/token");
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].header("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(requests[0].body, std::string{"grant_type=password&username=ada&password="} +
                                  kAdminPassword + "&response_type=token");
  EXPECT_EQ(requests[0].header("Authorization"),
            "Basic c3RyYXRvcy1jb25zb2xlOmNvbnNvbGUtY2xpZW50LXNlY3JldC00YQ==");
}

TEST_P(UaaLoginTest, AcceptsJsonAndMultipart) {
  Browser browser = t().browser();
  EXPECT_EQ(browser.postJson(kLogin, R"({"username":"ada","password":"ada-pass-77b0"})").status,
            200);
  EXPECT_EQ(browser.postMultipart(kLogin, {{"username", kAdminUser}, {"password", kAdminPassword}})
                .status,
            200);
}

TEST_P(UaaLoginTest, AdminNeedsTheExactScope) {  // Better than upstream: S8.
  t().uaa().addUser({"eve", "eve-pass-20", {"openid", "stratos.admin.read", "stratos.", "admin"}});
  Browser browser = t().browser();
  EXPECT_EQ(jsonAt(browser.login("eve", "eve-pass-20").body, "admin"), "false");
  EXPECT_EQ(jsonAt(browser.get("/pp/v1/info").body, "user/admin"), "false");
  EXPECT_EQ(browser.postForm("/api/v1/endpoints?endpoint_type=cf", {}).status, 401);
}

TEST_P(UaaLoginTest, RefusesWrongPasswordWithTheUaasWords) {
  Browser browser = t().browser();
  for (const auto& [user, password] :
       Fields{{kAdminUser, "not-the-password"}, {"nobody", kAdminPassword}}) {
    const Answer answer = browser.login(user, password);
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(jsonAt(answer.body, "status"), "error");
    EXPECT_NE(jsonAt(answer.body, "error"), "");
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    EXPECT_FALSE(answer.headers.has("X-Xsrf-Token"));
  }
  EXPECT_EQ(t().uaa().counters().refusedLogins, 2U);
}

TEST_P(UaaLoginTest, RefusesMissingFieldsWithoutAskingTheUaa) {
  Browser browser = t().browser();
  const Answer answer = browser.postForm(kLogin, {{"username", kAdminUser}});
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_EQ(t().uaa().server().requestCount(), 0U);
}

TEST_P(UaaLoginTest, OutageIsNoRefusal) {  // Better than upstream: B3 has 401.
  using testing::FaultKind;
  Browser browser = t().browser();
  for (const FaultKind kind : {FaultKind::CloseBeforeAnswer, FaultKind::TooManyRequests,
                               FaultKind::HtmlPage, FaultKind::Status}) {
    t().uaa().server().addFault({.kind = kind});
    const Answer answer = browser.login(kAdminUser, kAdminPassword);
    EXPECT_EQ(answer.status, 503) << static_cast<int>(kind);
    EXPECT_EQ(answer.body, jsonT("The identity server cannot be reached"));
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    t().uaa().server().clearFaults();
  }
  t().uaa().server().stop();
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword).status, 503);
}

TEST_P(UaaLoginTest, WrongClientIsNoRefusalOfTheUser) {  // Better than upstream: B3 has 401.
  auto options = t().remoteOptions();
  options.signIn.uaa.clientSecret = Secret{"wrong-client-secret"};
  t().vault.add("wrong-client-secret");
  t().start(options);
  Browser browser = t().browser();
  const Answer answer = browser.login(kAdminUser, kAdminPassword);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, jsonT("The identity server does not accept this console"));
  EXPECT_EQ(t().log.linesWith("request failed").size(), 1U);
  EXPECT_TRUE(t().log.mentions("CONSOLE_CLIENT"));
}

TEST_P(UaaLoginTest, ScopesAreAListEvenWithoutAny) {  // Better than upstream: B5.
  t().uaa().addUser({"scopeless", "scopeless-pass-3", {}});
  Browser browser = t().signedIn("scopeless", "scopeless-pass-3");
  EXPECT_EQ(jsonAt(browser.get("/pp/v1/info").body, "user/scopes"), "[]");
}

class VerifyTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(VerifyTest);

TEST_P(VerifyTest, AnswersWithInfoAndANewExpiry) {
  Browser browser = t().localAdmin();
  const std::string cookie = browser.cookie().value();
  const std::string xsrf = browser.xsrfToken();
  t().clock.advance(std::chrono::minutes{5});
  const Answer answer = browser.verify();
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(jsonKeys(answer.body), ElementsAre("status", "error", "data"));
  EXPECT_EQ(jsonAt(answer.body, "status"), "ok");
  EXPECT_EQ(jsonAt(answer.body, "error"), "");
  const std::string info = browser.get("/pp/v1/info").body;
  EXPECT_EQ(answer.body,
            R"({"status":"ok","error":"","data":)" + info.substr(0, info.size() - 1) + "}\n");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(answer.header("X-Xsrf-Token"), xsrf);
  EXPECT_EQ(answer.header("X-Cap-Session-Expires-On"),
            std::to_string(toUnixSeconds(t().clock.now()) + 1200));
  EXPECT_FALSE(answer.headers.has("X-Stratos-Domain"));
  EXPECT_FALSE(answer.headers.has("X-Stratos-Sso-Login"));
  expectSessionCookie(answer, std::chrono::minutes{20}, t().clock.now());
  EXPECT_EQ(browser.cookie().value(), cookie);
}

TEST_P(VerifyTest, ExtendsTheSessionAndOtherRequestsDoNot) {
  Browser browser = t().localAdmin();
  t().clock.advance(std::chrono::minutes{15});
  ASSERT_EQ(browser.get("/pp/v1/info").status, 200);
  ASSERT_EQ(jsonAt(browser.verify().body, "status"), "ok");
  t().clock.advance(std::chrono::minutes{15});
  ASSERT_EQ(browser.get("/pp/v1/info").status, 200);
  t().clock.advance(std::chrono::minutes{6});
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

void expectVerifyFailed(const Answer& answer, TimePoint now) {
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(jsonKeys(answer.body), ElementsAre("status", "error", "data"));
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_NE(jsonAt(answer.body, "error"), "");
  EXPECT_EQ(jsonAt(answer.body, "data"), "null");
  EXPECT_TRUE(answer.headers.has("X-Stratos-Domain"));  // Also when it is empty.
  EXPECT_EQ(answer.header("X-Stratos-Domain"), "");
  EXPECT_FALSE(answer.headers.has("X-Stratos-Sso-Login"));
  EXPECT_FALSE(answer.headers.has("X-Cap-Session-Expires-On"));
  EXPECT_FALSE(answer.headers.has("X-Xsrf-Token"));
  expectClearingCookie(answer, now);
}

TEST_P(VerifyTest, FailsWithoutASession) {
  Browser browser = t().browser();
  expectVerifyFailed(browser.verify(), t().clock.now());
}

TEST_P(VerifyTest, FailsForCookiesThatAreNotOurs) {
  const std::string good = t().localAdmin().cookie().value();
  std::string changed = good;
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  for (const std::string& cookie :
       {std::string{}, std::string{"garbage"}, std::string(4096, 'x'), std::string(87, 'A'),
        std::string(43, 'A') + "." + std::string(43, 'A'), changed, good + "x", "x" + good,
        std::string{"MTcwMDAwMDAwMHxEdi1CQkFFQ180SUFBUkFCRUFBQVFmLUNBQUVHYzNSeWFXNW4"}}) {
    Browser browser = t().browser();
    browser.setCookie("console-session", cookie);
    expectVerifyFailed(browser.verify(), t().clock.now());
    EXPECT_FALSE(browser.cookie());
  }
}

TEST_P(VerifyTest, GarbageNeverReachesTheDatabase) {
  Browser browser = t().browser();
  browser.setCookie("console-session", std::string(43, 'A') + "." + std::string(43, 'A'));
  EXPECT_EQ(t().statementsOf([&] { browser.verify(); }), 0U);
}

TEST_P(VerifyTest, FailsWhenTheSessionHasExpired) {
  Browser browser = t().localAdmin();
  const std::string cookie = browser.cookie().value();
  t().clock.advance(std::chrono::minutes{20});
  expectVerifyFailed(browser.verify(), t().clock.now());
  // Even a browser that keeps the cookie is not let in again.
  browser.setCookie("console-session", cookie);
  expectVerifyFailed(browser.verify(), t().clock.now());
}

TEST_P(VerifyTest, SweepKeepsWhatIsInForce) {
  Browser early = t().localAdmin();
  t().clock.advance(std::chrono::minutes{15});
  Browser late = t().localAdmin();
  t().clock.advance(std::chrono::minutes{6});
  t().console().sweep();
  EXPECT_EQ(jsonAt(early.verify().body, "status"), "error");
  EXPECT_EQ(jsonAt(late.verify().body, "status"), "ok");
}

TEST_P(VerifyTest, SpeaksTheBrowsersTime) {
  Browser browser = t().browser();
  const Answer login =
      browser.login(kLocalUser, kLocalPassword, {{"X-Cap-Request-Date", "1000000000"}});
  EXPECT_EQ(login.header("X-Cap-Session-Expires-On"), "1000001200");
  t().clock.advance(std::chrono::minutes{1});
  EXPECT_EQ(
      browser.verify({{"x-cap-request-date", "1000000060"}}).header("X-Cap-Session-Expires-On"),
      "1000001260");
  // What is no number is ignored.
  const std::string server = std::to_string(toUnixSeconds(t().clock.now()) + 1200);
  for (const char* date :
       {"", "soon", "12x", "-5", "99999999999999999999", "9223372036854775807"}) {
    EXPECT_EQ(browser.verify({{"x-cap-request-date", date}}).header("X-Cap-Session-Expires-On"),
              server)
        << date;
  }
}

TEST_P(VerifyTest, TellsTheDomainAndUsesItInTheCookie) {
  auto options = ConsoleFixture::localOptions();
  options.session.cookieDomain = "console.example";
  t().start(options);
  Browser browser = t().browser();
  const Answer failed = browser.verify();
  EXPECT_EQ(failed.header("X-Stratos-Domain"), "console.example");
  ASSERT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200);
  const ParsedCookie cookie = parseCookie(browser.verify().header("Set-Cookie"));
  EXPECT_EQ(cookie.name, "console-session-3e1d25f275");  // SHA-1 of the domain.
  EXPECT_EQ(cookie.attributes.at("domain"), "console.example");
}

TEST_P(VerifyTest, ADashMeansNoDomain) {  // Better than upstream: B4 sends the dash.
  auto options = ConsoleFixture::localOptions();
  options.session.cookieDomain = "-";
  t().start(options);
  Browser browser = t().browser();
  expectVerifyFailed(browser.verify(), t().clock.now());
}

TEST_P(VerifyTest, OutageOfTheDatabaseSignsNobodyOut) {  // Better than upstream: P1.
  Browser browser = t().localAdmin();
  {
    const DatabaseOutage outage(t());
    const Answer answer = browser.verify();
    EXPECT_EQ(answer.status, 503);
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    EXPECT_FALSE(answer.headers.has("Stratos-Setup-Required"));
    EXPECT_FALSE(answer.headers.has("Retry-After"));
  }
  EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
}

class UaaVerifyTest : public UaaLoginTest {};
STRATOS_ON_EVERY_DIALECT(UaaVerifyTest);

TEST_P(UaaVerifyTest, KeepsAFreshToken) {
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
  EXPECT_EQ(refreshedOnce(t().uaa()), "0/0");
}

TEST_P(UaaVerifyTest, RenewsAStaleToken) {
  t().uaa().setRefreshMode(testing::RefreshMode::RotateOnce);
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  for (int round = 1; round <= 3; ++round) {
    t().clock.advance(std::chrono::minutes{11});
    EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
    EXPECT_EQ(refreshedOnce(t().uaa()), std::to_string(round) + "/0");
  }
}

TEST_P(UaaVerifyTest, GoesOnHoweverTheUaaRenewsUntilItRevokes) {
  for (const auto mode : {testing::RefreshMode::Keep, testing::RefreshMode::Rotate,
                          testing::RefreshMode::RotateOnce, testing::RefreshMode::Omit}) {
    SCOPED_TRACE(static_cast<int>(mode));
    t().uaa().setRefreshMode(mode);
    const auto refused = t().uaa().counters().refusedRefreshes;
    Browser browser = t().signedIn(kAdminUser, kAdminPassword);
    for (const bool keepOldKeys : {true, false}) {
      t().uaa().rotateSigningKey(keepOldKeys);
      t().clock.advance(std::chrono::minutes{11});
      EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
      t().uaa().expireAccessTokens();  // Nobody at the console notices: its check is the expiry.
      EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
    }
    EXPECT_EQ(t().uaa().counters().refusedRefreshes, refused);
    t().uaa().revokeRefreshTokens();
    EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok") << "while the access token lives";
    t().clock.advance(std::chrono::minutes{11});
    expectVerifyFailed(browser.verify(), t().clock.now());
  }
}

TEST_P(UaaVerifyTest, OutageOfTheUaaKeepsTheSession) {  // Better than upstream: P5.
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  t().clock.advance(std::chrono::minutes{11});
  t().uaa().server().addFault({.kind = testing::FaultKind::CloseBeforeAnswer, .times = -1});
  EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
  t().uaa().server().clearFaults();
  EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
  EXPECT_EQ(refreshedOnce(t().uaa()), "1/0");
}

TEST_P(UaaVerifyTest, ARefusedRefreshEndsTheSession) {
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  const std::string cookie = browser.cookie().value();
  t().uaa().revokeRefreshTokens();
  t().clock.advance(std::chrono::minutes{11});
  expectVerifyFailed(browser.verify(), t().clock.now());
  browser.setCookie("console-session", cookie);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

TEST_P(UaaVerifyTest, EndsWithTheConsoleToken) {
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  t().database->connect().execute("DELETE FROM tokens WHERE token_type = 'uaa'");
  expectVerifyFailed(browser.verify(), t().clock.now());
}

class LogoutTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(LogoutTest);

TEST_P(LogoutTest, EndsTheSessionWithoutAskingForTheXsrfToken) {
  Browser browser = t().localAdmin();
  const std::string old = browser.cookie().value();
  browser.setXsrfToken("");
  const Answer answer = browser.postJson(kLogout, "{}");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"isSSO\":false}\n");
  EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=UTF-8");
  const ParsedCookie cookie = parseCookie(answer.header("Set-Cookie"));
  EXPECT_EQ(cookie.name, "console-session");
  EXPECT_EQ(cookie.value, "");
  EXPECT_EQ(cookie.attributes.at("max-age"), "0");
  EXPECT_EQ(cookie.attributes.at("expires"), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(cookie.attributes.at("path"), "/");
  EXPECT_EQ(cookie.attributes.count("httponly"), 1U);
  EXPECT_EQ(cookie.attributes.count("secure"), 1U);
  EXPECT_FALSE(browser.cookie());

  browser.setCookie("console-session", old);  // The row is gone, too.
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

TEST_P(LogoutTest, SucceedsWithoutASession) {
  Browser browser = t().browser();
  const Answer answer = browser.postJson(kLogout, "{}");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"isSSO\":false}\n");
  EXPECT_FALSE(answer.headers.has("Set-Cookie"));

  browser.setCookie("console-session", "");
  EXPECT_EQ(browser.postJson(kLogout, "{}").status, 200);
  browser.setCookie("console-session", "garbage");
  EXPECT_EQ(browser.postJson(kLogout, "{}").status, 200);
}

TEST_P(LogoutTest, LeavesOtherSessionsAlone) {
  Browser one = t().localAdmin();
  Browser two = t().localAdmin();
  ASSERT_EQ(one.postJson(kLogout, "{}").status, 200);
  EXPECT_EQ(jsonAt(two.verify().body, "status"), "ok");
}

TEST_P(LogoutTest, IsNoGet) {
  Browser browser = t().localAdmin();
  EXPECT_EQ(browser.get(kLogout).status, 404);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
}

}  // namespace
}  // namespace stratos::compat
