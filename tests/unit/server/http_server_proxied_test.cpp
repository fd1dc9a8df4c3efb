#include "http_server.hpp"

#include <array>
#include <future>
#include <latch>
#include <semaphore>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "server_fixture.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Requests below /wait run on fibers.
class HttpServerProxiedTest : public HttpServerFixture {
 protected:
  static HttpServerOptions fibers() {
    HttpServerOptions options;
    options.workers = 1;
    options.headTimeout = std::chrono::seconds{60};
    options.eventLoops = 1;
    options.mostlyWaits = [](std::string_view target) { return target.starts_with("/wait"); };
    return options;
  }
};

TEST_F(HttpServerProxiedTest, RequestsThatWaitHoldNoThread) {
  constexpr std::size_t kWaiting = 200;
  Gate gate;
  start(
      [&](http::Request& request) {
        if (request.target == "/wait") {
          EXPECT_TRUE(gate.await(Deadline::never()));
        }
        return echo(request);
      },
      fibers());
  std::vector<TestClient> waiting;
  for (std::size_t i = 0; i < kWaiting; ++i) {
    waiting.push_back(connect());
    waiting.back().send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  // Both kinds go on meanwhile.
  TestClient other = connect();
  EXPECT_THAT(other.exchange("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /other "));
  EXPECT_THAT(other.exchange("GET /waits HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /waits "));
  gate.open();
  for (TestClient& client : waiting) {
    EXPECT_THAT(client.readResponse(), EndsWith("GET /wait "));
    EXPECT_THAT(client.exchange("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /other "));
  }
}

TEST_F(HttpServerProxiedTest, BodiesFlowBothWaysAtTheClientsPace) {
  start(&echo, fibers());
  TestClient client = connect();
  const std::string body(3 * 1024 * 1024, 'x');
  client.send("PUT /wait HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n");
  client.send(body);
  // The answer is larger than all buffers between: it waits for the reader while others are served.
  EXPECT_THAT(connect().exchange("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /wait "));
  EXPECT_TRUE(client.readResponse().ends_with("\r\n\r\nPUT /wait " + body));
  client.send("POST /wait HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("0\r\n\r\n");
  EXPECT_THAT(client.readResponse(), EndsWith("POST /wait abc"));
}

TEST_F(HttpServerProxiedTest, PipelinedRequestsOfBothKindsAreAnsweredInOrder) {
  start(&echo, fibers());
  TestClient client = connect();
  std::string all;
  for (const char* target : {"/wait", "/1", "/wait", "/wait", "/2", "/3", "/wait"}) {
    all += std::string("GET ") + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  client.send(all);
  for (const char* target : {"/wait", "/1", "/wait", "/wait", "/2", "/3", "/wait"}) {
    EXPECT_THAT(client.readResponse(), EndsWith(std::string("GET ") + target + " "));
  }
  client.send("BAD\r\n\r\n");
  EXPECT_THAT(client.readToEnd(), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerProxiedTest, AClientThatPipelinesLeavesTurnsToOthers) {
  constexpr int kPipelined = 50;
  std::latch begun(1);
  std::latch otherHasAsked(1);
  std::vector<std::string> order;  // Of the loop's thread.
  start(
      [&](http::Request& request) {
        if (order.empty()) {
          begun.count_down();
          otherHasAsked.wait();
        }
        order.push_back(request.target);
        return echo(request);
      },
      fibers());
  TestClient busy = connect();
  std::string all;
  for (int i = 0; i < kPipelined; ++i) all += "GET /wait/busy HTTP/1.1\r\nHost: h\r\n\r\n";
  busy.send(all);
  begun.wait();
  TestClient other = connect();
  other.send("GET /wait/other HTTP/1.1\r\nHost: h\r\n\r\n");
  otherHasAsked.count_down();
  EXPECT_THAT(other.readResponse(), EndsWith("GET /wait/other "));
  for (int i = 0; i < kPipelined; ++i) {
    EXPECT_THAT(busy.readResponse(), EndsWith("GET /wait/busy "));
  }
  ASSERT_EQ(order.size(), kPipelined + 1U);
  EXPECT_EQ(order.back(), "/wait/busy") << "the other one had to wait for all of them";
}

TEST_F(HttpServerProxiedTest, ABodyThatNeverWaitsLeavesTurnsToOthers) {
  constexpr int kMostPieces = 1'000;
  const std::string piece(4 * 1024, 'x');
  std::latch begun(1);
  std::latch otherHasAsked(1);
  std::counting_semaphore<> taken(0);
  // Of the loop's thread.
  bool othersTurn = false;
  int pieces = 0;
  start(
      [&](http::Request& request) {
        if (request.target == "/wait/other") {
          othersTurn = true;
          return echo(request);
        }
        begun.count_down();
        otherHasAsked.wait();
        http::Response response;
        response.body = http::Body(std::make_unique<FunctionSource>([&] {
          // The last piece has left the socket: writing the next one need not wait.
          if (pieces > 0) taken.acquire();
          return othersTurn || ++pieces == kMostPieces ? std::string{} : piece;
        }));
        return response;
      },
      fibers());
  TestClient busy = connect();
  busy.send("GET /wait/body HTTP/1.1\r\nHost: h\r\n\r\n");
  begun.wait();
  TestClient other = connect();
  other.send("GET /wait/other HTTP/1.1\r\nHost: h\r\n\r\n");
  otherHasAsked.count_down();
  static_cast<void>(busy.readUntil("\r\n\r\n"));
  while (busy.readUntil("\r\n") != "0\r\n") {
    static_cast<void>(busy.readBytes(piece.size() + 2));
    taken.release();
  }
  EXPECT_THAT(other.readResponse(), EndsWith("GET /wait/other "));
  EXPECT_LT(pieces, kMostPieces);
}

TEST_F(HttpServerProxiedTest, AClientThatGoesAwayEndsTheWait) {
  std::promise<short> outcome;
  std::latch started(1);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_NONBLOCK | O_CLOEXEC), 0);
  start(
      [&](http::Request&) {
        started.count_down();
        outcome.set_value(awaitReady(pipe[0], POLLIN, Deadline::never()));
        return http::Response::empty(204);
      },
      fibers());
  {
    TestClient client = connect();
    client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    started.wait();
  }
  EXPECT_EQ(outcome.get_future().get(), kWaitCancelled);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(HttpServerProxiedTest, AClientThatEndsWithItsRequestIsNotWaitedFor) {
  std::latch begun(1);
  std::latch othersHaveSent(1);
  start(
      [&](http::Request& request) {
        if (request.target == "/wait/hold") {
          begun.count_down();
          othersHaveSent.wait();
        }
        return echo(request);
      },
      fibers());
  TestClient whole = connect();
  TestClient half = connect();
  for (TestClient* client : {&whole, &half}) {
    EXPECT_THAT(client->exchange("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /1 "));
  }
  // While the loop is held, so that it learns of bytes and end at the same time.
  TestClient holder = connect();
  holder.send("GET /wait/hold HTTP/1.1\r\nHost: h\r\n\r\n");
  begun.wait();
  whole.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  half.send("GET /3 HTTP");
  whole.endSending();
  half.endSending();
  othersHaveSent.count_down();
  EXPECT_THAT(whole.readToEnd(), EndsWith("GET /2 "));
  EXPECT_EQ(half.readToEnd(), "");
  EXPECT_THAT(holder.readResponse(), EndsWith("GET /wait/hold "));
}

TEST_F(HttpServerProxiedTest, StoppingWaitsForTheAnswerAndThenCuts) {
  Gate gate;
  std::latch started(2);
  std::promise<bool> cut;
  start(
      [&](http::Request& request) {
        started.count_down();
        if (request.target == "/wait/long") {
          Gate never;
          cut.set_value(!never.await(Deadline::never()));
        } else {
          EXPECT_TRUE(gate.await(Deadline::never()));
        }
        return echo(request);
      },
      fibers());
  TestClient brief = connect();
  brief.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  TestClient tooLong = connect();
  tooLong.send("GET /wait/long HTTP/1.1\r\nHost: h\r\n\r\n");
  started.wait();
  std::future<bool> stopped = std::async(
      std::launch::async, [this] { return server_->stop(std::chrono::milliseconds{500}); });
  gate.open();
  EXPECT_THAT(brief.readToEnd(), EndsWith("GET /wait "));
  EXPECT_FALSE(stopped.get());
  EXPECT_TRUE(cut.get_future().get());
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpServerProxiedTest, AClientThatGoesTakesTheCallsOfItsRequestAlong) {
  std::promise<short> bound;
  std::promise<short> free;
  std::array<int, 4> pipes{};
  ASSERT_EQ(::pipe2(&pipes[0], O_NONBLOCK | O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(&pipes[2], O_NONBLOCK | O_CLOEXEC), 0);
  std::latch begun(1);
  start(
      [&](http::Request& request) {
        Waiter::current()->start(
            [&] { bound.set_value(awaitReady(pipes[0], POLLIN, Deadline::never())); },
            Waiter::Bond::EndsWithMe);
        Waiter::current()->start(
            [&] { free.set_value(awaitReady(pipes[2], POLLIN, Deadline::never())); });
        begun.count_down();
        Gate never;
        EXPECT_FALSE(never.await(Deadline::never()));
        return echo(request);
      },
      fibers());
  {
    TestClient client = connect();
    client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    begun.wait();
  }
  EXPECT_EQ(bound.get_future().get(), kWaitCancelled);
  ASSERT_EQ(::write(pipes[3], "x", 1), 1);
  EXPECT_EQ(free.get_future().get() & POLLIN, POLLIN);
  server_.reset();
  for (const int pipe : pipes) ::close(pipe);
}

TEST_F(HttpServerProxiedTest, StoppingCancelsWhatOutlivesItsRequest) {
  std::promise<short> outcome;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_NONBLOCK | O_CLOEXEC), 0);
  start(
      [&](http::Request&) {
        Waiter::current()->start(
            [&] { outcome.set_value(awaitReady(pipe[0], POLLIN, Deadline::never())); });
        return http::Response::empty(202);
      },
      fibers());
  {
    TestClient client = connect();
    EXPECT_THAT(client.exchange("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"),
                StartsWith("HTTP/1.1 202"));
  }
  EXPECT_TRUE(server_->stop(std::chrono::seconds{30}));
  std::future<short> ended = outcome.get_future();
  EXPECT_EQ(ended.wait_for(std::chrono::seconds{10}), std::future_status::ready);
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);  // Or the server would wait for it without end.
  EXPECT_EQ(ended.get(), kWaitCancelled);
  server_.reset();
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(HttpServerProxiedTest, WhoWaitsForTheNetworkKeepsNobodyFromTheDatabase) {
  HttpServerOptions options = fibers();
  options.blockingThreads = 1;
  options.networkThreads = 1;
  options.networkQueue = 0;
  std::latch release(1);
  std::latch begun(1);
  start(
      [&](http::Request& request) {
        if (request.target == "/wait/hangs") {
          runBlocking(
              [&] {
                begun.count_down();
                release.wait();
              },
              Waiter::BlocksOn::Network);
        } else if (request.target == "/wait/one-more") {
          EXPECT_THROW(runBlocking([] {}, Waiter::BlocksOn::Network), Error);
        } else {
          EXPECT_EQ(runBlocking([] { return 3; }), 3);
        }
        return echo(request);
      },
      options);
  TestClient hangs = connect();
  hangs.send("GET /wait/hangs HTTP/1.1\r\nHost: h\r\n\r\n");
  begun.wait();
  for (const std::string target : {"/wait/one-more", "/wait/database"}) {
    EXPECT_THAT(connect().exchange("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"),
                EndsWith("GET " + target + " "));
  }
  release.count_down();
  EXPECT_THAT(hangs.readResponse(), EndsWith("GET /wait/hangs "));
}

TEST_F(HttpServerProxiedTest, WorkOnOtherThreadsQueuesAndHoldsUpNobodyElse) {
  HttpServerOptions options = fibers();
  options.blockingThreads = 1;
  std::latch release(1);
  std::latch begun(1);
  start(
      [&](http::Request& request) {
        if (request.target == "/wait/first") {
          runBlocking([&] {
            begun.count_down();
            release.wait();
          });
        } else {
          EXPECT_EQ(runBlocking([] { return 3; }), 3);
        }
        return echo(request);
      },
      options);
  TestClient first = connect();
  first.send("GET /wait/first HTTP/1.1\r\nHost: h\r\n\r\n");
  begun.wait();
  TestClient queued = connect();
  queued.send("GET /wait/second HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(connect().exchange("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /other "));
  release.count_down();
  EXPECT_THAT(first.readResponse(), EndsWith("GET /wait/first "));
  EXPECT_THAT(queued.readResponse(), EndsWith("GET /wait/second "));
}

}  // namespace
}  // namespace stratos::server
