#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "private_postgres.hpp"
#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

using std::chrono::seconds;
using stratos::testing::PrivatePgBouncer;
using stratos::testing::PrivatePostgres;

/// The server's database goes away and comes back while browsers work.
class DatabaseRestartTest : public ServerTest, public ::testing::WithParamInterface<bool> {};

TEST_P(DatabaseRestartTest, RequestsFailForAMomentAndNobodyIsSignedOut) {
  if (!PrivatePostgres::isAvailable()) GTEST_SKIP() << PrivatePostgres::skipReason();
  if (GetParam() && !PrivatePgBouncer::isAvailable()) {
    GTEST_SKIP() << PrivatePgBouncer::skipReason();
  }
  PrivatePostgres postgres;
  const auto bouncer = GetParam() ? std::make_unique<PrivatePgBouncer>(postgres, 4) : nullptr;
  const auto options = bouncer ? bouncer->options() : postgres.options();
  Settings changed = onPostgres(settings(), options);
  changed["STRATOS_DB_MAX_CONNECTIONS"] = "4";
  startServer(changed);

  std::atomic<int> served{0};
  std::atomic<int> unavailable{0};
  std::atomic<bool> isOver{false};
  std::mutex mutex;
  std::set<int> otherStatuses;
  std::vector<Browser> browsers;
  std::vector<Browser> signedInMeanwhile;
  for (int i = 0; i < 3; ++i) browsers.push_back(signedIn());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < browsers.size(); ++i) {
    threads.emplace_back([&, i] {
      while (!isOver) {
        // The first one makes a new session each time, which later has to be there.
        if (i == 0) browsers[0] = Browser{origin()};
        const Answer answer = i == 0   ? browsers[0].login("admin", kPassword)
                              : i == 1 ? browsers[1].get("/api/v1/auth/verify")
                                       : browsers[2].get("/pp/v1/info");
        if (answer.status == 200) {
          ++served;
          if (i == 0) signedInMeanwhile.push_back(std::move(browsers[0]));
        } else if (answer.status == 503) {
          ++unavailable;
        } else {
          const std::lock_guard lock(mutex);
          otherStatuses.insert(answer.status);
        }
      }
    });
  }
  const auto waitForMore = [](const std::atomic<int>& counter, int count) {
    const int goal = counter + count;
    const auto end = std::chrono::steady_clock::now() + seconds{40};
    while (counter < goal && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_GE(counter, goal);
  };
  for (int round = 0; round < 2; ++round) {
    waitForMore(served, 20);
    postgres.stop();
    waitForMore(unavailable, 4);
    postgres.start();
  }
  waitForMore(served, 20);
  isOver = true;
  for (std::thread& thread : threads) thread.join();

  EXPECT_TRUE(otherStatuses.empty()) << *otherStatuses.begin();
  browsers.erase(browsers.begin());
  EXPECT_FALSE(signedInMeanwhile.empty());
  for (auto* group : {&browsers, &signedInMeanwhile}) {
    for (Browser& browser : *group) EXPECT_EQ(browser.get("/api/v1/auth/verify").status, 200);
  }
}

using DatabaseHealthTest = ServerTest;

TEST_F(DatabaseHealthTest, WithoutItsDatabaseItIsAliveAndNotReady) {
  if (!PrivatePostgres::isAvailable()) GTEST_SKIP() << PrivatePostgres::skipReason();
  PrivatePostgres postgres;
  startServer(onPostgres(settings(), postgres.options()));
  Browser probe{origin()};
  EXPECT_EQ(probe.get("/readyz").status, 200);
  postgres.stop();
  const Answer ready = probe.get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "not ready: the database cannot be asked\n");
  EXPECT_EQ(probe.get("/livez").status, 200);
  postgres.start();
  EXPECT_EQ(probe.get("/readyz").status, 200);
}

INSTANTIATE_TEST_SUITE_P(Ways, DatabaseRestartTest, ::testing::Bool(), [](const auto& way) {
  return way.param ? "ThroughPgBouncer" : "Directly";
});

}  // namespace
}  // namespace stratos::server_test
