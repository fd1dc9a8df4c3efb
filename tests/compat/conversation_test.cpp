// The front end's conversation from the first visit to the end, the same for every way to sign in:
// what it reads of each answer, in the order in which it asks.

#include <functional>

#include "console_fixture.hpp"
#include "stratos/store/settings_store.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* kSetupCode = "set-up-code-8e04";
constexpr const char* kChosenPassword = "chosen-admin-pass-4c";
/// The browser's clock is an hour late.
constexpr std::chrono::hours kLate{1};

using SignIn = std::function<void(Browser&)>;

class ConversationTest : public ConsoleTest {
 protected:
  std::int64_t browserTime() { return toUnixSeconds(t().clock.now() - kLate); }
  Answer verify(Browser& browser) {
    return browser.verify({{"x-cap-request-date", std::to_string(browserTime())}});
  }
  /// What verify announces, as the front end counts it down.
  std::chrono::seconds left(const Answer& verified) {
    const std::string text = verified.header("X-Cap-Session-Expires-On");
    EXPECT_FALSE(text.empty());
    return std::chrono::seconds{std::strtoll(text.c_str(), nullptr, 10) - browserTime()};
  }

  /// The login page: nobody is signed in, and the answer says which ways there are.
  void expectStranger(const Answer& verified, bool sso) {
    EXPECT_EQ(verified.status, 200);
    EXPECT_THAT(jsonKeys(verified.body), ElementsAre("status", "error", "data"));
    EXPECT_EQ(jsonAt(verified.body, "status"), "error");
    EXPECT_EQ(jsonAt(verified.body, "data"), "null");
    EXPECT_TRUE(verified.headers.has("X-Stratos-Domain"));
    EXPECT_EQ(verified.headers.has("X-Stratos-Sso-Login"), sso);
    EXPECT_FALSE(verified.headers.has("X-Cap-Session-Expires-On"));
    EXPECT_FALSE(verified.headers.has("X-Xsrf-Token"));
  }
  void expectSignedIn(const Answer& verified, const std::string& user) {
    EXPECT_EQ(verified.status, 200);
    EXPECT_EQ(jsonAt(verified.body, "status"), "ok") << verified.body;
    EXPECT_EQ(jsonAt(verified.body, "error"), "");
    EXPECT_EQ(jsonAt(verified.body, "data/user/name"), user);
    EXPECT_EQ(jsonAt(verified.body, "data/user/admin"), "true");
    EXPECT_NE(jsonAt(verified.body, "data/version/proxy_version"), "<missing>");
    EXPECT_NE(jsonAt(verified.body, "data/endpoints"), "<missing>");
    EXPECT_TRUE(verified.headers.has("X-Xsrf-Token"));
    EXPECT_EQ(verified.header("Cache-Control"), "no-store");
    EXPECT_EQ(left(verified), 20min);
  }

  /// From the login page to the sign-out. `sso`: as the answers say it.
  void converse(const SignIn& signIn, const std::string& user, bool sso) {
    Browser browser = t().browser();
    expectStranger(verify(browser), sso);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 401);

    signIn(browser);
    expectSignedIn(verify(browser), user);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
    EXPECT_EQ(browser.get("/api/v1/endpoints").status, 200);

    // Pages that refresh themselves do not keep anybody signed in.
    for (int minute = 0; minute < 18; ++minute) {
      t().clock.advance(1min);
      ASSERT_EQ(browser.get("/pp/v1/info").status, 200);
    }
    // Two minutes before the end the front end warns; "stay" is a verify.
    const std::string cookie = browser.cookie().value();
    expectSignedIn(verify(browser), user);
    EXPECT_EQ(browser.cookie().value(), cookie);
    t().clock.advance(19min);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 200);

    // Nobody answers the warning.
    t().clock.advance(1min);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
    expectStranger(verify(browser), sso);
    EXPECT_FALSE(browser.cookie());

    signIn(browser);
    EXPECT_NE(browser.cookie().value(), cookie);
    const std::string last = browser.cookie().value();
    expectSignedIn(verify(browser), user);
    const Answer out = browser.postJson("/pp/v1/auth/logout", "{}");
    EXPECT_EQ(out.status, 200);
    EXPECT_EQ(out.body, sso ? "{\"isSSO\":true}\n" : "{\"isSSO\":false}\n");
    EXPECT_FALSE(browser.cookie());
    browser.setCookie("console-session", last);
    expectStranger(verify(browser), sso);
  }

  SignIn withPassword(const std::string& user, const std::string& password) {
    return [=](Browser& browser) {
      const Answer answer = browser.login(user, password);
      ASSERT_EQ(answer.status, 200) << answer.body;
      EXPECT_TRUE(answer.headers.has("X-Xsrf-Token"));
      EXPECT_TRUE(answer.headers.has("X-Cap-Session-Expires-On"));
    };
  }
  /// To the identity server and back.
  SignIn withRedirect(const std::string& user) {
    return [this, user](Browser& browser) { t().signInByRedirect(browser, user); };
  }

  /// A console that nobody has set up. As the program does it, the database says what is known.
  void startUnset() {
    t().vault.add(kSetupCode);
    t().vault.add(kChosenPassword);
    ConsoleOptions options = ConsoleFixture::localOptions();
    options.signIn = {};
    options.setup =
        SetupOptions{.load = [this]() -> std::optional<SignInOptions> {
                       auto stored = store::SettingsStore(*t().database).configGroup("env");
                       if (stored.empty()) return std::nullopt;
                       SignInOptions signIn;
                       signIn.adminScope = stored["CONSOLE_ADMIN_SCOPE"];
                       if (stored["AUTH_ENDPOINT_TYPE"] == "local") {
                         signIn.localUser = stored["LOCAL_USER"];
                         signIn.localUserPassword = Secret{stored["LOCAL_USER_PASSWORD"]};
                       } else {
                         signIn.type = AuthType::Remote;
                         signIn.uaa = {.baseUrl = stored["UAA_ENDPOINT"],
                                       .clientId = stored["CONSOLE_CLIENT"],
                                       .clientSecret = Secret{stored["CONSOLE_CLIENT_SECRET"]},
                                       .trust = {}};
                         signIn.sso.enabled = stored["SSO_LOGIN"] == "true";
                       }
                       return signIn;
                     },
                     .code = Secret{kSetupCode}};
    t().start(std::move(options));
  }
  /// The wizard: the first visit sends the owner there, who has the link of the log.
  void setUp(const Fields& form, bool withCheck) {
    Browser owner = t().browser();
    const Answer first = verify(owner);
    EXPECT_EQ(first.status, 503);
    EXPECT_EQ(first.header("Stratos-Setup-Required"), "true");
    EXPECT_EQ(owner.get(std::string{"/pp/v1/setup?code="} + kSetupCode).status, 303);
    if (withCheck) {
      const Answer checked = owner.postForm("/pp/v1/setup/check", form);
      EXPECT_EQ(checked.status, 200) << checked.body;
      EXPECT_NE(jsonAt(checked.body, "scope"), "<missing>");
    }
    const Answer saved = owner.postForm("/pp/v1/setup/save", form);
    EXPECT_EQ(saved.status, 200) << saved.body;
    t().clock.advance(2s);  // The front end asks every two seconds until it is answered.
    EXPECT_EQ(verify(owner).status, 200);
    EXPECT_EQ(owner.postForm("/pp/v1/setup/save", form).status, 503) << "once";
  }
  Fields uaaForm(bool sso) {
    return {{"uaa_endpoint", t().uaa().url()},
            {"console_client", kConsoleClient},
            {"console_client_secret", kConsoleSecret},
            {"skip_ssl_validation", "false"},
            {"use_sso", sso ? "true" : "false"},
            {"username", kAdminUser},
            {"password", kAdminPassword},
            {"console_admin_scope", "stratos.admin"}};
  }
};
STRATOS_ON_EVERY_DIALECT(ConversationTest);

TEST_P(ConversationTest, LocalUser) {
  startUnset();
  setUp({{"local_admin_password", kChosenPassword}}, /*withCheck=*/false);
  converse(withPassword("admin", kChosenPassword), "admin", false);
}

TEST_P(ConversationTest, Uaa) {
  startUnset();
  setUp(uaaForm(false), /*withCheck=*/true);
  converse(withPassword(kAdminUser, kAdminPassword), kAdminUser, false);
}

TEST_P(ConversationTest, UaaSingleSignOn) {
  startUnset();
  setUp(uaaForm(true), /*withCheck=*/true);
  converse(withRedirect(kAdminUser), kAdminUser, true);
}

TEST_P(ConversationTest, OpenIdConnect) {  // The UAA is a provider, too.
  ConsoleOptions options = ConsoleFixture::localOptions();
  options.signIn = {};
  options.signIn.type = AuthType::Oidc;
  options.signIn.oidc.issuer = t().uaa().url() + "/oauth/token";
  options.signIn.oidc.clientId = kConsoleClient;
  options.signIn.oidc.clientSecret = Secret{kConsoleSecret};
  options.signIn.oidc.userNameClaim = "user_name";
  options.signIn.oidc.groupsClaim = "user_name";
  options.signIn.oidc.adminGroups = {kAdminUser};
  t().start(std::move(options));
  converse(withRedirect(kAdminUser), kAdminUser, true);
}

TEST_P(ConversationTest, NoSignIn) {
  ConsoleOptions options = ConsoleFixture::localOptions();
  options.signIn = {};
  options.signIn.type = AuthType::None;
  options.signIn.anyHost = true;
  t().start(std::move(options));
  // There is no login page: the first verify makes the session, and so does one after its end.
  Browser browser = t().browser();
  for (int visit = 0; visit < 2; ++visit) {
    expectSignedIn(verify(browser), "admin");
    t().clock.advance(18min);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
    expectSignedIn(verify(browser), "admin");
    t().clock.advance(20min);
    EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
  }
  expectSignedIn(verify(browser), "admin");
  EXPECT_EQ(browser.postJson("/pp/v1/auth/logout", "{}").status, 200);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

}  // namespace
}  // namespace stratos::compat
