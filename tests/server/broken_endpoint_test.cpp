#include <latch>
#include <thread>

#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

using stratos::testing::Fault;
using stratos::testing::FaultKind;

/// Endpoints that misbehave, behind a server with short time-outs.
class BrokenEndpointTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    Settings impatient = settings();
    impatient["HTTP_CLIENT_TIMEOUT_IN_SECS"] = "2";
    impatient["HTTP_CLIENT_TIMEOUT_MUTATING_IN_SECS"] = "2";
    startServer(impatient);
    browser = std::make_unique<Browser>(signedIn());
    guid = connectFoundation(*browser);
  }
  void fault(FaultKind kind, int times = 1) {
    foundation->cloudController().server().addFault(
        {.kind = kind, .pathPrefix = "/v3/apps", .times = times});
  }
  Answer list() {
    return browser->get("/pp/v1/proxy/v3/apps?per_page=2", {{"x-cap-cnsi-list", guid}});
  }
  Answer single() { return browser->get("/api/v1/proxy/" + guid + "/v3/apps?per_page=2"); }

  std::unique_ptr<Browser> browser;
  std::string guid;
};

TEST_F(BrokenEndpointTest, OneThatHangsEndsWithItsDeadline) {
  fault(FaultKind::Hang, 2);
  const Answer map = list();
  EXPECT_EQ(map.status, 200);
  EXPECT_EQ(map.text(guid + ".error.statusCode"), "500");
  EXPECT_EQ(map.text(guid + ".errorResponse"), "the endpoint did not answer in time");
  const Answer raw = single();
  EXPECT_EQ(raw.status, 500);
  EXPECT_EQ(raw.body, "the endpoint did not answer in time");
  EXPECT_EQ(single().status, 200);
}

TEST_F(BrokenEndpointTest, OneThatHangsDoesNotSpoilTheOthers) {
  stratos::testing::SimulatedFoundation other{{.apps = 7}};
  const Answer added = browser->postMultipart("/api/v1/endpoints?endpoint_type=cf",
                                              {{"cnsi_name", "Other"},
                                               {"api_endpoint", other.apiUrl()},
                                               {"ca_cert", other.certificates().caPem()}});
  ASSERT_EQ(added.status, 201) << added.body;
  const std::string second = added.text("guid");
  ASSERT_EQ(browser
                ->postMultipart("/api/v1/tokens?cnsi_guid=" + second,
                                {{"username", "user"}, {"password", "user"}})
                .status,
            200);
  fault(FaultKind::Hang);
  const Answer map =
      browser->get("/pp/v1/proxy/v3/apps?per_page=2", {{"x-cap-cnsi-list", guid + "," + second}});
  EXPECT_EQ(map.text(guid + ".error.statusCode"), "500");
  EXPECT_EQ(map.text(second + ".pagination.total_results"), "7");
}

TEST_F(BrokenEndpointTest, OneThatClosesIsAnErrorOfItsOwn) {
  fault(FaultKind::CloseBeforeAnswer, 4);
  EXPECT_EQ(list().text(guid + ".error.status"), "Error proxing request");
  EXPECT_EQ(single().status, 500);
  foundation->cloudController().server().clearFaults();
  EXPECT_EQ(single().status, 200);
}

TEST_F(BrokenEndpointTest, AnAnswerThatBreaksOffIsNeverGivenAsWhole) {
  for (const auto kind : {FaultKind::CutBody, FaultKind::BrokenChunk}) {
    fault(kind, 2);
    const Answer map = list();
    EXPECT_EQ(map.status, 200);
    EXPECT_EQ(map.text(guid + ".error.statusCode"), "500") << map.body;
    const Answer raw = single();
    EXPECT_TRUE(raw.status != 200 || !raw.complete) << "a broken answer looked whole";
    foundation->cloudController().server().clearFaults();
    EXPECT_EQ(single().status, 200);
  }
}

TEST_F(BrokenEndpointTest, HtmlWithStatus200IsAnErrorInTheMapAndTextWhenPassedOn) {
  fault(FaultKind::HtmlPage, 2);
  const Answer map = list();
  EXPECT_EQ(map.status, 200);
  EXPECT_EQ(map.text(guid + ".error.statusCode"), "502") << map.body;
  const Answer raw = single();
  EXPECT_EQ(raw.status, 200);
  EXPECT_TRUE(raw.headers.get("content-type").starts_with("text/plain"));
}

TEST_F(BrokenEndpointTest, EndlessHeadersAreCutOff) {
  fault(FaultKind::EndlessHeaders);
  EXPECT_EQ(single().status, 500);
  EXPECT_EQ(single().status, 200);
}

TEST_F(BrokenEndpointTest, ABusyEndpointIsPassedOnWithItsRetryAfter) {
  fault(FaultKind::TooManyRequests, 2);
  EXPECT_EQ(list().text(guid + ".error.statusCode"), "429");
  const Answer raw = single();
  EXPECT_EQ(raw.status, 429);
  EXPECT_TRUE(raw.headers.has("retry-after"));
}

TEST_F(BrokenEndpointTest, ARefusedRequestIsRepeatedOnceWithItsBody) {
  foundation->cloudController().server().addFault(
      {.kind = FaultKind::Unauthorized, .pathPrefix = "/v3/echo", .times = 1});
  const auto before = foundation->uaa().counters().refreshes;
  const Answer answer = browser->send("POST", "/pp/v1/proxy/v3/echo/x",
                                      {{"x-cap-cnsi-list", guid},
                                       {"x-cap-passthrough", "true"},
                                       {"Content-Type", "application/json"}},
                                      R"({"name":"app"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(foundation->uaa().counters().refreshes, before + 1);
  const auto requests = foundation->cloudController().server().requestsTo("/v3/echo");
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].body, R"({"name":"app"})");
  EXPECT_EQ(requests[1].body, R"({"name":"app"})");
  EXPECT_NE(requests[0].header("authorization"), requests[1].header("authorization"));
}

TEST_F(BrokenEndpointTest, AnEndpointThatIsNoCloudFoundryCannotBeRegistered) {
  stratos::testing::FakeUpstream other;
  other.handle("/", [](const auto&) {
    return stratos::testing::Reply{
        .status = 200, .headers = {{"Content-Type", "text/html"}}, .body = "<html></html>"};
  });
  const Answer answer = browser->postMultipart("/api/v1/endpoints?endpoint_type=cf",
                                               {{"cnsi_name", "x"}, {"api_endpoint", other.url()}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.text("error").starts_with("Failed to validate endpoint")) << answer.body;
}

TEST_F(BrokenEndpointTest, AnUnknownCertificateIsSaidSoThatItCanBeTrusted) {
  stratos::testing::SimulatedFoundation other{{.apps = 1}};
  const Answer answer = browser->postMultipart(
      "/api/v1/endpoints?endpoint_type=cf", {{"cnsi_name", "x"}, {"api_endpoint", other.apiUrl()}});
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.text("error"), "SSL error - x509: certificate signed by unknown authority");
}

}  // namespace
}  // namespace stratos::server_test
