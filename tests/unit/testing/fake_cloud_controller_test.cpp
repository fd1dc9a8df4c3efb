#include "stratos/testing/fake_cloud_controller.hpp"

#include <gmock/gmock.h>

#include "sim_client.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::testing {
namespace {

using ::testing::ElementsAre;
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

TEST_F(FakeCloudControllerTest, ProcessesFollowTheirAppAndTheirScale) {
  const std::string guid = controller_.appGuid(0);
  const auto stats = [&] {
    std::vector<std::string> states;
    const auto all = ask("/v3/processes/" + guid + "/stats").json()->getArray("resources");
    for (unsigned i = 0; i < all->size(); ++i) {
      states.push_back(all->getObject(i)->getValue<std::string>("state"));
    }
    return states;
  };
  const auto process = ask("/v3/apps/" + guid + "/processes").json()->getArray("resources");
  ASSERT_EQ(process->size(), 1U);
  EXPECT_EQ(process->getObject(0)->getValue<std::string>("type"), "web");
  EXPECT_THAT(stats(), ElementsAre("RUNNING", "RUNNING"));
  const std::string scale = "/v3/processes/" + guid + "/actions/scale";
  EXPECT_EQ(ask(scale, "POST", R"({"instances":3,"memory_in_mb":512})").status, 202);
  EXPECT_THAT(stats(), ElementsAre("RUNNING", "RUNNING", "RUNNING"));
  EXPECT_EQ(ask(scale, "POST", R"({"instances":-1})").status, 422);
  EXPECT_THAT(ask(scale, "POST", R"({"instances":64})").body, HasSubstr("memory quota_exceeded"));
  EXPECT_EQ(ask(scale, "POST", "{").status, 400);
  ask("/v3/apps/" + guid + "/actions/stop", "POST");
  EXPECT_THAT(stats(), ElementsAre("DOWN", "DOWN", "DOWN"));
  ask("/v3/apps/" + guid + "/actions/start", "POST");
  EXPECT_THAT(stats(), ElementsAre("STARTING", "STARTING", "STARTING"));
  clock_.advance(std::chrono::seconds{3});
  EXPECT_THAT(stats(), ElementsAre("RUNNING", "RUNNING", "RUNNING"));
  EXPECT_EQ(ask("/v3/processes/nobody").status, 404);
  EXPECT_EQ(ask("/v3/apps/" + guid + "/processes/web").text("memory_in_mb"), "512");
}

TEST_F(FakeCloudControllerTest, WhatWasDoneToAnAppIsAnEvent) {
  const std::string guid = controller_.appGuid(3);
  ask("/v3/apps/" + guid + "/actions/stop", "POST");
  clock_.advance(std::chrono::seconds{5});
  ask("/v3/processes/" + guid + "/actions/scale", "POST", R"({"instances":1})");
  ask("/v3/apps/" + controller_.appGuid(4) + "/actions/restart", "POST");
  const auto events = ask("/v3/audit_events?target_guids=" + guid + "&order_by=-created_at")
                          .json()
                          ->getArray("resources");
  ASSERT_EQ(events->size(), 2U);
  const auto last = events->getObject(0);
  EXPECT_EQ(last->getValue<std::string>("type"), "audit.app.process.scale");
  EXPECT_EQ(last->getObject("actor")->getValue<std::string>("name"), "ann");
  EXPECT_EQ(events->getObject(1)->getValue<std::string>("type"), "audit.app.stop");
  EXPECT_EQ(ask("/v3/audit_events?colour=red").status, 400);
}

TEST_F(FakeCloudControllerTest, EnvironmentVariablesAreSetAndRemoved) {
  const std::string target = "/v3/apps/" + controller_.appGuid(0) + "/environment_variables";
  EXPECT_TRUE(ask(target).json()->getObject("var")->has("DATABASE_URL"));
  const auto changed =
      ask(target, "PATCH", R"({"var":{"A.B":"1","LOG_LEVEL":null}})").json()->getObject("var");
  EXPECT_EQ(changed->getValue<std::string>("A.B"), "1");
  EXPECT_FALSE(changed->has("LOG_LEVEL"));
}

TEST_F(FakeCloudControllerTest, OrganizationsAndSpacesAreMadeAndDeletedByJobs) {
  const auto inOrganization = [](const std::string& name, const std::string& guid) {
    return R"({"name":")" + name + R"(","relationships":{"organization":{"data":{"guid":")" + guid +
           R"("}}}})";
  };
  const auto jobOf = [&](const Answer& answer) {
    return answer.head.get("Location").substr(controller_.url().size());
  };
  EXPECT_EQ(ask("/v3/organizations", "POST", R"({"name":"team"})").status, 403);
  uaa_.addUser({"root", "secret", {"cloud_controller.admin"}});
  token_ = login("root");
  const Answer team = ask("/v3/organizations", "POST", R"({"name":"team"})");
  ASSERT_EQ(team.status, 201) << team.body;
  EXPECT_THAT(ask("/v3/organizations", "POST", R"({"name":"TEAM"})").body,
              HasSubstr("Organization 'TEAM' already exists."));
  EXPECT_EQ(ask("/v3/organizations", "POST", R"({"name":""})").status, 422);
  EXPECT_EQ(
      ask("/v3/organizations", "POST", R"({"name":")" + std::string(256, 'x') + R"("})").status,
      422);
  const Answer dev = ask("/v3/spaces", "POST", inOrganization("dev", team.text("guid")));
  ASSERT_EQ(dev.status, 201) << dev.body;
  EXPECT_EQ(ask("/v3/spaces", "POST", inOrganization("dev", team.text("guid"))).status, 422);
  EXPECT_EQ(ask("/v3/spaces", "POST", inOrganization("dev", "nowhere")).status, 422);
  const std::string at = "/v3/organizations/" + team.text("guid");
  EXPECT_EQ(ask(at, "PATCH", R"({"name":"team2"})").text("name"), "team2");
  EXPECT_EQ(ask(at, "PATCH", R"({"name":"org-00001"})").status, 422);

  controller_.failNextJob("It is in use.");
  const Answer failing = ask(at, "DELETE");
  ASSERT_EQ(failing.status, 202);
  EXPECT_EQ(ask(jobOf(failing)).text("state"), "PROCESSING");
  EXPECT_THAT(ask(jobOf(failing)).body, HasSubstr("It is in use."));
  EXPECT_EQ(ask(at).status, 200);
  // Nobody has to look for a job to end.
  EXPECT_EQ(ask(at, "DELETE").status, 202);
  EXPECT_EQ(ask(at).status, 200);
  clock_.advance(std::chrono::seconds{5});
  EXPECT_EQ(ask(at).status, 404);
  EXPECT_EQ(ask("/v3/spaces/" + dev.text("guid")).status, 404);
}

TEST_F(FakeCloudControllerTest, RolesAreGivenByNameAndTaken) {
  const std::string organization = controller_.organizationGuid(0);
  const std::string space = controller_.spaceGuid(0);
  controller_.addRole("organization_manager", organization, uaa_.userGuid("ann"));
  const auto role = [](const std::string& type, const std::string& kind, const std::string& guid) {
    return R"({"type":")" + type + R"(","relationships":{"user":{"data":{"username":"eve"}},")" +
           kind + R"(":{"data":{"guid":")" + guid + R"("}}}})";
  };
  EXPECT_EQ(ask("/v3/roles", "POST", role("space_developer", "space", space)).status, 422);
  const Answer member =
      ask("/v3/roles", "POST", role("organization_user", "organization", organization));
  ASSERT_EQ(member.status, 201) << member.body;
  ASSERT_EQ(ask("/v3/roles", "POST", role("space_developer", "space", space)).status, 201);
  EXPECT_EQ(ask("/v3/roles", "POST", role("space_developer", "space", space)).status, 422);
  const Answer list = ask("/v3/roles?space_guids=" + space + "&include=user,space");
  EXPECT_EQ(list.json()->getArray("resources")->size(), 1U);
  EXPECT_THAT(list.body, HasSubstr(R"("username":"eve")"));
  EXPECT_THAT(list.body, HasSubstr(R"("name":"space-00000")"));
  const std::string developer =
      list.json()->getArray("resources")->getObject(0)->getValue<std::string>("guid");
  EXPECT_EQ(ask("/v3/roles/" + member.text("guid"), "DELETE").status, 422);
  EXPECT_EQ(ask("/v3/roles/" + developer, "DELETE").status, 202);
  clock_.advance(std::chrono::seconds{5});
  EXPECT_EQ(ask("/v3/roles/" + member.text("guid"), "DELETE").status, 202);
  EXPECT_EQ(ask("/v3/roles/nothing", "DELETE").status, 404);
  EXPECT_FALSE(controller_.hasRole("space_developer", space, uaa_.userGuid("eve")));
}

TEST_F(FakeCloudControllerTest, RunningAppsLogALineEachSecond) {
  const std::string guid = controller_.appGuid(0);
  const std::string read = "/api/v1/read/" + guid;
  const auto batch = [&](const std::string& query) {
    return ask(read + query).json()->getObject("envelopes")->getArray("batch");
  };
  const auto timeOf = [](const Poco::JSON::Array::Ptr& lines, unsigned index) {
    return lines->getObject(index)->getValue<std::string>("timestamp");
  };
  EXPECT_EQ(batch("?limit=1000")->size(), 60U);
  const auto newest = batch("?limit=1&descending=true");
  ASSERT_EQ(newest->size(), 1U);
  const std::string last = timeOf(newest, 0);
  clock_.advance(std::chrono::seconds{2});
  const auto next = batch("?start_time=" + std::to_string(std::stoll(last) + 1));
  ASSERT_EQ(next->size(), 2U);
  EXPECT_EQ(timeOf(next, 0), std::to_string(std::stoll(last) + 1'000'000'000));
  EXPECT_EQ(batch("?start_time=" + last + "&end_time=" + timeOf(next, 1))->size(), 2U);
  EXPECT_EQ(batch("?envelope_types=GAUGE")->size(), 0U);
  EXPECT_EQ(ask(read + "?limit=1001").status, 400);
  EXPECT_EQ(ask(read + "?limit=x").status, 400);

  controller_.addLog(guid, "last\xff words", true, 1);
  ask("/v3/apps/" + guid + "/actions/stop", "POST");
  const std::size_t atStop = batch("?limit=1000")->size();
  clock_.advance(std::chrono::seconds{30});
  EXPECT_EQ(batch("?limit=1000")->size(), atStop);
  const auto said = batch("?limit=3&descending=true")->getObject(2);
  EXPECT_EQ(said->getObject("log")->getValue<std::string>("type"), "ERR");
  EXPECT_EQ(fromBase64(said->getObject("log")->getValue<std::string>("payload")),
            "last\xff words");
  EXPECT_EQ(said->getValue<std::string>("instance_id"), "1");

  ask("/v3/apps/" + guid + "/actions/start", "POST");
  clock_.advance(std::chrono::hours{24});
  token_ = login("ann");
  EXPECT_EQ(batch("?limit=1000")->size(), 1000U);
}

TEST_F(FakeCloudControllerTest, LogCacheTellsNothingToStrangers) {
  const std::string read = "/api/v1/read/" + controller_.appGuid(0);
  EXPECT_EQ(call(controller_.url() + read, "GET").status, 404);
  EXPECT_EQ(ask("/api/v1/read/nothing").status, 404);
  EXPECT_EQ(call(controller_.url() + "/api/v1/info", "GET").status, 200);
  token_ = login("eve");
  EXPECT_EQ(ask(read).status, 404);
  uaa_.addUser({"operator", "secret", {"logs.admin"}});
  token_ = login("operator");
  EXPECT_EQ(ask(read).status, 200);
  EXPECT_EQ(ask("/api/v1/read/nothing").status, 200);
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
