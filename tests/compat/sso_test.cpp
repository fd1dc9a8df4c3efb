#include "console_fixture.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kOrigin = std::string{"https://"} + kHost;
const std::string kCallback = "/pp/v1/auth/sso_login_callback";

std::string ssoLogin(const std::string& state) {
  return "/pp/v1/auth/sso_login?state=" + percentEncode(state);
}

std::string queryOf(const std::string& url, std::string_view name) {
  const auto mark = url.find('?');
  const auto fields = decodeForm(mark == std::string::npos ? "" : url.substr(mark + 1));
  for (const auto& [key, value] : fields.value_or(FormFields{})) {
    if (key == name) return value;
  }
  return {};
}

/// The name of the one cookie that a flow has.
std::string flowCookieOf(const Answer& answer) {
  for (const auto field : answer.headers.all("Set-Cookie")) {
    const ParsedCookie cookie = parseCookie(std::string{field});
    if (cookie.name.starts_with("stratos-sso-")) return cookie.name;
  }
  return {};
}

class SsoTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) start();
  }

  ConsoleOptions options() {
    ConsoleOptions options = t().remoteOptions();
    options.signIn.sso.enabled = true;
    return options;
  }
  void start() { t().start(options()); }
  template <class Change>
  void startWith(Change change) {
    ConsoleOptions changed = options();
    change(changed.signIn.sso);
    t().start(changed);
  }

  /// What the UAA answers a browser whose user is signed in there: the address of the callback.
  std::string signInAtUaa(const std::string& authorizeUrl, const std::string& user = kAdminUser) {
    const Url url = Url::parse(authorizeUrl);
    http::ClientRequest request{
        "GET",
        url.withPath(url.rawPath(), url.rawQuery() + "&test_user=" + percentEncode(user)),
        {},
        {},
        {}};
    http::ClientResponse response = t().transport.send(std::move(request));
    EXPECT_EQ(response.status, 302) << response.detail;
    const std::string location{response.headers.get("location")};
    EXPECT_THAT(location, StartsWith(kOrigin + kCallback));
    return location.substr(kOrigin.size());
  }
  /// The whole way until the callback, which the caller makes.
  std::string untilCallback(Browser& browser, const std::string& user = kAdminUser) {
    const Answer begun = browser.get(ssoLogin(kOrigin));
    EXPECT_EQ(begun.status, 307) << begun.body;
    return signInAtUaa(begun.header("Location"), user);
  }
  static void expectMessage(const Answer& answer, const std::string& part) {
    EXPECT_EQ(answer.status, 307);
    EXPECT_THAT(answer.header("Location"), HasSubstr("/login?SSO_Message="));
    EXPECT_THAT(queryOf(answer.header("Location"), "SSO_Message"), HasSubstr(part));
  }
};
STRATOS_ON_EVERY_DIALECT(SsoTest);

TEST_P(SsoTest, FrontEndSignsInVerifiesAndSignsOut) {
  Browser browser = t().browser();
  const Answer first = browser.verify();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(jsonAt(first.body, "status"), "error");
  EXPECT_EQ(first.header("X-Stratos-Sso-Login"), "enabled");

  const Answer begun = browser.get(ssoLogin(kOrigin));
  EXPECT_EQ(begun.status, 307);
  const std::string authorize = begun.header("Location");
  EXPECT_THAT(authorize, StartsWith(t().uaa().url() + "/oauth/authorize?"));
  EXPECT_EQ(queryOf(authorize, "response_type"), "code");
  EXPECT_EQ(queryOf(authorize, "client_id"), kConsoleClient);
  EXPECT_EQ(queryOf(authorize, "redirect_uri"), kOrigin + kCallback);
  EXPECT_EQ(queryOf(authorize, "code_challenge_method"), "S256");
  EXPECT_EQ(queryOf(authorize, "state").size(), 43U);

  const Answer back = browser.get(signInAtUaa(authorize));
  EXPECT_EQ(back.status, 307);
  EXPECT_EQ(back.header("Location"), kOrigin);
  EXPECT_TRUE(browser.cookie());
  EXPECT_FALSE(browser.cookie(flowCookieOf(begun))) << "a flow ends once";

  const Answer verified = browser.verify();
  EXPECT_EQ(jsonAt(verified.body, "status"), "ok");
  EXPECT_EQ(jsonAt(verified.body, "data/user/name"), kAdminUser);
  EXPECT_EQ(jsonAt(verified.body, "data/user/admin"), "true");

  const Answer out = browser.send("POST", "/pp/v1/auth/logout");
  EXPECT_EQ(out.body, "{\"isSSO\":true}\n");
  EXPECT_FALSE(browser.cookie());
  expectMessage(browser.get("/pp/v1/auth/sso_logout?state=" + percentEncode(kOrigin)),
                "logged out");
}

TEST_P(SsoTest, TellsTheFrontEndItsOptions) {
  startWith([](SsoOptions& sso) { sso.options = "nosplash, logout"; });
  Browser browser = t().browser();
  EXPECT_EQ(browser.verify().header("X-Stratos-Sso-Login"), "nosplash, logout");
}

TEST_P(SsoTest, IsNotThereWhenItIsOff) {  // S20
  t().start(t().remoteOptions());
  Browser browser = t().browser();
  EXPECT_FALSE(browser.verify().headers.has("X-Stratos-Sso-Login"));
  const std::vector<std::string> paths{ssoLogin(kOrigin), "/pp/v1/auth/sso_logout?state=" + kOrigin,
                                       kCallback + "?state=x&code=y"};
  for (const std::string& path : paths) {
    const Answer answer = browser.get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  }
  EXPECT_EQ(browser.send("POST", "/pp/v1/auth/logout").body, "{\"isSSO\":false}\n");
}

TEST_P(SsoTest, PasswordsWorkBesideItUnlessTheyAreTurnedOff) {  // S20
  Browser browser = t().browser();
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword).status, 200);
  startWith([](SsoOptions& sso) { sso.passwordLogin = false; });
  Browser refused = t().browser();
  EXPECT_EQ(refused.login(kAdminUser, kAdminPassword).status, 401);
  EXPECT_FALSE(refused.cookie());
}

TEST_P(SsoTest, NeedsAState) {
  Browser browser = t().browser();
  for (const std::string path : {"/pp/v1/auth/sso_login", "/pp/v1/auth/sso_logout"}) {
    EXPECT_EQ(browser.get(path).status, 401);
    EXPECT_EQ(jsonAt(browser.get(path + "?state=").body, "status"), "error");
  }
  EXPECT_EQ(browser.get(kCallback).status, 401);
}

TEST_P(SsoTest, SignsOutAtTheUaaWhereThatIsWanted) {
  startWith([](SsoOptions& sso) {
    sso.options = "logout";
    sso.allowList = kOrigin;  // S6: upstream then refuses its own return from the sign-out.
  });
  Browser browser = t().browser();
  const Answer answer = browser.get("/pp/v1/auth/sso_logout?state=" + percentEncode(kOrigin));
  EXPECT_EQ(answer.status, 307);
  EXPECT_THAT(answer.header("Location"), StartsWith(t().uaa().url() + "/logout.do?"));
  const std::string back = queryOf(answer.header("Location"), "redirect");
  EXPECT_EQ(back, kOrigin + kCallback + "?state=logout");
  expectMessage(browser.get(back.substr(kOrigin.size())), "logged out");
}

TEST_P(SsoTest, ShowsWhyTheUaaRefused) {
  Browser browser = t().browser();
  const std::string state = queryOf(browser.get(ssoLogin(kOrigin)).header("Location"), "state");
  expectMessage(browser.get(kCallback + "?error=access_denied&error_description=" +
                            percentEncode("not <b>you</b>\r\nSet-Cookie: a=b") + "&state=" + state),
                "not <b>you</b>  Set-Cookie: a=b");
  EXPECT_FALSE(browser.cookie());
}

TEST_P(SsoTest, TwoTabsDoNotDisturbEachOther) {
  Browser browser = t().browser();
  const std::string first = untilCallback(browser);
  const std::string second = untilCallback(browser, kPlainUser);
  EXPECT_EQ(browser.get(first).header("Location"), kOrigin);
  EXPECT_EQ(jsonAt(browser.verify().body, "data/user/name"), kAdminUser);
  EXPECT_EQ(browser.get(second).header("Location"), kOrigin);
  EXPECT_EQ(jsonAt(browser.verify().body, "data/user/name"), kPlainUser);
}

TEST_P(SsoTest, LeavesNothingBehindWhenTheUserCannotBeStored) {  // P3
  Browser browser = t().browser();
  const std::string callback = untilCallback(browser);
  const DatabaseOutage outage(t());
  const Answer answer = browser.get(callback);
  EXPECT_EQ(answer.status, 307);
  EXPECT_FALSE(browser.cookie());
}

class SsoAttackTest : public SsoTest {
 protected:
  void expectRefused(Browser& browser, const Answer& answer) {
    expectMessage(answer, "");
    EXPECT_FALSE(browser.cookie()) << "a session was made";
  }
};
STRATOS_ON_EVERY_DIALECT(SsoAttackTest);

TEST_P(SsoAttackTest, S5ReturnsToOurOwnOriginOnly) {
  Browser browser = t().browser();
  const std::vector<std::string> refused{std::string{"https://evil.example"},
                                         "http://" + std::string{kHost},
                                         kOrigin + ".evil.example",
                                         kOrigin + ":444",
                                         "https://user@" + std::string{kHost},
                                         kOrigin + "#@evil.example",
                                         kOrigin + "/%0d%0a\r\nSet-Cookie:%20a=b",
                                         kOrigin + "\\@evil",
                                         "https://evil.example#" + std::string{kHost},
                                         "https:///" + std::string{kHost},
                                         "//" + std::string{kHost},
                                         "javascript:alert(1)",
                                         "data:text/html,x",
                                         std::string{"/home"},
                                         std::string{"logout"},
                                         "https://evil.example/?" + kOrigin,
                                         "https://evil.example\\@" + kOrigin,
                                         " " + kOrigin,
                                         kOrigin + "\t",
                                         "https://console%2eexample",
                                         "wss://" + std::string{kHost},
                                         kOrigin + "/" + std::string(2000, 'a')};
  for (const std::string& state : refused) {
    for (const char* route : {"sso_login", "sso_logout"}) {
      const Answer answer =
          browser.get(std::string{"/pp/v1/auth/"} + route + "?state=" + percentEncode(state));
      EXPECT_EQ(answer.status, 401) << state;
      EXPECT_EQ(jsonAt(answer.body, "status"), "error");
      EXPECT_FALSE(answer.headers.has("Location"));
      EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    }
  }
  for (const std::string& state : {kOrigin, kOrigin + "/", kOrigin + ":443", kOrigin + "/a?b=c"}) {
    EXPECT_EQ(browser.get(ssoLogin(state)).status, 307) << state;
  }
}

TEST_P(SsoAttackTest, S5AllowListComparesSchemeHostPortAndPath) {
  startWith([](SsoOptions& sso) {
    sso.allowList =
        "https://one.example/, http://two.example:8080/app ,https://three.example/*,"
        "https://four.example/*/x,nonsense";
  });
  Browser browser = t().browser();
  for (const std::string state :
       {"https://one.example", "https://one.example:443/?q=1", "https://ONE.example/",
        "http://two.example:8080/app?x", "https://three.example/any/path"}) {
    EXPECT_EQ(browser.get(ssoLogin(state)).status, 307) << state;
  }
  for (const std::string state :
       {"http://one.example/", "https://one.example/x", "https://one.example:444/",
        "http://two.example/app", "http://two.example:8080/app/", "http://two.example:8080/",
        "https://two.example:8080/app", "http://three.example/x", "https://four.example/a/x",
        "https://three.example.evil/x", "https://three.example#.evil/x", "nonsense",
        "https://console.example"}) {
    EXPECT_EQ(browser.get(ssoLogin(state)).status, 401) << state;
  }
}

TEST_P(SsoAttackTest, S5TheCallbackWorksInTheBrowserThatBeganOnly) {
  Browser attacker = t().browser();
  const std::string callback = untilCallback(attacker);
  Browser victim = t().browser();
  expectRefused(victim, victim.get(callback));
  Browser busyVictim = t().browser();  // Has begun a sign-in of its own.
  (void)untilCallback(busyVictim);
  expectRefused(busyVictim, busyVictim.get(callback));
}

TEST_P(SsoAttackTest, S5ACodeOfAnotherFlowIsRefused) {
  Browser attacker = t().browser();
  const std::string code = queryOf(untilCallback(attacker), "code");
  Browser victim = t().browser();
  const std::string state = queryOf(victim.get(ssoLogin(kOrigin)).header("Location"), "state");
  expectRefused(victim, victim.get(kCallback + "?code=" + code + "&state=" + state));
}

TEST_P(SsoAttackTest, S5AReplayedCallbackIsRefused) {
  Browser browser = t().browser();
  const Answer begun = browser.get(ssoLogin(kOrigin));
  const std::string name = flowCookieOf(begun);
  const std::string ticket = browser.cookie(name).value();
  const std::string callback = signInAtUaa(begun.header("Location"));
  ASSERT_EQ(browser.get(callback).header("Location"), kOrigin);
  Browser thief = t().browser();
  expectRefused(thief, thief.get(callback));
  thief.setCookie(name, ticket);  // Even with the cookie: the code is used up.
  expectRefused(thief, thief.get(callback));
}

TEST_P(SsoAttackTest, S5AChangedTicketIsNone) {
  Browser browser = t().browser();
  const Answer begun = browser.get(ssoLogin(kOrigin));
  const std::string name = flowCookieOf(begun);
  const std::string ticket = browser.cookie(name).value();
  const std::string callback = signInAtUaa(begun.header("Location"));
  const auto dot = ticket.find('.');
  const std::string forged =
      toBase64Url(encodeForm({{"return", "https://evil.example"},
                              {"redirect", kOrigin + kCallback},
                              {"state", queryOf(begun.header("Location"), "state")},
                              {"nonce", "n"},
                              {"verifier", "v"},
                              {"until", "99999999999"}}));
  const std::vector<std::string> values{std::string{},
                                        std::string{"."},
                                        ticket.substr(0, dot),
                                        ticket.substr(dot),
                                        forged + ticket.substr(dot),
                                        "A" + ticket,
                                        ticket.substr(0, dot) + ".AAAA",
                                        std::string(5000, 'A')};
  for (const std::string& value : values) {
    Browser attacker = t().browser();
    attacker.setCookie(name, value);
    expectRefused(attacker, attacker.get(callback));
  }
}

TEST_P(SsoAttackTest, S5ATicketEndsAfterTenMinutes) {
  Browser browser = t().browser();
  const Answer begun = browser.get(ssoLogin(kOrigin));
  const std::string name = flowCookieOf(begun);
  const std::string ticket = browser.cookie(name).value();
  const std::string callback = signInAtUaa(begun.header("Location"));
  t().clock.advance(std::chrono::minutes{10});
  Browser late = t().browser();
  late.setCookie(name, ticket);
  expectRefused(late, late.get(callback));
}

TEST_P(SsoAttackTest, S5ATicketOfAnotherConsoleIsNone) {
  Browser browser = t().browser();
  const std::string callback = untilCallback(browser);
  ConsoleOptions other = options();
  other.session.secret = Secret{"another-session-secret"};
  t().start(other);
  Browser same = t().browser();
  expectRefused(same, same.get(callback));
}

TEST_P(SsoAttackTest, S7APlantedSessionIsNotTakenOver) {
  Browser attacker = t().browser();
  ASSERT_EQ(attacker.login(kPlainUser, kPlainPassword).status, 200);
  const std::string planted = attacker.cookie().value();
  Browser victim = t().browser();
  victim.setCookie("console-session", planted);
  ASSERT_EQ(victim.get(untilCallback(victim)).header("Location"), kOrigin);
  EXPECT_NE(victim.cookie().value(), planted);
  EXPECT_EQ(attacker.get("/pp/v1/info").status, 401) << "the planted session has ended";
}

}  // namespace
}  // namespace stratos::compat
