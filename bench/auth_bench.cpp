#include <benchmark/benchmark.h>

#include <string>

#include "stratos/auth/jwt.hpp"
#include "stratos/auth/token_provider.hpp"
#include "support.hpp"

namespace stratos::auth {

namespace {

/// Nothing may leave the process: a fresh token needs no authorization server.
class NoTransport final : public http::Transport {
 public:
  [[nodiscard]] http::ClientResponse exchange(http::ClientRequest&) override {
    http::ClientResponse response;
    response.failure = http::TransportFailure::Refused;
    return response;
  }
};

/// A fresh token from SQLite, decryption included.
void BM_GetFreshToken(benchmark::State& state) {
  bench::Stores stores;
  const UserId user{"user"};
  const auto endpoint = stores.addEndpoint();
  stores.addToken(user, endpoint.id);
  NoTransport transport;
  UaaClient uaa(transport);
  TokenProvider provider(stores.tokens, nullptr, uaa, stores.clock, stores.random, stores.log);
  if (!provider.get(user, endpoint, Deadline::never()).ok()) {
    state.SkipWithError("the token is not fresh");
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(provider.get(user, endpoint, Deadline::never()));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetFreshToken);

void BM_DecodeJwt(benchmark::State& state) {
  const std::string token = bench::makeAccessToken(2'000'000'000);
  if (!decodeJwt(token)) state.SkipWithError("the token is no JWT");
  for (auto _ : state) {
    benchmark::DoNotOptimize(decodeJwt(token));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(token.size()));
}
BENCHMARK(BM_DecodeJwt);

}  // namespace

}  // namespace stratos::auth
