#include <csignal>
#include <latch>
#include <thread>
#include <vector>

#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

using stratos::testing::RefreshMode;

using MainJobTest = ServerTest;

TEST_F(MainJobTest, SignsInRegistersConnectsProxiesAndLeaves) {
  startServer(settings());
  Browser browser{secureOrigin()};
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
  const Answer login = browser.login("admin", kPassword);
  ASSERT_EQ(login.status, 200) << login.body << login.detail;
  EXPECT_EQ(login.text("account"), "admin");
  EXPECT_EQ(browser.get("/api/v1/auth/verify").text("data.user.name"), "admin");

  const std::string guid = connectFoundation(browser);
  ASSERT_EQ(guid.size(), 27u);
  EXPECT_EQ(browser.get("/pp/v1/info").text("endpoints.cf." + guid + ".user.name"), "admin");

  const Answer list = browser.get("/pp/v1/proxy/v3/apps?per_page=5", {{"x-cap-cnsi-list", guid}});
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.text(guid + ".pagination.total_results"), "120");
  const Answer passed = browser.get("/pp/v1/proxy/v3/apps?per_page=5",
                                    {{"x-cap-cnsi-list", guid}, {"x-cap-passthrough", "true"}});
  EXPECT_EQ(passed.text("pagination.total_results"), "120");
  const Answer single = browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=5");
  EXPECT_EQ(single.body, passed.body);

  EXPECT_EQ(browser.remove("/api/v1/tokens/" + guid).status, 200);
  const Answer noToken = browser.get("/pp/v1/proxy/v3/apps", {{"x-cap-cnsi-list", guid}});
  EXPECT_EQ(noToken.text(guid + ".error.status"), "Unable to retrieve CNSI token record");
  EXPECT_EQ(browser.remove("/api/v1/endpoints/" + guid).status, 200);
  EXPECT_EQ(browser.get("/pp/v1/proxy/v3/apps", {{"x-cap-cnsi-list", guid}}).status, 400);

  EXPECT_EQ(browser.send("POST", "/pp/v1/auth/logout").text("isSSO"), "false");
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);
}

TEST_F(MainJobTest, SignsInWithAUaa) {
  startServer(uaaSettings());
  Browser browser{origin()};
  const Answer refused = browser.login("admin", "wrong");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.text("error"), "Bad credentials");
  ASSERT_EQ(browser.login("admin", "admin").status, 200);
  EXPECT_EQ(browser.get("/api/v1/auth/verify").text("data.user.admin"), "true");

  Browser other{origin()};
  const Answer plain = other.login("user", "user");
  ASSERT_EQ(plain.status, 200);
  EXPECT_EQ(plain.text("admin"), "false");
  EXPECT_EQ(other.postMultipart("/api/v1/endpoints?endpoint_type=cf", {{"cnsi_name", "x"}}).status,
            401);
}

TEST_F(MainJobTest, ATokenThatExpiredIsRenewedOnceForAllRequests) {
  foundation->uaa().setRefreshMode(RefreshMode::RotateOnce);
  startServer(settings());
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  const auto before = foundation->uaa().counters();

  foundation->uaa().expireAccessTokens();
  constexpr int kCallers = 12;
  std::latch start{kCallers};
  std::vector<int> statuses(kCallers);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kCallers; ++i) {
      threads.emplace_back([&, i] {
        Browser tab{origin()};
        tab.cookies = browser.cookies;
        start.arrive_and_wait();
        statuses[static_cast<std::size_t>(i)] =
            tab.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status;
      });
    }
  }
  EXPECT_EQ(statuses, std::vector<int>(kCallers, 200));
  EXPECT_EQ(foundation->uaa().counters().refreshes - before.refreshes, 1u);
  EXPECT_EQ(foundation->uaa().counters().refusedRefreshes, 0u);
}

TEST_F(MainJobTest, ARefusedRefreshTokenIsSaidAndNotAskedForAgain) {
  startServer(settings());
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  foundation->uaa().expireAccessTokens();
  foundation->uaa().revokeRefreshTokens();
  for (int i = 0; i < 3; ++i) {
    const Answer answer = browser.get("/pp/v1/proxy/v3/apps", {{"x-cap-cnsi-list", guid}});
    EXPECT_EQ(answer.text(guid + ".error.statusCode"), "500");
    EXPECT_EQ(answer.text(guid + ".error.status"), "Error proxing request");
  }
  EXPECT_EQ(foundation->uaa().counters().refusedRefreshes, 1u);
  // Connecting anew is all it takes.
  ASSERT_EQ(browser
                .postMultipart("/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds",
                               {{"username", "admin"}, {"password", "admin"}})
                .status,
            200);
  EXPECT_EQ(browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
}

TEST_F(MainJobTest, EverythingSurvivesARestart) {
  startServer(settings());
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  server->signal(SIGTERM);
  ASSERT_EQ(server->waitForExit(), 0) << server->output();

  startServer(settings());
  Browser later{origin()};
  later.cookies = browser.cookies;
  const Answer verified = later.get("/api/v1/auth/verify");
  EXPECT_EQ(verified.text("status"), "ok") << verified.body;
  EXPECT_EQ(later.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
}

TEST_F(MainJobTest, NothingIsLostWhenTheServerIsKilled) {
  startServer(settings());
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  server->signal(SIGKILL);
  ASSERT_EQ(server->waitForExit(), 128 + SIGKILL);

  startServer(settings());
  Browser later{origin()};
  later.cookies = browser.cookies;
  EXPECT_EQ(later.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
}

TEST_F(MainJobTest, TwoServersShareSessionsEndpointsAndTokens) {
  if (database->dialect() != db::Dialect::PostgreSql) {
    GTEST_SKIP() << "several servers share a PostgreSQL database only";
  }
  startServer(settings());
  const auto second = start(settings());
  Browser here = signedIn();
  const std::string guid = connectFoundation(here);
  Browser there{httpOriginOf(*second)};
  there.cookies = here.cookies;
  EXPECT_EQ(there.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
  EXPECT_EQ(there.send("POST", "/pp/v1/auth/logout").status, 200);
  second->signal(SIGTERM);
  EXPECT_EQ(second->waitForExit(), 0);
}

TEST_F(MainJobTest, ServesTheFrontEndBesideTheApi) {
  const auto ui = folder / "ui";
  std::filesystem::create_directories(ui / "assets");
  const auto write = [&](const char* name, const char* text) {
    FILE* file = std::fopen((ui / name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs(text, file);
    std::fclose(file);
  };
  write("index.html", "<html>console</html>");
  write("assets/main.js", "let x = 1;");
  startServer(settings());
  Browser browser{origin()};
  EXPECT_EQ(browser.get("/assets/main.js").body, "let x = 1;");
  const Answer deep = browser.get("/endpoints/new?x=1");
  EXPECT_EQ(deep.status, 200);
  EXPECT_EQ(deep.body, "<html>console</html>");
  EXPECT_EQ(deep.headers.get("cache-control"), "no-cache");
  EXPECT_EQ(browser.get("/pp/nothing").status, 404);
  EXPECT_EQ(browser.get("/api/nothing").status, 404);
  EXPECT_EQ(
      statusOf(rawExchange(
          httpPort(), "GET /assets/../../secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
      400);
}

}  // namespace
}  // namespace stratos::server_test
