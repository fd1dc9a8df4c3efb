#include "stratos/testing/fake_cloud_controller.hpp"

#include <gmock/gmock.h>

#include "sim_client.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::testing {
namespace {

using ::testing::HasSubstr;

FakeCloudControllerOptions withApps(std::size_t count) {
  FakeCloudControllerOptions options;
  options.apps = count;
  return options;
}

class FakeCloudControllerTest : public ::testing::Test {
 protected:
  FakeCloudControllerTest() {
    uaa_.addUser({"ann", "secret", {"cloud_controller.read", "cloud_controller.write"}});
    uaa_.addUser({"eve", "secret", {"openid"}});
    uaa_.addClient({"cf", "", {"password", "refresh_token"}});
    token_ = login("ann");
  }

  std::string login(const std::string& name) {
    return requestToken(uaa_.url(),
                        {{"grant_type", "password"}, {"username", name}, {"password", "secret"}})
        .text("access_token");
  }
  Answer ask(const std::string& target, const std::string& method = "GET",
             const std::string& body = {}) {
    return call(controller_.url() + target, method, {{"Authorization", "bearer " + token_}}, body);
  }

  ManualClock clock_;
  FakeUaa uaa_{clock_};
  FakeCloudController controller_{clock_, uaa_, withApps(125)};
  std::string token_;
};

TEST_F(FakeCloudControllerTest, RootLinksLeadToTheUaa) {
  const auto links = call(controller_.url() + "/", "GET").json()->getObject("links");
  EXPECT_EQ(links->getObject("uaa")->getValue<std::string>("href"), uaa_.url());
  EXPECT_EQ(links->getObject("login")->getValue<std::string>("href"), uaa_.url());
  EXPECT_EQ(links->getObject("cloud_controller_v2")->getValue<std::string>("href"),
            controller_.url() + "/v2");
  EXPECT_THAT(links->getObject("logging")->getValue<std::string>("href"), HasSubstr("ws://"));
}

TEST_F(FakeCloudControllerTest, V2CanBeSwitchedOff) {
  EXPECT_EQ(call(controller_.url() + "/v2/info", "GET").text("token_endpoint"), uaa_.url());
  controller_.setV2(false);
  EXPECT_EQ(call(controller_.url() + "/v2/info", "GET").status, 404);
  const auto links = call(controller_.url() + "/", "GET").json()->getObject("links");
  EXPECT_TRUE(links->isNull("cloud_controller_v2"));
}

TEST_F(FakeCloudControllerTest, PagesLinkToEachOtherAndHoldEveryAppOnce) {
  std::string target = "/v3/apps?per_page=50&order_by=name";
  std::vector<std::string> names;
  int pages = 0;
  while (!target.empty() && pages < 10) {
    const auto json = ask(target).json();
    ++pages;
    const auto resources = json->getArray("resources");
    for (unsigned i = 0; i < resources->size(); ++i) {
      names.push_back(resources->getObject(i)->getValue<std::string>("name"));
    }
    const auto pagination = json->getObject("pagination");
    EXPECT_EQ(pagination->getValue<int>("total_results"), 125);
    EXPECT_EQ(pagination->getValue<int>("total_pages"), 3);
    target.clear();
    if (!pagination->isNull("next")) {
      target = pagination->getObject("next")->getValue<std::string>("href").substr(
          controller_.url().size());
    }
  }
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(names.size(), 125U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST_F(FakeCloudControllerTest, FiltersByNameAndGuid) {
  const auto named = ask("/v3/apps?names=app-00003,app-00007").json();
  EXPECT_EQ(named->getObject("pagination")->getValue<int>("total_results"), 2);
  const auto one = ask("/v3/apps?guids=" + controller_.appGuid(5)).json();
  EXPECT_EQ(one->getArray("resources")->getObject(0)->getValue<std::string>("name"), "app-00005");
  EXPECT_EQ(ask("/v3/apps/" + controller_.appGuid(5)).text("name"), "app-00005");
}

TEST_F(FakeCloudControllerTest, BadQueriesAreRefused) {
  EXPECT_EQ(ask("/v3/apps?per_page=0").status, 400);
  EXPECT_EQ(ask("/v3/apps?per_page=5001").status, 400);
  EXPECT_EQ(ask("/v3/apps?page=x").status, 400);
  EXPECT_THAT(ask("/v3/apps?colour=red").body, HasSubstr("CF-BadQueryParameter"));
}

TEST_F(FakeCloudControllerTest, TokensMustBeIssuedAliveAndNotRevoked) {
  EXPECT_EQ(ask("/v3/apps?per_page=1").status, 200);
  EXPECT_EQ(call(controller_.url() + "/v3/apps", "GET").status, 401);
  const std::string good = token_;
  token_ = good + "x";
  EXPECT_EQ(ask("/v3/apps").body,
            R"({"errors":[{"code":1000,"title":"CF-InvalidAuthToken","detail":"Invalid Auth )"
            R"(Token"}]})");
  EXPECT_EQ(ask("/v2/apps").body,
            R"({"description":"Invalid Auth Token","error_code":"CF-InvalidAuthToken",)"
            R"("code":1000})");
  token_ = good;
  clock_.advance(std::chrono::seconds{600});
  EXPECT_EQ(ask("/v3/apps").status, 401);
  token_ = login("ann");
  uaa_.revokeAccessTokens();
  EXPECT_EQ(ask("/v3/apps").status, 401);
  EXPECT_EQ(controller_.unauthorizedCount(), 5U);
}

TEST_F(FakeCloudControllerTest, ScopesAreChecked) {
  token_ = login("eve");
  EXPECT_EQ(ask("/v3/apps").status, 403);
}

TEST_F(FakeCloudControllerTest, AppsCanBeMadeChangedAndDeleted) {
  const auto space = ask("/v3/spaces?per_page=1").json()->getArray("resources")->getObject(0);
  const std::string body = R"({"name":"new","relationships":{"space":{"data":{"guid":")" +
                           space->getValue<std::string>("guid") + R"("}}}})";
  const Answer made = ask("/v3/apps", "POST", body);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.text("state"), "STOPPED");
  EXPECT_EQ(ask("/v3/apps", "POST", body).status, 422);
  const std::string target = "/v3/apps/" + made.text("guid");
  EXPECT_EQ(ask(target + "/actions/start", "POST").text("state"), "STARTED");
  EXPECT_EQ(ask(target, "PATCH", R"({"name":"newer"})").text("name"), "newer");
  const Answer deleted = ask(target, "DELETE");
  ASSERT_EQ(deleted.status, 202);
  const std::string job = deleted.head.get("Location").substr(controller_.url().size());
  EXPECT_EQ(ask(job).text("state"), "PROCESSING");
  EXPECT_EQ(ask(job).text("state"), "COMPLETE");
  EXPECT_EQ(ask(target).status, 404);
}

TEST_F(FakeCloudControllerTest, V2ListsHaveTheirOwnShape) {
  const auto json = ask("/v2/apps?results-per-page=100&page=2").json();
  EXPECT_EQ(json->getValue<int>("total_results"), 125);
  EXPECT_EQ(json->getValue<int>("total_pages"), 2);
  EXPECT_EQ(json->getArray("resources")->size(), 25U);
  EXPECT_TRUE(json->isNull("next_url"));
  EXPECT_EQ(json->getValue<std::string>("prev_url"), "/v2/apps?page=1&results-per-page=100");
  const auto found = ask("/v2/apps?q=name:app-00004").json();
  EXPECT_EQ(found->getArray("resources")
                ->getObject(0)
                ->getObject("entity")
                ->getValue<std::string>("name"),
            "app-00004");
}

TEST_F(FakeCloudControllerTest, EchoTellsWhatArrived) {
  const Answer answer = ask("/v3/echo/a%2Fb?x=%20", "PUT", "abc");
  EXPECT_EQ(answer.text("target"), "/v3/echo/a%2Fb?x=%20");
  EXPECT_EQ(answer.text("method"), "PUT");
  EXPECT_EQ(answer.text("bodyLength"), "3");
  EXPECT_EQ(answer.text("bodySha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(call(controller_.url() + "/base/x", "GET").status, 200);
  token_ = "bad";
  EXPECT_EQ(ask("/base/x").status, 401);
}

}  // namespace
}  // namespace stratos::testing
