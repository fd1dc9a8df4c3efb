// Hundreds of users at once: what each one gets is their own.

#include <atomic>
#include <barrier>
#include <thread>

#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;

constexpr int kUsers = 200;
constexpr int kThreads = 8;
constexpr int kRounds = 2;

/// An endpoint that says whose token it got.
class WhoIs {
 public:
  explicit WhoIs(testing::FakeUaa& uaa) {
    server_.handle("/", [&uaa](const testing::ReceivedRequest& request) {
      const std::string authorization = request.header("authorization");
      const auto blank = authorization.find(' ');
      const auto token =
          uaa.findAccessToken(blank == std::string::npos ? "" : authorization.substr(blank + 1));
      if (!token) return testing::jsonReply(401, R"({"error":"expired"})");
      return testing::jsonReply(200, R"({"name":")" + token->userName + R"("})");
    });
  }
  [[nodiscard]] const std::string& url() const { return server_.url(); }

 private:
  testing::FakeUpstream server_;
};

struct Visitor {
  std::string name;
  std::string password;
  Browser browser;
};

class IdentityAttackTest : public ::testing::TestWithParam<db::Dialect> {};
STRATOS_ON_EVERY_DIALECT(IdentityAttackTest);

/// While access tokens run out, refresh tokens are replaced, and neighbours sign out and in again.
TEST_P(IdentityAttackTest, NobodyGetsWhatIsAnothers) {
  if (!testing::TestDatabase::isAvailable(GetParam())) {
    GTEST_SKIP() << testing::TestDatabase::skipReason();
  }
  ConsoleFixture t(GetParam());
  t.uaa().setRefreshMode(testing::RefreshMode::RotateOnce);
  const WhoIs endpoint(t.uaa());
  store::EndpointRecord record;
  record.id = EndpointId{"who"};
  record.name = "who";
  record.type = "cf";
  record.apiUrl = endpoint.url();
  record.authorizationEndpoint = t.uaa().url();
  record.tokenEndpoint = t.uaa().url();
  record.clientId = "cf";
  t.endpointStore.insert(record);
  ConsoleOptions options = t.remoteOptions();
  options.session.lifetime = 24h;
  options.caches.listen = true;
  Console& console = t.start(std::move(options));

  for (int i = 0; i < kUsers; ++i) {
    const std::string name = "user" + std::to_string(i);
    t.uaa().addUser({name, name + "-pass", {"openid", "cloud_controller.read"}});
  }
  std::atomic<int> wrong = 0;
  std::atomic<int> failed = 0;
  std::atomic<int> answers = 0;
  const auto check = [&](const Answer& answer, const std::string& path, const std::string& name) {
    ++answers;
    if (answer.status != 200) {
      ADD_FAILURE() << name << ": " << answer.status << " " << answer.body;
      ++failed;
    } else if (jsonAt(answer.body, path) != name) {
      ADD_FAILURE() << name << " got " << answer.body;
      ++wrong;
    }
  };
  // Every token of everybody has run out when the next round begins. Not in the middle of a
  // sign-in, whose answer would be too old when it is looked at.
  std::barrier round(kThreads, [&]() noexcept { t.clock.advance(11min); });
  const auto visit = [&](int thread) {
    Vault vault;
    std::vector<Visitor> visitors;
    for (int i = thread; i < kUsers; i += kThreads) {
      const std::string name = "user" + std::to_string(i);
      visitors.push_back({name, name + "-pass", Browser(console, t.clock, vault)});
      Visitor& visitor = visitors.back();
      if (visitor.browser.login(name, visitor.password).status != 200 ||
          t.connect(visitor.browser, "who", name, visitor.password).status != 200) {
        ++failed;
      }
    }
    for (int number = 0; number < kRounds; ++number) {
      for (std::size_t i = 0; i < visitors.size(); ++i) {
        auto& [name, password, browser] = visitors[i];
        check(browser.get("/api/v1/proxy/who/me"), "name", name);
        check(browser.get("/pp/v1/proxy/me", {{"x-cap-cnsi-list", "who"}}), "who/name", name);
        check(browser.get("/pp/v1/info"), "user/name", name);
        if (i % 5 == 0) check(browser.verify(), "data/user/name", name);
        if (i % 7 == static_cast<std::size_t>(number)) {
          browser.postJson("/pp/v1/auth/logout", "{}");
          if (browser.login(name, password).status != 200) ++failed;
        }
      }
      round.arrive_and_wait();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(visit, thread);
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_GE(answers, kUsers * kRounds * 3);
  EXPECT_EQ(t.uaa().counters().refusedRefreshes, 0U);
  EXPECT_GE(t.uaa().counters().refreshes, static_cast<std::uint64_t>(kUsers));
}

}  // namespace
}  // namespace stratos::compat
