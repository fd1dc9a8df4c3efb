#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string clearedName(const Answer& answer) {
  const ParsedCookie cookie = parseCookie(answer.header("Set-Cookie"));
  return cookie.value.empty() && cookie.attributes.count("max-age") == 0 ? cookie.name : "";
}

class PathsTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(PathsTest);

TEST_P(PathsTest, TellStrangersNothing) {
  Browser browser = t().browser();
  for (const char* path :
       {"/pp/v1/unknown", "/pp/v1/auth/unknown", "/pp/v1", "/pp/v1/", "/api/v1/unknown", "/api/v1",
        "/api/v1/auth/unknown", "/pp/v1/info", "/api/v1/endpoints", "/api/v1/proxy/x/y",
        "/pp/v1/proxy/v2/info", "/pp/v1/auth/verify", "/pp/v1/proxy", "/pp/v1/info/more"}) {
    for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
      const Answer answer = browser.send(method, path);
      EXPECT_EQ(answer.status, 401) << method << " " << path;
      EXPECT_EQ(answer.body, jsonT("User session could not be found")) << path;
      EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=UTF-8");
      EXPECT_EQ(clearedName(answer), "console-session") << path;
    }
  }
}

TEST_P(PathsTest, UnknownOnesUnderPpAre404TextForAdmins) {
  Browser admin = t().localAdmin();
  for (const char* path : {"/pp/v1/unknown", "/pp/v1/auth/unknown", "/pp/v1/auth/verify",
                           "/pp/v1/info/more", "/pp", "/pp/", "/pp/v2/info"}) {
    for (const char* method : {"GET", "POST", "DELETE"}) {
      const Answer answer = admin.send(method, path);
      EXPECT_EQ(answer.status, 404) << method << " " << path;
      EXPECT_EQ(answer.body, "Not Found");
      EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=UTF-8");
    }
  }
}

TEST_P(PathsTest, UnknownOnesUnderApiAre404Json) {  // Better than upstream: B2 sends index.html.
  Browser admin = t().localAdmin();
  for (const char* path : {"/api/v1/unknown", "/api/v1/auth/unknown", "/api", "/api/v2/endpoints",
                           "/api//v1/unknown", "//api/v2"}) {
    const Answer answer = admin.get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, jsonT("Not Found")) << path;
  }
}

TEST_P(PathsTest, WrongMethodsAreUnknownPaths) {
  Browser admin = t().localAdmin();
  for (const auto& [method, path] : Fields{{"POST", "/pp/v1/info"},
                                           {"GET", "/pp/v1/auth/login/uaa"},
                                           {"PUT", "/api/v1/endpoints"},
                                           {"POST", "/api/v1/auth/verify"},
                                           {"POST", "/pp/v1/version"},
                                           {"PUT", "/api/v1/tokens"},
                                           {"POST", "/api/v1/proxy/A/v2/info"},
                                           {"DELETE", "/api/v1/proxy/A/v2/info"}}) {
    EXPECT_EQ(admin.send(method, path).status, 404) << method << " " << path;
  }
}

TEST_P(PathsTest, UnknownOnesNeedTheAdministratorsRole) {
  t().start(t().remoteOptions());
  Browser plain = t().signedIn(kPlainUser, kPlainPassword);
  for (const char* path : {"/pp/v1/unknown", "/api/v1/unknown"}) {
    const Answer answer = plain.get(path);
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(answer.body, jsonT("You must be a Stratos admin to access this API"));
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
  }
  EXPECT_EQ(plain.get("/pp/v2/unknown").status, 404);
}

TEST_P(PathsTest, DoubledSlashesCountAsOne) {
  Browser admin = t().localAdmin();
  for (const char* path : {"//pp/v1/info", "/pp//v1/info", "//pp//v1//info"}) {
    const Answer answer = admin.get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.header("Cache-Control"), "no-store") << path;
  }
  Browser stranger = t().browser();
  EXPECT_EQ(stranger.get("//pp//v1//info").status, 401);
}

TEST_P(PathsTest, HeadIsAnsweredLikeGet) {
  Browser admin = t().localAdmin();
  for (const char* path : {"/pp/v1/info", "/api/v1/endpoints", "/pp/v1/ping"}) {
    const Answer get = admin.get(path);
    const Answer head = admin.send("HEAD", path);
    EXPECT_EQ(head.status, get.status) << path;
    EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type")) << path;
  }
  EXPECT_EQ(admin.send("HEAD", "/pp/v1/unknown").status, 404);
}

class MarkedFrontEnd final : public http::Handler {
 public:
  http::Response handle(http::Request& request) override {
    return http::Response::text(200, "front end " + request.target);
  }
};

TEST_P(PathsTest, OnlyWhatIsNoApiGoesToTheFrontEnd) {
  t().start(ConsoleFixture::localOptions(), {}, std::make_unique<MarkedFrontEnd>());
  Browser browser = t().browser();
  for (const char* path : {"/", "/endpoints", "/ppx", "/apis/v1", "/application/x"}) {
    const Answer answer = browser.get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body, std::string{"front end "} + path);
    EXPECT_EQ(answer.header("Cache-Control"), "no-cache");
    EXPECT_EQ(answer.header("X-Frame-Options"), "SAMEORIGIN");
  }
  Browser admin = t().localAdmin();
  for (const char* path : {"/api", "/api/v1/unknown", "/pp/v1/unknown", "/pp", "//pp/x"}) {
    EXPECT_EQ(admin.get(path).status, 404) << path;
  }
}

class XsrfTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(XsrfTest);

TEST_P(XsrfTest, EveryChangeNeedsTheToken) {
  Browser admin = t().localAdmin();
  const std::string good = admin.xsrfToken();
  std::string changed = good;
  changed.front() = changed.front() == 'A' ? 'B' : 'A';
  for (const std::string& token : {std::string{}, std::string{"wrong"}, changed, good + "=",
                                   good.substr(0, good.size() - 1), good + "," + good}) {
    admin.setXsrfToken(token);
    for (const auto& [method, path] : Fields{{"POST", "/api/v1/endpoints?endpoint_type=cf"},
                                             {"POST", "/api/v1/endpoints/x"},
                                             {"DELETE", "/api/v1/endpoints/x"},
                                             {"POST", "/api/v1/tokens"},
                                             {"DELETE", "/api/v1/tokens/x"},
                                             {"POST", "/pp/v1/proxy/v2/apps"},
                                             {"PUT", "/pp/v1/proxy/v2/apps"},
                                             {"PATCH", "/pp/v1/proxy/v2/apps"},
                                             {"DELETE", "/pp/v1/proxy/v2/apps"},
                                             {"POST", "/pp/v1/unknown"},
                                             {"POST", "/api/v1/unknown"}}) {
      const Answer answer = admin.send(method, path);
      EXPECT_EQ(answer.status, 401) << method << " " << path;
      EXPECT_EQ(answer.body, jsonT("XSRF Token could not be validated"));
      EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    }
  }
}

TEST_P(XsrfTest, ReadingNeedsNone) {
  Browser admin = t().localAdmin();
  for (const char* method : {"GET", "HEAD"}) {
    EXPECT_EQ(admin.send(method, "/pp/v1/info").status, 200);
    EXPECT_EQ(admin.send(method, "/pp/v1/info", {{"X-Xsrf-Token", "wrong"}}).status, 200);
  }
}

TEST_P(XsrfTest, TheTokenOfAnotherSessionIsWrong) {
  Browser one = t().localAdmin();
  Browser two = t().localAdmin();
  one.setXsrfToken(two.xsrfToken());
  EXPECT_EQ(one.remove("/api/v1/endpoints/x").status, 401);
}

TEST_P(XsrfTest, SurvivesAReloadOfThePage) {
  Browser admin = t().localAdmin();
  admin.setXsrfToken("");
  ASSERT_EQ(jsonAt(admin.verify().body, "status"), "ok");
  EXPECT_EQ(admin.remove("/api/v1/endpoints/x").status, 200);
}

class AccessTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(AccessTest);

TEST_P(AccessTest, OnlyAdministratorsManageEndpoints) {
  t().start(t().remoteOptions());
  Browser plain = t().signedIn(kPlainUser, kPlainPassword);
  for (const auto& [method, path] : Fields{{"POST", "/api/v1/endpoints?endpoint_type=cf"},
                                           {"POST", "/api/v1/endpoints/x"},
                                           {"DELETE", "/api/v1/endpoints/x"}}) {
    const Answer answer = plain.send(method, path);
    EXPECT_EQ(answer.status, 401) << method << " " << path;  // Never 403 here.
    EXPECT_EQ(answer.body, jsonT("You must be a Stratos admin to access this API"));
  }
  EXPECT_EQ(plain.get("/api/v1/endpoints").status, 200);
}

TEST_P(AccessTest, EndpointAdminsCountWhereUsersMayHaveEndpoints) {
  auto options = t().remoteOptions();
  t().uaa().addUser({"carol", "carol-pass-6", {"openid", "stratos.endpointadmin"}});
  t().uaa().addUser({"dave", "dave-pass-62", {"openid", "stratos.endpointadmins"}});
  for (const auto mode : {endpoint::UserEndpoints::Disabled, endpoint::UserEndpoints::AdminOnly}) {
    options.endpoints.userEndpoints = mode;
    t().start(options);
    Browser carol = t().signedIn("carol", "carol-pass-6");
    EXPECT_EQ(carol.remove("/api/v1/endpoints/x").status, 401);
  }
  options.endpoints.userEndpoints = endpoint::UserEndpoints::Enabled;
  t().start(options);
  Browser carol = t().signedIn("carol", "carol-pass-6");
  EXPECT_EQ(carol.remove("/api/v1/endpoints/x").status, 200);
  Browser dave = t().signedIn("dave", "dave-pass-62");  // Better than upstream: S8, exact scopes.
  EXPECT_EQ(dave.remove("/api/v1/endpoints/x").body,
            jsonT("You must be a Stratos admin or endpointAdmin to access this API"));
}

TEST_P(AccessTest, AUserWithoutRecordIsRefusedWithAText) {  // Better than upstream: S23, no body.
  t().start(t().remoteOptions());
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  t().database->connect().execute("DELETE FROM tokens WHERE token_type = 'uaa'");
  const Answer answer = admin.remove("/api/v1/endpoints/x");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_EQ(admin.get("/pp/v1/info").status, 403);
}

TEST_P(AccessTest, OutageOfTheDatabaseIs503AndKeepsTheCookie) {  // Better than upstream: P1.
  Browser admin = t().localAdmin();
  {
    const DatabaseOutage outage(t());
    for (const char* path : {"/pp/v1/info", "/api/v1/endpoints"}) {
      const Answer answer = admin.get(path);
      EXPECT_EQ(answer.status, 503) << path;
      EXPECT_EQ(answer.body, jsonT("Service is currently unavailable"));
      EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    }
  }
  EXPECT_EQ(admin.get("/pp/v1/info").status, 200);
}

class HeadersTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(HeadersTest);

TEST_P(HeadersTest, EveryAnswerCarriesTheSecurityFields) {
  Browser admin = t().localAdmin();
  for (const char* path : {"/pp/v1/info", "/pp/v1/ping", "/pp/v1/unknown", "/pp", "/elsewhere",
                           "/api/v1/endpoints", "/api/v1/proxy/unknown/x"}) {
    const Answer answer = admin.get(path);
    EXPECT_EQ(answer.header("X-Frame-Options"), "SAMEORIGIN") << path;
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(answer.header("Referrer-Policy"), "strict-origin-when-cross-origin") << path;
    EXPECT_EQ(answer.header("Cross-Origin-Opener-Policy"), "same-origin") << path;
    EXPECT_EQ(answer.header("Cross-Origin-Resource-Policy"), "same-origin") << path;
    EXPECT_EQ(answer.header("Pragma"), "no-cache") << path;
    EXPECT_EQ(answer.header("Cache-Control"),
              std::string{path} == "/elsewhere" ? "no-cache" : "no-store");
    EXPECT_EQ(answer.header("X-Request-Id").size(), 16U) << path;
    EXPECT_THAT(answer.headers.all("Vary"), ElementsAre("Origin")) << path;
    EXPECT_FALSE(answer.headers.has("Strict-Transport-Security")) << path;
    EXPECT_FALSE(answer.headers.has("Access-Control-Allow-Origin")) << path;
  }
}

TEST_P(HeadersTest, HstsIsForTlsAndOptIn) {
  auto options = ConsoleFixture::localOptions();
  options.hstsMaxAge = std::chrono::hours{24};
  t().start(options);
  EXPECT_EQ(t().browser().get("/pp/v1/ping").header("Strict-Transport-Security"), "max-age=86400");
  http::Request plain;
  plain.target = "/pp/v1/ping";
  EXPECT_FALSE(t().console().handle(plain).headers.has("Strict-Transport-Security"));
}

class CorsTest : public ConsoleTest {
 protected:
  Answer ask(const std::vector<std::string>& allowed, const std::string& method,
             const Fields& headers) {
    auto options = ConsoleFixture::localOptions();
    options.allowedOrigins = allowed;
    t().start(options);
    return t().browser().send(method, "/pp/v1/ping", headers);
  }
};
STRATOS_ON_EVERY_DIALECT(CorsTest);

TEST_P(CorsTest, OptionsNeverReachesAHandler) {
  Browser browser = t().browser();
  for (const char* path : {"/pp/v1/info", "/api/v1/endpoints", "/", "/pp/v1/proxy/v2/apps"}) {
    const Answer answer = browser.send("OPTIONS", path);
    EXPECT_EQ(answer.status, 204) << path;
    EXPECT_EQ(answer.body, "");
    EXPECT_FALSE(answer.headers.has("Access-Control-Allow-Origin"));
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
    EXPECT_THAT(answer.headers.all("Vary"), ElementsAre("Origin"));
  }
}

TEST_P(CorsTest, APreflightOfAnAllowedOriginIsGranted) {
  const Answer answer = ask({"https://portal.example"}, "OPTIONS",
                            {{"Origin", "https://portal.example"},
                             {"Sec-Fetch-Site", "cross-site"},
                             {"Access-Control-Request-Method", "DELETE"},
                             {"Access-Control-Request-Headers", "x-xsrf-token,x-cap-cnsi-list"}});
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "https://portal.example");
  EXPECT_EQ(answer.header("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(answer.header("Access-Control-Allow-Methods"), "GET,PUT,POST,DELETE");
  EXPECT_EQ(answer.header("Access-Control-Allow-Headers"), "x-xsrf-token,x-cap-cnsi-list");
  EXPECT_FALSE(answer.headers.has("Access-Control-Max-Age"));
  EXPECT_THAT(answer.headers.all("Vary"), ElementsAre("Origin", "Access-Control-Request-Method",
                                                      "Access-Control-Request-Headers"));
}

TEST_P(CorsTest, FollowsTheTable) {
  struct Row {
    std::vector<std::string> allowed;
    const char* origin;
    const char* granted;
    bool credentials;
  };
  const std::vector<Row> rows = {
      {{}, "https://portal.example", "", false},  // Better than upstream: S13, empty means none.
      {{""}, "https://portal.example", "", false},
      {{"https://portal.example"}, "", "", false},
      {{"https://portal.example"}, "https://portal.example", "https://portal.example", true},
      {{" https://portal.example "}, "https://portal.example", "https://portal.example", true},
      {{"https://portal.example"}, "http://portal.example", "", false},
      {{"https://portal.example"}, "https://portal.example:8443", "", false},
      {{"https://portal.example"}, "https://portal.example.evil", "", false},
      {{"https://portal.example"}, "null", "", false},
      {{"https://a.example", "https://b.example"}, "https://b.example", "https://b.example", true},
      {{"https://*.example"}, "https://portal.example", "https://portal.example", true},
      {{"https://*.example"}, "https://a.b.example", "https://a.b.example", true},
      {{"https://*.example"}, "https://example", "", false},
      {{"https://*.example"}, "https://portal.example.evil", "", false},
      {{"https://p?.example"}, "https://p1.example", "https://p1.example", true},
      {{"https://p?.example"}, "https://p.example", "", false},
      {{"https://p?.example"}, "https://p12.example", "", false},
      {{"*a*b*c"}, "https://abab.c", "https://abab.c", true},
      {{"*a*b*c"}, "https://abab.cd", "", false},
      {{"*"}, "https://portal.example", "*", false},  // Better than upstream: no credentials.
  };
  for (const Row& row : rows) {
    const Answer answer =
        ask(row.allowed, "GET", *row.origin ? Fields{{"Origin", row.origin}} : Fields{});
    const std::string name = (row.allowed.empty() ? "" : row.allowed.front()) + " / " + row.origin;
    EXPECT_EQ(answer.status, 200) << name;
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), row.granted) << name;
    EXPECT_EQ(answer.headers.has("Access-Control-Allow-Credentials"), row.credentials) << name;
    EXPECT_FALSE(answer.headers.has("Access-Control-Expose-Headers")) << name;
  }
}

}  // namespace
}  // namespace stratos::compat
