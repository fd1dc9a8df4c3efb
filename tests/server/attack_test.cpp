#include <string>

#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

/// Everything here is done to a real server from outside.
class AttackTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (!IsSkipped()) startServer(settings());
  }
  [[nodiscard]] std::string get(const std::string& target, const std::string& fields = "") const {
    return rawExchange(httpPort(), "GET " + target + " HTTP/1.1\r\nHost: console\r\n" + fields +
                                       "Connection: close\r\n\r\n");
  }
};

TEST_F(AttackTest, AForgedOrDamagedCookieIsNoSession) {
  Browser browser = signedIn();
  const std::string good = browser.cookies.at("console-session");
  ASSERT_EQ(browser.get("/pp/v1/info").status, 200);

  std::vector<std::string> bad{"",
                               "x",
                               std::string(5000, 'A'),
                               good.substr(0, good.size() - 1),
                               good + "A",
                               good.substr(good.find('.') + 1),
                               good.substr(0, good.find('.')) + "." + std::string(43, 'A')};
  for (std::size_t i : {std::size_t{0}, good.size() / 2, good.size() - 3}) {
    std::string flipped = good;
    flipped[i] = flipped[i] == 'A' ? 'B' : 'A';
    bad.push_back(flipped);
  }
  for (const auto& value : bad) {
    Browser attacker{origin()};
    attacker.cookies["console-session"] = value;
    const Answer answer = attacker.get("/pp/v1/info");
    EXPECT_EQ(answer.status, 401) << value.substr(0, 100);
    EXPECT_EQ(answer.text("error"), "User session could not be found");
  }
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
}

TEST_F(AttackTest, ChangesNeedTheXsrfToken) {
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  for (const char* token : {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}) {
    const http::Headers fields{{"X-Xsrf-Token", token}};
    EXPECT_EQ(browser.send("DELETE", "/api/v1/endpoints/" + guid, fields).status, 401);
    EXPECT_EQ(browser.send("DELETE", "/api/v1/tokens/" + guid, fields).status, 401);
    EXPECT_EQ(browser.send("POST", "/api/v1/tokens?cnsi_guid=" + guid, fields).status, 401);
    EXPECT_EQ(browser.send("PUT", "/pp/v1/proxy/v3/apps/x", fields).status, 401);
  }
  EXPECT_EQ(browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
}

TEST_F(AttackTest, OtherSitesCannotSignInOrOut) {
  Browser browser{origin()};
  const std::string form = std::string{"username=admin&password="} + kPassword;
  const auto post = [&](const http::Headers& extra) {
    http::Headers headers = extra;
    headers.set("Content-Type", "application/x-www-form-urlencoded");
    return browser.send("POST", "/pp/v1/auth/login/uaa", headers, form).status;
  };
  EXPECT_EQ(post({{"Origin", "https://evil.example"}}), 403);
  EXPECT_EQ(post({{"Origin", "null"}}), 403);
  EXPECT_EQ(post({{"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(post({{"Origin", origin()}, {"Sec-Fetch-Site", "same-origin"}}), 200);
  EXPECT_EQ(post({{"Origin", origin()}}), 200);
}

TEST_F(AttackTest, CredentialsInTheQueryAreNotCredentials) {
  Browser browser{origin()};
  EXPECT_EQ(
      browser
          .send("POST", std::string{"/pp/v1/auth/login/uaa?username=admin&password="} + kPassword)
          .status,
      401);
}

TEST_F(AttackTest, PathTricksStayBelowTheEndpoint) {
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  foundation->cloudController().server().clearRequests();
  const std::string cookie = "Cookie: console-session=" + browser.cookies.at("console-session") +
                             "\r\nx-cap-cnsi-list: " + guid + "\r\nx-cap-passthrough: true\r\n";
  for (const char* path : {"../x", "v3/../../x", "%2e%2e/x", "v3/%2E%2E/%2e%2e/x", "v3/..%2f..%2fx",
                           "v3/..%5c..%5cx", "v3/..;a/x", "v3/%", "v3/%zz"}) {
    EXPECT_EQ(statusOf(get(std::string{"/pp/v1/proxy/"} + path, cookie)), 400) << path;
    EXPECT_EQ(statusOf(get("/api/v1/proxy/" + guid + "/" + path, cookie)), 400) << path;
  }
  EXPECT_TRUE(foundation->cloudController().server().requests().empty());

  const std::vector<std::pair<std::string, std::string>> kept{
      {"v3/echo/a%2Fb", "/v3/echo/a%2Fb"},
      {"v3/echo/100%25", "/v3/echo/100%25"},
      {"v3/echo/a%2541", "/v3/echo/a%2541"},
      {"v3/echo/a!b(c)*", "/v3/echo/a!b(c)*"},
      {"/v3//echo///x", "/v3/echo/x"},
      {"v3/./echo/y/../z", "/v3/echo/z"},
      {"v3/echo?q=a%3Ab&q=c;d", "/v3/echo?q=a%3Ab&q=c;d"}};
  for (const auto& [asked, wanted] : kept) {
    foundation->cloudController().server().clearRequests();
    EXPECT_NE(statusOf(get("/pp/v1/proxy/" + asked, cookie)), 0) << asked;
    const auto requests = foundation->cloudController().server().requests();
    ASSERT_EQ(requests.size(), 1u) << asked;
    EXPECT_EQ(requests[0].target, wanted);
  }
}

TEST_F(AttackTest, NothingOfTheConsoleReachesTheEndpoint) {
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  foundation->cloudController().server().clearRequests();
  browser.send("POST", "/pp/v1/proxy/v3/echo/x",
               {{"x-cap-cnsi-list", guid},
                {"x-cap-passthrough", "true"},
                {"Authorization", "bearer stolen"},
                {"X-Forwarded-For", "10.0.0.1"},
                {"Forwarded", "for=10.0.0.1"},
                {"Origin", origin()},
                {"Referer", origin()},
                {"X-Real-Ip", "10.0.0.1"},
                {"Content-Type", "application/json"}},
               "{}");
  const auto requests = foundation->cloudController().server().requestsTo("/v3/echo");
  ASSERT_EQ(requests.size(), 1u);
  for (const char* name : {"cookie", "x-xsrf-token", "x-cap-cnsi-list", "x-cap-passthrough",
                           "x-forwarded-for", "forwarded", "origin", "referer", "x-real-ip"}) {
    EXPECT_EQ(requests[0].headerCount(name), 0u) << name;
  }
  EXPECT_EQ(requests[0].headerCount("authorization"), 1u);
  EXPECT_TRUE(requests[0].header("authorization").starts_with("bearer ey"));
  EXPECT_EQ(requests[0].header("content-type"), "application/json");
  EXPECT_EQ(requests[0].body, "{}");
}

TEST_F(AttackTest, AnEndpointCannotSetCookiesOrRunScriptsOnTheConsole) {
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  foundation->cloudController().server().handle("/v3/hostile", [](const auto&) {
    return stratos::testing::Reply{.status = 200,
                                   .headers = {{"Set-Cookie", "console-session=evil"},
                                               {"Content-Type", "text/html"},
                                               {"Location", "https://evil.example/"},
                                               {"Access-Control-Allow-Origin", "*"},
                                               {"Link", "</v3/apps?page=2>; rel=\"next\""}},
                                   .body = "<script>alert(1)</script>"};
  });
  const Answer answer = browser.get("/api/v1/proxy/" + guid + "/v3/hostile");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.headers.all("set-cookie").empty());
  EXPECT_FALSE(answer.headers.has("location"));
  EXPECT_FALSE(answer.headers.has("access-control-allow-origin"));
  EXPECT_TRUE(answer.headers.get("content-type").starts_with("text/plain"));
  EXPECT_EQ(answer.headers.get("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.headers.get("content-security-policy"), "sandbox");
  EXPECT_EQ(answer.headers.get("link"), "</v3/apps?page=2>; rel=\"next\"");
}

TEST_F(AttackTest, HeaderInjectionIsImpossible) {
  // What a line break in a value could become is refused before anything is parsed from it.
  EXPECT_EQ(statusOf(get("/pp/v1/ping", "X-A: b\rSet-Cookie: c=d\r\n")), 400);
  EXPECT_EQ(statusOf(get("/pp/v1/ping", std::string{"X-A: b\0c\r\n", 10})), 400);
  Browser browser{origin()};
  const Answer answer = browser.get("/%0d%0aSet-Cookie:%20a=b");
  EXPECT_TRUE(answer.headers.all("set-cookie").empty());
}

TEST_F(AttackTest, OversizedHeadsAreRefusedAndOthersGoOn) {
  EXPECT_EQ(statusOf(get("/" + std::string(70'000, 'a'))), 414);
  EXPECT_EQ(statusOf(get("/pp/v1/ping", "X-Big: " + std::string(80'000, 'a') + "\r\n")), 431);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(statusOf(get("/pp/v1/ping", many)), 431);
  EXPECT_EQ(statusOf(get("/pp/v1/ping")), 200);
}

TEST_F(AttackTest, OversizedFormsAreRefused) {
  Browser browser{origin()};
  const std::string big = "username=admin&password=" + std::string(3 * 1024 * 1024, 'x');
  const Answer answer = browser.send("POST", "/pp/v1/auth/login/uaa",
                                     {{"Content-Type", "application/x-www-form-urlencoded"}}, big);
  // The refusal may arrive while the body is still being sent; what must not happen is a sign-in.
  EXPECT_TRUE(answer.status == 400 || answer.status == 413 || answer.status == 0) << answer.status;
  EXPECT_EQ(browser.get("/pp/v1/ping").status, 200);
}

TEST_F(AttackTest, SmugglingIsRefused) {
  const std::vector<std::string> attacks{
      "POST /pp/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "POST /pp/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: "
      "6\r\n\r\nabcde",
      "POST /pp/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
      "POST /pp/v1/auth/logout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
      "POST /pp/v1/auth/logout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "GET /pp/v1/ping HTTP/1.1\nHost: x\n\n",
      "GET /pp/v1/ping HTTP/1.1\r\n\r\n",
      "GET /pp/v1/ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET /pp/v1/ping HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01"};
  for (const auto& attack : attacks) {
    const std::string answer = rawExchange(
        httpPort(), attack + "GET /pp/v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(statusOf(answer), 400) << attack << "\n-> " << answer;
    EXPECT_EQ(answer.find("proxy_version"), std::string::npos)
        << "what followed was answered: " << attack;
  }
}

TEST_F(AttackTest, AStrangersUserCannotUseAnotherUsersConnection) {
  server->signal(15);
  ASSERT_EQ(server->waitForExit(), 0);
  startServer(uaaSettings());
  Browser admin{origin()};
  ASSERT_EQ(admin.login("admin", "admin").status, 200);
  const std::string guid = connectFoundation(admin);
  Browser user{origin()};
  ASSERT_EQ(user.login("user", "user").status, 200);
  foundation->cloudController().server().clearRequests();
  EXPECT_EQ(user.get("/api/v1/proxy/" + guid + "/v3/apps").status, 400);
  EXPECT_EQ(
      user.get("/pp/v1/proxy/v3/apps", {{"x-cap-cnsi-list", guid}}).text(guid + ".error.status"),
      "Unable to retrieve CNSI token record");
  EXPECT_EQ(user.remove("/api/v1/tokens/" + guid).status, 200);  // Removes nothing of the admin's.
  EXPECT_EQ(user.remove("/api/v1/endpoints/" + guid).status, 401);
  EXPECT_TRUE(foundation->cloudController().server().requests().empty());
  EXPECT_EQ(admin.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
  // The other user's session is not reachable with one's own XSRF token either.
  Browser mixed{origin()};
  mixed.cookies = admin.cookies;
  mixed.xsrfToken = user.xsrfToken;
  EXPECT_EQ(mixed.remove("/api/v1/endpoints/" + guid).status, 401);
}

}  // namespace
}  // namespace stratos::server_test
