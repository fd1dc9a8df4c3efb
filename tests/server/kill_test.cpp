#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "server_fixture.hpp"
#include "stratos/proxy/fan_out.hpp"

namespace stratos::server_test {
namespace {

constexpr const char* kBackupPassword = "backup-password";

/// A server that is killed while users connect, unregister and restore.
class KillTest : public ServerTest {
 protected:
  [[nodiscard]] static std::string backup(Browser& browser, const std::string& guid) {
    const Answer answer = browser.send(
        "POST", "/pp/v1/endpoints/backup", {{"Content-Type", "application/json"}},
        R"({"state":{")" + guid + R"(":{"endpoint":true,"connect":"ALL"}},"password":")" +
            kBackupPassword + R"("})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }
  [[nodiscard]] static Answer restore(Browser& browser, const std::string& file) {
    return browser.send("POST", "/pp/v1/endpoints/restore", {{"Content-Type", "application/json"}},
                        R"({"data":)" + proxy::jsonString(file) + R"(,"password":")" +
                            kBackupPassword + R"(","ignoreDbVersion":false})");
  }
  [[nodiscard]] static Answer connect(Browser& browser, const std::string& guid) {
    return browser.postMultipart("/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds",
                                 {{"username", "admin"}, {"password", "admin"}});
  }
  [[nodiscard]] std::int64_t rowsOf(const std::string& table, const std::string& column,
                                    const std::string& guid) const {
    const auto row = openDatabase()->connect().queryOne(
        "SELECT COUNT(*) AS n FROM " + table + " WHERE " + column + " = $1", {guid});
    return row ? row->integer("n") : -1;
  }
};

TEST_F(KillTest, ChangesHappenWholeOrNotAtAll) {
  startServer(settings());
  std::string guid;
  std::string file;
  {
    Browser browser = signedIn();
    guid = connectFoundation(browser);
    file = backup(browser, guid);
  }
  std::minstd_rand random(20260301);
  int registeredRounds = 0;
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds; ++round) {
    auto browser = std::make_unique<Browser>(origin());
    ASSERT_EQ(browser->login("admin", kPassword).status, 200);
    std::atomic<int> changes{0};
    const auto isDone = [&changes](const Answer& answer) {
      if (answer.status == 0) return false;  // The server is gone.
      EXPECT_EQ(answer.status, 200) << answer.body;
      ++changes;
      changes.notify_all();
      return true;
    };
    std::jthread user([&] {
      while (isDone(restore(*browser, file)) && isDone(connect(*browser, guid)) &&
             isDone(browser->remove("/api/v1/endpoints/" + guid))) {
      }
    });
    // In the middle of one of the three changes, another one each time.
    const int wanted = 1 + round % 3;
    for (int seen = changes; seen < wanted; seen = changes) changes.wait(seen);
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 8'000});
    server->signal(SIGKILL);
    ASSERT_EQ(server->waitForExit(), 128 + SIGKILL);
    user.join();

    const std::int64_t endpoints = rowsOf("cnsis", "guid", guid);
    const std::int64_t tokens = rowsOf("tokens", "cnsi_guid", guid);
    ASSERT_TRUE(endpoints == 0 || endpoints == 1) << endpoints;
    EXPECT_LE(tokens, endpoints) << "a token outlived its endpoint, or was doubled";
    EXPECT_EQ(readableTokens(settings()), static_cast<std::size_t>(tokens));

    startServer(settings());
    Browser later = signedIn();
    const Answer call = later.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1");
    EXPECT_EQ(call.status, tokens == 1 ? 200 : 400) << call.body;
    if (endpoints == 1) ++registeredRounds;
  }
  EXPECT_GT(registeredRounds, 0);
}

}  // namespace
}  // namespace stratos::server_test
