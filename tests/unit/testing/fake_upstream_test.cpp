#include "stratos/testing/fake_upstream.hpp"

#include <Poco/Net/NetException.h>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>

#include "sim_client.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Reply hello(const ReceivedRequest&) {
  Reply reply;
  reply.headers = {{"Content-Type", "text/plain"}};
  reply.body = "hello world";
  return reply;
}

class FakeUpstreamTest : public ::testing::Test {
 protected:
  FakeUpstreamTest() { server_.handle("/", hello); }

  std::string get(const std::string& path = "/") {
    return sendRaw(server_.port(),
                   "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  }
  void fail(FaultKind kind) {
    Fault fault;
    fault.kind = kind;
    server_.addFault(fault);
  }

  FakeUpstream server_;
};

TEST_F(FakeUpstreamTest, ReportsTargetAndHeadersByteForByte) {
  sendRaw(server_.port(),
          "GET /a%2Fb//c/../d;x=1?q=%zz&q=+ HTTP/1.1\r\nhost: h\r\nX-Odd:  =?utf-8?q?caf=C3=A9?= "
          "\r\nx-odd: \xff\r\nConnection: close\r\n\r\n");
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].target, "/a%2Fb//c/../d;x=1?q=%zz&q=+");
  const HeaderList expected{{"host", "h"},
                            {"X-Odd", "=?utf-8?q?caf=C3=A9?="},
                            {"x-odd", "\xff"},
                            {"Connection", "close"}};
  EXPECT_EQ(requests[0].headers, expected);
}

TEST_F(FakeUpstreamTest, ReadsChunkedAndPipelinedRequests) {
  const std::string out = sendRaw(
      server_.port(),
      "POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde"
      "\r\n0\r\nTrailer: t\r\n\r\nPOST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
      "Connection: close\r\n\r\nok");
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].body, "abcde");
  EXPECT_EQ(requests[1].body, "ok");
  EXPECT_EQ(requests[0].connection, requests[1].connection);
  EXPECT_THAT(out, EndsWith("hello world"));
}

TEST_F(FakeUpstreamTest, RefusesRequestsThatAreNotHttp) {
  for (const char* bad :
       {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    EXPECT_THAT(sendRaw(server_.port(), bad), StartsWith("HTTP/1.1 400 ")) << bad;
  }
  EXPECT_EQ(server_.protocolErrors(), 6U);
  EXPECT_EQ(server_.requestCount(), 0U);
}

TEST_F(FakeUpstreamTest, LongestPrefixWins) {
  server_.handle("/deep", [](const ReceivedRequest&) { return jsonReply(201, "{}"); });
  EXPECT_THAT(get("/deep/er"), StartsWith("HTTP/1.1 201 "));
  EXPECT_THAT(get("/shallow"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(FakeUpstreamTest, SendsChunksWhenAsked) {
  server_.handle("/chunks", [](const ReceivedRequest& request) {
    Reply reply = hello(request);
    reply.chunkSize = 4;
    return reply;
  });
  EXPECT_THAT(get("/chunks"), EndsWith("\r\n\r\n4\r\nhell\r\n4\r\no wo\r\n3\r\nrld\r\n0\r\n\r\n"));
}

TEST_F(FakeUpstreamTest, FaultsStrikeOnceAndOnlyTheirPath) {
  Fault fault;
  fault.status = 503;
  fault.body = "down";
  fault.pathPrefix = "/x";
  fault.method = "GET";
  server_.addFault(fault);
  EXPECT_THAT(get("/y"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get("/x"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(get("/x"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(FakeUpstreamTest, CutsInTheMiddleOfTheBody) {
  fail(FaultKind::CutBody);
  const std::string out = get();
  EXPECT_THAT(out, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(out, EndsWith("\r\n\r\nhello"));
}

TEST_F(FakeUpstreamTest, ClosesWithoutAnAnswer) {
  std::atomic<int> handled = 0;
  server_.handle("/", [&handled](const ReceivedRequest& request) {
    ++handled;
    return hello(request);
  });
  fail(FaultKind::CloseBeforeAnswer);
  EXPECT_EQ(get(), "");
  EXPECT_EQ(handled, 0);
  fail(FaultKind::CloseAfterHandling);
  EXPECT_EQ(get(), "");
  EXPECT_EQ(handled, 1);
}

TEST_F(FakeUpstreamTest, ResetsTheConnection) {
  fail(FaultKind::Reset);
  EXPECT_THROW(get(), Poco::Net::NetException);
}

TEST_F(FakeUpstreamTest, AnswersWrongly) {
  fail(FaultKind::BrokenChunk);
  EXPECT_THAT(get(), EndsWith("5\r\nhello\r\nxyz\r\nnever\r\n"));
  fail(FaultKind::HtmlPage);
  EXPECT_THAT(get(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("text/html")));
  fail(FaultKind::TooManyRequests);
  EXPECT_THAT(get(), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: 1\r\n")));
  fail(FaultKind::Unauthorized);
  EXPECT_THAT(get(), StartsWith("HTTP/1.1 401 "));
  fail(FaultKind::SlowDrip);
  EXPECT_THAT(get(), EndsWith("hello world"));
}

TEST_F(FakeUpstreamTest, HeadersGoOnForEver) {
  fail(FaultKind::EndlessHeaders);
  Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", server_.port()));
  const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  socket.sendBytes(request.data(), static_cast<int>(request.size()));
  std::string chunk(65536, '\0');
  for (std::size_t total = 0; total < 4'000'000;) {
    const int got = socket.receiveBytes(chunk.data(), static_cast<int>(chunk.size()));
    ASSERT_GT(got, 0);
    total += static_cast<std::size_t>(got);
  }
  socket.close();
  EXPECT_TRUE(server_.waitForOpenConnections(0, Deadline::after(seconds{20})));
}

TEST_F(FakeUpstreamTest, HoldsUntilReleased) {
  fail(FaultKind::Hold);
  auto answer = std::async(std::launch::async, [this] { return get(); });
  ASSERT_TRUE(server_.waitUntilHeld(1, Deadline::after(seconds{20})));
  EXPECT_EQ(answer.wait_for(milliseconds{0}), std::future_status::timeout);
  server_.release();
  EXPECT_THAT(answer.get(), EndsWith("hello world"));
}

TEST_F(FakeUpstreamTest, HangEndsWhenTheServerStops) {
  fail(FaultKind::Hang);
  auto answer = std::async(std::launch::async, [this] { return get(); });
  ASSERT_TRUE(server_.waitForRequests(1, Deadline::after(seconds{20})));
  server_.stop();
  EXPECT_EQ(answer.get(), "");
}

TEST_F(FakeUpstreamTest, AnswersBeforeTheBodyArrived) {
  Fault fault;
  fault.status = 413;
  fault.beforeBody = true;
  server_.addFault(fault);
  EXPECT_THAT(sendRaw(server_.port(), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(FakeUpstreamTest, ServesManyConnectionsAtOnce) {
  Fault fault;
  fault.kind = FaultKind::Hold;
  fault.times = 64;
  server_.addFault(fault);
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 64; ++i) {
    answers.push_back(std::async(std::launch::async, [this] { return get(); }));
  }
  EXPECT_TRUE(server_.waitUntilHeld(64, Deadline::after(seconds{30})));
  server_.release();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), EndsWith("hello world"));
  EXPECT_TRUE(server_.waitForOpenConnections(0, Deadline::after(seconds{20})));
}

TEST_F(FakeUpstreamTest, RawHandlersOwnTheConnection) {
  server_.handle("/raw", [](const ReceivedRequest&) {
    Reply reply;
    reply.raw = [](PeerConnection& connection) {
      connection.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      const auto got = connection.receive(seconds{20});
      connection.send("got " + got.value_or("nothing"));
    };
    return reply;
  });
  const std::string out = sendRaw(server_.port(), "GET /raw HTTP/1.1\r\nHost: h\r\n\r\nping");
  EXPECT_THAT(out, EndsWith("got ping"));
}

class FakeUpstreamTlsTest : public ::testing::Test {
 protected:
  static FakeUpstreamOptions with(TlsIdentity identity) {
    FakeUpstreamOptions options;
    options.tls = std::move(identity);
    return options;
  }
  TestCertificates certificates_;
};

TEST_F(FakeUpstreamTlsTest, ClientsThatKnowTheAuthorityAreServed) {
  FakeUpstream server(with(certificates_.issueServer()));
  server.handle("/", hello);
  EXPECT_EQ(call(server.url() + "/", "GET", {}, {}, certificates_.caPem()).body, "hello world");
  EXPECT_TRUE(server.requests().at(0).secure);
}

TEST_F(FakeUpstreamTlsTest, BadCertificatesAreRefusedByClients) {
  for (const TlsIdentity& identity :
       {certificates_.issueExpired(), certificates_.issueWrongName(),
        certificates_.makeSelfSigned(), TestCertificates("Other CA").issueServer()}) {
    FakeUpstream server(with(identity));
    server.handle("/", hello);
    EXPECT_THROW(call(server.url() + "/", "GET", {}, {}, certificates_.caPem()), Poco::Exception);
    EXPECT_EQ(server.requestCount(), 0U);
  }
}

TEST_F(FakeUpstreamTlsTest, PlainTextIsAFailedHandshake) {
  FakeUpstream server(with(certificates_.issueServer()));
  Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", server.port()));
  const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  socket.sendBytes(request.data(), static_cast<int>(request.size()));
  // Unread bytes make the close a reset, so the answer may or may not be seen; only the end counts.
  ASSERT_TRUE(socket.poll(Poco::Timespan(20, 0), Poco::Net::Socket::SELECT_READ));
  EXPECT_TRUE(server.waitForOpenConnections(0, Deadline::after(seconds{20})));
  EXPECT_EQ(server.failedHandshakes(), 1U);
}

TEST(FakeUpstreamPortTest, ATakenPortIsReported) {
  const FakeUpstream first;
  FakeUpstreamOptions options;
  options.port = first.port();
  EXPECT_THROW(std::make_unique<FakeUpstream>(options), Error);
}

}  // namespace
}  // namespace stratos::testing
