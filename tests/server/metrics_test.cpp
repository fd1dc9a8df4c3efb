#include <csignal>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>

#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// /metrics on its own listener.
class MetricsProgramTest : public ServerTest {
 protected:
  void startWithMetrics() {
    Settings measured = settings();
    measured["STRATOS_METRICS_ADDRESS"] = "127.0.0.1:0";
    startServer(measured);
    const std::string line = server->waitForLine("metrics on ");
    metrics_ = std::make_unique<Browser>("http://" + line.substr(line.rfind(' ') + 1));
  }
  [[nodiscard]] std::string metrics() {
    const Answer answer = metrics_->get("/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    return answer.body;
  }

  std::unique_ptr<Browser> metrics_;
};

TEST_F(MetricsProgramTest, CountsWhatIsDoneAndNamesNobody) {
  startWithMetrics();
  EXPECT_THAT(metrics(),
              HasSubstr("stratos_http_requests_total{kind=\"proxied\",status=\"2xx\"} 0"));
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1").status, 200);
  }
  EXPECT_EQ(Browser{origin()}.get("/pp/v1/info").status, 401);
  EXPECT_EQ(Browser{origin()}.get("/livez").status, 200);

  const std::string text = metrics();
  for (const char* sample :
       {"stratos_http_requests_total{kind=\"proxied\",status=\"2xx\"} 2\n",
        "stratos_http_requests_total{kind=\"control\",status=\"4xx\"} 1\n",
        "stratos_http_requests_total{kind=\"page\",status=\"2xx\"} 0\n",
        "stratos_outgoing_calls_total{outcome=\"timed_out\"} 0\n", "stratos_build_info{version=\"",
        "stratos_http_requests_in_flight "}) {
    EXPECT_THAT(text, HasSubstr(sample));
  }
  EXPECT_THAT(text, Not(HasSubstr("stratos_outgoing_calls_total{outcome=\"answered\"} 0\n")));
  for (const std::string& name : {std::string("admin"), guid, std::string("127.0.0.1")}) {
    EXPECT_THAT(text, Not(HasSubstr(name)));
  }
  const std::regex comment("# (HELP|TYPE) [a-z_]+ .+");
  const std::regex sample("[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? [0-9.e+-]+");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(std::regex_match(line, line.starts_with('#') ? comment : sample)) << line;
  }
}

TEST_F(MetricsProgramTest, StandOnTheirOwnListenerOnly) {
  startWithMetrics();
  EXPECT_THAT(Browser{origin()}.get("/metrics").body, Not(HasSubstr("process_")));
  for (const char* path : {"/", "/pp/v1/version", "/livez"}) {
    EXPECT_EQ(metrics_->get(path).status, 404) << path;
  }
}

TEST_F(MetricsProgramTest, AreThereWhileTheServerDrains) {
  startWithMetrics();
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  auto& upstream = foundation->cloudController().server();
  upstream.addFault({.kind = stratos::testing::FaultKind::Hold, .pathPrefix = "/v3/apps"});
  std::jthread caller(
      [&] { EXPECT_EQ(browser.get("/api/v1/proxy/" + guid + "/v3/apps").status, 200); });
  ASSERT_TRUE(upstream.waitUntilHeld(1, Deadline::after(std::chrono::seconds{30})));
  server->signal(SIGTERM);
  EXPECT_NE(server->waitForLine("stopping"), "") << server->output();
  EXPECT_THAT(metrics(), HasSubstr("stratos_http_requests_in_flight 1\n"));
  upstream.release();
  caller.join();
  EXPECT_EQ(server->waitForExit(), 0);
}

TEST_F(MetricsProgramTest, AnAddressThatCannotBeHadStopsTheStart) {
  Settings wrong = settings();
  wrong["STRATOS_METRICS_ADDRESS"] = "9102";
  ServerProcess refused(wrong, {"serve"}, folder.string());
  EXPECT_EQ(refused.waitForExit(), 1);
  EXPECT_THAT(refused.output(), HasSubstr("STRATOS_METRICS_ADDRESS"));
}

}  // namespace
}  // namespace stratos::server_test
