#include "stratos/http/transport.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketImpl.h>
#include <Poco/Net/StreamSocket.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "stratos/base/error.hpp"
#include "stratos/http/parser.hpp"

namespace stratos::http {
namespace {

using Socket = Poco::Net::StreamSocket;
using namespace std::chrono_literals;

/// A request as the server saw it: "METHOD target body", and its fields.
struct Seen {
  std::string line;
  Headers headers;
};

/// The next request on a connection; empty at its end.
std::optional<Seen> readRequest(Socket& socket) {
  MessageParser parser(MessageParser::Kind::Request);
  std::string body;
  while (!parser.messageComplete()) {
    char byte = 0;
    if (socket.receiveBytes(&byte, 1) <= 0) return std::nullopt;
    parser.feed(std::string_view{&byte, 1});
    if (parser.failure() != ParseFailure::None) {
      ADD_FAILURE() << parser.failureReason();
      return std::nullopt;
    }
    body += parser.takeBody();
  }
  return Seen{parser.method() + " " + parser.target() + " " + body, parser.headers()};
}

void sendText(Socket& socket, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    sent += static_cast<std::size_t>(
        socket.sendBytes(text.data() + sent, static_cast<int>(text.size() - sent)));
  }
}

/// Copies until one side ends, then ends both.
void pump(Socket& from, Socket& to) noexcept {
  try {
    char buffer[4096];
    for (int count = 0; (count = from.receiveBytes(buffer, sizeof buffer)) > 0;) {
      sendText(to, std::string(buffer, static_cast<std::size_t>(count)));
    }
    to.shutdown();
    from.shutdown();
  } catch (const Poco::Exception&) {
    ::shutdown(to.impl()->sockfd(), SHUT_RDWR);
    ::shutdown(from.impl()->sockfd(), SHUT_RDWR);
  }
}

std::string answer(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields +
         "\r\n" + body;
}

/// Serves each connection in a thread with a function that gets the connection's number.
class TestServer {
 public:
  using Serve = std::function<void(Socket&, int connection)>;

  TestServer(Serve serve, Poco::Net::Context::Ptr context = nullptr) : serve_(std::move(serve)) {
    const Poco::Net::SocketAddress address("127.0.0.1", 0);
    if (context) {
      listener_ = Poco::Net::SecureServerSocket(address, 64, context);
    } else {
      listener_ = Poco::Net::ServerSocket(address);
    }
    port = listener_.address().port();
    acceptor_ = std::thread([this] { accept(); });
  }
  ~TestServer() {
    stopping_ = true;
    stop_.set_value();
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
  }

  /// Blocks until the test is over: a peer that hangs.
  void hang() const { stopped_.wait(); }

  std::uint16_t port = 0;
  std::atomic<int> connections{0};

 private:
  void accept() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    // The threads below inherit this: only the client under test must live without it.
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (!stopping_) {
      if (!listener_.poll(Poco::Timespan(0, 20'000), Poco::Net::Socket::SELECT_READ)) continue;
      auto socket = std::make_unique<Socket>(listener_.acceptConnection());
      const int number = connections++;
      threads_.emplace_back([this, socket = std::move(socket), number] {
        try {
          socket->setReceiveTimeout(Poco::Timespan(10, 0));
          serve_(*socket, number);
          socket->close();
        } catch (const Poco::Exception&) {
          // The client may break off whenever it likes.
          socket->close();
        }
      });
    }
  }

  Serve serve_;
  Poco::Net::ServerSocket listener_;
  std::atomic<bool> stopping_{false};
  std::promise<void> stop_;
  std::shared_future<void> stopped_ = stop_.get_future().share();
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

ClientRequest makeRequest(const std::string& url, const std::string& method = "GET",
                          std::string body = "") {
  return ClientRequest{method, Url::parse(url),     {}, Body(std::move(body)),
                       {},     Deadline::after(10s)};
}

std::string urlOf(const TestServer& server, const std::string& path = "/",
                  const std::string& scheme = "http", const std::string& host = "127.0.0.1") {
  return scheme + "://" + host + ":" + std::to_string(server.port) + path;
}

std::string textOf(ClientResponse response) {
  if (response.failed()) return "failed: " + response.detail;
  return std::to_string(response.status) + " " + response.body.readAll(10'000'000);
}

/// Answers every request with its own line.
TestServer::Serve echo() {
  return [](Socket& socket, int) {
    while (const auto request = readRequest(socket)) {
      sendText(socket, answer(request->line));
    }
  };
}

ErrorCode readError(ClientResponse& response) {
  EXPECT_FALSE(response.failed()) << response.detail;
  try {
    (void)response.body.readAll(1'000'000);
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "the body was read to its end";
  return ErrorCode::Internal;
}

class VectorSource final : public BodySource {
 public:
  explicit VectorSource(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::size_t read(char* buffer, std::size_t) override {
    if (at_ == pieces_.size()) return 0;
    const std::string& piece = pieces_[at_++];
    return piece.copy(buffer, piece.size());
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t at_ = 0;
};

TEST(TransportTest, ReusesAConnectionOnceItsAnswerIsComplete) {
  TestServer server(echo());
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/a?b")))), "200 GET /a?b ");
  EXPECT_EQ(transport.idleConnections(), 1U);
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/c"), "POST", "body"))),
            "200 POST /c body");
  EXPECT_EQ(server.connections, 1);
  transport.clear();
  EXPECT_EQ(transport.idleConnections(), 0U);
}

TEST(TransportTest, ABodyDroppedEarlyClosesItsConnection) {
  TestServer server([](Socket& socket, int) {
    while (readRequest(socket)) sendText(socket, answer(std::string(1'000'000, 'x')));
  });
  PooledTransport transport;
  {
    ClientResponse response = transport.send(makeRequest(urlOf(server)));
    char buffer[10];
    EXPECT_EQ(response.body.read(buffer, 10), 10U);
    EXPECT_EQ(response.body.length(), 1'000'000U);
  }
  EXPECT_EQ(transport.idleConnections(), 0U);
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))).size(), 1'000'004U);
  EXPECT_EQ(transport.idleConnections(), 1U);
}

TEST(TransportTest, ABodyMayOutliveTheTransport) {
  TestServer server([](Socket& socket, int) {
    while (readRequest(socket)) sendText(socket, answer(std::string(100'000, 'x')));
  });
  auto transport = std::make_unique<PooledTransport>();
  ClientResponse response = transport->send(makeRequest(urlOf(server)));
  transport.reset();
  EXPECT_EQ(response.body.readAll(200'000).size(), 100'000U);
}

TEST(TransportTest, DiscardsAConnectionThatThePeerClosed) {
  std::promise<void> closed;
  TestServer server([&closed](Socket& socket, int connection) {
    while (const auto request = readRequest(socket)) {
      sendText(socket, answer(std::to_string(connection)));
      if (connection == 0) {
        socket.close();
        closed.set_value();
        return;
      }
    }
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server), "POST", "1"))), "200 0");
  closed.get_future().wait();
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server), "POST", "2"))), "200 1");
}

TEST(TransportTest, RepeatsOnlyIdempotentRequestsWhenAReusedConnectionDies) {
  // Reads the second request on each connection and closes without an answer.
  std::mutex mutex;
  std::vector<std::string> seen;
  TestServer server([&](Socket& socket, int) {
    for (int i = 0; i < 2; ++i) {
      const auto request = readRequest(socket);
      if (!request) return;
      {
        const std::lock_guard lock(mutex);
        seen.push_back(request->line);
      }
      if (i == 0) sendText(socket, answer("ok"));
    }
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/1")))), "200 ok");
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/2")))), "200 ok");
  const ClientResponse post = transport.send(makeRequest(urlOf(server, "/3"), "POST", "x"));
  EXPECT_EQ(post.failure, TransportFailure::Broken);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, (std::vector<std::string>{"GET /1 ", "GET /2 ", "GET /2 ", "POST /3 x"}));
}

TEST(TransportTest, AFreshConnectionThatDiesIsNoReasonToRepeat) {
  TestServer server([](Socket& socket, int) { (void)readRequest(socket); });
  PooledTransport transport;
  EXPECT_EQ(transport.send(makeRequest(urlOf(server))).failure, TransportFailure::Broken);
  EXPECT_EQ(server.connections, 1);
}

TEST(TransportTest, SurplusBytesNeverReachTheNextRequest) {
  TestServer server([](Socket& socket, int connection) {
    while (readRequest(socket)) {
      sendText(socket, answer(std::to_string(connection)) + answer("poison"));
    }
  });
  PooledTransport transport;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 " + std::to_string(i));
  }
}

TEST(TransportTest, BytesThatComeLaterNeverReachTheNextRequest) {
  std::promise<void> poisoned;
  std::promise<void> first;
  TestServer server([&](Socket& socket, int connection) {
    while (readRequest(socket)) {
      sendText(socket, answer(std::to_string(connection)));
      if (connection == 0) {
        first.get_future().wait();
        sendText(socket, answer("poison"));
        poisoned.set_value();
      }
    }
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 0");
  EXPECT_EQ(transport.idleConnections(), 1U);
  first.set_value();
  poisoned.get_future().wait();
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 1");
}

TEST(TransportTest, AnAnswerCutInTheMiddleIsAnError) {
  const std::string cuts[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  };
  for (const std::string& cut : cuts) {
    // The head goes out on its own, so that the failure comes from the body.
    const auto headEnd = cut.find("\r\n\r\n") + 4;
    std::promise<void> gotHead;
    TestServer server([&](Socket& socket, int) {
      (void)readRequest(socket);
      sendText(socket, cut.substr(0, headEnd));
      gotHead.get_future().wait();
      sendText(socket, cut.substr(headEnd));
    });
    PooledTransport transport;
    ClientResponse response = transport.send(makeRequest(urlOf(server)));
    gotHead.set_value();
    EXPECT_EQ(readError(response), ErrorCode::Unavailable) << cut;
    EXPECT_EQ(transport.idleConnections(), 0U);
  }
}

TEST(TransportTest, WhatIsNoHttpIsAFailure) {
  for (const std::string text :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "", "HTTP/1.1 101 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    TestServer server([&text](Socket& socket, int) {
      (void)readRequest(socket);
      sendText(socket, text);
    });
    PooledTransport transport;
    const ClientResponse response = transport.send(makeRequest(urlOf(server)));
    EXPECT_EQ(response.failure, TransportFailure::Broken) << text;
    EXPECT_FALSE(response.detail.empty());
  }
}

TEST(TransportTest, AHeadWithoutEndIsBounded) {
  TestServer server([](Socket& socket, int) {
    (void)readRequest(socket);
    sendText(socket, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10'000; ++i) sendText(socket, "A: " + std::string(1000, 'x') + "\r\n");
  });
  PooledTransport transport;
  EXPECT_EQ(transport.send(makeRequest(urlOf(server))).failure, TransportFailure::Broken);
}

TEST(TransportTest, AHangingPeerMeetsTheDeadline) {
  TestServer server([&server](Socket& socket, int connection) {
    (void)readRequest(socket);
    if (connection == 1) sendText(socket, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    server.hang();
  });
  PooledTransport transport;
  const auto start = std::chrono::steady_clock::now();
  ClientRequest request = makeRequest(urlOf(server));
  request.deadline = Deadline::after(100ms);
  EXPECT_EQ(transport.send(std::move(request)).failure, TransportFailure::TimedOut);
  ClientRequest second = makeRequest(urlOf(server));
  second.deadline = Deadline::after(200ms);
  ClientResponse response = transport.send(std::move(second));
  EXPECT_EQ(readError(response), ErrorCode::DeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(TransportTest, ADrippingPeerMeetsTheDeadline) {
  TestServer server([](Socket& socket, int) {
    (void)readRequest(socket);
    sendText(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Ends with the exception of a closed connection.
    for (int i = 0; i < 10'000'000; ++i) sendText(socket, "1\r\nx\r\n");
  });
  PooledTransport transport;
  ClientRequest request = makeRequest(urlOf(server));
  request.deadline = Deadline::after(150ms);
  ClientResponse response = transport.send(std::move(request));
  char buffer[16];
  EXPECT_THROW(
      {
        while (response.body.read(buffer, sizeof buffer) > 0) {
        }
      },
      Error);
}

TEST(TransportTest, SilenceMeetsTheIdleTimeout) {
  TestServer server([&server](Socket& socket, int) {
    (void)readRequest(socket);
    server.hang();
  });
  PooledTransportOptions options;
  options.idleTimeout = 50ms;
  PooledTransport transport(options);
  ClientRequest request = makeRequest(urlOf(server));
  request.deadline = Deadline::never();
  EXPECT_EQ(transport.send(std::move(request)).failure, TransportFailure::TimedOut);
}

TEST(TransportTest, APeerThatDoesNotReadMeetsTheDeadline) {
  TestServer server([&server](Socket&, int) { server.hang(); });
  PooledTransport transport;
  ClientRequest request = makeRequest(urlOf(server), "POST", std::string(20'000'000, 'x'));
  request.deadline = Deadline::after(150ms);
  EXPECT_EQ(transport.send(std::move(request)).failure, TransportFailure::TimedOut);
}

TEST(TransportTest, AnEarlyAnswerToALargeBodyIsDelivered) {
  TestServer server([&server](Socket& socket, int) {
    sendText(socket, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    server.hang();
  });
  PooledTransport transport;
  EXPECT_EQ(
      textOf(transport.send(makeRequest(urlOf(server), "POST", std::string(20'000'000, 'x')))),
      "413 no");
  EXPECT_EQ(transport.idleConnections(), 0U);
}

TEST(TransportTest, APeerThatClosesWhileItIsSentToRaisesNoSignal) {
  TestServer server([](Socket& socket, int) { socket.close(); });
  PooledTransport transport;
  EXPECT_EQ(
      transport.send(makeRequest(urlOf(server), "POST", std::string(20'000'000, 'x'))).failure,
      TransportFailure::Broken);
}

TEST(TransportTest, AnswersWithoutBodyKeepTheConnection) {
  TestServer server([](Socket& socket, int) {
    while (const auto request = readRequest(socket)) {
      if (request->line.starts_with("HEAD")) {
        sendText(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
      } else if (request->line == "GET /304 ") {
        sendText(socket, "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n");
      } else {
        sendText(socket, "HTTP/1.1 204 No Content\r\n\r\n");
      }
    }
  });
  PooledTransport transport;
  for (int i = 0; i < 2; ++i) {
    ClientResponse head = transport.send(makeRequest(urlOf(server), "HEAD"));
    EXPECT_EQ(head.headers.get("Content-Length"), "100");
    EXPECT_EQ(textOf(std::move(head)), "200 ");
    EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/304")))), "304 ");
    EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server, "/204"), "DELETE"))), "204 ");
  }
  EXPECT_EQ(server.connections, 1);
}

TEST(TransportTest, SkipsInterimAnswers) {
  TestServer server([](Socket& socket, int) {
    while (readRequest(socket)) {
      sendText(socket, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" +
                           answer("final"));
    }
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 final");
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 final");
  EXPECT_EQ(server.connections, 1);
}

TEST(TransportTest, ABodyUntilTheEndOfTheConnectionIsComplete) {
  TestServer server([](Socket& socket, int) {
    (void)readRequest(socket);
    sendText(socket, "HTTP/1.0 200 OK\r\n\r\nold style");
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 old style");
  EXPECT_EQ(transport.idleConnections(), 0U);
}

TEST(TransportTest, ClosesWhenThePeerAsksForIt) {
  TestServer server([](Socket& socket, int) {
    while (readRequest(socket)) sendText(socket, answer("x", "Connection: close\r\n"));
  });
  PooledTransport transport;
  EXPECT_EQ(textOf(transport.send(makeRequest(urlOf(server)))), "200 x");
  EXPECT_EQ(transport.idleConnections(), 0U);
}

TEST(TransportTest, StreamsRequestBodies) {
  TestServer server(echo());
  PooledTransport transport;
  ClientRequest chunked = makeRequest(urlOf(server), "PUT");
  chunked.body = Body(std::make_unique<VectorSource>(std::vector<std::string>{"ab", "c", "def"}));
  EXPECT_EQ(textOf(transport.send(std::move(chunked))), "200 PUT / abcdef");
  ClientRequest known = makeRequest(urlOf(server), "PUT");
  known.body = Body(std::make_unique<VectorSource>(std::vector<std::string>{"ab", "c"}), 3);
  EXPECT_EQ(textOf(transport.send(std::move(known))), "200 PUT / abc");
  EXPECT_EQ(server.connections, 1);
  for (const std::uint64_t announced : {2, 4}) {
    ClientRequest wrong = makeRequest(urlOf(server), "PUT");
    wrong.body = Body(std::make_unique<VectorSource>(std::vector<std::string>{"abc"}), announced);
    EXPECT_THROW((void)transport.send(std::move(wrong)), Error);
  }
  EXPECT_EQ(transport.idleConnections(), 0U);
}

TEST(TransportTest, SetsHostAndFramingItself) {
  std::promise<Headers> seen;
  TestServer server([&seen](Socket& socket, int) {
    seen.set_value(readRequest(socket)->headers);
    sendText(socket, answer(""));
  });
  PooledTransport transport;
  ClientRequest request = makeRequest(urlOf(server), "POST", "abc");
  request.headers = {{"Host", "evil"},
                     {"Content-Length", "99"},
                     {"X-Kept", "1"},
                     {"Transfer-Encoding", "x"},
                     {"Connection", "close"}};
  EXPECT_EQ(textOf(transport.send(std::move(request))), "200 ");
  const Headers headers = seen.get_future().get();
  EXPECT_EQ(headers.get("Host"), "127.0.0.1:" + std::to_string(server.port));
  EXPECT_EQ(headers.get("Content-Length"), "3");
  EXPECT_EQ(headers.get("X-Kept"), "1");
  EXPECT_EQ(headers.get("Accept-Encoding"), "gzip");
  EXPECT_FALSE(headers.has("Connection"));
}

TEST(TransportTest, DecodesGzipThatItAskedForItself) {
  // "hello" compressed by gzip -n.
  const std::string coded(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
      "\x00\x00",
      25);
  TestServer server([&coded](Socket& socket, int) {
    while (readRequest(socket)) sendText(socket, answer(coded, "Content-Encoding: gzip\r\n"));
  });
  PooledTransport transport;
  ClientResponse response = transport.send(makeRequest(urlOf(server)));
  EXPECT_FALSE(response.headers.has("Content-Encoding"));
  EXPECT_FALSE(response.headers.has("Content-Length"));
  EXPECT_EQ(textOf(std::move(response)), "200 hello");
  EXPECT_EQ(transport.idleConnections(), 1U);
  ClientRequest own = makeRequest(urlOf(server));
  own.headers.set("Accept-Encoding", "gzip");
  ClientResponse raw = transport.send(std::move(own));
  EXPECT_EQ(raw.headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(raw.body.readAll(100), coded);
}

TEST(TransportTest, NobodyListeningIsRefused) {
  std::uint16_t port = 0;
  {
    const Poco::Net::ServerSocket unused(Poco::Net::SocketAddress("127.0.0.1", 0));
    port = unused.address().port();
  }
  PooledTransport transport;
  const auto response = transport.send(makeRequest("http://127.0.0.1:" + std::to_string(port)));
  EXPECT_EQ(response.failure, TransportFailure::Refused);
  ClientRequest bad = makeRequest("http://127.0.0.1");
  bad.method = "GET / HTTP/1.1\r\nX:";
  EXPECT_THROW((void)transport.send(std::move(bad)), Error);
}

TEST(TransportTest, ServesManyThreadsAtOnce) {
  TestServer server(echo());
  PooledTransportOptions options;
  options.maxIdlePerOrigin = 3;
  PooledTransport transport(options);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        if (textOf(transport.send(makeRequest(urlOf(server, path)))) == "200 GET " + path + " ") {
          ++right;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 300);
  EXPECT_LE(transport.idleConnections(), 3U);
}

TEST(TransportTest, SendsPlainRequestsToAForwardProxyInAbsoluteForm) {
  std::promise<std::string> line;
  std::promise<std::string> credentials;
  TestServer proxy([&](Socket& socket, int) {
    // Read by hand: the parser would reduce the target.
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char byte = 0;
      if (socket.receiveBytes(&byte, 1) <= 0) return;
      head += byte;
    }
    line.set_value(head.substr(0, head.find("\r\n")));
    credentials.set_value(head.find("Proxy-Authorization: Basic dTpw\r\n") == std::string::npos
                              ? "missing"
                              : "there");
    sendText(socket, answer("proxied"));
  });
  PooledTransportOptions options;
  options.httpProxy = "u:p@127.0.0.1:" + std::to_string(proxy.port);
  PooledTransport transport(options);
  EXPECT_EQ(textOf(transport.send(makeRequest("http://backend.invalid/x?y"))), "200 proxied");
  EXPECT_EQ(line.get_future().get(), "GET http://backend.invalid/x?y HTTP/1.1");
  EXPECT_EQ(credentials.get_future().get(), "there");
}

/// A transport that may not call this machine.
PooledTransportOptions withoutLoopback() {
  PooledTransportOptions options;
  EXPECT_TRUE(options.addresses.deny("loopback"));
  return options;
}

TEST(TransportTest, JudgesTheAddressThatANameHas) {
  TestServer server(echo());
  PooledTransport transport(withoutLoopback());
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001",
                           "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"}) {
    const auto response = transport.send(makeRequest(urlOf(server, "/", "http", host)));
    EXPECT_EQ(response.failure, TransportFailure::Forbidden) << host << response.detail;
    EXPECT_NE(response.detail.find("STRATOS_OUTGOING_ALLOW"), std::string::npos);
  }
  EXPECT_EQ(server.connections, 0);
}

TEST(TransportTest, ConnectionsThatWereNotJudgedServeNobodyElse) {
  TestServer server(echo());
  PooledTransport transport(withoutLoopback());
  ClientRequest own = makeRequest(urlOf(server));
  own.trust.anyAddress = true;
  EXPECT_EQ(textOf(transport.send(std::move(own))), "200 GET / ");
  EXPECT_EQ(transport.idleConnections(), 1U);
  EXPECT_EQ(transport.send(makeRequest(urlOf(server))).failure, TransportFailure::Forbidden);
}

TEST(TransportTest, ARedirectToAnotherHostIsJudged) {
  TestServer inside(echo());
  TestServer outside([&](Socket& socket, int) {
    while (readRequest(socket)) {
      sendText(socket, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " +
                           urlOf(inside, "/secret", "http", "localhost") + "\r\n\r\n");
    }
  });
  PooledTransport transport(withoutLoopback());
  ClientRequest request = makeRequest(urlOf(outside));
  request.trust.anyAddress = true;
  EXPECT_EQ(followRedirects(transport, std::move(request)).failure, TransportFailure::Forbidden);
  EXPECT_EQ(outside.connections, 1);
  EXPECT_EQ(inside.connections, 0);
}

TEST(TransportTest, AForwardProxyMayStandAnywhereButNotLeadAnywhere) {
  TestServer proxy(echo());
  PooledTransportOptions options = withoutLoopback();
  options.httpProxy = "127.0.0.1:" + std::to_string(proxy.port);
  options.httpsProxy = options.httpProxy;
  PooledTransport transport(options);
  EXPECT_EQ(transport.send(makeRequest("http://backend.invalid/x")).status, 200);
  for (const char* target :
       {"http://169.254.169.254/", "http://2852039166/", "http://0xa9fea9fe/",
        "http://169.16689662/", "http://169.254.169.254./", "https://169.254.169.254/",
        "https://[fe80::1]/", "http://[::ffff:169.254.169.254]/"}) {
    EXPECT_EQ(transport.send(makeRequest(target)).failure, TransportFailure::Forbidden) << target;
  }
  EXPECT_EQ(proxy.connections, 1);
}

/// A self-signed certificate for "good.invalid" and 127.0.0.1, made anew for each run.
class TlsTransportTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    valid_ = makeContext("good", "DNS:good.invalid,DNS:localhost,IP:127.0.0.1", 3600);
    otherName_ = makeContext("other", "DNS:other.invalid", 3600);
    expired_ = makeContext("expired", "IP:127.0.0.1", -60);
    askingForOne_ = makeContext("asking", "IP:127.0.0.1", 3600);
    SSL_CTX* raw = askingForOne_.context->sslContext();
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_load_verify_locations(raw, (folder() / "asking.pem").c_str(), nullptr);
    X509_STORE_set_flags(SSL_CTX_get_cert_store(raw), X509_V_FLAG_PARTIAL_CHAIN);
  }
  static void TearDownTestSuite() {
    valid_ = otherName_ = expired_ = askingForOne_ = {};
    std::error_code ignored;
    std::filesystem::remove_all(folder(), ignored);
  }

  struct Identity {
    Poco::Net::Context::Ptr context;
    std::string pem;
    Secret key;
  };

  static const std::filesystem::path& folder() {
    static const std::filesystem::path kFolder = [] {
      std::string name = (std::filesystem::temp_directory_path() / "stratos-tls-XXXXXX").string();
      return std::filesystem::path(::mkdtemp(name.data()));
    }();
    return kFolder;
  }

  static Identity makeContext(const std::string& name, const std::string& names, long life) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), life);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("stratos test"), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());

    const std::string keyFile = folder() / (name + ".key");
    const std::string certificateFile = folder() / (name + ".pem");
    BIO* out = BIO_new_file(keyFile.c_str(), "w");
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    BIO_free(out);
    out = BIO_new_file(certificateFile.c_str(), "w");
    PEM_write_bio_X509(out, certificate);
    BIO_free(out);
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(memory, certificate);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    Identity identity;
    identity.pem.assign(data, static_cast<std::size_t>(size));
    BIO_free(memory);
    memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(memory, key, nullptr, nullptr, 0, nullptr, nullptr);
    const long keySize = BIO_get_mem_data(memory, &data);
    identity.key = Secret{std::string(data, static_cast<std::size_t>(keySize))};
    BIO_free(memory);
    X509_free(certificate);
    EVP_PKEY_free(key);
    identity.context = new Poco::Net::Context(Poco::Net::Context::TLS_SERVER_USE, keyFile,
                                              certificateFile, "", Poco::Net::Context::VERIFY_NONE);
    return identity;
  }

  static ClientRequest trusting(ClientRequest request, const std::string& pem) {
    request.trust.caCertificatePem = pem;
    return request;
  }

  static Identity valid_;
  static Identity otherName_;
  static Identity expired_;
  static Identity askingForOne_;
};

TlsTransportTest::Identity TlsTransportTest::valid_;
TlsTransportTest::Identity TlsTransportTest::otherName_;
TlsTransportTest::Identity TlsTransportTest::expired_;
TlsTransportTest::Identity TlsTransportTest::askingForOne_;

TEST_F(TlsTransportTest, RefusesAnUnknownAuthority) {
  TestServer server(echo(), valid_.context);
  PooledTransport transport;
  const ClientResponse response = transport.send(makeRequest(urlOf(server, "/", "https")));
  EXPECT_EQ(response.failure, TransportFailure::Tls);
  EXPECT_EQ(response.detail, "x509: certificate signed by unknown authority");
}

TEST_F(TlsTransportTest, AcceptsAGivenAuthorityAndReusesTheConnection) {
  TestServer server(echo(), valid_.context);
  PooledTransport transport;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(textOf(transport.send(
                  trusting(makeRequest(urlOf(server, "/x", "https"), "POST", "b"), valid_.pem))),
              "200 POST /x b");
  }
  EXPECT_EQ(server.connections, 1);
  // What was trusted for one caller is not trusted for another.
  EXPECT_EQ(transport.send(makeRequest(urlOf(server, "/", "https"))).failure,
            TransportFailure::Tls);
}

TEST_F(TlsTransportTest, ResumesSessionsForTheSameTrustOnly) {
  SSL_CTX* const raw = valid_.context->sslContext();
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    SSL_CTX_set_max_proto_version(raw, version);
    TestServer server(echo(), valid_.context);
    PooledTransport transport;
    const long before = SSL_CTX_sess_hits(raw);
    const auto ask = [&](const std::string& pem) {
      return textOf(transport.send(trusting(makeRequest(urlOf(server, "/x", "https")), pem)));
    };
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(ask(valid_.pem), "200 GET /x ");
      transport.clear();
    }
    EXPECT_EQ(server.connections, 4);
    EXPECT_EQ(SSL_CTX_sess_hits(raw) - before, 3) << std::hex << version;
    // Another policy, even one that trusts the same certificate, checks it for itself.
    EXPECT_EQ(ask(valid_.pem + valid_.pem), "200 GET /x ");
    EXPECT_EQ(SSL_CTX_sess_hits(raw) - before, 3) << std::hex << version;
    EXPECT_EQ(transport.send(makeRequest(urlOf(server, "/", "https"))).failure,
              TransportFailure::Tls);
  }
  SSL_CTX_set_max_proto_version(raw, 0);
}

TEST_F(TlsTransportTest, SkipsVerificationOnlyWhenAsked) {
  TestServer server(echo(), otherName_.context);
  PooledTransport transport;
  ClientRequest request = makeRequest(urlOf(server, "/x", "https"));
  request.trust.skipVerification = true;
  EXPECT_EQ(textOf(transport.send(std::move(request))), "200 GET /x ");
  const ClientResponse refused =
      transport.send(trusting(makeRequest(urlOf(server, "/x", "https")), otherName_.pem));
  EXPECT_EQ(refused.failure, TransportFailure::Tls);
  EXPECT_EQ(refused.detail, "x509: certificate is valid for another name");
}

TEST_F(TlsTransportTest, ChecksHostNamesEvenOnLoopback) {
  TestServer wrong(echo(), otherName_.context);
  TestServer right(echo(), valid_.context);
  PooledTransport transport;
  EXPECT_EQ(
      transport.send(trusting(makeRequest(urlOf(wrong, "/", "https", "localhost")), otherName_.pem))
          .detail,
      "x509: certificate is valid for another name");
  EXPECT_EQ(textOf(transport.send(
                trusting(makeRequest(urlOf(right, "/", "https", "localhost")), valid_.pem))),
            "200 GET / ");
}

TEST_F(TlsTransportTest, ShowsAClientCertificateWhereOneIsAskedFor) {
  const auto presented = [](TestServer& server, ClientIdentity identity) {
    PooledTransport transport;
    ClientRequest request = trusting(makeRequest(urlOf(server, "/", "https")), askingForOne_.pem);
    request.trust.identity = std::move(identity);
    return textOf(transport.send(std::move(request)));
  };
  TestServer server(echo(), askingForOne_.context);
  EXPECT_EQ(presented(server, {askingForOne_.pem, askingForOne_.key}), "200 GET / ");
  EXPECT_NE(presented(server, {}), "200 GET / ");
  EXPECT_NE(presented(server, {valid_.pem, valid_.key}), "200 GET / ") << "not that authority's";
}

TEST_F(TlsTransportTest, DoesNotSendWithAClientCertificateThatCannotBeUsed) {
  TestServer server(echo(), valid_.context);
  PooledTransport transport;
  for (const ClientIdentity& identity :
       {ClientIdentity{valid_.pem, {}}, ClientIdentity{{}, valid_.key},
        ClientIdentity{"no PEM", valid_.key}, ClientIdentity{valid_.pem, Secret{"no PEM"}},
        ClientIdentity{valid_.pem, otherName_.key}}) {
    ClientRequest request = trusting(makeRequest(urlOf(server, "/", "https")), valid_.pem);
    request.trust.identity = identity;
    try {
      (void)transport.send(std::move(request));
      ADD_FAILURE() << "it was sent";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      EXPECT_EQ(std::string{error.what()}.find("the client certificate"), 0U) << error.what();
    }
  }
  EXPECT_EQ(server.connections, 0);
}

TEST_F(TlsTransportTest, RefusesAnExpiredCertificate) {
  TestServer server(echo(), expired_.context);
  PooledTransport transport;
  EXPECT_EQ(transport.send(trusting(makeRequest(urlOf(server, "/", "https")), expired_.pem)).detail,
            "x509: certificate has expired or is not yet valid");
}

TEST_F(TlsTransportTest, RefusesAPeerThatDoesNotSpeakTls) {
  TestServer server([](Socket& socket, int) { sendText(socket, "HTTP/1.1 400 Bad\r\n\r\n"); });
  PooledTransport transport;
  EXPECT_EQ(transport.send(makeRequest(urlOf(server, "/", "https"))).failure,
            TransportFailure::Tls);
}

TEST_F(TlsTransportTest, AHandshakeThatHangsMeetsTheDeadline) {
  TestServer server([&server](Socket&, int connection) {
    if (connection > 0) server.hang();
  });
  PooledTransport transport;
  // Reads the system's roots, which may take longer than the deadline below.
  EXPECT_EQ(transport.send(makeRequest(urlOf(server, "/", "https"))).failure,
            TransportFailure::Tls);
  ClientRequest request = makeRequest(urlOf(server, "/", "https"));
  request.deadline = Deadline::after(100ms);
  const ClientResponse response = transport.send(std::move(request));
  EXPECT_EQ(response.failure, TransportFailure::TimedOut);
  EXPECT_EQ(response.detail, "the TLS handshake took too long");
}

TEST_F(TlsTransportTest, APeerThatClosesWhileItIsSentToRaisesNoSignal) {
  TestServer server(
      [](Socket& socket, int) {
        char byte = 0;
        socket.receiveBytes(&byte, 1);
      },
      valid_.context);
  PooledTransport transport;
  EXPECT_EQ(transport
                .send(trusting(
                    makeRequest(urlOf(server, "/", "https"), "POST", std::string(20'000'000, 'x')),
                    valid_.pem))
                .failure,
            TransportFailure::Broken);
}

TEST_F(TlsTransportTest, RefusesABrokenAuthorityText) {
  PooledTransport transport;
  EXPECT_THROW((void)transport.send(trusting(makeRequest("https://127.0.0.1:1"), "no PEM")), Error);
}

TEST_F(TlsTransportTest, TunnelsThroughAForwardProxy) {
  TestServer server(echo(), valid_.context);
  std::promise<std::string> seen;
  TestServer proxy([&](Socket& socket, int connection) {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char byte = 0;
      if (socket.receiveBytes(&byte, 1) <= 0) return;
      head += byte;
    }
    if (connection > 0) {
      sendText(socket, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    seen.set_value(head);
    Socket upstream(Poco::Net::SocketAddress("127.0.0.1", server.port));
    sendText(socket, "HTTP/1.1 200 Connection established\r\n\r\n");
    std::thread back([&] { pump(upstream, socket); });
    pump(socket, upstream);
    back.join();
  });
  PooledTransportOptions options;
  options.httpsProxy = "http://u:p@127.0.0.1:" + std::to_string(proxy.port);
  PooledTransport transport(options);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(textOf(transport.send(trusting(makeRequest("https://good.invalid/x"), valid_.pem))),
              "200 GET /x ");
  }
  const std::string head = seen.get_future().get();
  EXPECT_TRUE(head.starts_with("CONNECT good.invalid:443 HTTP/1.1\r\nHost: good.invalid:443\r\n"));
  EXPECT_NE(head.find("Proxy-Authorization: Basic dTpw\r\n"), std::string::npos);
  transport.clear();
  const ClientResponse refused =
      transport.send(trusting(makeRequest("https://good.invalid/x"), valid_.pem));
  EXPECT_EQ(refused.failure, TransportFailure::Refused);
}

}  // namespace
}  // namespace stratos::http
