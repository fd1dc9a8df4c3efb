// The audit trail against its page in the documentation.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "console_fixture.hpp"
#include "stratos/ext/backup.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_favorites.hpp"
#include "stratos/ext/user_info.hpp"

namespace stratos::compat {
namespace {

std::string readAll(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The names in the first column of the table whose header is `header`, in backquotes.
std::set<std::string> namesInTable(const std::string& page, const std::string& header) {
  std::set<std::string> names;
  const auto begin = page.find("| " + header + " |");
  EXPECT_NE(begin, std::string::npos) << header;
  const std::string table = page.substr(begin, page.find("\n\n", begin) - begin);
  const std::regex row("\n\\| ([^|]*) \\|");
  const std::regex name("`([^`]+)`");
  for (std::sregex_iterator r(table.begin(), table.end(), row), end; r != end; ++r) {
    const std::string cell = (*r)[1];
    for (std::sregex_iterator n(cell.begin(), cell.end(), name); n != end; ++n) {
      names.insert((*n)[1]);
    }
  }
  return names;
}

class AuditTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) start(ConsoleFixture::localOptions());
  }
  void start(ConsoleOptions options) {
    options.apiKeysEnabled = "all_users";
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeBackup(*t().database, t().cipher, t().random));
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserFavorites());
    extensions.push_back(ext::makeUserInfo());
    t().start(std::move(options), std::move(extensions));
  }
  /// Whether such an event was written since the last call.
  void expectEvent(const std::string& event, const std::string& outcome) {
    const auto lines = t().log.linesWith("audit");
    bool found = false;
    for (const auto& line : lines) {
      seen_.push_back(line);
      found = found || (line.field("event") == event && line.field("outcome") == outcome);
    }
    EXPECT_TRUE(found) << event << " " << outcome;
    t().log.clear();
  }

  std::vector<testing::LogLine> seen_;
};
// Nothing here depends on the database.
INSTANTIATE_TEST_SUITE_P(Db, AuditTest, ::testing::Values(db::Dialect::Sqlite), dialectName);

TEST_P(AuditTest, S25AConversationIsAuditedAsDocumented) {
  t().log.clear();
  Browser admin = t().browser();
  admin.login(kLocalUser, "wrong");
  expectEvent("session.login", "refused");
  ASSERT_EQ(admin.login(kLocalUser, kLocalPassword).status, 200);
  expectEvent("session.login", "success");

  const std::string guid = t().registerFoundation(admin);
  expectEvent("endpoint.register", "success");
  admin.postMultipart("/api/v1/endpoints/" + guid, {{"name", "Other"}});
  expectEvent("endpoint.update", "success");
  EXPECT_NE(t().connect(admin, guid, "admin", "wrong").status, 200);
  expectEvent("endpoint.connect", "refused");
  EXPECT_EQ(t().connect(admin, guid, "admin", "admin").status, 200);
  expectEvent("endpoint.connect", "success");
  const std::string backup = R"({"state":{")" + guid +
                             R"(":{"endpoint":true,"connect":"ALL"}},"userId":"",)"
                             R"("password":"backup-password-1"})";
  EXPECT_EQ(admin.postJson("/pp/v1/endpoints/backup", backup).status, 200);
  expectEvent("backup.create", "success");
  admin.postJson("/pp/v1/endpoints/restore", "{}");
  expectEvent("backup.restore", "failed");
  admin.remove("/api/v1/tokens/" + guid);
  expectEvent("endpoint.disconnect", "success");
  admin.remove("/api/v1/endpoints/" + guid);
  expectEvent("endpoint.unregister", "success");

  const Answer key = admin.postForm("/pp/v1/api_keys", {{"comment", "x"}});
  t().vault.add(jsonAt(key.body, "secret"));
  expectEvent("api_key.create", "success");
  admin.remove("/pp/v1/api_keys?guid=" + jsonAt(key.body, "guid"));
  expectEvent("api_key.delete", "success");
  admin.get("/api/v1/endpoints", {{"Authentication", "Bearer no-such-key"}});
  expectEvent("api_key.use", "refused");

  const std::string me = "/pp/v1/users/" + t().userGuid(admin);
  admin.send("PUT", me, {{"Content-Type", "application/json"}},
             R"({"name":{"givenName":"A","familyName":"B"}})");
  expectEvent("user.update", "success");
  admin.send("PUT", me + "/password", {{"Content-Type", "application/json"}},
             R"({"oldPassword":"wrong","password":"a-new-password-1"})");
  expectEvent("user.password", "refused");
  admin.remove("/pp/v1/sessions");
  expectEvent("session.end", "success");

  admin.send("DELETE", "/pp/v1/sessions", {{"X-XSRF-TOKEN", "wrong"}});
  expectEvent("access", "refused");
  admin.send("POST", "/pp/v1/auth/logout", {{"Sec-Fetch-Site", "cross-site"}});
  expectEvent("access", "refused");
  admin.postForm("/pp/v1/auth/logout", {});
  expectEvent("session.logout", "success");

  const std::string page = readAll(STRATOS_SOURCE_DIR "/libstratos/doc/audit.md");
  const auto fields = namesInTable(page, "field");
  const auto events = namesInTable(page, "event");
  for (const auto& line : seen_) {
    EXPECT_TRUE(events.contains(line.field("event"))) << line.field("event");
    std::set<std::string> names;
    for (const auto& [name, value] : line.fields) names.insert(name);
    EXPECT_EQ(names, fields) << line.field("event");
    EXPECT_EQ(line.field("remote"), "192.0.2.7");
    EXPECT_EQ(line.field("request").size(), 16U);
  }
}

TEST_P(AuditTest, S25ThePageListsWhatTheSourcesWrite) {
  const auto events = namesInTable(readAll(STRATOS_SOURCE_DIR "/libstratos/doc/audit.md"), "event");
  EXPECT_GT(events.size(), 15U);
  std::set<std::string> written{"access"};
  // Names of events are the only literals of that form.
  const std::regex literal(
      "\"((session|setup|user|api_key|endpoint|backup|favorite|invite)\\.[a-z_]+)\"");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(STRATOS_SOURCE_DIR "/libstratos/src")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = readAll(entry.path().string());
    for (std::sregex_iterator match(text.begin(), text.end(), literal), end; match != end;
         ++match) {
      written.insert((*match)[1]);
    }
  }
  EXPECT_EQ(written, events);
}

TEST_P(AuditTest, S25RefusalsOfThoseWhoAreNoAdministratorsAreAudited) {
  start(t().remoteOptions());
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  const std::string guid = t().userGuid(user);
  t().log.clear();
  EXPECT_EQ(user.postJson("/pp/v1/endpoints/backup", "{}").status, 401);
  EXPECT_EQ(t().log.linesWith("audit").back().field("user"), guid);
  EXPECT_EQ(t().log.linesWith("audit").back().field("target"), "/pp/v1/endpoints/backup");
  expectEvent("access", "refused");
  EXPECT_EQ(user.postMultipart("/api/v1/endpoints?endpoint_type=cf", {}).status, 401);
  expectEvent("access", "refused");
}

}  // namespace
}  // namespace stratos::compat
