#include "endpoints_fixture.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AppLogsTest : public EndpointsTest {
 protected:
  void SetUp() override {
    EndpointsTest::SetUp();
    if (IsSkipped()) return;
    guid_ = add("cf", t().foundation().apiUrl(), {{"cnsi_client_id", "cf"}});
    app_ = t().cloudController().appGuid(0);
    connect(guid_, "creds", {{"username", kPlainUser}, {"password", kPlainPassword}});
  }

  Answer logs(const std::string& query = {}, const std::string& app = {}) {
    return admin().get("/api/v1/cloudfoundry/" + guid_ + "/apps/" + (app.empty() ? app_ : app) +
                       "/logs" + query);
  }
  /// The lines of an answer 200.
  std::vector<std::string> lines(const std::string& query = {}) {
    const Answer answer = logs(query);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "application/x-ndjson; charset=utf-8");
    std::vector<std::string> found = split(answer.body, '\n');
    EXPECT_TRUE(found.back().empty());
    found.pop_back();
    return found;
  }
  void expectRefused(const Answer& answer, int status, const std::string& text) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr(text));
  }
  void answerFromLogCache(int status, const std::string& body, int times = 1) {
    testing::Fault fault;
    fault.pathPrefix = "/api/v1/read/";
    fault.status = status;
    fault.body = body;
    fault.contentType = "application/json";
    fault.times = times;
    t().cloudController().server().addFault(fault);
  }
  /// How often the root document was asked for.
  std::size_t looksAtRoot() {
    std::size_t looks = 0;
    for (const auto& request : t().cloudController().server().requestsTo("/")) {
      if (request.path() == "/") ++looks;
    }
    return looks;
  }

  std::string guid_;
  std::string app_;
};
STRATOS_ON_EVERY_DIALECT(AppLogsTest);

TEST_P(AppLogsTest, NewestLinesFirstAndThenWhatFollows) {
  const auto first = lines("?limit=5");
  ASSERT_THAT(first, SizeIs(5));
  EXPECT_THAT(jsonKeys(first[0]), ElementsAre("timestamp", "instance", "source", "stream", "text"));
  EXPECT_EQ(jsonAt(first[0], "source"), "APP/PROC/WEB");
  EXPECT_LT(jsonAt(first[0], "timestamp"), jsonAt(first[4], "timestamp"));
  const std::string last = jsonAt(first[4], "timestamp");
  EXPECT_EQ(last, std::to_string(toUnixSeconds(t().clock.now())) + "000000000");
  EXPECT_THAT(lines("?since=" + last), IsEmpty());

  t().clock.advance(std::chrono::seconds{2});
  t().cloudController().addLog(app_, "caf\xc3\xa9 \xff\xfe <b>\x1b[31mred\x1b[0m\r", true, 1);
  const auto next = lines("?since=" + last);
  ASSERT_THAT(next, SizeIs(3));
  EXPECT_EQ(jsonAt(next[2], "stream"), "err");
  EXPECT_EQ(jsonAt(next[2], "instance"), "1");
  // Whoever shows it has to deal with the rest; what is no UTF-8 is replaced.
  EXPECT_EQ(jsonAt(next[2], "text"),
            "caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd <b>\x1b[31mred\x1b[0m\r");
  EXPECT_THAT(lines("?since=" + last + "&limit=1"), ElementsAre(next[0]));
  EXPECT_THAT(lines(), SizeIs(63));
}

TEST_P(AppLogsTest, TheAddressOfLogCacheIsAskedForOnce) {
  const std::size_t before = looksAtRoot();
  lines();
  lines();
  EXPECT_EQ(looksAtRoot(), before + 1);
  t().clock.advance(std::chrono::minutes{11});
  lines();
  EXPECT_EQ(looksAtRoot(), before + 2);
  // Not kept when it may be what is wrong.
  answerFromLogCache(500, "oops");
  expectRefused(logs(), 502, "Log Cache answered 500");
  lines();
  EXPECT_EQ(looksAtRoot(), before + 3);
}

TEST_P(AppLogsTest, WithoutThatAddressItSaysSo) {
  t().cloudController().setRootDocument(false);
  expectRefused(logs(), 502, "does not say where its logs are");
}

TEST_P(AppLogsTest, ARevokedTokenIsRenewed) {
  lines();
  const std::string sent =
      t().cloudController().server().requestsTo("/api/v1/read/" + app_).back().header(
          "Authorization");
  t().uaa().revokeAccessTokens();
  lines();
  const std::string later =
      t().cloudController().server().requestsTo("/api/v1/read/" + app_).back().header(
          "Authorization");
  EXPECT_NE(sent, later);
  t().uaa().revokeAccessTokens();
  t().uaa().revokeRefreshTokens();
  expectRefused(logs(), 400, "does not accept your token");
}

TEST_P(AppLogsTest, WhatIsNotThereOrNotAllowedIsTold) {
  expectRefused(logs({}, "5b1c0000-0000-4000-a000-000000000000"), 404, "no such application");
  expectRefused(logs({}, "a%2F..%2Fb"), 400, "GUID");
  expectRefused(logs("?since=yesterday"), 400, "since must be a whole number");
  expectRefused(logs("?limit=1001"), 400, "limit must be a whole number from 1 to 1000");
  expectRefused(logs("?since=-1"), 400, "since");
  answerFromLogCache(404, "", 2);
  expectRefused(logs(), 403, "does not show you the logs");
  EXPECT_EQ(admin().get("/api/v1/cloudfoundry/none/apps/" + app_ + "/logs").status, 404);
  EXPECT_EQ(t().browser().get("/api/v1/cloudfoundry/" + guid_ + "/apps/" + app_ + "/logs").status,
            401);
  EXPECT_EQ(admin().remove("/api/v1/tokens/" + guid_).status, 200);
  expectRefused(logs(), 400, "not connected");
}

TEST_P(AppLogsTest, AnswersThatCannotBeUsed) {
  for (const char* body : {"", "[]", "{", R"({"envelopes":[]})", R"({"envelopes":{"batch":{}}})"}) {
    answerFromLogCache(200, body);
    expectRefused(logs(), 502, "cannot be read");
  }
  answerFromLogCache(200, R"({"envelopes":{}})");
  EXPECT_THAT(lines(), IsEmpty());
  answerFromLogCache(200, R"({"envelopes":{"batch":[1,{"log":{}},{"timestamp":"x","log":{}},)"
                          R"({"timestamp":"7","gauge":{}},)"
                          R"({"timestamp":8,"log":{"payload":"%"}}]}})");
  EXPECT_THAT(lines(), ElementsAre(R"({"timestamp":"8","instance":"","source":"","stream":"out",)"
                                   R"("text":"%"})"));
  answerFromLogCache(429, "");
  expectRefused(logs(), 429, "too often");
  // Too much at once: fewer lines are asked for.
  answerFromLogCache(200, std::string(5 * 1024 * 1024, ' '));
  EXPECT_THAT(lines("?limit=50"), SizeIs(5));
  answerFromLogCache(200, std::string(5 * 1024 * 1024, ' '), 4);
  expectRefused(logs("?limit=1000"), 502, "too large");
  testing::Fault broken;
  broken.kind = testing::FaultKind::CutBody;
  broken.pathPrefix = "/api/v1/read/";
  t().cloudController().server().addFault(broken);
  expectRefused(logs(), 502, "broke off its answer");
}

}  // namespace
}  // namespace stratos::compat
