#include "stratos/console/console.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stratos/auth/login_service.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/session/session_manager.hpp"
#include "support.hpp"

namespace stratos {

namespace {

/// An endpoint in memory: the same document to every request that carries a token.
class DocumentTransport final : public http::Transport {
 public:
  explicit DocumentTransport(std::size_t bytes)
      : document_("{\"name\":\"" + std::string(bytes - 11, 'x') + "\"}") {}

  [[nodiscard]] http::ClientResponse exchange(http::ClientRequest& request) override {
    http::ClientResponse response;
    response.status = request.headers.has("Authorization") ? 200 : 401;
    response.reason = "OK";
    response.headers = {{"Content-Type", "application/json"},
                        {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
    response.body = http::Body{document_};
    return response;
  }

 private:
  std::string document_;
};

/// A console with a signed-in user who is connected to ten endpoints.
class Fixture {
 public:
  Fixture() : transport_(kDocumentBytes), console_(options(), environment(), extensions()) {
    const UserId user{"user"};
    session::SessionManager sessions(stores_.sessions, stores_.clock, stores_.random,
                                     options().session);
    cookie_ = sessions.cookieName() + "=" +
              sessions.create(user, auth::kNeverExpires).cookieValue.reveal();
    for (std::size_t i = 0; i < kEndpoints; ++i) {
      const auto endpoint = stores_.addEndpoint(i);
      stores_.addToken(user, endpoint.id);
      ids_.push_back(endpoint.id.str());
    }
  }

  /// A proxied GET as the front end sends it, for the first `endpoints` endpoints.
  [[nodiscard]] http::Request request(std::int64_t endpoints, bool passthrough) const {
    std::string list;
    for (std::int64_t i = 0; i < endpoints; ++i) {
      if (i > 0) list += ',';
      list += ids_[static_cast<std::size_t>(i)];
    }
    http::Request request;
    request.target = "/pp/v1/proxy/v3/apps?page=1&per_page=100";
    request.headers = {{"Host", "console.example.com"},
                       {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
                       {"Accept", "application/json, text/plain, */*"},
                       {"Accept-Language", "en-GB,en;q=0.5"},
                       {"Cookie", cookie_},
                       {"x-cap-cnsi-list", list},
                       {"x-cap-passthrough", passthrough ? "true" : "false"}};
    request.peerAddress = "127.0.0.1";
    return request;
  }

  [[nodiscard]] http::Handler& console() { return console_; }
  [[nodiscard]] std::uint64_t statements() const { return stores_.database->statementCount(); }

  static constexpr std::size_t kDocumentBytes = 1024;

 private:
  static constexpr std::size_t kEndpoints = 10;

  static ConsoleOptions options() {
    ConsoleOptions options;
    options.signIn.localUser = "admin";
    options.signIn.localUserPassword = Secret{"a password for a benchmark"};
    options.passwordHashCost = 4;
    options.session.secret = Secret{std::string(64, 's')};
    return options;
  }
  ConsoleEnvironment environment() {
    return {.database = *stores_.database,
            .cipher = stores_.cipher,
            .transport = transport_,
            .clock = stores_.clock,
            .random = stores_.random,
            .log = stores_.log};
  }
  static std::vector<std::unique_ptr<Extension>> extensions() {
    std::vector<std::unique_ptr<Extension>> all;
    all.push_back(ext::makeCloudFoundry());
    return all;
  }

  bench::Stores stores_;
  DocumentTransport transport_;
  Console console_;
  std::string cookie_;
  std::vector<std::string> ids_;
};

void proxiedGet(benchmark::State& state, std::int64_t endpoints, bool passthrough) {
  Fixture fixture;
  std::array<char, 64 * 1024> buffer{};
  const std::uint64_t before = fixture.statements();
  for (auto _ : state) {
    http::Request request = fixture.request(endpoints, passthrough);
    http::Response response = fixture.console().handle(request);
    std::size_t total = 0;
    while (const std::size_t count = response.body.read(buffer.data(), buffer.size())) {
      total += count;
    }
    if (response.status != 200 || total < Fixture::kDocumentBytes) {
      state.SkipWithError("the console did not proxy");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["sql_statements"] = benchmark::Counter(
      static_cast<double>(fixture.statements() - before), benchmark::Counter::kAvgIterations);
}

/// The whole way through the console but for sockets and log: cookie to session, endpoint, token,
/// header policy, forward, relay. Building the request is in it.
void BM_HandleProxiedGet(benchmark::State& state) { proxiedGet(state, 1, true); }
BENCHMARK(BM_HandleProxiedGet);

/// The same as a fan-out. Wall clock time: it uses several threads.
void BM_HandleFanOut(benchmark::State& state) { proxiedGet(state, state.range(0), false); }
BENCHMARK(BM_HandleFanOut)->ArgName("endpoints")->Arg(1)->Arg(3)->Arg(10)->UseRealTime();

}  // namespace

}  // namespace stratos
