#include "health_gate.hpp"

#include <latch>

#include "server_fixture.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/capturing_log_sink.hpp"

namespace stratos::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HealthGateTest : public ::testing::Test {
 protected:
  std::string ask(const std::string& target, const std::string& method = "GET") {
    http::Request request;
    request.method = method;
    request.target = target;
    http::Response response = gate_.handle(request);
    return std::to_string(response.status) + " " + response.body.bytes();
  }

  std::function<std::string()> check_ = [] { return std::string(); };
  stratos::testing::CapturingLogSink log_;
  FunctionHandler inner_{&echo};
  HealthGate gate_{inner_, [this] { return check_(); }, log_};
};

TEST_F(HealthGateTest, TellsLivenessFromReadiness) {
  EXPECT_EQ(ask("/livez"), "200 ok\n");
  EXPECT_EQ(ask("/readyz?verbose"), "200 ok\n");
  check_ = [] { return std::string("an upgrade is going on"); };
  EXPECT_EQ(ask("/livez"), "200 ok\n");
  EXPECT_EQ(ask("/readyz"), "503 not ready: an upgrade is going on\n");
}

TEST_F(HealthGateTest, StrangersDoNotReadWhyTheDatabaseFails) {
  check_ = []() -> std::string { throw Error(ErrorCode::Unavailable, "db.internal refused"); };
  EXPECT_EQ(ask("/readyz"), "503 not ready: the database cannot be asked\n");
  EXPECT_TRUE(log_.mentions("db.internal refused"));
}

TEST_F(HealthGateTest, LogsWhatChangesAndNothingElse) {
  static_cast<void>(ask("/readyz"));
  EXPECT_TRUE(log_.lines().empty());
  check_ = [] { return std::string("tired"); };
  static_cast<void>(ask("/readyz"));
  static_cast<void>(ask("/readyz"));
  check_ = [] { return std::string(); };
  static_cast<void>(ask("/readyz"));
  static_cast<void>(ask("/livez"));
  EXPECT_EQ(log_.linesWith("not ready").size(), 1U);
  EXPECT_EQ(log_.linesWith("ready again").size(), 1U);
  EXPECT_EQ(log_.lines().size(), 2U);
}

TEST_F(HealthGateTest, IsNotReadyOnceItDrains) {
  bool asked = false;
  check_ = [&asked] {
    asked = true;
    return std::string();
  };
  gate_.drain();
  EXPECT_EQ(ask("/readyz"), "503 not ready: shutting down\n");
  EXPECT_EQ(ask("/livez"), "200 ok\n");
  EXPECT_FALSE(asked);
}

TEST_F(HealthGateTest, TakesNothingElseAway) {
  for (const char* target : {"/", "/livez/", "/livezz", "/pp/v1/ping", "/a/readyz"}) {
    EXPECT_EQ(ask(target), std::string("200 GET ") + target + " ");
  }
  EXPECT_THAT(ask("/livez", "HEAD"), StartsWith("200"));
  EXPECT_THAT(ask("/livez", "POST"), StartsWith("405"));
}

using HealthGateServerTest = HttpServerFixture;

TEST_F(HealthGateServerTest, BusyWorkersDoNotMakeItLookDead) {
  std::latch busy(1);
  std::latch mayFinish(1);
  FunctionHandler inner([&](http::Request& request) {
    busy.count_down();
    mayFinish.wait();
    return echo(request);
  });
  HealthGate gate(inner, [] { return std::string(); }, log_);
  HttpServerOptions options;
  options.workers = 1;
  options.mostlyWaits = &HealthGate::isHealthTarget;
  start([&](http::Request& request) { return gate.handle(request); }, options);
  TestClient slow = connect();
  slow.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  busy.wait();
  TestClient probe = connect();
  for (const char* path : {"/livez", "/readyz"}) {
    EXPECT_THAT(probe.exchange(std::string("GET ") + path + " HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n"),
                EndsWith("ok\n"));
  }
  mayFinish.count_down();
  EXPECT_THAT(slow.readResponse(), HasSubstr("GET /"));
}

}  // namespace
}  // namespace stratos::server
