#include "console_fixture.hpp"

#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_info.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNewPassword = "brand-new-pass-8";

class UsersTest : public ConsoleTest {
 protected:
  void startWith(ConsoleOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserInfo());
    t().vault.add(kNewPassword);
    t().start(std::move(options), std::move(extensions));
  }
  static Answer put(Browser& browser, const std::string& path, const std::string& body,
                    const Fields& more = {}) {
    Fields fields{{"Content-Type", "application/json"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return browser.send("PUT", path, fields, body);
  }
  static std::string passwords(const std::string& from, const std::string& to) {
    return R"({"oldPassword":")" + from + R"(","password":")" + to + R"("})";
  }
};

class LocalUserTest : public UsersTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) startWith(ConsoleFixture::localOptions());
  }
  std::string pathOf(Browser& browser) { return "/pp/v1/users/" + t().userGuid(browser); }
};
STRATOS_ON_EVERY_DIALECT(LocalUserTest);

TEST_P(LocalUserTest, ReadsAndChangesTheProfile) {
  Browser browser = t().localAdmin();
  const std::string path = pathOf(browser);
  const Answer profile = browser.get(path);
  EXPECT_EQ(profile.status, 200);
  EXPECT_EQ(profile.body,
            R"({"id":")" + t().userGuid(browser) +
                R"(","userName":"root","emails":[{"value":""}],"name":{"familyName":"User",)"
                R"("givenName":"Admin"},"origin":"local","groups":[{"display":"stratos.admin"},)"
                R"({"display":"password.write"}],"meta":{"version":0}})");
  const Answer changed = put(
      browser, path,
      R"({"name":{"givenName":"Ada","familyName":"L."},"emails":[{"value":"ada@example.com"}]})");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "");
  const std::string after = browser.get(path).body;
  EXPECT_EQ(jsonAt(after, "name/givenName"), "Ada");
  EXPECT_EQ(jsonAt(after, "emails/0/value"), "ada@example.com");
  put(browser, path, R"({"name":{"givenName":"B","familyName":"C"},"emails":[{"value":""}]})");
  EXPECT_EQ(jsonAt(browser.get(path).body, "emails/0/value"), "ada@example.com");
}

TEST_P(LocalUserTest, ChangesThePassword) {
  Browser browser = t().localAdmin();
  Browser elsewhere = t().localAdmin();
  const std::string path = pathOf(browser) + "/password";
  const Answer wrong = put(browser, path, passwords("wrong", kNewPassword));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(jsonAt(wrong.body, "error"), HasSubstr("current password"));
  EXPECT_EQ(put(browser, path, passwords(kLocalPassword, kNewPassword)).status, 200);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200) << "the session that did it goes on";
  EXPECT_EQ(elsewhere.get("/pp/v1/info").status, 401) << "S15: the others end";
  Browser again = t().browser();
  EXPECT_EQ(again.login(kLocalUser, kLocalPassword).status, 401);
  EXPECT_EQ(again.login(kLocalUser, kNewPassword).status, 200);
}

TEST_P(LocalUserTest, S21SaysWhatIsWrongWithAPassword) {
  Browser browser = t().localAdmin();
  const std::string path = pathOf(browser) + "/password";
  for (const std::string& password : {std::string{}, std::string{"short77"}, std::string(73, 'x'),
                                      std::string{"zero\\u0000byte"}}) {
    const Answer answer = put(browser, path, passwords(kLocalPassword, password));
    EXPECT_EQ(answer.status, 400) << password;
    EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr("new password"));
  }
  for (const char* body : {"", "[]", "x"}) EXPECT_EQ(put(browser, path, body).status, 400);
  Browser again = t().browser();
  EXPECT_EQ(again.login(kLocalUser, kLocalPassword).status, 200);
}

TEST_P(LocalUserTest, S2NobodyReachesAnotherUsersProfile) {
  store::SqlLocalUserStore users(*t().database);
  users.insertIfAbsent({.id = UserId{"victim"},
                        .name = "victim",
                        .passwordHash = "x",
                        .email = "victim@example.com",
                        .scope = "stratos.admin",
                        .givenName = "V",
                        .familyName = "W"});
  Browser browser = t().localAdmin();
  EXPECT_EQ(browser.get("/pp/v1/users/victim").status, 403);
  EXPECT_EQ(put(browser, "/pp/v1/users/victim", R"({"name":{"givenName":"M"}})").status, 403);
  EXPECT_EQ(
      put(browser, pathOf(browser), R"({"id":"victim","name":{"givenName":"M","familyName":""}})")
          .status,
      403);
  EXPECT_EQ(put(browser, "/pp/v1/users/victim/password", passwords("x", kNewPassword)).status, 403);
  EXPECT_EQ(users.find(UserId{"victim"})->givenName, "V");
  Browser stranger = t().browser();
  EXPECT_EQ(stranger.get("/pp/v1/users/victim").status, 401);
}

class UaaUserTest : public UsersTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (IsSkipped()) return;
    startWith(t().remoteOptions());
    t().uaa().addUser({.name = "carol",
                       .password = "carol-pass-61",
                       .scopes = {"openid", "scim.write", "password.write"},
                       .guid = "carol-guid",
                       .email = "carol@example.com",
                       .givenName = "Carol",
                       .familyName = "Old"});
  }
  Browser carol() { return t().signedIn("carol", "carol-pass-61"); }
  static constexpr const char* kPath = "/pp/v1/users/carol-guid";
};
STRATOS_ON_EVERY_DIALECT(UaaUserTest);

TEST_P(UaaUserTest, PassesTheProfileOn) {
  Browser browser = carol();
  const Answer profile = browser.get(kPath);
  EXPECT_EQ(profile.status, 200);
  EXPECT_EQ(jsonAt(profile.body, "name/familyName"), "Old");
  EXPECT_EQ(jsonAt(profile.body, "origin"), "uaa");
  EXPECT_THAT(profile.header("Content-Type"), HasSubstr("application/json"));
  EXPECT_FALSE(profile.headers.has("Set-Cookie")) << "S3: the UAA's fields stay there";
  EXPECT_FALSE(profile.headers.has("ETag"));

  const Answer changed =
      put(browser, kPath, R"({"id":"carol-guid","name":{"givenName":"C","familyName":"New"}})",
          {{"If-Match", "0"}});
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(changed.body, "");
  EXPECT_EQ(jsonAt(browser.get(kPath).body, "name/familyName"), "New");
  EXPECT_EQ(put(browser, kPath, "{}", {{"If-Match", "0"}}).status, 412);
}

TEST_P(UaaUserTest, RenewsATokenThatTheUaaRefuses) {
  Browser browser = carol();
  t().uaa().revokeAccessTokens();
  EXPECT_EQ(browser.get(kPath).status, 200);
  EXPECT_EQ(t().uaa().counters().refreshes, 1U);
}

TEST_P(UaaUserTest, GoesOnAfterAChangedPassword) {
  Browser browser = carol();
  Browser elsewhere = carol();
  t().vault.add("carol-pass-61");
  const std::string path = std::string{kPath} + "/password";
  const Answer changed =
      put(browser, path, passwords("carol-pass-61", kNewPassword),
          {{"x-stratos-password", "carol-pass-61"}, {"x-stratos-password-new", kNewPassword}});
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(browser.get(kPath).status, 200) << "the UAA revoked the old tokens";
  EXPECT_EQ(elsewhere.get("/pp/v1/info").status, 401);
  EXPECT_EQ(
      put(browser, path, passwords("not-hers-55", "x"), {{"x-stratos-password", "not-hers-55"}})
          .status,
      400);
}

TEST_P(UaaUserTest, APasswordMayHoldAnyCharacter) {
  const std::string euros = "viele-\xE2\x82\xAC-f\xC3\xBCr-61";
  const std::string umlauts = "\xC3\xA4\xC3\xB6\xC3\xBC-f\xC3\xBCr-62";
  t().vault.add("carol-pass-61");
  t().vault.add(euros);
  t().vault.add(umlauts);
  const std::string path = std::string{kPath} + "/password";
  Browser browser = carol();
  EXPECT_EQ(put(browser, path, passwords("carol-pass-61", euros)).status, 200);
  EXPECT_EQ(browser.get(kPath).status, 200) << "the UAA revoked the old tokens";
  // As a browser sends fields that it can send at all: the euro sign it cannot.
  const Answer changed = put(browser, path, passwords(euros, umlauts),
                             {{"x-stratos-password", "viele-?-f\xFCr-61"},
                              {"x-stratos-password-new", "\xE4\xF6\xFC-f\xFCr-62"}});
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(browser.get(kPath).status, 200);
  EXPECT_EQ(put(browser, path, passwords("not-hers-\xC3\xA4", "x")).status, 400);
}

TEST_P(UaaUserTest, S3AnIdNeverLeavesItsPlace) {
  Browser browser = carol();
  t().uaa().server().clearRequests();
  for (const char* id : {"..", "../oauth/clients", "carol-guid%2F..%2F..%2Foauth", "other"}) {
    EXPECT_NE(put(browser, std::string{"/pp/v1/users/"} + id, "{}").status, 200) << id;
  }
  EXPECT_EQ(put(browser, kPath, R"({"id":"../../oauth/clients/x"})").status, 403);
  EXPECT_TRUE(t().uaa().server().requestsTo("/Users").empty());
  EXPECT_TRUE(t().uaa().server().requestsTo("/oauth/clients").empty());
}

TEST_P(UaaUserTest, SaysWhenTheUaaIsAway) {
  Browser browser = carol();
  t().uaa().server().addFault({.kind = testing::FaultKind::CloseBeforeAnswer, .times = -1});
  EXPECT_EQ(browser.get(kPath).status, 503);
  t().uaa().server().clearFaults();
}

class NoSignInUserTest : public UsersTest {};
STRATOS_ON_EVERY_DIALECT(NoSignInUserTest);

TEST_P(NoSignInUserTest, HasAFixedProfile) {
  ConsoleOptions options = ConsoleFixture::localOptions();
  options.signIn = {};
  options.signIn.type = AuthType::None;
  options.signIn.anyHost = true;
  startWith(options);
  Browser browser = t().browser();
  browser.verify();
  const std::string path = "/pp/v1/users/10000000-1111-2222-3333-444444444444";
  const Answer profile = browser.get(path);
  EXPECT_EQ(jsonAt(profile.body, "origin"), "noauth");
  EXPECT_EQ(jsonAt(profile.body, "name/givenName"), "Admin");
  EXPECT_EQ(jsonAt(profile.body, "emails"), "[]");
  EXPECT_EQ(put(browser, path, "{}").status, 500);
  EXPECT_EQ(put(browser, path + "/password", "{}").status, 500);
}

}  // namespace
}  // namespace stratos::compat
