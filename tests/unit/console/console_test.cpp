#include "stratos/console/console.hpp"

#include <atomic>
#include <thread>

#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

constexpr std::chrono::seconds kPatience{20};

TEST(ConsoleLifetimeTest, TheDestructorWaitsForCallsThatOutlivedTheirRequest) {
  ConsoleFixture t(db::Dialect::Sqlite);
  testing::FakeUpstream upstream;
  std::atomic<int> answered{0};
  upstream.handle("/", [&](const testing::ReceivedRequest&) {
    ++answered;
    return testing::jsonReply(200, "{}");
  });
  auto options = ConsoleFixture::localOptions();
  options.proxy.longRunningAnswer = std::chrono::milliseconds{20};
  t.start(options);
  Browser admin = t.localAdmin();
  t.insertEndpoint("E1", upstream.url());
  t.insertToken(t.userGuid(admin), "E1");
  upstream.addFault({.kind = testing::FaultKind::Hold});
  const Answer answer =
      admin.send("POST", "/pp/v1/proxy/v2/x",
                 {{"x-cap-cnsi-list", "E1"}, {"x-cap-long-running", "true"}}, "{}");
  EXPECT_EQ(jsonAt(answer.body, "E1/error/statusCode"), "202");
  ASSERT_TRUE(upstream.waitUntilHeld(1, Deadline::after(kPatience)));

  std::thread releaser([&] { upstream.release(); });
  t.start(ConsoleFixture::localOptions());  // Destroys the first console.
  EXPECT_EQ(answered.load(), 1);
  releaser.join();
}

TEST(ConsoleLifetimeTest, ServesManyThreadsAtOnce) {
  ConsoleFixture t(db::Dialect::Sqlite);
  testing::FakeUpstream upstream;
  upstream.handle("/",
                  [](const testing::ReceivedRequest&) { return testing::jsonReply(200, "{}"); });
  const Browser admin = t.localAdmin();
  t.insertEndpoint("E1", upstream.url());
  {
    Browser browser = admin;
    t.insertToken(t.userGuid(browser), "E1");
  }
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  std::vector<Vault> vaults(6);
  for (std::size_t i = 0; i < vaults.size(); ++i) {
    threads.emplace_back([&, i] {
      Browser browser(t.console(), t.clock, vaults[i]);
      browser.setCookie("console-session", admin.cookie().value());
      for (int round = 0; round < 10; ++round) {
        good += browser.get("/pp/v1/info").status == 200;
        good += browser.get("/pp/v1/proxy/x", {{"x-cap-cnsi-list", "E1"}}).status == 200;
        good += browser.verify().status == 200;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 6 * 10 * 3);
  t.expectNoSecretLogged();
}

}  // namespace
}  // namespace stratos::compat
