#include <benchmark/benchmark.h>

#include "stratos/endpoint/endpoint_registry.hpp"
#include "support.hpp"

namespace stratos::endpoint {

namespace {

/// Id to endpoint on SQLite, among `endpoints` others.
void BM_FindEndpoint(benchmark::State& state) {
  bench::Stores stores;
  EndpointId id;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    id = stores.addEndpoint(static_cast<std::size_t>(i)).id;
  }
  const EndpointRegistry registry(stores.endpoints, stores.log, {});
  const Caller caller{.user = UserId{"user"}, .isAdmin = [] { return false; }};
  if (!registry.findVisible(caller, id)) state.SkipWithError("the endpoint was not found");
  for (auto _ : state) {
    benchmark::DoNotOptimize(registry.findVisible(caller, id));
  }
  state.SetItemsProcessed(state.iterations());
}
// A fixed number of iterations: finding one out would repeat the set-up, seconds for 1,000 inserts.
BENCHMARK(BM_FindEndpoint)->ArgName("endpoints")->Arg(10)->Arg(1000)->Iterations(5000);

}  // namespace

}  // namespace stratos::endpoint
