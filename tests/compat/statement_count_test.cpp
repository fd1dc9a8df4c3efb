#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

/// Statements per request. The limits are what was reached; a change that raises one must say why.
class StatementCountTest : public ConsoleTest {
 protected:
  void insertEndpoints(const std::string& user, int from, int to, const std::string& url) {
    for (int i = from; i < to; ++i) {
      const std::string guid = "E" + std::to_string(i);
      t().insertEndpoint(guid, url + "/" + std::to_string(i));
      t().insertToken(user, guid);
    }
  }
};
STRATOS_ON_EVERY_DIALECT(StatementCountTest);

TEST_P(StatementCountTest, InfoVerifyAndListDoNotGrowWithEndpoints) {
  Browser admin = t().localAdmin();
  const std::string user = t().userGuid(admin);
  const auto info = [&] { EXPECT_EQ(admin.get("/pp/v1/info").status, 200); };
  const auto verify = [&] { EXPECT_EQ(admin.verify().status, 200); };
  const auto list = [&] { EXPECT_EQ(admin.get("/api/v1/endpoints").status, 200); };

  insertEndpoints(user, 0, 1, "https://api.example.com");
  const auto infoOne = t().statementsOf(info);
  const auto verifyOne = t().statementsOf(verify);
  const auto listOne = t().statementsOf(list);
  insertEndpoints(user, 1, 50, "https://api.example.com");
  EXPECT_EQ(t().statementsOf(info), infoOne);
  EXPECT_EQ(t().statementsOf(verify), verifyOne);
  EXPECT_EQ(t().statementsOf(list), listOne);

  EXPECT_LE(infoOne, 6U);    // session, user, version, endpoints, tokens, history
  EXPECT_LE(verifyOne, 8U);  // the same, the user once more, the session's update
  EXPECT_LE(listOne, 2U);    // session, endpoints
}

TEST_P(StatementCountTest, ProxiedRequests) {
  testing::FakeUpstream upstream;
  upstream.handle("/",
                  [](const testing::ReceivedRequest&) { return testing::jsonReply(200, "{}"); });
  Browser admin = t().localAdmin();
  insertEndpoints(t().userGuid(admin), 0, 5, upstream.url());
  const std::vector<std::pair<std::string, Fields>> requests{
      {"/api/v1/proxy/E0/v2/info", {}},
      {"/api/v1/proxy/E0/x", {{"x-cap-no-token", "true"}}},
      {"/pp/v1/proxy/v2/info", {{"x-cap-cnsi-list", "E0"}}},
      {"/pp/v1/proxy/v2/info", {{"x-cap-cnsi-list", "E0"}, {"x-cap-passthrough", "true"}}},
      {"/pp/v1/proxy/v2/info", {{"x-cap-cnsi-list", "E0,E1,E2,E3,E4"}}}};
  const auto all = [&] {
    for (const auto& [target, headers] : requests) {
      EXPECT_EQ(admin.get(target, headers).status, 200) << target;
    }
  };
  EXPECT_LE(t().statementsOf(all), 11U);  // session, and per endpoint 2
  EXPECT_EQ(t().statementsOf(all), 0U);
  t().clock.advance(store::CacheOptions{}.staleness);
  EXPECT_EQ(t().statementsOf(all), 11U) << "and then anew";
}

TEST_P(StatementCountTest, SigningInAndOut) {
  static_cast<void>(t().localAdmin());  // The first sign-in of all may do more.
  Browser browser = t().browser();
  EXPECT_LE(
      t().statementsOf([&] { EXPECT_EQ(browser.login(kLocalUser, kLocalPassword).status, 200); }),
      12U);  // Seven of them for the throttle: it counts before the password is looked at.
  EXPECT_LE(t().statementsOf([&] { EXPECT_EQ(browser.get("/pp/v1/version").status, 200); }), 1U);
  EXPECT_LE(t().statementsOf([&] { EXPECT_EQ(browser.get("/pp/v1/ping").status, 200); }), 1U);
  EXPECT_LE(
      t().statementsOf([&] { EXPECT_EQ(browser.postForm("/pp/v1/auth/logout", {}).status, 200); }),
      2U);
}

TEST_P(StatementCountTest, ChangesOfEndpointsAndTokens) {
  Browser admin = t().localAdmin();
  std::string guid;
  EXPECT_LE(t().statementsOf([&] { guid = t().registerFoundation(admin); }), 4U);
  EXPECT_LE(t().statementsOf([&] {
    EXPECT_EQ(admin.postMultipart("/api/v1/endpoints/" + guid, {{"name", "Other"}}).status, 200);
  }),
            5U);
  EXPECT_LE(
      t().statementsOf([&] { EXPECT_EQ(t().connect(admin, guid, "admin", "admin").status, 200); }),
      9U);
  EXPECT_LE(
      t().statementsOf([&] { EXPECT_EQ(admin.remove("/api/v1/tokens/" + guid).status, 200); }), 4U);
  EXPECT_LE(
      t().statementsOf([&] { EXPECT_EQ(admin.remove("/api/v1/endpoints/" + guid).status, 200); }),
      6U);
}

TEST_P(StatementCountTest, WhatIsRefusedEarlyCostsNothing) {
  Browser stranger = t().browser();
  EXPECT_EQ(t().statementsOf([&] { stranger.get("/pp/v1/info"); }), 0U);
  EXPECT_EQ(t().statementsOf([&] {
    stranger.postForm("/pp/v1/auth/login/uaa", {{"username", "root"}, {"password", "x"}},
                      {{"Sec-Fetch-Site", "cross-site"}});
  }),
            0U);
  EXPECT_EQ(t().statementsOf([&] { stranger.send("OPTIONS", "/pp/v1/info"); }), 0U);
}

}  // namespace
}  // namespace stratos::compat
