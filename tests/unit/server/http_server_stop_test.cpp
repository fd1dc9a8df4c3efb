#include <future>
#include <latch>
#include <string>
#include <thread>

#include "server_fixture.hpp"

namespace stratos::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HttpServerStopTest : public HttpServerFixture {};

TEST_F(HttpServerStopTest, FinishesTheRequestInFlightAndRefusesNewOnes) {
  std::latch started(1);
  std::latch mayFinish(1);
  start([&](http::Request& request) {
    started.count_down();
    mayFinish.wait();
    return echo(request);
  });
  TestClient idle = connect();
  TestClient busy = connect();
  busy.send("GET /busy HTTP/1.1\r\nHost: h\r\n\r\n");
  started.wait();
  const std::uint16_t port = server_->port();
  auto drained = std::async(std::launch::async, [&] { return server_->stop(seconds{30}); });
  EXPECT_THAT(idle.readToEnd(), IsEmpty());  // Closed at once, and with it the entrance.
  EXPECT_THROW(TestClient{port}, std::runtime_error);
  EXPECT_EQ(drained.wait_for(milliseconds{0}), std::future_status::timeout);
  mayFinish.count_down();
  EXPECT_THAT(busy.readToEnd(), AllOf(EndsWith("GET /busy "), HasSubstr("Connection: close\r\n")));
  EXPECT_TRUE(drained.get());
}

TEST_F(HttpServerStopTest, CutsARequestThatOutlivesTheDeadline) {
  std::latch started(1);
  start([&](http::Request& request) {
    started.count_down();
    std::promise<void> cancelled;
    const std::stop_callback callback(request.cancelled, [&] { cancelled.set_value(); });
    cancelled.get_future().wait();
    return http::Response::empty(204);
  });
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  started.wait();
  EXPECT_FALSE(server_->stop(milliseconds{20}));
  EXPECT_THAT(client.readToEnd(), IsEmpty());
  EXPECT_EQ(server_->activeRequests(), 0U);
}

TEST_F(HttpServerStopTest, CutsAnEndlessStream) {
  start([](http::Request&) {
    http::Response response;
    response.body =
        http::Body(std::make_unique<FunctionSource>([] { return std::string("again "); }));
    return response;
  });
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  static_cast<void>(client.readUntil("again "));
  auto drained = std::async(std::launch::async, [&] { return server_->stop(milliseconds{20}); });
  static_cast<void>(client.readToEnd());
  EXPECT_FALSE(drained.get());
}

TEST_F(HttpServerStopTest, StopsTwiceAndWithoutHavingStarted) {
  start(&echo);
  EXPECT_TRUE(server_->stop(seconds{1}));
  EXPECT_TRUE(server_->stop(seconds{1}));
  HttpServer never(*handler_, log_);
  static_cast<void>(never.listen({"127.0.0.1", 0}));
  EXPECT_TRUE(never.stop(seconds{1}));
}

TEST_F(HttpServerStopTest, SurvivesClientsThatComeAndGoWhileItStops) {
  start(&echo);
  const std::uint16_t port = server_->port();
  std::latch warm(4);
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&warm, port] {
      bool counted = false;
      try {
        for (int n = 0; n < 10'000; ++n) {
          TestClient client(port);
          static_cast<void>(client.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
          if (!std::exchange(counted, true)) warm.count_down();
        }
      } catch (const std::runtime_error&) {
        if (!counted) warm.count_down();  // The server has gone.
      }
    });
  }
  warm.wait();
  EXPECT_TRUE(server_->stop(seconds{30}));
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server_->connections(), 0U);
}

}  // namespace
}  // namespace stratos::server
