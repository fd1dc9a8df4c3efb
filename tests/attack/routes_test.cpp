// Every route of the console, as the router lists them, so that a new one cannot be forgotten.

#include <algorithm>
#include <set>

#include "console_fixture.hpp"
#include "stratos/ext/backup.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_favorites.hpp"
#include "stratos/ext/user_info.hpp"
#include "stratos/ext/user_invite.hpp"

namespace stratos::compat {
namespace {

/// Changes that are made without a session. They have no XSRF token, so what keeps other sites away
/// is the Origin alone.
const std::set<std::string> kPublicChanges{"POST /pp/v1/auth/login/uaa", "POST /pp/v1/auth/logout",
                                           "POST /pp/v1/setup/check", "POST /pp/v1/setup/save"};
const std::set<std::string> kPublicReading{
    "GET /pp/v1/ping",           "GET /pp/v1/version",        "GET /api/v1/auth/verify",
    "GET /pp/v1/setup",          "GET /pp/v1/auth/sso_login", "GET /pp/v1/auth/sso_login_callback",
    "GET /pp/v1/auth/sso_logout"};
/// What answers unknown paths outside /pp/v1 and /api/v1: 404 and nothing else.
const std::set<std::string> kUnknown{"* /pp/*", "* /api/*"};

struct Target {
  std::string route;
  std::string method;
  std::string path;
};

class RoutesAttackTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (IsSkipped()) return;
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeBackup(*t().database, t().cipher, t().random));
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserFavorites());
    extensions.push_back(ext::makeUserInfo());
    ext::UserInviteOptions invitations;
    invitations.smtp.host = "127.0.0.1";
    invitations.from = "ops@example.com";
    extensions.push_back(ext::makeUserInvite(std::move(invitations)));
    t().start(ConsoleFixture::localOptions(), std::move(extensions));
  }

  /// A request for each route that is there for `methods`, parameters filled in.
  std::vector<Target> targets(const std::vector<std::string>& methods) {
    std::vector<Target> found;
    for (const http::RouteName& route : t().console().routes()) {
      for (const std::string& method : methods) {
        if (route.method != method && route.method != "*") continue;
        std::string path;
        for (std::size_t i = 0; i < route.pattern.size(); ++i) {
          if (route.pattern[i] == ':') {
            while (i + 1 < route.pattern.size() && route.pattern[i + 1] != '/') ++i;
            path += 'x';
          } else {
            path += route.pattern[i] == '*' ? 'x' : route.pattern[i];
          }
        }
        found.push_back({route.method + " " + route.pattern, method, path});
      }
    }
    return found;
  }
  std::vector<Target> changes() {
    const auto all = targets({"POST", "PUT", "PATCH", "DELETE"});
    EXPECT_GT(all.size(), 30U);
    return all;
  }
  static std::string nameOf(const Target& target) { return target.method + " " + target.path; }
};
// Nothing here depends on the database.
INSTANTIATE_TEST_SUITE_P(Db, RoutesAttackTest, ::testing::Values(db::Dialect::Sqlite), dialectName);

TEST_P(RoutesAttackTest, S12NoRouteChangesAnythingWithoutTheXsrfToken) {
  Browser admin = t().localAdmin();
  const std::string right = admin.xsrfToken();
  const std::vector<std::string> wrong{"",
                                       "wrong",
                                       right.substr(1),
                                       right + right,
                                       right + "=",
                                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
  for (const Target& target : changes()) {
    if (kPublicChanges.contains(target.route) || kUnknown.contains(target.route)) continue;
    for (const std::string& token : wrong) {
      const Answer answer = admin.send(target.method, target.path, {{"X-XSRF-TOKEN", token}}, "{}");
      EXPECT_EQ(answer.status, 401) << nameOf(target);
      EXPECT_EQ(answer.body, jsonT("XSRF Token could not be validated")) << nameOf(target);
    }
  }
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200) << "still signed in";
}

TEST_P(RoutesAttackTest, S12TwoXsrfTokensAreNone) {
  Browser admin = t().localAdmin();
  for (const bool rightFirst : {true, false}) {
    http::Request request;
    request.method = "DELETE";
    request.target = "/pp/v1/sessions";
    request.secure = true;
    request.headers = {{"Host", kHost},
                       {"Cookie", "console-session=" + admin.cookie().value()},
                       {"X-Xsrf-Token", rightFirst ? admin.xsrfToken() : "wrong"},
                       {"x-xsrf-token", rightFirst ? "wrong" : admin.xsrfToken()}};
    EXPECT_EQ(t().console().handle(request).status, 401);
  }
}

TEST_P(RoutesAttackTest, S12NoRouteListensToOtherSites) {
  Browser admin = t().localAdmin();
  const std::vector<Fields> foreign{{{"Sec-Fetch-Site", "cross-site"}},
                                    {{"Sec-Fetch-Site", ""}, {"Origin", "null"}},
                                    {{"Sec-Fetch-Site", ""}, {"Origin", "https://evil.example"}}};
  for (const Target& target : changes()) {
    for (const Fields& fields : foreign) {
      const Answer answer = admin.send(target.method, target.path, fields, "{}");
      EXPECT_EQ(answer.status, 403) << nameOf(target);
      EXPECT_EQ(jsonAt(answer.body, "status"), "error") << nameOf(target);
    }
  }
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200) << "still signed in";
}

TEST_P(RoutesAttackTest, S23StrangersGetNothingAndAreToldSo) {
  Browser stranger = t().browser();
  auto all = changes();
  const auto reading = targets({"GET", "HEAD"});
  all.insert(all.end(), reading.begin(), reading.end());
  for (const Target& target : all) {
    if (kPublicChanges.contains(target.route) || kPublicReading.contains(target.route)) continue;
    const Answer answer = stranger.send(target.method, target.path, {}, "{}");
    if (kUnknown.contains(target.route)) {
      EXPECT_EQ(answer.status, 404) << nameOf(target);
      continue;
    }
    EXPECT_EQ(answer.status, 401) << nameOf(target);
    EXPECT_EQ(jsonAt(answer.body, "status"), "error") << nameOf(target);
    EXPECT_NE(jsonAt(answer.body, "error"), "") << nameOf(target);
  }
}

TEST_P(RoutesAttackTest, S12NothingIsUpgraded) {
  Browser admin = t().localAdmin();
  for (const Target& target : targets({"GET"})) {
    for (const char* origin : {"https://evil.example", "null"}) {
      const Answer answer = admin.get(target.path, {{"Origin", origin},
                                                    {"Connection", "Upgrade"},
                                                    {"Upgrade", "websocket"},
                                                    {"Sec-WebSocket-Version", "13"},
                                                    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZQ=="}});
      EXPECT_NE(answer.status, 101) << nameOf(target);
      EXPECT_FALSE(answer.headers.has("Sec-WebSocket-Accept")) << nameOf(target);
    }
  }
}

TEST_P(RoutesAttackTest, S13NoRouteSharesItsAnswersWithOtherSites) {
  Browser admin = t().localAdmin();
  for (const Target& target : targets({"GET", "OPTIONS"})) {
    const Answer answer =
        admin.send(target.method, target.path,
                   {{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_FALSE(answer.headers.has("Access-Control-Allow-Origin")) << nameOf(target);
    EXPECT_FALSE(answer.headers.has("Access-Control-Allow-Credentials")) << nameOf(target);
  }
}

TEST_P(RoutesAttackTest, S14EveryAnswerHasTheSecurityFields) {
  Browser stranger = t().browser();
  for (const Target& target : targets({"GET", "POST"})) {
    const Answer answer = stranger.send(target.method, target.path);
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff") << nameOf(target);
    EXPECT_EQ(answer.header("X-Frame-Options"), "SAMEORIGIN") << nameOf(target);
    EXPECT_THAT(answer.header("Cache-Control"), ::testing::HasSubstr("no-store")) << nameOf(target);
  }
}

TEST_P(RoutesAttackTest, S21PasswordsInFieldsAreNotLogged) {
  Browser admin = t().localAdmin();
  const Fields secrets{{"X-Stratos-Password", "field-secret-1"},
                       {"X-Stratos-Password-New", "field-secret-2"},
                       {"Authentication", "Bearer field-secret-3"},
                       {"Authorization", "Basic field-secret-4"}};
  for (const Target& target : targets({"GET", "POST", "PUT", "DELETE"})) {
    if (target.route == "POST /pp/v1/auth/logout") continue;
    admin.send(target.method, target.path + "?password=field-secret-5&code=field-secret-6", secrets,
               R"({"password":"field-secret-7","oldPassword":"field-secret-8"})");
  }
  EXPECT_FALSE(t().log.mentions("field-secret")) << "at debug level";
}

}  // namespace
}  // namespace stratos::compat
