#include "stratos/proxy/proxy_service.hpp"

#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/worker_pool.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/gate.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::proxy {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::oauthToken;
using test::OpenAtExit;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;

constexpr const char* kStillRunning =
    R"({"error":{"statusCode":202,"status":"Long Running Operation still active"},)"
    R"("errorResponse":{"longRunningTimeout":true,)"
    R"("description":"Long Running Operation still active","error_code":"longRunningTimeout"}})";

class ProxyServiceTest : public ::testing::Test {
 protected:
  ProxyServiceTest() {
    for (const char* id : {"A", "B", "C", "D", "E"}) insert(id);
    for (const char* id : {"A", "B", "C", "D"}) connect(id);
  }
  /// Calls that outlive their request still use the service.
  void TearDown() override { workers_.reset(); }

  void insert(const std::string& id, const std::string& creator = "") {
    store::EndpointRecord record = test::cfEndpoint(toLower(id));
    record.id = EndpointId{id};
    record.creator = UserId{creator};
    sql_.endpoints.insert(record);
  }
  void connect(const std::string& id) {
    sql_.tokens.saveEndpointToken(
        oauthToken("u1", id, "token-" + id, "r", toUnixSeconds(clock_.now()) + 600));
  }
  static http::Request request(const std::string& method, const std::string& path,
                               http::Headers headers) {
    http::Request made;
    made.method = method;
    made.target = "/pp/v1/proxy/" + path;
    made.headers = std::move(headers);
    made.pathParams["*"] = path.substr(0, path.find('?'));
    return made;
  }
  http::Response list(http::Request made) {
    return service_.handleList(made, {.user = UserId{"u1"}, .isAdmin = [] { return false; }});
  }
  http::Response get(const std::string& list_, http::Headers more = {}) {
    more.add("x-cap-cnsi-list", list_);
    return list(request("GET", "v2/info", std::move(more)));
  }
  static std::string textOf(http::Response response) { return response.body.readAll(10'000'000); }
  static std::string hostOf(const SentRequest& request) { return Url::parse(request.url).host(); }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  ScriptedTransport network_{
      [](const SentRequest& sent) { return reply(200, R"({"host":")" + hostOf(sent) + "\"}"); }};
  auth::UaaClient uaa_{network_};
  auth::TokenProvider provider_{sql_.tokens, nullptr, uaa_, clock_, sql_.random, log_};
  endpoint::EndpointRegistry registry_{sql_.endpoints,
                                       log_,
                                       {.userEndpoints = endpoint::UserEndpoints::Enabled,
                                        .defaultClientId = "cf",
                                        .defaultClientSecret = {}}};
  Forwarder forwarder_{network_, provider_, log_};
  std::unique_ptr<WorkerPool> workers_ = std::make_unique<WorkerPool>(4);
  ProxyOptions options_{.timeouts = {},
                        .longRunningAnswer = 20ms,
                        .fanOutBodyLimitBytes = 1000,
                        .fanOutRequestLimitBytes = 1000,
                        .fanOutTotalLimitBytes = 4000,
                        .maxEndpointsPerRequest = 4};
  ProxyService service_{registry_, forwarder_, *workers_, options_};
};

TEST_F(ProxyServiceTest, GivesTheFanOutOfTheReference) {
  network_.answer([](const SentRequest& sent) {
    switch (hostOf(sent)[4]) {
      case 'a':
        return reply(200, "{ \"a\" : \"<b>&\" }", {}, "OK");
      case 'b':
        return reply(404, R"({"code":1,"description":"d","error_code":"e"})", {}, "Not Found");
      case 'c':
        return reply(500, "oops", {}, "Internal Server Error");
      default:
        return reply(204, "");
    }
  });
  ProxyOptions roomy = options_;
  roomy.maxEndpointsPerRequest = 5;
  ProxyService service(registry_, forwarder_, *workers_, roomy);
  http::Request made = request("GET", "v2/apps?q=a%3Ab&q=c;d", {{"x-cap-cnsi-list", "E,D,C,B,A"}});
  http::Response response =
      service.handleList(made, {.user = UserId{"u1"}, .isAdmin = [] { return false; }});
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.headers.get("Content-Type").starts_with("application/json"));
  EXPECT_EQ(textOf(std::move(response)),
            R"({"A":{"a":"\u003cb\u003e\u0026"},)"
            R"("B":{"error":{"statusCode":404,"status":"404 Not Found"},)"
            R"("errorResponse":{"code":1,"description":"d","error_code":"e"}},)"
            R"("C":{"error":{"statusCode":500,"status":"500 Internal Server Error"},)"
            R"("errorResponse":"oops"},"D":null,)"
            R"("E":{"error":{"statusCode":400,"status":"Unable to retrieve CNSI token record"},)"
            R"("errorResponse":""}})"
            "\n");
  for (const auto& sent : network_.sent()) {
    EXPECT_TRUE(sent.url.ends_with(".example.com/v2/apps?q=a%3Ab&q=c;d")) << sent.url;
  }
}

TEST_F(ProxyServiceTest, SendsEachEndpointItsOwnTokenAndTheSameBody) {
  http::Request made = request("PUT", "v2/apps",
                               {{"x-cap-cnsi-list", " A , B,A"},
                                {"Content-Type", "text/x"},
                                {"X-Xsrf-Token", "SENTINEL"},
                                {"Cookie", "SENTINEL"},
                                {"Authorization", "SENTINEL"}});
  made.body = http::Body{"data"};
  EXPECT_EQ(textOf(list(std::move(made))),
            "{\"A\":{\"host\":\"api.a.example.com\"},\"B\":{\"host\":\"api.b.example.com\"}}\n");
  ASSERT_EQ(network_.count(), 2U) << "a repeated endpoint is asked once";
  for (const auto& sent : network_.sent()) {
    const std::string letter = hostOf(sent) == "api.a.example.com" ? "A" : "B";
    EXPECT_EQ(sent.headers.get("Authorization"), "bearer token-" + letter);
    EXPECT_EQ(sent.body, "data");
    for (const auto& [name, value] : sent.headers) EXPECT_NE(value, "SENTINEL") << name;
  }
}

TEST_F(ProxyServiceTest, RefusesListsWithUnknownInvisibleOrTooManyEndpoints) {
  insert("of-bob", "bob");
  connect("of-bob");
  for (const char* bad :
       {"", ",", "A,", "A,,B", "unknown", "A,unknown", "of-bob", "A,of-bob", "a", "A B", "A;B"}) {
    http::Response response = get(bad);
    EXPECT_EQ(response.status, 400) << bad;
    EXPECT_EQ(textOf(std::move(response)), "No match for that Endpoint") << bad;
  }
  EXPECT_EQ(list(request("GET", "v2/info", {})).status, 400) << "no header at all";
  EXPECT_EQ(get("A,B,C,D,E").status, 400) << "one more than allowed";
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ProxyServiceTest, RefusesPathsThatLeaveTheEndpoint) {
  for (const char* path : {"../x", "a/%2e%2e/%2e%2e/x", "..%2fx", "a%00"}) {
    for (const char* passthrough : {"true", "false"}) {
      EXPECT_EQ(
          list(request("GET", path, {{"x-cap-cnsi-list", "A"}, {"x-cap-passthrough", passthrough}}))
              .status,
          400)
          << path;
    }
  }
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ProxyServiceTest, PassesASingleAnswerThrough) {
  network_.answer([](const SentRequest&) {
    return reply(418, "<b>tea</b>",
                 {{"Content-Type", "text/html"}, {"Set-Cookie", "a=b"}, {"Link", "<x>"}});
  });
  http::Response response = get("A", {{"x-cap-passthrough", "true"}});
  EXPECT_EQ(response.status, 418);
  EXPECT_EQ(response.headers.get("Content-Type"), "text/plain; charset=UTF-8");
  EXPECT_EQ(response.headers.get("Link"), "<x>");
  EXPECT_FALSE(response.headers.has("Set-Cookie"));
  EXPECT_EQ(textOf(std::move(response)), "<b>tea</b>");
  for (const char* off : {"TRUE", "1", "True", "true ", ""}) {
    EXPECT_TRUE(textOf(get("A", {{"x-cap-passthrough", off}})).starts_with("{\"A\":")) << off;
  }
}

TEST_F(ProxyServiceTest, PassesOnlyOneEndpointThrough) {
  EXPECT_EQ(textOf(get("A,B", {{"x-cap-passthrough", "true"}})),
            "Requested passthrough to multiple CNSIs. Only single CNSI passthroughs are supported");
  EXPECT_EQ(get("A,B", {{"x-cap-long-running", "true"}}).status, 400);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ProxyServiceTest, AnswersPassedThroughFailuresAsTheFrontEndKnowsThem) {
  http::Response none = get("E", {{"x-cap-passthrough", "true"}});
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(textOf(std::move(none)), "");
  network_.answer([](const SentRequest&) {
    return test::transportFailure(http::TransportFailure::Refused, "10.1.2.3");
  });
  http::Response failed = get("A", {{"x-cap-passthrough", "true"}});
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(textOf(std::move(failed)), "the endpoint cannot be reached");
  EXPECT_EQ(textOf(get("A")),
            "{\"A\":{\"error\":{\"statusCode\":500,\"status\":\"Error proxing request\"},"
            "\"errorResponse\":\"the endpoint cannot be reached\"}}\n");
}

TEST_F(ProxyServiceTest, AnswersALongRunningCallBeforeItIsDone) {
  Gate endpoint;
  OpenAtExit release(endpoint);
  network_.answer([&](const SentRequest&) {
    endpoint.pass();
    return reply(201, R"({"done":true})");
  });
  http::Response map = get("A", {{"x-cap-long-running", "true"}});
  EXPECT_EQ(map.status, 200);
  EXPECT_EQ(textOf(std::move(map)), std::string{"{\"A\":"} + kStillRunning + "}\n");
  http::Response raw = get("A", {{"x-cap-long-running", "true"}, {"x-cap-passthrough", "true"}});
  EXPECT_EQ(raw.status, 202);
  EXPECT_EQ(textOf(std::move(raw)), kStillRunning);
  endpoint.awaitArrivals(2);
  EXPECT_GT(network_.sent().at(0).deadline.remaining(), 300s) << "the limit of long calls applies";
  endpoint.open();
  workers_.reset();
}

TEST_F(ProxyServiceTest, GivesTheResultOfALongRunningCallThatIsDoneInTime) {
  ProxyOptions patient = options_;
  patient.longRunningAnswer = 30s;
  ProxyService service(registry_, forwarder_, *workers_, patient);
  network_.answer([](const SentRequest&) {
    return reply(201, R"({"done":true})", {{"Content-Type", "application/json"}});
  });
  const endpoint::Caller caller{.user = UserId{"u1"}, .isAdmin = [] { return false; }};
  http::Request map =
      request("POST", "v2/x", {{"x-cap-cnsi-list", "A"}, {"x-cap-long-running", "true"}});
  EXPECT_EQ(textOf(service.handleList(map, caller)), "{\"A\":{\"done\":true}}\n");
  http::Request raw = request(
      "POST", "v2/x",
      {{"x-cap-cnsi-list", "A"}, {"x-cap-passthrough", "true"}, {"x-cap-long-running", "true"}});
  http::Response response = service.handleList(raw, caller);
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(textOf(std::move(response)), R"({"done":true})");
}

TEST_F(ProxyServiceTest, RunsTheCallsSideBySide) {
  Gate all;
  OpenAtExit release(all);
  network_.answer([&](const SentRequest&) {
    all.pass();
    return reply(200, "1");
  });
  std::string text;
  std::jthread browser([&] { text = textOf(get("A,B,C,D")); });
  all.awaitArrivals(4);  // Would wait for ever if one call waited for another.
  all.open();
  browser.join();
  EXPECT_EQ(text, "{\"A\":1,\"B\":1,\"C\":1,\"D\":1}\n");
}

TEST_F(ProxyServiceTest, AnswersForTheOthersWhenOneEndpointHangs) {
  network_.answer([](const SentRequest& sent) {
    if (hostOf(sent) != "api.b.example.com") return reply(200, "1");
    EXPECT_FALSE(sent.deadline.isNever());
    return test::transportFailure(http::TransportFailure::TimedOut, "deadline");
  });
  EXPECT_EQ(textOf(get("A,B,C")),
            "{\"A\":1,\"B\":{\"error\":{\"statusCode\":500,\"status\":\"Error proxing request\"},"
            "\"errorResponse\":\"the endpoint did not answer in time\"},\"C\":1}\n");
}

TEST_F(ProxyServiceTest, ServesWhileEveryWorkerIsBusy) {
  Gate busy;
  // Its queue has room, but nobody comes to work on it.
  auto full = std::make_unique<WorkerPool>(1, 100);
  OpenAtExit release(busy);
  ASSERT_TRUE(full->trySubmit([&] { busy.pass(); }));
  busy.awaitArrivals(1);
  ProxyService service(registry_, forwarder_, *full, options_);
  const endpoint::Caller caller{.user = UserId{"u1"}, .isAdmin = [] { return false; }};
  http::Request made = request("GET", "x", {{"x-cap-cnsi-list", "A,B,C"}});
  EXPECT_NE(textOf(service.handleList(made, caller)).find("api.a.example.com"), std::string::npos);
  EXPECT_EQ(network_.count(), 3U);
  http::Request late =
      request("GET", "x", {{"x-cap-cnsi-list", "A"}, {"x-cap-long-running", "true"}});
  EXPECT_EQ(textOf(service.handleList(late, caller)),
            std::string{"{\"A\":"} + kStillRunning + "}\n");
  busy.open();
  full.reset();
}

TEST_F(ProxyServiceTest, ServesWhenTheQueueIsFull) {
  Gate busy;
  WorkerPool full(1, 0);
  OpenAtExit release(busy);
  ASSERT_TRUE(full.trySubmit([&] { busy.pass(); }));
  busy.awaitArrivals(1);
  ProxyService service(registry_, forwarder_, full, options_);
  const endpoint::Caller caller{.user = UserId{"u1"}, .isAdmin = [] { return false; }};
  for (const char* longRunning : {"false", "true"}) {
    http::Request made =
        request("GET", "x", {{"x-cap-cnsi-list", "A"}, {"x-cap-long-running", longRunning}});
    EXPECT_EQ(textOf(service.handleList(made, caller)),
              "{\"A\":{\"host\":\"api.a.example.com\"}}\n");
  }
}

TEST_F(ProxyServiceTest, ContainsOversizedBrokenAndForeignBodies) {
  network_.answer([](const SentRequest& sent) {
    http::ClientResponse response = reply(200, "");
    switch (hostOf(sent)[4]) {
      case 'a':
        response.body = http::Body{
            std::make_unique<test::PiecewiseSource>("\"" + std::string(1000, 'x') + "\"", 100)};
        return response;
      case 'b':
        response.body = http::Body{std::make_unique<test::PiecewiseSource>(
            "{\"half\":", 3, std::make_exception_ptr(Error{ErrorCode::Unavailable, "10.1.2.3"}))};
        return response;
      case 'c':
        return reply(200, "<html>");
      default:
        return reply(200, "[]");
    }
  });
  EXPECT_EQ(textOf(get("A,B,C,D")),
            "{\"A\":{\"error\":{\"statusCode\":500,\"status\":\"the endpoint's answer is too large "
            "to be combined with others\"},\"errorResponse\":null},"
            "\"B\":{\"error\":{\"statusCode\":500,"
            "\"status\":\"the endpoint broke off its answer\"},\"errorResponse\":null},"
            "\"C\":{\"error\":{\"statusCode\":502,\"status\":\"502 Bad Gateway\"},"
            "\"errorResponse\":\"the endpoint did not answer with JSON\"},"
            "\"D\":[]}\n");
}

TEST_F(ProxyServiceTest, ContainsATokenThatCannotBeUsed) {
  sql_.database().connect().execute("UPDATE tokens SET auth_token = $1 WHERE cnsi_guid = 'A'",
                                    {db::Blob{"SG\x01 broken"}});
  const std::string text = textOf(get("A,B"));
  EXPECT_NE(text.find("the stored token cannot be used"), std::string::npos) << text;
  EXPECT_NE(text.find("\"B\":{\"host\":"), std::string::npos) << text;
}

TEST_F(ProxyServiceTest, SharesTheMemoryForAnswersAmongAllFanOuts) {
  const std::string large = "{\"text\":\"" + std::string(20'000, 'x') + "\"}";
  network_.answer([&](const SentRequest& sent) {
    // As a stream, as from a real endpoint.
    http::ClientResponse response = reply(200, "");
    response.body = http::Body(
        std::make_unique<test::PiecewiseSource>(hostOf(sent)[4] == 'c' ? "{}" : large, 700));
    return response;
  });
  ProxyOptions options = options_;
  options.fanOutBodyLimitBytes = 100'000;
  options.fanOutTotalLimitBytes = 100'000;
  options.fanOutBudgetBytes = 30'000;
  ProxyService service(registry_, forwarder_, *workers_, options);
  const auto ask = [&](const char* endpoints) {
    http::Request made = request("GET", "v2/apps", {{"x-cap-cnsi-list", endpoints}});
    return service.handleList(made, {.user = UserId{"u1"}, .isAdmin = [] { return false; }});
  };
  std::optional<http::Response> unsent = ask("A");
  const std::string refused = textOf(ask("B,C"));
  EXPECT_THAT(refused, ::testing::HasSubstr("too many large answers are under way"));
  EXPECT_THAT(refused, ::testing::HasSubstr(R"("C":{})"));
  EXPECT_EQ(textOf(std::move(*unsent)), "{\"A\":" + large + "}\n");
  unsent.reset();
  EXPECT_EQ(textOf(ask("B")), "{\"B\":" + large + "}\n");
  EXPECT_THAT(textOf(ask("A,B")), ::testing::HasSubstr("too many large answers are under way"))
      << "both do not fit";
  EXPECT_EQ(textOf(ask("A")), "{\"A\":" + large + "}\n") << "whatever was taken came back";
}

TEST_F(ProxyServiceTest, LimitsTheRequestBodyOfAFanOut) {
  http::Request made = request("POST", "x", {{"x-cap-cnsi-list", "A"}});
  made.body = http::Body{std::string(1001, 'x')};
  EXPECT_THROW((void)list(std::move(made)), Error);
  EXPECT_EQ(network_.count(), 0U);
}

TEST_F(ProxyServiceTest, SendsCallsOfTheAutoscalerToItsHostOnly) {
  (void)get("A", {{"x-cap-api-host", "autoscaler"}, {"x-cap-passthrough", "true"}});
  EXPECT_EQ(network_.sent().at(0).url, "https://autoscaler.a.example.com/v2/info");
  EXPECT_EQ(get("A", {{"x-cap-api-host", "evil"}}).status, 400);
  EXPECT_EQ(network_.count(), 1U);
  (void)get("A", {{"x-cap-api-host", "a.b"}});
  EXPECT_EQ(network_.sent().at(1).url, "https://api.a.example.com/v2/info");
}

TEST_F(ProxyServiceTest, ServesOneEndpointByItsPath) {
  insert("of-bob", "bob");
  const endpoint::Caller caller{.user = UserId{"u1"}, .isAdmin = [] { return false; }};
  http::Request made = request("GET", "projects/a%2Fb?x=1", {});
  made.pathParams["uuid"] = "A";
  EXPECT_EQ(textOf(service_.handleSingle(made, caller)), R"({"host":"api.a.example.com"})");
  EXPECT_EQ(network_.sent().at(0).url, "https://api.a.example.com/projects/a%2Fb?x=1");

  made.headers.set("x-cap-no-token", "true");
  made.pathParams["uuid"] = "E";
  EXPECT_EQ(service_.handleSingle(made, caller).status, 200);
  EXPECT_FALSE(network_.sent().at(1).headers.has("Authorization"));
  for (const char* hidden : {"of-bob", "unknown", ""}) {
    made.pathParams["uuid"] = hidden;
    EXPECT_EQ(service_.handleSingle(made, caller).status, 400)
        << "without a token, too, only what the caller may see";
  }
  EXPECT_EQ(network_.count(), 2U);
}

}  // namespace
}  // namespace stratos::proxy
