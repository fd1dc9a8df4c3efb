#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* kSessions = "/pp/v1/sessions";

class SessionListTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) t().start(t().remoteOptions());
  }
  Browser signIn(const std::string& agent = "Browser/1.0") {
    Browser browser = t().browser();
    EXPECT_EQ(browser.login(kAdminUser, kAdminPassword, {{"User-Agent", agent}}).status, 200);
    return browser;
  }
  /// The id of the browser's own session.
  static std::string idOf(Browser& browser) {
    const std::string list = browser.get(kSessions).body;
    for (int i = 0; jsonAt(list, std::to_string(i)) != "<missing>"; ++i) {
      const std::string at = std::to_string(i);
      if (jsonAt(list, at + "/current") == "true") return jsonAt(list, at + "/id");
    }
    return {};
  }
};
STRATOS_ON_EVERY_DIALECT(SessionListTest);

TEST_P(SessionListTest, ShowsOnesOwnSessions) {
  Browser first = signIn("Old/1.0");
  t().clock.advance(60s);
  Browser second = signIn(std::string(300, 'x'));
  Browser other = t().signedIn(kPlainUser, kPlainPassword);
  t().clock.advance(60s);
  second.verify();
  const std::string list = second.get(kSessions).body;
  EXPECT_EQ(jsonAt(list, "2"), "<missing>");
  EXPECT_THAT(jsonKeys(list, "0"), ElementsAre("id", "created_at", "last_seen_at", "expires_at",
                                               "address", "user_agent", "current"));
  EXPECT_EQ(jsonAt(list, "0/current"), "true");
  EXPECT_EQ(jsonAt(list, "0/last_seen_at"), toRfc3339(t().clock.now()));
  EXPECT_EQ(jsonAt(list, "0/expires_at"), toRfc3339(t().clock.now() + 20min));
  EXPECT_EQ(jsonAt(list, "0/user_agent"), std::string(200, 'x'));
  EXPECT_EQ(jsonAt(list, "1/user_agent"), "Old/1.0");
  EXPECT_EQ(jsonAt(list, "1/address"), "192.0.2.7");
  EXPECT_EQ(jsonAt(list, "1/created_at"), toRfc3339(t().clock.now() - 120s));
  EXPECT_EQ(jsonAt(list, "1/current"), "false");
}

TEST_P(SessionListTest, EndsThem) {
  Browser here = signIn();
  Browser there = signIn();
  Browser elsewhere = signIn();
  EXPECT_EQ(here.remove(std::string{kSessions} + "/" + idOf(there)).status, 204);
  EXPECT_EQ(there.get("/pp/v1/info").status, 401);
  EXPECT_EQ(elsewhere.get("/pp/v1/info").status, 200);
  EXPECT_EQ(here.remove(kSessions).status, 204);
  EXPECT_EQ(elsewhere.get("/pp/v1/info").status, 401);
  EXPECT_EQ(here.get("/pp/v1/info").status, 200);
}

TEST_P(SessionListTest, EndsNobodyElses) {
  Browser admin = signIn();
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(user.remove(std::string{kSessions} + "/" + idOf(admin)).status, 404);
  EXPECT_EQ(user.remove(kSessions).status, 204);
  EXPECT_EQ(user.remove("/pp/v1/users/" + t().userGuid(admin) + "/sessions").status, 401);
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200);

  EXPECT_EQ(admin.remove("/pp/v1/users/" + t().userGuid(user) + "/sessions").status, 204);
  EXPECT_EQ(user.get("/pp/v1/info").status, 401) << "an administrator may";
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200);
}

TEST_P(SessionListTest, TheIdIsNoKey) {
  Browser browser = signIn();
  const std::string id = idOf(browser);
  for (const std::string& value : {id, id + "." + id}) {
    Browser thief = t().browser();
    thief.setCookie("console-session", value);
    EXPECT_EQ(thief.get("/pp/v1/info").status, 401);
  }
  EXPECT_EQ(browser.cookie().value().find(id), std::string::npos);
}

TEST_P(SessionListTest, ASessionEndsWithItsGreatestAge) {  // P12
  ConsoleOptions options = t().remoteOptions();
  options.session.maxAge = 45min;
  t().start(options);
  Browser browser = signIn();
  for (int i = 0; i < 2; ++i) {
    t().clock.advance(19min);
    EXPECT_EQ(jsonAt(browser.verify().body, "status"), "ok");
  }
  EXPECT_EQ(jsonAt(browser.get(kSessions).body, "0/expires_at"), toRfc3339(t().clock.now() + 7min));
  t().clock.advance(7min);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

}  // namespace
}  // namespace stratos::compat
