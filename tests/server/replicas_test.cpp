// Three servers on one PostgreSQL: what one of them changes counts on all of them, at once,
// although each keeps what it has read for a minute.

#include <functional>
#include <thread>

#include "server_fixture.hpp"
#include "stratos/base/deadline.hpp"

namespace stratos::server_test {
namespace {

using namespace std::chrono_literals;

class ReplicasTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (database->dialect() != db::Dialect::PostgreSql) {
      GTEST_SKIP() << "several servers share a PostgreSQL database only";
    }
    Settings each = settings();
    each["STRATOS_CACHE_STALENESS_IN_SECS"] = "60";
    startServer(each);
    origins_ = {origin()};
    for (auto* replica : {&second_, &third_}) {
      *replica = start(each);
      origins_.push_back(httpOriginOf(**replica));
    }
  }

  /// The same browser as each of the servers meets it.
  std::vector<Browser> everywhere(const Browser& browser) {
    std::vector<Browser> browsers;
    for (const std::string& origin : origins_) {
      Browser& each = browsers.emplace_back(origin);
      each.cookies = browser.cookies;
      each.xsrfToken = browser.xsrfToken;
    }
    return browsers;
  }
  static void expectAll(std::vector<Browser>& browsers, const std::string& target, int status) {
    for (Browser& browser : browsers) EXPECT_EQ(browser.get(target).status, status) << target;
  }
  /// Each server's answer becomes `status` long before what it has read grows old.
  static void expectSoon(std::vector<Browser>& browsers, const std::string& target, int status) {
    const Deadline deadline = Deadline::after(45s);
    for (Browser& browser : browsers) {
      int seen = browser.get(target).status;
      while (seen != status && !deadline.hasPassed()) {
        std::this_thread::yield();
        seen = browser.get(target).status;
      }
      EXPECT_EQ(seen, status) << target;
    }
  }

  std::vector<std::string> origins_;
  std::unique_ptr<ServerProcess> second_;
  std::unique_ptr<ServerProcess> third_;
};

TEST_F(ReplicasTest, ASessionServesEverywhereAndEndsEverywhere) {
  const Browser laptop = signedIn();
  const Browser phone = signedIn();
  auto laptops = everywhere(laptop);
  auto phones = everywhere(phone);
  expectAll(laptops, "/pp/v1/info", 200);
  expectAll(phones, "/pp/v1/info", 200);

  EXPECT_EQ(laptops[1].remove("/pp/v1/sessions").status, 204);  // All others.
  EXPECT_EQ(phones[1].get("/pp/v1/info").status, 401) << "where it was asked for: at once";
  expectSoon(phones, "/pp/v1/info", 401);
  expectAll(laptops, "/pp/v1/info", 200);

  EXPECT_EQ(laptops[2].send("POST", "/pp/v1/auth/logout").status, 200);
  laptops = everywhere(laptop);
  expectSoon(laptops, "/pp/v1/info", 401);
}

TEST_F(ReplicasTest, AConnectionAndAnEndpointGoEverywhere) {
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  auto browsers = everywhere(browser);
  const std::string apps = "/api/v1/proxy/" + guid + "/v3/apps?per_page=1";
  expectAll(browsers, apps, 200);

  EXPECT_EQ(browsers[1].remove("/api/v1/tokens/" + guid).status, 200);
  const int without = browsers[1].get(apps).status;
  EXPECT_NE(without, 200);
  expectSoon(browsers, apps, without);

  EXPECT_EQ(browsers[2].remove("/api/v1/endpoints/" + guid).status, 200);
  const int gone = browsers[2].get(apps).status;
  EXPECT_NE(gone, 200);
  expectSoon(browsers, apps, gone);
}

TEST_F(ReplicasTest, TheOthersGoOnWhenOneDies) {
  auto browsers = everywhere(signedIn());
  expectAll(browsers, "/pp/v1/info", 200);
  second_->signal(SIGKILL);
  EXPECT_EQ(second_->waitForExit(), 128 + SIGKILL);
  browsers.erase(browsers.begin() + 1);
  expectAll(browsers, "/pp/v1/info", 200);
  EXPECT_EQ(browsers[0].send("POST", "/pp/v1/auth/logout").status, 200);
  browsers.erase(browsers.begin());
  expectSoon(browsers, "/pp/v1/info", 401);
}

}  // namespace
}  // namespace stratos::server_test
