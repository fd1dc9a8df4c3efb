// A foundation that is registered by itself, and a console that is an application on one.

#include <thread>

#include "console_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/ext/cloud_foundry.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class AutoRegistrationTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) start(t().remoteOptions());
  }
  void start(ConsoleOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry(
        {.autoRegistration = {.url = t().foundation().apiUrl() + "/", .name = "Home"}}));
    t().start(std::move(options), std::move(extensions));
  }
  std::string id() {
    return endpoint::EndpointRegistry::idFor(t().foundation().apiUrl(), {}).str();
  }
  std::string connectedAs(Browser& browser) {
    return jsonAt(browser.get("/pp/v1/info").body, "endpoints/cf/" + id() + "/user/name");
  }
  int apps(Browser& browser) {
    return browser.get("/api/v1/proxy/" + id() + "/v3/apps?per_page=1").status;
  }
};
STRATOS_ON_EVERY_DIALECT(AutoRegistrationTest);

TEST_P(AutoRegistrationTest, TheFirstSignInRegistersAndEachOneConnects) {
  Browser bob = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(connectedAs(bob), kPlainUser);
  EXPECT_EQ(apps(bob), 200);
  Browser ada = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(connectedAs(ada), kAdminUser);
  const std::string info = ada.get("/pp/v1/info").body;
  EXPECT_THAT(jsonKeys(info, "endpoints/cf"), ::testing::ElementsAre(id()));
  EXPECT_EQ(jsonAt(info, "endpoints/cf/" + id() + "/name"), "Home");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/" + id() + "/creator/system"), "true");
}

TEST_P(AutoRegistrationTest, OfManyFirstSignInsOneRegisters) {
  std::vector<std::jthread> threads;
  std::atomic<int> connected = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Vault vault;
      Browser browser(t().console(), t().clock, vault);
      const bool admin = i % 2 == 0;
      if (browser.login(admin ? kAdminUser : kPlainUser, admin ? kAdminPassword : kPlainPassword)
                  .status == 200 &&
          apps(browser) == 200) {
        ++connected;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(connected, 4);
  EXPECT_THAT(t().endpointStore.list(), SizeIs(1));
}

TEST_P(AutoRegistrationTest, WhoHasDisconnectedStaysSo) {
  Browser bob = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(bob.remove("/api/v1/tokens/" + id()).status, 200);
  EXPECT_EQ(connectedAs(bob), "<missing>");
  Browser later = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(connectedAs(later), "<missing>");
  EXPECT_NE(apps(later), 200);
  Browser ada = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(connectedAs(ada), kAdminUser) << "that was only one user's wish";

  EXPECT_EQ(t().connect(later, id(), kPlainUser, kPlainPassword).status, 200);
  Browser again = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(connectedAs(again), kPlainUser);
}

TEST_P(AutoRegistrationTest, AFoundationThatIsAwayKeepsNobodyOut) {
  t().cloudController().server().addFault(
      {.kind = testing::FaultKind::CloseBeforeAnswer, .times = -1});
  Browser bob = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(bob.get("/pp/v1/info").status, 200);
  ASSERT_THAT(t().log.linesWith("what belongs to a sign-in"), SizeIs(1));
  EXPECT_TRUE(t().log.mentions("AUTO_REG_CF_URL"));
  t().cloudController().server().clearFaults();
  Browser later = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(connectedAs(later), kPlainUser);
}

TEST_P(AutoRegistrationTest, AfterSingleSignOnTheLoginTokenServes) {
  ConsoleOptions options = t().remoteOptions();
  options.signIn.sso.enabled = true;
  start(std::move(options));
  t().uaa().setRefreshMode(testing::RefreshMode::RotateOnce);
  Browser ada = t().browser();
  t().signInByRedirect(ada, kAdminUser);
  EXPECT_EQ(connectedAs(ada), kAdminUser);
  EXPECT_EQ(apps(ada), 200);
  t().clock.advance(11min);
  EXPECT_EQ(jsonAt(ada.verify().body, "status"), "ok");
  EXPECT_EQ(apps(ada), 200) << "renewed for both";
  EXPECT_EQ(t().uaa().counters().refusedRefreshes, 0U);
}

TEST_P(AutoRegistrationTest, PasswordsOfLocalUsersStayHere) {
  start(ConsoleFixture::localOptions());
  Browser admin = t().localAdmin();
  EXPECT_EQ(t().uaa().counters().logins + t().uaa().counters().refusedLogins, 0U);
  EXPECT_THAT(t().endpointStore.list(), SizeIs(0));
}

class HostingTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) start({.applicationGuid = "app-1", .spaceGuid = "space-1"});
  }
  void start(ext::CloudFoundryHostingOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundryHosting(std::move(options)));
    t().start(ConsoleFixture::localOptions(), std::move(extensions));
  }
  static Fields https(Fields more = {}) {
    more.emplace_back("X-Forwarded-Proto", "https");
    return more;
  }
};
STRATOS_ON_EVERY_DIALECT(HostingTest);

TEST_P(HostingTest, InsistsOnHttps) {
  Browser browser = t().browser();
  EXPECT_EQ(browser.get("/api/v1/auth/verify", https()).status, 200);
  const Answer moved =
      browser.get("/applications?x=%2F&y", {{"X-Forwarded-Proto", "http"}, {"Host", kHost}});
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(moved.header("Location"), std::string{"https://"} + kHost + "/applications?x=%2F&y");
  const Answer past = browser.get("/api/v1/auth/verify");
  EXPECT_EQ(past.status, 400);
  EXPECT_THAT(jsonAt(past.body, "error"), HasSubstr("X-Forwarded-Proto"));
  for (const char* path : {"/pp/v1/ping", "/pp/v1/version"}) {
    EXPECT_EQ(browser.get(path).status, 200) << path;
  }
  EXPECT_NE(browser.get("/pp/v1/x", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "x"}}).status,
            301);
  // Not where somebody else wants it to lead.
  for (const char* host : {"", "evil.example/", "evil.example@console.example", "a b"}) {
    EXPECT_EQ(browser.get("/", {{"X-Forwarded-Proto", "http"}, {"Host", host}}).status, 400)
        << host;
  }
}

TEST_P(HostingTest, KeepsABrowserWithItsInstance) {
  Browser browser = t().browser();
  const auto affinityOf = [](const Answer& answer) {
    for (const auto field : answer.headers.all("Set-Cookie")) {
      ParsedCookie cookie = parseCookie(std::string{field});
      if (cookie.name == "JSESSIONID") return cookie;
    }
    return ParsedCookie{};
  };
  const ParsedCookie first = affinityOf(browser.login(kLocalUser, kLocalPassword, https()));
  EXPECT_EQ(first.value.size(), 32U);
  for (const char* attribute : {"path", "max-age", "expires", "httponly", "secure"}) {
    EXPECT_EQ(first.attributes.count(attribute), 1U) << attribute;
  }
  EXPECT_EQ(browser.cookie()->find(first.value), std::string::npos) << "it tells nothing";
  EXPECT_EQ(affinityOf(browser.verify(https())).value, first.value);
  EXPECT_EQ(affinityOf(browser.get("/pp/v1/info", https())).name, "") << "nothing new to say";

  start({.keepBrowsersApart = false});
  Browser other = t().browser();
  EXPECT_EQ(affinityOf(other.login(kLocalUser, kLocalPassword, https())).name, "");
}

TEST_P(HostingTest, SaysWhereItRuns) {
  Browser browser = t().browser();
  browser.login(kLocalUser, kLocalPassword, https());
  const std::string info = browser.get("/pp/v1/info", https()).body;
  EXPECT_EQ(jsonAt(info, "plugins/cloudfoundryhosting"), "true");
  EXPECT_EQ(jsonAt(info, "plugin-config/disablePersistenceFeatures"), "true");
  EXPECT_EQ(jsonAt(info, "cloud-foundry"),
            R"({"AppGUID":"app-1","EndpointGUID":"","SpaceGUID":"space-1"})");
  start({.disablePersistenceFeatures = false});
  Browser again = t().browser();
  again.login(kLocalUser, kLocalPassword, https());
  EXPECT_EQ(
      jsonAt(again.get("/pp/v1/info", https()).body, "plugin-config/disablePersistenceFeatures"),
      "false");
}

}  // namespace
}  // namespace stratos::compat
