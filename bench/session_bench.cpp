#include "stratos/session/session_manager.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "support.hpp"

namespace stratos::session {

namespace {

/// The check of the cookie's signature alone: a forged cookie never reaches the database.
void BM_RefuseForgedCookie(benchmark::State& state) {
  bench::Stores stores;
  SessionOptions options;
  options.secret = Secret{std::string(64, 's')};
  SessionManager sessions(stores.sessions, stores.clock, stores.random, options);
  std::string cookie = sessions.create(UserId{"user"}, INT64_MAX).cookieValue.reveal();
  cookie.front() = cookie.front() == 'A' ? 'B' : 'A';
  if (sessions.find(cookie)) state.SkipWithError("a forged cookie was accepted");
  for (auto _ : state) {
    benchmark::DoNotOptimize(sessions.find(cookie));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RefuseForgedCookie);

/// Cookie to session with the session table on SQLite, among `sessions` others.
void BM_FindSession(benchmark::State& state) {
  bench::Stores stores;
  SessionOptions options;
  options.secret = Secret{std::string(64, 's')};
  SessionManager sessions(stores.sessions, stores.clock, stores.random, options);
  std::string cookie;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    cookie = sessions.create(UserId{"user"}, INT64_MAX).cookieValue.reveal();
  }
  if (!sessions.find(cookie)) state.SkipWithError("the session was not found");
  for (auto _ : state) {
    benchmark::DoNotOptimize(sessions.find(cookie));
  }
  state.SetItemsProcessed(state.iterations());
}
// A fixed number of iterations: finding one out would repeat the set-up, seconds for 1,000 inserts.
BENCHMARK(BM_FindSession)->ArgName("sessions")->Arg(10)->Arg(1000)->Iterations(5000);

void BM_CompareXsrfToken(benchmark::State& state) {
  Session session;
  session.xsrfToken = Secret{std::string(44, 'x')};
  std::string presented(44, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(presented);
    benchmark::DoNotOptimize(session.xsrfMatches(presented));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CompareXsrfToken);

}  // namespace

}  // namespace stratos::session
