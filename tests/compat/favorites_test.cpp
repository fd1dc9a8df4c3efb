#include "console_fixture.hpp"

#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_favorites.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kFavorites = "/pp/v1/favorites";
constexpr const char* kApp =
    R"({"guid":"ignored","endpointType":"cf","endpointId":"e1","entityType":"application",)"
    R"("entityId":"app-1","metadata":{"name":"one","n":{"deep":[1,2.50]}}})";

class FavoritesTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (IsSkipped()) return;
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserFavorites());
    t().start(t().remoteOptions(), std::move(extensions));
  }
};
STRATOS_ON_EVERY_DIALECT(FavoritesTest);

TEST_P(FavoritesTest, AreAddedListedChangedAndDeleted) {
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(browser.get(kFavorites).body, "[]");
  const Answer added = browser.postJson(kFavorites, kApp);
  EXPECT_EQ(added.status, 200) << added.body;
  EXPECT_THAT(jsonKeys(added.body), ElementsAre("guid", "endpointType", "endpointId", "entityType",
                                                "entityId", "metadata"));
  EXPECT_EQ(jsonAt(added.body, "guid"), "app-1-e1-application-cf");
  EXPECT_EQ(browser.get(kFavorites).body, "[" + added.body + "]");

  const std::string one = std::string{kFavorites} + "/app-1-e1-application-cf";
  EXPECT_EQ(browser.postJson(one + "/metadata", R"({"name":"two"})").status, 200);
  EXPECT_EQ(jsonAt(browser.get(kFavorites).body, "0/metadata"), R"({"name":"two"})");
  for (int i = 0; i < 2; ++i) {
    const Answer removed = browser.remove(one);
    EXPECT_EQ(removed.status, 200);
    EXPECT_THAT(jsonKeys(removed.body), ElementsAre("response"));
  }
  EXPECT_EQ(browser.get(kFavorites).body, "[]");
  EXPECT_EQ(jsonAt(browser.get("/pp/v1/info").body, "plugins/userfavorites"), "true");
}

TEST_P(FavoritesTest, AreEachUsersOwn) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  ASSERT_EQ(admin.postJson(kFavorites, kApp).status, 200);
  EXPECT_EQ(user.get(kFavorites).body, "[]");
  const std::string one = std::string{kFavorites} + "/app-1-e1-application-cf";
  EXPECT_EQ(user.postJson(one + "/metadata", "{}").status, 404);  // B15: upstream says success.
  user.remove(one);
  EXPECT_EQ(jsonAt(admin.get(kFavorites).body, "0/guid"), "app-1-e1-application-cf");
  EXPECT_EQ(user.postJson(kFavorites, kApp).status, 200);
  Browser stranger = t().browser();
  EXPECT_EQ(stranger.get(kFavorites).status, 401);
}

TEST_P(FavoritesTest, RefuseBadInput) {
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  ASSERT_EQ(browser.postJson(kFavorites, kApp).status, 200);
  const std::vector<std::pair<std::string, std::string>> wrong{
      {kApp, "already"},
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{", "JSON object"},
      {std::string(20'000, '['), "JSON object"},
      {R"({"endpointType":"cf"})", "endpointId"},
      {R"({"endpointId":"e1"})", "endpointType"},
      {R"({"endpointType":"cf","endpointId":7})", "endpointId must be a string"},
      {R"({"endpointType":"seventeen letters","endpointId":"e"})", "16 bytes"},
      {R"({"endpointType":"cf","endpointId":")" + std::string(256, 'e') + "\"}", "255 bytes"},
      {R"({"endpointType":"cf","endpointId":")" + std::string(255, 'e') + "\"}", "too long"},
      {R"({"endpointType":"cf","endpointId":"e","metadata":"text"})", "metadata"}};
  for (const auto& [body, part] : wrong) {
    const Answer answer = browser.postJson(kFavorites, body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 80);
    EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr(part));
  }
  const std::string one = std::string{kFavorites} + "/app-1-e1-application-cf";
  EXPECT_EQ(browser.postJson(one + "/metadata", "7").status, 400);
}

TEST_P(FavoritesTest, SurviveARowThatCannotBeRead) {  // B15: upstream's whole list fails.
  Browser browser = t().signedIn(kAdminUser, kAdminPassword);
  for (const char* metadata : {"not json", "[1]"}) {
    t().database->connect().execute(
        "INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type, metadata)"
        " VALUES ($1, $2, 'cf', 'e1', 'endpoint', $3)",
        {std::string{"g-"} + metadata, t().uaa().userGuid(kAdminUser), std::string{metadata}});
  }
  const Answer list = browser.get(kFavorites);
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(jsonAt(list.body, "0/metadata"), "null");
  EXPECT_EQ(jsonAt(list.body, "1/metadata"), "null");
}

TEST_P(FavoritesTest, GoWithTheirEndpoint) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string guid = t().registerFoundation(admin);
  const std::string body = R"({"endpointType":"cf","endpointId":")" + guid + R"("})";
  ASSERT_EQ(admin.postJson(kFavorites, body).status, 200);
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  ASSERT_EQ(user.postJson(kFavorites, body).status, 200);
  ASSERT_EQ(admin.remove("/api/v1/endpoints/" + guid).status, 200);
  EXPECT_EQ(admin.get(kFavorites).body, "[]");
  EXPECT_EQ(user.get(kFavorites).body, "[]");
}

}  // namespace
}  // namespace stratos::compat
