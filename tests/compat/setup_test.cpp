#include "console_fixture.hpp"

#include <atomic>
#include <future>
#include <thread>

#include "stratos/base/error.hpp"
#include "stratos/crypto/password_hash.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kCheck = "/pp/v1/setup/check";
constexpr const char* kSave = "/pp/v1/setup/save";
constexpr const char* kCode = "set-up-code-55f1";
constexpr const char* kNewPassword = "new-admin-pass-31";

class SetupTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) {
      t().vault.add(kCode);
      t().vault.add(kNewPassword);
      t().start(options());
    }
  }

  /// As the program does it: the database decides.
  std::optional<SignInOptions> load() {
    auto values = store::SettingsStore(*t().database).configGroup("env");
    SignInOptions signIn;
    signIn.adminScope = values["CONSOLE_ADMIN_SCOPE"];
    if (values["AUTH_ENDPOINT_TYPE"] == "local") {
      signIn.localUser = values["LOCAL_USER"];
      signIn.localUserPassword = Secret{values["LOCAL_USER_PASSWORD"]};
      return signIn;
    }
    if (values["UAA_ENDPOINT"].empty()) return std::nullopt;
    signIn.type = AuthType::Remote;
    signIn.uaa = {.baseUrl = values["UAA_ENDPOINT"],
                  .clientId = values["CONSOLE_CLIENT"],
                  .clientSecret = Secret{values["CONSOLE_CLIENT_SECRET"]},
                  .trust = {}};
    signIn.sso.enabled = values["SSO_LOGIN"] == "true";
    return signIn;
  }
  ConsoleOptions options() {
    ConsoleOptions options = ConsoleFixture::localOptions();
    options.signIn = {};
    options.setup = SetupOptions{.load = [this] { return load(); }, .code = Secret{kCode}};
    return options;
  }
  /// A browser that has opened the link from the log.
  Browser owner() {
    Browser browser = t().browser();
    const Answer answer = browser.get(std::string{"/pp/v1/setup?code="} + kCode);
    EXPECT_EQ(answer.status, 303);
    EXPECT_EQ(answer.header("Location"), "/");
    return browser;
  }
  Fields uaaForm(const Fields& changes = {}) {
    std::map<std::string, std::string> form{{"uaa_endpoint", t().uaa().url()},
                                            {"console_client", kConsoleClient},
                                            {"console_client_secret", kConsoleSecret},
                                            {"skip_ssl_validation", "false"},
                                            {"use_sso", "false"},
                                            {"username", kAdminUser},
                                            {"password", kAdminPassword},
                                            {"console_admin_scope", "stratos.admin"}};
    for (const auto& [name, value] : changes) form[name] = value;
    return {form.begin(), form.end()};
  }
  static Fields localForm(const std::string& password = kNewPassword) {
    return {{"local_admin_password", password}};
  }
  std::size_t storedSettings() {
    return store::SettingsStore(*t().database).configGroup("env").size();
  }
  /// The front end asks every two seconds.
  Answer verifyLater(Browser& browser) {
    t().clock.advance(2s);
    return browser.verify();
  }
};
STRATOS_ON_EVERY_DIALECT(SetupTest);

TEST_P(SetupTest, KeepsEverybodyOutUntilItIsDone) {
  Browser browser = t().browser();
  for (const char* path : {"/pp/v1/info", "/api/v1/auth/verify", "/api/v1/endpoints",
                           "/pp/v1/proxy/v3/apps", "/pp/v1/nonsense", "/pp/v1/auth/sso_login"}) {
    const Answer answer = browser.get(path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.header("Stratos-Setup-Required"), "true");
  }
  EXPECT_EQ(browser.login("admin", "admin").status, 503);
  EXPECT_EQ(browser.get("/pp/v1/ping").status, 200);
  EXPECT_EQ(browser.get("/pp/v1/version").status, 200);
}

TEST_P(SetupTest, SetsUpLocalUsers) {
  Browser browser = owner();
  const Answer saved = browser.postForm(kSave, localForm());
  EXPECT_EQ(saved.status, 200) << saved.body;
  EXPECT_EQ(saved.body,
            R"({"account":"admin","token_expiry":9223372036854775807,"api_endpoint":null,)"
            R"("admin":true,"user":null})");
  EXPECT_TRUE(browser.cookie());
  EXPECT_EQ(jsonAt(verifyLater(browser).body, "data/user/admin"), "true");
  const auto stored = store::SettingsStore(*t().database).configGroup("env");
  EXPECT_EQ(stored, (std::map<std::string, std::string>{{"AUTH_ENDPOINT_TYPE", "local"},
                                                        {"CONSOLE_ADMIN_SCOPE", "stratos.admin"},
                                                        {"LOCAL_USER", "admin"},
                                                        {"LOCAL_USER_SCOPE", "stratos.admin"},
                                                        {"LOCAL_USER_PASSWORD", "--"}}));
  EXPECT_EQ(browser.postForm(kSave, localForm("another-one")).status, 503);
  EXPECT_EQ(browser.postForm(kCheck, uaaForm()).status, 503);

  t().start(options());  // A restart finds it done, and never makes a user of the placeholder.
  Browser again = t().browser();
  EXPECT_EQ(again.login("admin", "--").status, 401);
  EXPECT_EQ(again.login("admin", kNewPassword).status, 200);
}

TEST_P(SetupTest, SetsUpAUaa) {
  Browser browser = owner();
  const Answer checked = browser.postForm(kCheck, uaaForm());
  EXPECT_EQ(checked.status, 200) << checked.body;
  EXPECT_THAT(jsonKeys(checked.body),
              ::testing::ElementsAre("user_id", "user_name", "exp", "scope"));
  EXPECT_EQ(jsonAt(checked.body, "user_name"), kAdminUser);
  EXPECT_THAT(jsonAt(checked.body, "scope"), HasSubstr("stratos.admin"));
  EXPECT_EQ(storedSettings(), 0U) << "a check stores nothing";

  const Answer saved = browser.postForm(kSave, uaaForm());
  EXPECT_EQ(saved.status, 200) << saved.body;
  EXPECT_EQ(saved.body, "");
  EXPECT_EQ(jsonAt(verifyLater(browser).body, "status"), "error") << "nobody is signed in yet";
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword).status, 200);
  EXPECT_EQ(jsonAt(browser.verify().body, "data/user/admin"), "true");
}

TEST_P(SetupTest, SaysWhatIsWrong) {
  Browser browser = owner();
  const std::vector<std::pair<Fields, std::string>> wrong{
      {{{"uaa_endpoint", "http://127.0.0.1:1"}}, "cannot be used"},
      {{{"uaa_endpoint", ""}}, "http or https"},
      {{{"uaa_endpoint", "file:///etc/passwd"}}, "http or https"},
      {{{"uaa_endpoint", "https://user@uaa.example"}}, "neither a user nor a query"},
      {{{"uaa_endpoint", "https://uaa.example/?a=b"}}, "neither a user nor a query"},
      {{{"password", "wrong"}}, "refuses the user"},
      {{{"console_client_secret", "wrong"}}, "client"},
      {{{"skip_ssl_validation", ""}}, "skip_ssl_validation"},
      {{{"use_sso", "maybe"}}, "use_sso"}};
  for (const auto& [change, part] : wrong) {
    for (const char* route : {kCheck, kSave}) {
      t().clock.advance(24h);  // Tries that fail are slowed down.
      const Answer answer = browser.postForm(route, uaaForm(change));
      EXPECT_EQ(answer.status, 400) << part;
      EXPECT_THAT(answer.body, HasSubstr(part));
    }
  }
  t().clock.advance(24h);
  EXPECT_EQ(browser.postForm(kSave, uaaForm({{"console_admin_scope", ""}})).status, 400);
  EXPECT_THAT(browser.postForm(kSave, localForm("7 bytes")).body, HasSubstr("at least 8"));
  EXPECT_EQ(browser.postForm(kSave, localForm(std::string(73, 'x'))).status, 400);
  EXPECT_EQ(
      browser
          .postForm(kSave, uaaForm({{"console_client", std::string(256, 'x')}, {"username", ""}}))
          .status,
      400);
  EXPECT_EQ(storedSettings(), 0U);
  EXPECT_EQ(browser.verify().status, 503) << "still not set up";
}

TEST_P(SetupTest, AsksForThePasswordOfAnAdminWhoExists) {  // B11
  Browser browser = owner();
  store::SqlLocalUserStore users(*t().database);
  users.insertIfAbsent({.id = UserId{"u-1"},
                        .name = "admin",
                        .passwordHash = crypto::hashPassword(Secret{"the-old-one"}, t().random, 4),
                        .email = "",
                        .scope = "stratos.admin",
                        .givenName = "",
                        .familyName = ""});
  EXPECT_EQ(browser.postForm(kSave, localForm()).status, 400);
  EXPECT_EQ(storedSettings(), 0U);
  EXPECT_EQ(browser.postForm(kSave, localForm("the-old-one")).status, 200);
  EXPECT_EQ(t().userGuid(browser), "u-1");
}

TEST_P(SetupTest, RefusesAnAdminWhoWouldAdministerNothing) {  // B11
  Browser browser = owner();
  store::SqlLocalUserStore users(*t().database);
  users.insertIfAbsent({.id = UserId{"u-1"},
                        .name = "admin",
                        .passwordHash = crypto::hashPassword(Secret{kNewPassword}, t().random, 4),
                        .email = "",
                        .scope = "stratos.reader",
                        .givenName = "",
                        .familyName = ""});
  const Answer answer = browser.postForm(kSave, localForm());
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("no administrator"));
  EXPECT_EQ(storedSettings(), 0U);
}

TEST_P(SetupTest, TriesTheClientWhereNoUserIsGiven) {
  Browser browser = owner();
  for (const char* sso : {"false", "true"}) {
    const Answer answer = browser.postForm(
        kSave, uaaForm({{"username", ""}, {"console_client_secret", "wrong"}, {"use_sso", sso}}));
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("client"));
  }
  EXPECT_EQ(
      browser.postForm(kSave, uaaForm({{"username", ""}, {"uaa_endpoint", "http://127.0.0.1:1"}}))
          .status,
      400);
  EXPECT_EQ(storedSettings(), 0U);
  EXPECT_EQ(browser.postForm(kSave, uaaForm({{"username", ""}})).status, 200);
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword).status, 200);
}

TEST_P(SetupTest, B1NamesACertificateThatNobodyTrusts) {
  testing::SimulatedFoundation foundation;
  Browser browser = owner();
  Fields form = uaaForm({{"uaa_endpoint", foundation.uaa().url()},
                         {"console_client", "cf"},
                         {"console_client_secret", ""},
                         {"username", "admin"},
                         {"password", "admin"}});
  const Answer refused = browser.postForm(kCheck, form);
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(jsonAt(refused.body, "error"), HasSubstr("certificate"));
  for (auto& [name, value] : form) {
    if (name == "skip_ssl_validation") value = "true";
  }
  EXPECT_EQ(browser.postForm(kCheck, form).status, 200);
}

TEST_P(SetupTest, StaysClosedWhileTheSettingsCannotBeReadAndSaysSoOnce) {
  int looks = 0;
  bool isAway = true;
  ConsoleOptions away = options();
  away.setup->load = [&]() -> std::optional<SignInOptions> {
    ++looks;
    if (isAway) throw Error(ErrorCode::Unavailable, "the database is away");
    return std::nullopt;
  };
  t().start(std::move(away));
  Browser browser = t().browser();
  constexpr int kSeconds = 5;
  for (int second = 0; second < kSeconds; ++second) {
    t().clock.advance(1s);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(browser.verify().status, 503);
  }
  EXPECT_EQ(looks, kSeconds) << "once a second, however many ask";
  const auto said = [&] {
    return t().log.linesWith("the settings of the set-up cannot be read").size();
  };
  EXPECT_EQ(said(), 1U);
  isAway = false;
  EXPECT_EQ(verifyLater(browser).status, 503);
  isAway = true;
  EXPECT_EQ(verifyLater(browser).status, 503);
  EXPECT_EQ(said(), 2U) << "another outage is said again";
}

TEST_P(SetupTest, HoldsUpOneRequestWhileTheSettingsAreRead) {
  std::promise<void> reached;
  std::promise<void> goOn;
  std::atomic<int> looks{0};
  ConsoleOptions slow = options();
  slow.setup->load = [&]() -> std::optional<SignInOptions> {
    if (looks.fetch_add(1) == 0) {
      reached.set_value();
      goOn.get_future().wait();
    }
    return load();
  };
  t().start(std::move(slow));
  Browser first = t().browser();
  std::jthread waiting([&] { EXPECT_EQ(first.verify().status, 503); });
  reached.get_future().wait();
  Browser second = t().browser();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(verifyLater(second).status, 503);
  EXPECT_EQ(looks.load(), 1);
  goOn.set_value();
}

TEST_P(SetupTest, NoticesWhatAnotherReplicaHasSetUp) {
  Browser browser = t().browser();
  EXPECT_EQ(browser.verify().status, 503);
  auto other = std::make_unique<Console>(
      options(),
      ConsoleEnvironment{*t().database, t().cipher, t().transport, t().clock, t().random, t().log},
      std::vector<std::unique_ptr<Extension>>{});
  Browser there(*other, t().clock, t().vault);
  there.get(std::string{"/pp/v1/setup?code="} + kCode);
  ASSERT_EQ(there.postForm(kSave, localForm()).status, 200);
  EXPECT_EQ(verifyLater(browser).status, 200);
  EXPECT_EQ(browser.login("admin", kNewPassword).status, 200);
}

class SetupAttackTest : public SetupTest {};
STRATOS_ON_EVERY_DIALECT(SetupAttackTest);

TEST_P(SetupAttackTest, S10StrangersCannotSetUp) {
  Browser stranger = t().browser();
  for (const char* query : {"", "?code=", "?code=wrong", "?code=set-up-code-55f", "?x=y"}) {
    EXPECT_EQ(stranger.get(std::string{"/pp/v1/setup"} + query).status, 403) << query;
  }
  for (const std::string& value : {std::string{}, std::string{kCode}, std::string(43, 'A')}) {
    stranger.setCookie("stratos-setup", value);
    for (const char* route : {kCheck, kSave}) {
      const Answer answer = stranger.postForm(route, localForm());
      EXPECT_EQ(answer.status, 403);
      EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr("link"));
    }
  }
  EXPECT_EQ(t().uaa().server().requestCount(), 0U) << "asked nobody for a stranger";
  EXPECT_EQ(storedSettings(), 0U);
}

TEST_P(SetupAttackTest, S10AProxyOnThisMachineIsNotThisMachine) {
  const auto post = [&](const std::string& peer, const std::string& host, const Fields& more) {
    http::Request request;
    request.method = "POST";
    request.target = kSave;
    request.peerAddress = peer;
    request.headers = {{"Host", host}, {"Content-Type", "application/x-www-form-urlencoded"}};
    for (const auto& [name, value] : more) request.headers.set(name, value);
    request.body = http::Body{std::string{"local_admin_password="} + std::string(73, 'x')};
    return t().console().handle(request).status;
  };
  constexpr int kLetIn = 400;  // As far as the password, which is too long.
  EXPECT_EQ(post("127.0.0.1", "localhost:5443", {}), kLetIn);
  EXPECT_EQ(post("::1", "[::1]:5443", {}), kLetIn);
  EXPECT_EQ(post("127.0.0.1", "console.example", {}), 403);
  EXPECT_EQ(post("127.0.0.1", "127.0.0.1.evil.example", {}), 403);
  EXPECT_EQ(post("192.0.2.1", "localhost", {}), 403);
  for (const char* field : {"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"}) {
    EXPECT_EQ(post("127.0.0.1", "localhost", {{field, "x"}}), 403) << field;
  }
}

TEST_P(SetupAttackTest, S10OfTwoWhoSaveAtOnceOneWins) {
  constexpr int kBrowsers = 5;  // Fewer wrong sign-ins below than make the right one wait.
  std::vector<std::unique_ptr<Browser>> browsers;
  std::vector<int> statuses(kBrowsers);
  for (int i = 0; i < kBrowsers; ++i) browsers.push_back(std::make_unique<Browser>(owner()));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < browsers.size(); ++i) {
      threads.emplace_back([&, i] {
        statuses[i] =
            browsers[i]->postForm(kSave, localForm("password-" + std::to_string(i))).status;
      });
    }
  }
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 1);
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    Browser browser = t().browser();
    EXPECT_EQ(browser.login("admin", "password-" + std::to_string(i)).status,
              statuses[i] == 200 ? 200 : 401);
  }
}

TEST_P(SetupAttackTest, S10OfTwoReplicasThatSaveAtOnceOneWins) {
  constexpr std::size_t kReplicas = 3;
  std::vector<std::unique_ptr<db::Database>> databases;
  std::vector<std::unique_ptr<Console>> consoles;
  std::vector<std::unique_ptr<Browser>> browsers;
  std::vector<int> statuses(kReplicas);
  for (std::size_t i = 0; i < kReplicas; ++i) {
    databases.push_back(t().place.open());
    consoles.push_back(
        std::make_unique<Console>(options(),
                                  ConsoleEnvironment{*databases[i], t().cipher, t().transport,
                                                     t().clock, t().random, t().log},
                                  std::vector<std::unique_ptr<Extension>>{}));
    browsers.push_back(std::make_unique<Browser>(*consoles[i], t().clock, t().vault));
    browsers[i]->get(std::string{"/pp/v1/setup?code="} + kCode);
  }
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kReplicas; ++i) {
      threads.emplace_back([&, i] {
        statuses[i] =
            browsers[i]->postForm(kSave, localForm("password-" + std::to_string(i))).status;
      });
    }
  }
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 1);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 503), kReplicas - 1);
  t().clock.advance(2s);
  for (auto& browser : browsers) {
    for (std::size_t i = 0; i < kReplicas; ++i) {
      EXPECT_EQ(browser->login("admin", "password-" + std::to_string(i)).status,
                statuses[i] == 200 ? 200 : 401);
    }
  }
}

TEST_P(SetupAttackTest, S10TheCheckFollowsNoRedirect) {
  testing::FakeUpstream inner;
  testing::FakeUpstream outer;
  outer.handle("/", [&](const testing::ReceivedRequest&) {
    testing::Reply reply = plainReply(307, "");
    reply.headers.emplace_back("Location", inner.url() + "/oauth/token");
    return reply;
  });
  Browser browser = owner();
  for (const char* route : {kCheck, kSave}) {
    EXPECT_EQ(browser.postForm(route, uaaForm({{"uaa_endpoint", outer.url()}})).status, 400);
  }
  EXPECT_EQ(outer.requestCount(), 2U);
  EXPECT_EQ(inner.connectionCount(), 0U);
}

TEST_P(SetupAttackTest, S10TriesThatFailAreSlowedDown) {
  Browser browser = owner();
  const Fields wrong = uaaForm({{"password", "wrong"}});
  const int freeTries = auth::LoginThrottleOptions{}.pair.freeFailures;
  for (int i = 0; i < freeTries; ++i) EXPECT_EQ(browser.postForm(kCheck, wrong).status, 400);
  const auto asked = t().uaa().server().requestCount();
  for (const char* route : {kCheck, kSave}) {
    const Answer answer = browser.postForm(route, uaaForm());
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("Retry-After"), "1");
  }
  EXPECT_EQ(t().uaa().server().requestCount(), asked);
  t().clock.advance(1s);
  EXPECT_EQ(browser.postForm(kCheck, uaaForm()).status, 200) << "who is right only has to wait";
}

TEST_P(SetupAttackTest, S10ATrustedProxyOnThisMachineIsNotThisMachine) {
  ConsoleOptions behindProxy = options();
  behindProxy.trustedProxies = {*IpNetwork::parse("127.0.0.1")};
  t().start(std::move(behindProxy));
  http::Request request;
  request.method = "POST";
  request.target = kSave;
  request.peerAddress = "127.0.0.1";
  request.headers = {{"Host", "localhost"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = http::Body{std::string{"local_admin_password="} + kNewPassword};
  EXPECT_EQ(t().console().handle(request).status, 403);
  EXPECT_EQ(storedSettings(), 0U);
}

TEST_P(SetupAttackTest, S12OtherSitesCannotSetUp) {
  Browser browser = owner();
  EXPECT_EQ(browser.postForm(kSave, localForm(), {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  EXPECT_EQ(storedSettings(), 0U);
}

class NoSignInTest : public ConsoleTest {
 protected:
  void start(bool anyHost) {
    ConsoleOptions options = ConsoleFixture::localOptions();
    options.signIn = {};
    options.signIn.type = AuthType::None;
    options.signIn.anyHost = anyHost;
    t().start(options);
  }
};
STRATOS_ON_EVERY_DIALECT(NoSignInTest);

TEST_P(NoSignInTest, MakesEverybodyTheAdministrator) {
  start(true);
  Browser browser = t().browser();
  const Answer verified = browser.verify();
  EXPECT_EQ(jsonAt(verified.body, "status"), "ok");
  EXPECT_EQ(jsonAt(verified.body, "data/user"),
            R"({"guid":"10000000-1111-2222-3333-444444444444","name":"admin","admin":true,)"
            R"("scopes":["stratos.noauth"]})");
  EXPECT_TRUE(verified.headers.has("X-Cap-Session-Expires-On"));
  EXPECT_TRUE(verified.headers.has("X-Xsrf-Token"));
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
  EXPECT_EQ(browser.login("admin", "admin").status, 404);  // B17: upstream answers 500.
  EXPECT_EQ(browser.send("POST", "/pp/v1/auth/logout").status, 200);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
  EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
}

TEST_P(NoSignInTest, StillGuardsChangesWithTheXsrfToken) {
  start(true);
  Browser browser = t().browser();
  browser.verify();
  browser.setXsrfToken("wrong");
  EXPECT_EQ(browser.remove("/api/v1/endpoints/x").status, 401);
}

TEST_P(NoSignInTest, AnswersUnderALocalNameOnly) {  // DNS rebinding.
  start(false);
  Browser browser = t().browser();
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "127.evil.example", "192.0.2.1", ""}) {
    EXPECT_EQ(browser.verify({{"Host", host}}).status, 403) << host;
    EXPECT_FALSE(browser.cookie());
  }
  for (const char* host : {"localhost", "localhost:5443", "127.0.0.1:5443", "[::1]:5443"}) {
    EXPECT_EQ(browser.verify({{"Host", host}}).status, 200) << host;
  }
}

}  // namespace
}  // namespace stratos::compat
