#include "console_fixture.hpp"

#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_favorites.hpp"
#include "stratos/ext/user_info.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;

constexpr std::pair<const char*, const char*> kChanges[] = {{"POST", "/pp/v1/api_keys"},
                                                            {"DELETE", "/pp/v1/api_keys?guid=x"},
                                                            {"DELETE", "/pp/v1/sessions"},
                                                            {"DELETE", "/pp/v1/sessions/x"},
                                                            {"DELETE", "/pp/v1/users/x/sessions"},
                                                            {"PUT", "/pp/v1/users/x"},
                                                            {"PUT", "/pp/v1/users/x/password"},
                                                            {"POST", "/pp/v1/favorites"},
                                                            {"POST", "/pp/v1/favorites/x/metadata"},
                                                            {"DELETE", "/pp/v1/favorites/x"},
                                                            {"POST", "/api/v1/endpoints"},
                                                            {"POST", "/api/v1/endpoints/x"},
                                                            {"DELETE", "/api/v1/endpoints/x"},
                                                            {"POST", "/api/v1/tokens"},
                                                            {"DELETE", "/api/v1/tokens/x"},
                                                            {"POST", "/pp/v1/proxy/v3/apps"},
                                                            {"PUT", "/pp/v1/proxy/v3/apps"},
                                                            {"PATCH", "/pp/v1/proxy/v3/apps"},
                                                            {"DELETE", "/pp/v1/proxy/v3/apps"},
                                                            {"POST", "/pp/v1/some/unknown/path"},
                                                            {"POST", "/api/v1/some/unknown/path"}};

class AttackTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) start(t().remoteOptions());
  }
  void start(ConsoleOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserFavorites());
    extensions.push_back(ext::makeUserInfo());
    t().start(std::move(options), std::move(extensions));
  }
  void trust(const std::vector<const char*>& networks) {
    ConsoleOptions options = t().remoteOptions();
    for (const char* network : networks) {
      options.trustedProxies.push_back(IpNetwork::parse(network).value());
    }
    start(std::move(options));
  }
  /// The client's address as the audit line of a failed sign-in has it.
  std::string remoteOf(const std::vector<std::pair<std::string, std::string>>& fields) {
    http::Request request;
    request.method = "POST";
    request.target = "/pp/v1/auth/login/uaa";
    request.peerAddress = "10.0.0.5";
    request.headers = {{"Host", kHost}};
    for (const auto& [name, value] : fields) request.headers.add(name, value);
    static_cast<void>(t().console().handle(request));
    return t().log.linesWith("audit").back().field("remote");
  }
};
STRATOS_ON_EVERY_DIALECT(AttackTest);

TEST_P(AttackTest, S12EveryChangeNeedsTheXsrfToken) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  for (const char* token : {"", "wrong", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}) {
    for (const auto& [method, path] : kChanges) {
      const Answer answer = admin.send(method, path, {{"X-XSRF-TOKEN", token}}, "{}");
      EXPECT_EQ(answer.status, 401) << method << " " << path;
      EXPECT_EQ(jsonAt(answer.body, "error"), "XSRF Token could not be validated") << path;
    }
  }
}

TEST_P(AttackTest, S12OtherSitesChangeNothing) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::vector<Fields> foreign{
      {{"Sec-Fetch-Site", "cross-site"}},
      {{"Sec-Fetch-Site", "same-site"}},
      {{"Sec-Fetch-Site", ""}, {"Origin", "https://evil.example"}},
      {{"Sec-Fetch-Site", ""}, {"Origin", "null"}},
      {{"Sec-Fetch-Site", ""}, {"Origin", std::string{"http://"} + kHost}},
      {{"Sec-Fetch-Site", ""}, {"Origin", std::string{"https://"} + kHost + ".evil.example"}}};
  for (const Fields& fields : foreign) {
    for (const auto& [method, path] : kChanges) {
      EXPECT_EQ(admin.send(method, path, fields, "{}").status, 403) << method << " " << path;
    }
    for (const char* path : {"/pp/v1/auth/login/uaa", "/pp/v1/auth/logout", "/pp/v1/setup/save"}) {
      EXPECT_EQ(admin.postForm(path, {}, fields).status, 403) << path;
    }
  }
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200) << "still signed in";
}

TEST_P(AttackTest, S23EveryRefusalSaysWhy) {
  Browser stranger = t().browser();
  for (const auto& [method, path] : kChanges) {
    const Answer answer = stranger.send(method, path, {}, "{}");
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(jsonAt(answer.body, "status"), "error") << path;
    EXPECT_NE(jsonAt(answer.body, "error"), "") << path;
  }
}

TEST_P(AttackTest, S22ForwardedFieldsOfStrangersAreNotBelieved) {
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "203.0.113.9"},
                      {"X-Real-Ip", "203.0.113.9"},
                      {"Forwarded", "for=203.0.113.9"}}),
            "10.0.0.5");
  EXPECT_EQ(t().log.linesWith("is not trusted").size(), 1U) << "the operator learns of it once";
  trust({"10.0.0.0/24"});
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "203.0.113.9"}}), "203.0.113.9");
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "127.0.0.1, 203.0.113.9, 10.0.0.7"}}), "203.0.113.9")
      << "what the client wrote itself stands in front";
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "203.0.113.9"}}),
            "203.0.113.9");
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "203.0.113.9, nonsense"}}), "10.0.0.5");
  EXPECT_EQ(remoteOf({{"X-Forwarded-For", "10.0.0.9"}}), "10.0.0.9");
  EXPECT_EQ(remoteOf({}), "10.0.0.5");
}

TEST_P(AttackTest, S22AHostOfATrustedProxyIsOurs) {
  const Fields fields{{"Host", "internal:3003"},
                      {"X-Forwarded-Host", kHost},
                      {"Sec-Fetch-Site", ""},
                      {"Origin", std::string{"https://"} + kHost}};
  Browser stranger = t().browser();
  EXPECT_EQ(stranger.login(kAdminUser, kAdminPassword, fields).status, 403);
  trust({"192.0.2.0/24"});
  Browser browser = t().browser();
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword, fields).status, 200);
}

TEST_P(AttackTest, NoFieldOpensADoor) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  Browser stranger = t().browser();
  const std::vector<Fields> tricks{{{"User-Agent", "kube-probe/1.30"}},
                                   {{"User-Agent", "GoogleHC/1.0"}},
                                   {{"X-Original-Url", "/pp/v1/ping"}},
                                   {{"X-Rewrite-Url", "/pp/v1/ping"}},
                                   {{"X-Forwarded-Uri", "/pp/v1/ping"}},
                                   {{"X-Forwarded-User", kAdminUser}},
                                   {{"X-Remote-User", kAdminUser}},
                                   {{"Authorization", "Bearer x"}},
                                   {{"Cookie", "console-session"}},
                                   {{"Cookie", "console_session=" + admin.cookie().value()}},
                                   {{"Cookie", "CONSOLE-SESSION=" + admin.cookie().value()}}};
  for (const Fields& fields : tricks) {
    EXPECT_EQ(stranger.get("/pp/v1/info", fields).status, 401) << fields[0].second;
  }
  // An XSRF token under another spelling, or a method in disguise, is none.
  EXPECT_EQ(admin
                .send("DELETE", "/pp/v1/sessions",
                      {{"X-XSRF-TOKEN", ""}, {"X_XSRF_TOKEN", admin.xsrfToken()}})
                .status,
            401);
  EXPECT_EQ(
      admin.get("/pp/v1/sessions?_method=DELETE", {{"X-HTTP-Method-Override", "DELETE"}}).status,
      200);
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200);
}

TEST_P(AttackTest, OfTwoSessionCookiesOneCounts) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  Browser both = t().browser();
  const std::string first = "console-session=" + admin.cookie().value();
  const std::string last = "console-session=" + user.cookie().value();
  const Answer answer = both.get("/pp/v1/info", {{"Cookie", first + "; " + last}});
  EXPECT_EQ(jsonAt(answer.body, "user/name"), kPlainUser);
  both.setXsrfToken(admin.xsrfToken());
  EXPECT_EQ(both.send("DELETE", "/pp/v1/sessions", {{"Cookie", first + "; " + last}}).status, 401)
      << "the token must be that session's";
}

TEST_P(AttackTest, S8RolesAreExactScopes) {
  t().uaa().addUser({"eve", "eve-pass-20", {"openid", "stratos.admin.read", "stratos.", "admin"}});
  Browser eve = t().signedIn("eve", "eve-pass-20");
  EXPECT_EQ(jsonAt(eve.verify().body, "data/user/admin"), "false");
  EXPECT_EQ(eve.remove("/pp/v1/users/x/sessions").status, 401);
  EXPECT_EQ(eve.postForm("/pp/v1/api_keys", {{"comment", "x"}}).status, 403);
}

TEST_P(AttackTest, MalformedFormsAreRefusedAndDoNoHarm) {
  Browser browser = t().browser();
  const std::vector<std::pair<std::string, std::string>> forms{
      {"application/x-www-form-urlencoded", "username=%zz"},
      {"multipart/form-data", "--x\r\n\r\n"},
      {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n"},
      {"application/json", "{"},
      {"application/json", std::string(5000, '[')},
      {"application/json", "[1]"}};
  for (const auto& [type, body] : forms) {
    const Answer answer =
        browser.send("POST", "/pp/v1/auth/login/uaa", {{"Content-Type", type}}, body);
    EXPECT_TRUE(answer.status == 400 || answer.status == 401) << type << ": " << answer.status;
    EXPECT_FALSE(browser.cookie());
  }
  const Answer big = browser.send("POST", "/pp/v1/auth/login/uaa",
                                  {{"Content-Type", "application/x-www-form-urlencoded"}},
                                  std::string(3'000'000, 'a'));
  EXPECT_EQ(big.status, 400);
  EXPECT_EQ(browser.login(kAdminUser, kAdminPassword).status, 200);
}

}  // namespace
}  // namespace stratos::compat
