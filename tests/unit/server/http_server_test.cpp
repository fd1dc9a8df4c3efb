#include "http_server.hpp"

#include <atomic>
#include <future>
#include <latch>
#include <vector>

#include <Poco/Net/Context.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/SocketAddress.h>

#include "certificate.hpp"
#include "server_fixture.hpp"
#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public HttpServerFixture {};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  start(&echo);
  TestClient client = connect();
  for (int i = 0; i < 3; ++i) {
    const std::string response = client.exchange("GET /a/../b?x=%2F HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(response,
                AllOf(StartsWith("HTTP/1.1 200 OK\r\nDate: "), HasSubstr("Content-Length: 18\r\n"),
                      EndsWith("\r\n\r\nGET /a/../b?x=%2F "), Not(HasSubstr("Server:")),
                      Not(HasSubstr("Connection:"))));
  }
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServerTest, TellsTheHandlerWhoAsks) {
  start([](http::Request& request) {
    return http::Response::text(200, request.peerAddress + (request.secure ? " tls" : " plain") +
                                         " " + std::string(request.headers.get("x-a")));
  });
  EXPECT_THAT(connect().exchange("GET / HTTP/1.1\r\nHost: h\r\nX-A: caf\xe9 =?utf-8?q?x?=\r\n\r\n"),
              EndsWith("\r\n\r\n127.0.0.1 plain caf\xe9 =?utf-8?q?x?="));
}

TEST_F(HttpServerTest, IdleConnectionsDoNotHoldWorkers) {
  HttpServerOptions options;
  options.workers = 2;
  start(&echo, options);
  std::vector<TestClient> idle;
  constexpr std::size_t kIdle = 300;
  for (std::size_t i = 0; i < kIdle; ++i) {
    idle.push_back(connect());
    static_cast<void>(idle.back().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  }
  EXPECT_EQ(server_->connections(), kIdle);
  EXPECT_THAT(connect().exchange("GET /new HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /new "));
  EXPECT_THAT(idle.front().exchange("GET /old HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /old "));
}

TEST_F(HttpServerTest, IncompleteHeadsDoNotHoldWorkers) {
  HttpServerOptions options;
  options.workers = 1;
  start(&echo, options);
  std::vector<TestClient> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(connect());
    slow.back().send("GET /slow HTTP/1.1\r\nHo");
  }
  EXPECT_THAT(connect().exchange("GET /new HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /new "));
  slow.front().send("st: h\r\n\r\n");
  EXPECT_THAT(slow.front().readResponse(), EndsWith("GET /slow "));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start(&echo);
  TestClient client = connect();
  client.send(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\nGET /4 HTTP/1.1\r\nHo");
  EXPECT_THAT(client.readResponse(), EndsWith("GET /1 "));
  EXPECT_THAT(client.readResponse(), EndsWith("POST /2 abc"));
  EXPECT_THAT(client.readResponse(), EndsWith("GET /3 "));
  client.send("st: h\r\n\r\n");
  EXPECT_THAT(client.readResponse(), EndsWith("GET /4 "));
}

TEST_F(HttpServerTest, ReadsChunkedBodies) {
  start(&echo);
  TestClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_THAT(client.readResponse(), EndsWith("POST / abcdefg"));
  EXPECT_THAT(client.exchange("GET /next HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("GET /next "));
}

TEST_F(HttpServerTest, StreamsLargeRequestBodies) {
  start(&echo);
  TestClient client = connect();
  const std::string body(3 * 1024 * 1024, 'x');
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n");
  client.send(body);
  EXPECT_TRUE(client.readResponse().ends_with("\r\n\r\nPUT / " + body));
  EXPECT_THAT(client.exchange("PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
              EndsWith("PUT /2 "));
}

TEST_F(HttpServerTest, SaysContinueWhenTheHandlerReads) {
  start([](http::Request& request) {
    return request.target == "/read" ? echo(request) : http::Response::text(403, "no");
  });
  TestClient client = connect();
  client.send(
      "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_THAT(client.readResponse(), EndsWith("POST /read hi"));
  // Refused without reading: nobody knows whether the body will follow, so the connection ends.
  client.send("POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.readToEnd(), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("Connection: close"),
                                        Not(HasSubstr("100 Continue"))));
}

TEST_F(HttpServerTest, ReadsASmallBodyThatTheHandlerIgnored) {
  start([](http::Request& request) { return http::Response::text(200, request.target); });
  TestClient client = connect();
  client.send("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(client.readResponse(), EndsWith("/1"));
  EXPECT_THAT(client.exchange("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("/2"));
}

TEST_F(HttpServerTest, ClosesAfterALargeBodyThatTheHandlerIgnored) {
  start([](http::Request& request) { return http::Response::text(413, request.target); });
  TestClient client = connect();
  client.send("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
  client.send(std::string(200'000, 'x'));
  EXPECT_THAT(client.readToEnd(), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, SendsNoBodyWhereThereIsNone) {
  start([](http::Request& request) {
    if (request.target == "/304") return http::Response::empty(304);
    if (request.target == "/204") return http::Response::empty(204);
    http::Response response = http::Response::text(200, "hello");
    if (request.target == "/length") {
      response = http::Response::empty(200);
      response.headers.set("Content-Length", "1234");
    }
    return response;
  });
  TestClient client = connect();
  const auto head = [&](const std::string& request) {
    client.send(request + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return client.readUntil("\r\n\r\n");
  };
  EXPECT_THAT(head("HEAD /"), HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(head("HEAD /length"), HasSubstr("Content-Length: 1234\r\n"));
  EXPECT_THAT(head("GET /304"),
              AllOf(StartsWith("HTTP/1.1 304 Not Modified\r\n"), Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(head("GET /204"),
              AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"), Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(client.exchange("GET /end HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("hello"));
}

TEST_F(HttpServerTest, SetsTheFramingFieldsItself) {
  start([](http::Request&) {
    http::Response response = http::Response::text(200, "hello");
    response.headers.add("Transfer-Encoding", "chunked");
    response.headers.add("content-length", "7");
    response.headers.add("Connection", "upgrade");
    response.headers.add("Set-Cookie", "a=1");
    response.headers.add("Set-Cookie", "b=2");
    return response;
  });
  EXPECT_THAT(
      connect().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
      AllOf(HasSubstr("Content-Length: 5\r\n"), Not(HasSubstr("chunked")),
            Not(HasSubstr("upgrade")), HasSubstr("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")));
}

TEST_F(HttpServerTest, StreamsAResponsePieceByPiece) {
  std::latch firstPieceSeen(1);
  start([&](http::Request&) {
    http::Response response;
    int piece = 0;
    response.body = http::Body(std::make_unique<FunctionSource>([&, piece]() mutable {
      if (++piece == 1) return std::string("first");
      if (piece == 3) return std::string();
      firstPieceSeen.wait();
      return std::string("second");
    }));
    return response;
  });
  TestClient client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.readUntil("first\r\n"), AllOf(HasSubstr("Transfer-Encoding: chunked\r\n"),
                                                   EndsWith("\r\n\r\n5\r\nfirst\r\n")));
  firstPieceSeen.count_down();
  EXPECT_EQ(client.readUntil("0\r\n\r\n"), "6\r\nsecond\r\n0\r\n\r\n");
}

TEST_F(HttpServerTest, EndsABrokenStreamWithoutItsTerminator) {
  start([](http::Request& request) {
    http::Response response;
    int piece = 0;
    auto source = std::make_unique<FunctionSource>([piece]() mutable {
      if (++piece == 1) return std::string("first");
      throw Error(ErrorCode::Unavailable, "the endpoint broke off");
    });
    response.body = request.target == "/length" ? http::Body(std::move(source), 1000)
                                                : http::Body(std::move(source));
    return response;
  });
  TestClient chunked = connect();
  chunked.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(chunked.readToEnd(), EndsWith("\r\n\r\n5\r\nfirst\r\n"));
  TestClient length = connect();
  length.send("GET /length HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(length.readToEnd(), AllOf(HasSubstr("Content-Length: 1000"), EndsWith("first")));
}

TEST_F(HttpServerTest, EndsAStreamForAnOldClientByClosing) {
  start([](http::Request&) {
    http::Response response;
    int piece = 0;
    response.body = http::Body(std::make_unique<FunctionSource>(
        [piece]() mutable { return ++piece == 1 ? std::string("all") : std::string(); }));
    return response;
  });
  TestClient client = connect();
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.readToEnd(), AllOf(Not(HasSubstr("chunked")), EndsWith("\r\n\r\nall")));
}

TEST_F(HttpServerTest, AnswersAHandlersExceptionWithoutItsText) {
  start([](http::Request&) -> http::Response { throw Error(ErrorCode::Internal, "inside story"); });
  EXPECT_THAT(connect().exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("inside story"))));
}

TEST_F(HttpServerTest, AcceptsTheAbsoluteFormOfATarget) {
  start(&echo);
  EXPECT_THAT(connect().exchange("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n"),
              EndsWith("GET /a?b "));
  EXPECT_THAT(connect().exchange("GET http://h?b HTTP/1.1\r\nHost: h\r\n\r\n"),
              EndsWith("GET /?b "));
}

TEST_F(HttpServerTest, TellsTheHandlerWhenTheClientGoesAway) {
  std::promise<void> cancelled;
  std::latch started(1);
  start([&](http::Request& request) {
    started.count_down();
    std::promise<void> gone;
    const std::stop_callback callback(request.cancelled, [&] { gone.set_value(); });
    gone.get_future().wait();
    cancelled.set_value();
    return http::Response::empty(204);
  });
  {
    TestClient client = connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    started.wait();
  }
  EXPECT_EQ(cancelled.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
}

TEST_F(HttpServerTest, GivesNothingFromABodyAfterTheAnswer) {
  std::promise<http::Body> kept;
  start([&](http::Request& request) {
    kept.set_value(std::move(request.body));
    return http::Response::empty(204);
  });
  TestClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  static_cast<void>(client.readUntil("\r\n\r\n"));
  EXPECT_EQ(client.exchange("BAD\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  http::Body body = kept.get_future().get();
  EXPECT_THROW(static_cast<void>(body.readAll(100)), Error);
}

class TlsServerTest : public HttpServerTest {
 protected:
  void startTls() {
    handler_ = std::make_unique<FunctionHandler>([](http::Request& request) {
      return http::Response::text(200, request.secure ? "tls" : "plain");
    });
    server_ = std::make_unique<HttpServer>(*handler_, log_);
    static_cast<void>(server_->listen({"127.0.0.1", 0}, makeServerContext(makeSelfSignedCertificate(
                                                            "localhost", SystemClock().now()))));
    server_->start();
  }
  [[nodiscard]] Poco::Net::SecureStreamSocket connectTls() const {
    using Poco::Net::Context;
    const Context::Ptr context(new Context(Context::TLS_CLIENT_USE, "", Context::VERIFY_NONE));
    return Poco::Net::SecureStreamSocket(Poco::Net::SocketAddress("127.0.0.1", server_->port()),
                                         context);
  }
  static std::string exchange(Poco::Net::SecureStreamSocket& socket) {
    const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    socket.sendBytes(request.data(), static_cast<int>(request.size()));
    std::string response;
    std::array<char, 4096> buffer{};
    while (!response.ends_with("tls") && !response.ends_with("plain")) {
      const int got = socket.receiveBytes(buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) break;
      response.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return response;
  }
};

TEST_F(TlsServerTest, ServesOverTlsAndKeepsTheConnection) {
  startTls();
  Poco::Net::SecureStreamSocket client = connectTls();
  EXPECT_THAT(exchange(client), EndsWith("\r\n\r\ntls"));
  EXPECT_THAT(exchange(client), EndsWith("\r\n\r\ntls"));
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(TlsServerTest, S14OldVersionsOfTlsAreRefused) {
  startTls();
  using Poco::Net::Context;
  const auto versionOf = [this](int version) {
    const Context::Ptr context(new Context(Context::TLS_CLIENT_USE, "", Context::VERIFY_NONE));
    SSL_CTX* const ssl = context->sslContext();
    // As lenient as a client can be: what refuses is the server.
    SSL_CTX_set_security_level(ssl, 0);
    SSL_CTX_clear_options(ssl, SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1);
    SSL_CTX_set_min_proto_version(ssl, version);
    SSL_CTX_set_max_proto_version(ssl, version);
    Poco::Net::SecureStreamSocket client(Poco::Net::SocketAddress("127.0.0.1", server_->port()),
                                         context);
    return exchange(client);
  };
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_THROW(versionOf(version), Poco::Exception) << version;
  }
  EXPECT_THAT(versionOf(TLS1_2_VERSION), EndsWith("tls"));
  EXPECT_THAT(versionOf(TLS1_3_VERSION), EndsWith("tls"));
}

TEST_F(TlsServerTest, GarbageInAHandshakeDisturbsNobodyElse) {
  startTls();
  Poco::Net::SecureStreamSocket before = connectTls();
  EXPECT_THAT(exchange(before), EndsWith("tls"));
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(2000, '\xff'),
        std::string("\x16\x03\x01\x40\x00\x01", 6) + std::string(1000, '\0')}) {
    TestClient client(server_->port());
    client.send(garbage);
    client.endSending();
    EXPECT_THAT(client.readToEnd(), Not(HasSubstr("HTTP/1.1 200")));
  }
  EXPECT_THAT(exchange(before), EndsWith("tls"));
  Poco::Net::SecureStreamSocket after = connectTls();
  EXPECT_THAT(exchange(after), EndsWith("tls"));
}

}  // namespace
}  // namespace stratos::server
