#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "stratos/http/parser.hpp"
#include "stratos/http/router.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::http {

namespace {

const std::string& browserHead() {
  static const std::string head =
      "GET /pp/v1/proxy/v3/apps?page=1&per_page=100&order_by=name HTTP/1.1\r\n"
      "Host: console.example.com\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      "Accept: application/json, text/plain, */*\r\n"
      "Accept-Language: en-GB,en;q=0.5\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n"
      "x-cap-cnsi-list: 2mBHKnQ8vCvLbDMrVBHkvGmBxYM\r\n"
      "x-cap-passthrough: true\r\n"
      "Connection: keep-alive\r\n"
      "Referer: https://console.example.com/applications\r\n"
      "Cookie: console-session=" +
      std::string(87, 'c') +
      "\r\n"
      "Sec-Fetch-Dest: empty\r\n"
      "Sec-Fetch-Mode: cors\r\n"
      "Sec-Fetch-Site: same-origin\r\n"
      "\r\n";
  return head;
}

std::string endpointHead(std::size_t contentLength) {
  return "HTTP/1.1 200 OK\r\n"
         "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Content-Type: application/json; charset=utf-8\r\n"
         "Content-Length: " +
         std::to_string(contentLength) +
         "\r\n"
         "Connection: keep-alive\r\n"
         "Referrer-Policy: strict-origin-when-cross-origin\r\n"
         "Server: nginx\r\n"
         "X-Content-Type-Options: nosniff\r\n"
         "X-Ratelimit-Limit: 20000\r\n"
         "X-Ratelimit-Remaining: 19999\r\n"
         "X-Runtime: 0.012345\r\n"
         "X-Vcap-Request-Id: e41a3a1b-1b1a-4b5e-9f8b-6d3f5cb4e2a5::f1e1f5a7-8f5f-4c5b\r\n"
         "Vary: Accept-Encoding\r\n"
         "\r\n";
}

void parseHeads(benchmark::State& state, MessageParser::Kind kind, const std::string& head) {
  MessageParser parser(kind);
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.feed(head));
    if (!parser.messageComplete()) state.SkipWithError("the head was not understood");
    benchmark::DoNotOptimize(parser.headers());
    parser.next();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(head.size()));
}

void BM_ParseRequestHead(benchmark::State& state) {
  parseHeads(state, MessageParser::Kind::Request, browserHead());
}
BENCHMARK(BM_ParseRequestHead);

void BM_ParseResponseHead(benchmark::State& state) {
  parseHeads(state, MessageParser::Kind::Response, endpointHead(0));
}
BENCHMARK(BM_ParseResponseHead);

/// The console's routes, as far as they matter for the search.
void BM_MatchRoute(benchmark::State& state) {
  Router router;
  const HandlerFunction handler = [](Request&) { return Response::empty(204); };
  for (const char* pattern :
       {"/pp/v1/ping", "/pp/v1/version", "/pp/v1/info", "/api/v1/auth/verify", "/api/v1/endpoints",
        "/api/v1/endpoints/:id", "/api/v1/tokens", "/api/v1/tokens/:cnsi_guid",
        "/api/v1/proxy/:uuid/*", "/pp/v1/proxy/*", "/pp/v1/*", "/api/v1/*", "/pp/*", "/api/*"}) {
    router.add("GET", pattern, handler);
  }
  Request request;
  request.target = "/pp/v1/proxy/v3/apps?page=1&per_page=100";
  if (router.handle(request).status != 204) state.SkipWithError("no route was found");
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.handle(request));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MatchRoute);

/// Answers every request head on one connection after the other with the same bytes. It does as
/// little as a peer can do, so that the client is what is measured. The client must go first.
class Responder {
 public:
  explicit Responder(std::string answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
    if (listener_ < 0 || ::bind(listener_, generic, length) != 0 ||
        ::listen(listener_, kBacklog) != 0 || ::getsockname(listener_, generic, &length) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Responder() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  [[nodiscard]] Url url() const {
    return Url::parse("http://127.0.0.1:" + std::to_string(port_) + "/v3/apps");
  }

 private:
  static constexpr int kBacklog = 16;

  void serve() noexcept {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const int on = 1;
      ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) noexcept {
    std::array<char, 16 * 1024> buffer{};
    std::size_t filled = 0;
    for (;;) {
      const ssize_t count = ::recv(connection, buffer.data() + filled, buffer.size() - filled, 0);
      if (count <= 0) return;
      filled += static_cast<std::size_t>(count);
      if (!std::string_view{buffer.data(), filled}.ends_with("\r\n\r\n")) continue;
      filled = 0;
      if (::send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  const std::string answer_;
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// One GET over a pooled keep-alive connection on loopback, the body of `bytes` read to its end.
/// Wall clock time: the peer's share is in it.
void BM_PooledRoundTrip(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const Responder responder(endpointHead(size) + std::string(size, 'x'));
  PooledTransport transport;
  const Url url = responder.url();
  const Headers headers{{"Accept", "application/json"},
                        {"Authorization", "bearer " + std::string(1300, 't')}};
  std::array<char, 64 * 1024> buffer{};
  for (auto _ : state) {
    ClientRequest request{.method = "GET",
                          .url = url,
                          .headers = headers,
                          .body = {},
                          .trust = {},
                          .deadline = Deadline::never()};
    ClientResponse response = transport.send(std::move(request));
    std::size_t total = 0;
    if (!response.failed()) {
      while (const std::size_t count = response.body.read(buffer.data(), buffer.size())) {
        total += count;
      }
    }
    if (total != size) {
      state.SkipWithError("the answer did not arrive");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_PooledRoundTrip)->ArgName("bytes")->Arg(1024)->Arg(64 * 1024)->UseRealTime();

}  // namespace

}  // namespace stratos::http
