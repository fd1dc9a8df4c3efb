#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "server_fixture.hpp"
#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerLimitsTest : public HttpServerFixture {
 protected:
  // The status line's code of everything the server says until it closes.
  std::string answerTo(const std::string& bytes) {
    TestClient client = connect();
    client.send(bytes);
    const std::string answer = client.readToEnd();
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    return answer.substr(0, 12);
  }
};

TEST_F(HttpServerLimitsTest, RefusesWhatIsTooLarge) {
  start(&echo);
  EXPECT_EQ(answerTo("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"),
            "HTTP/1.1 431");
  EXPECT_EQ(answerTo("GET /" + std::string(17'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 414");
  std::string fields;
  for (int i = 0; i < 201; ++i) fields += "X: y\r\n";
  EXPECT_EQ(answerTo("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(answerTo("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), "HTTP/1.1 505");
}

TEST_F(HttpServerLimitsTest, RefusesWhatSmugglingNeeds) {
  std::atomic<int> handled = 0;
  start([&](http::Request& request) {
    ++handled;
    return echo(request);
  });
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::vector<std::string> attacks = {
      post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
      post + "Content-Length: +4\r\n\r\nabcd",
      post + "Content-Length: 4, 4\r\n\r\nabcd",
      post + "Content-Length: 0x4\r\n\r\nabcd",
      post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      post + "Transfer-Encoding: identity, chunked, identity\r\n\r\n0\r\n\r\n",
      get + "X : y\r\n\r\n",
      get + " X: y\r\n\r\n",
      get + "X: y\n\r\n\r\n",
      get + "X: a\r\n b\r\n\r\n",
      get + "X: a\rb\r\n\r\n",
      get + "X: a" + std::string(1, '\0') + "b\r\n\r\n",
      get + "Host: other\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET a HTTP/1.1\r\nHost: h\r\n\r\n",
      "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
      "\x16\x03\x01\x02\r\n\r\n",
  };
  for (const std::string& attack : attacks) {
    EXPECT_EQ(answerTo(attack + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400")
        << attack;
  }
  EXPECT_EQ(handled, 0);
}

TEST_F(HttpServerLimitsTest, ClosesWhenAChunkIsBroken) {
  std::latch started(1);
  std::atomic<bool> broken = false;
  start([&](http::Request& request) {
    started.count_down();
    try {
      return echo(request);
    } catch (const Error& e) {
      broken = e.code() == ErrorCode::Unavailable;
      return http::Response::text(400, "broken body");
    }
  });
  TestClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  started.wait();
  client.send("3\r\nabcX\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.readToEnd(), AllOf(StartsWith("HTTP/1.1 400"), EndsWith("broken body")));
  EXPECT_TRUE(broken);
}

TEST_F(HttpServerLimitsTest, EndsASlowHead) {
  HttpServerOptions options;
  options.headTimeout = milliseconds{50};
  start(&echo, options);
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_THAT(client.readToEnd(), StartsWith("HTTP/1.1 408 "));
  // Also when it is not the first request, and has come together with the one before.
  TestClient second = connect();
  second.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTT");
  EXPECT_THAT(second.readResponse(), EndsWith("GET /1 "));
  EXPECT_THAT(second.readToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerLimitsTest, EndsAConnectionThatStaysIdle) {
  HttpServerOptions options;
  options.idleTimeout = milliseconds{50};
  start(&echo, options);
  TestClient silent = connect();
  TestClient once = connect();
  static_cast<void>(once.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(silent.readToEnd(), IsEmpty());
  EXPECT_THAT(once.readToEnd(), IsEmpty());
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpServerLimitsTest, EndsASlowBody) {
  HttpServerOptions options;
  options.exchange.bodyIdleTimeout = milliseconds{50};
  std::atomic<bool> timedOut = false;
  start(
      [&](http::Request& request) {
        try {
          return echo(request);
        } catch (const Error& e) {
          timedOut = e.code() == ErrorCode::DeadlineExceeded;
          return http::Response::text(408, "slow");
        }
      },
      options);
  TestClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(client.readToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(timedOut);
}

TEST_F(HttpServerLimitsTest, SlowClientsHoldNoWorker) {
  HttpServerOptions options;
  options.workers = 1;
  start(
      [&](http::Request& request) {
        if (request.target == "/large") return http::Response::text(200, std::string(64'000'000, 'x'));
        return echo(request);
      },
      options);
  TestClient sending = connect();
  sending.send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  TestClient reading = connect();
  reading.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(reading.readUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(connect().exchange("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /other "));
  sending.send("defghij");
  EXPECT_THAT(sending.readUntil("defghij"), EndsWith("POST /slow abcdefghij"));
}

TEST_F(HttpServerLimitsTest, ALargeBodyHasToKeepComing) {
  HttpServerOptions options;
  options.exchange.bodyIdleTimeout = milliseconds{200};
  std::promise<ErrorCode> ended;
  start(
      [&](http::Request& request) {
        try {
          return echo(request);
        } catch (const Error& e) {
          ended.set_value(e.code());
          return http::Response::text(408, "slow");
        }
      },
      options);
  TestClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  // Each byte comes within the idle time.
  std::future<ErrorCode> outcome = ended.get_future();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  do {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "a worker is held for ever";
    client.send("1\r\nx\r\n");
  } while (outcome.wait_for(milliseconds{20}) != std::future_status::ready);
  EXPECT_EQ(outcome.get(), ErrorCode::DeadlineExceeded);
}

TEST_F(HttpServerLimitsTest, LetsAClientThatDoesNotReadGo) {
  HttpServerOptions options;
  options.exchange.writeIdleTimeout = milliseconds{50};
  start([](http::Request&) { return http::Response::text(200, std::string(64'000'000, 'x')); },
        options);
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  static_cast<void>(client.readUntil("\r\n\r\n"));
  while (server_->connections() > 0) std::this_thread::yield();
  EXPECT_LT(client.readToEnd().size(), 64'000'000U);
}

TEST_F(HttpServerLimitsTest, WaitsForAClientThatReadsSlowly) {
  // More than the kernel keeps for a connection. Poco 1.11 throws where a plain socket would block.
  constexpr std::size_t kBytes = 64'000'000;
  start([](http::Request&) { return http::Response::text(200, std::string(kBytes, 'x')); });
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  static_cast<void>(client.readUntil("\r\n\r\n"));
  EXPECT_EQ(client.readToEnd().size(), kBytes);
}

TEST_F(HttpServerLimitsTest, RefusesMoreConnectionsThanItMayHave) {
  HttpServerOptions options;
  options.maxConnections = 2;
  start(&echo, options);
  TestClient a = connect();
  TestClient b = connect();
  static_cast<void>(a.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  static_cast<void>(b.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(connect().readToEnd(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After")));
  EXPECT_THAT(a.exchange("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /a "));
}

TEST(ListenAddressTest, RefusesAPortThatIsTaken) {
  NullLogSink log;
  FunctionHandler handler(&echo);
  HttpServer first(handler, log);
  const std::uint16_t port = first.listen({"127.0.0.1", 0});
  HttpServer second(handler, log);
  EXPECT_THROW(static_cast<void>(second.listen({"127.0.0.1", port})), Error);
  EXPECT_THROW(static_cast<void>(second.listen({"no such host.invalid", 0})), Error);
}

}  // namespace
}  // namespace stratos::server
