#include "console_fixture.hpp"

#include "stratos/store/api_key_store.hpp"

namespace stratos::compat {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr const char* kKeys = "/pp/v1/api_keys";

class ApiKeyTest : public ConsoleTest {
 protected:
  void startWith(const std::string& policy) {
    ConsoleOptions options = t().remoteOptions();
    options.apiKeysEnabled = policy;
    t().start(options);
  }
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) startWith("admin_only");
  }
  /// Makes a key and returns its secret.
  std::string makeKey(Browser& browser, const Fields& more = {}) {
    Fields form{{"comment", "pipeline"}};
    form.insert(form.end(), more.begin(), more.end());
    const Answer answer = browser.postForm(kKeys, form);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const std::string secret = jsonAt(answer.body, "secret");
    t().vault.add(secret);
    return secret;
  }
  static Fields with(const std::string& secret) { return {{"Authentication", "Bearer " + secret}}; }
  int useOf(const std::string& secret, const std::string& target = "/api/v1/endpoints") {
    Browser program = t().browser();
    const Answer answer = program.get(target, with(secret));
    EXPECT_FALSE(program.cookie());
    return answer.status;
  }
};
STRATOS_ON_EVERY_DIALECT(ApiKeyTest);

TEST_P(ApiKeyTest, IsMadeListedAndDeleted) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(admin.get(kKeys).body, "[]\n");
  const Answer made = admin.postForm(kKeys, {{"comment", "pipeline"}});
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.header("Content-Type"), "application/json; charset=UTF-8");
  EXPECT_THAT(jsonKeys(made.body),
              ElementsAre("guid", "secret", "user_guid", "comment", "last_used"));
  EXPECT_EQ(jsonAt(made.body, "secret").size(), 64U);
  EXPECT_EQ(jsonAt(made.body, "user_guid"), t().uaa().userGuid(kAdminUser));
  EXPECT_EQ(jsonAt(made.body, "last_used"), "null");

  const std::string guid = jsonAt(made.body, "guid");
  const Answer list = admin.get(kKeys);
  EXPECT_EQ(jsonAt(list.body, "0/guid"), guid);
  EXPECT_EQ(jsonAt(list.body, "0/secret"), "");
  EXPECT_EQ(jsonAt(list.body, "0/comment"), "pipeline");

  EXPECT_EQ(useOf(jsonAt(made.body, "secret")), 200);
  EXPECT_EQ(jsonAt(admin.get(kKeys).body, "0/last_used"), toRfc3339(t().clock.now()));

  EXPECT_EQ(admin.remove(std::string{kKeys} + "?guid=" + guid).status, 200);
  EXPECT_EQ(useOf(jsonAt(made.body, "secret")), 401);
  EXPECT_EQ(admin.remove(std::string{kKeys} + "?guid=" + guid).status, 404);  // B16: upstream 500.
  EXPECT_EQ(admin.remove(kKeys).status, 400);
}

TEST_P(ApiKeyTest, RefusesBadInput) {  // B16: upstream answers 500.
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::vector<Fields> forms{{},
                                  {{"comment", ""}},
                                  {{"comment", std::string(256, 'x')}},
                                  {{"comment", "\xff"}},
                                  {{"comment", "x"}, {"expires_in_days", "0"}},
                                  {{"comment", "x"}, {"expires_in_days", "soon"}},
                                  {{"comment", "x"}, {"expires_in_days", "3651"}}};
  for (const Fields& form : forms) {
    EXPECT_EQ(admin.postForm(kKeys, form).status, 400);
  }
  EXPECT_EQ(admin.get(kKeys).body, "[]\n");
  makeKey(admin, {{"comment", std::string(255, 'x')}});
}

TEST_P(ApiKeyTest, ObeysThePolicy) {
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(user.postForm(kKeys, {{"comment", "mine"}}).status, 403);
  EXPECT_EQ(user.get(kKeys).status, 403);
  EXPECT_EQ(user.remove(std::string{kKeys} + "?guid=x").status, 403);

  startWith("all_users");
  Browser again = t().signedIn(kPlainUser, kPlainPassword);
  const std::string secret = makeKey(again);
  EXPECT_EQ(useOf(secret), 200);
  startWith("admin_only");
  EXPECT_EQ(useOf(secret), 401);
  startWith("disabled");
  EXPECT_EQ(useOf(secret), 401);
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  EXPECT_EQ(admin.get(kKeys).status, 403);
}

TEST_P(ApiKeyTest, OpensTheProgramsRoutesOnly) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string endpoint = t().registerFoundation(admin);
  const std::string secret = makeKey(admin);
  Browser program = t().browser();
  const Answer connected =
      program.send("POST", "/api/v1/tokens?cnsi_guid=" + endpoint + "&connect_type=creds",
                   {{"Authentication", "Bearer " + secret},
                    {"Content-Type", "application/x-www-form-urlencoded"}},
                   std::string{"username="} + kAdminUser + "&password=" + kAdminPassword);
  EXPECT_EQ(connected.status, 200) << connected.body;
  EXPECT_EQ(useOf(secret, "/api/v1/proxy/" + endpoint + "/v3/apps?per_page=1"), 200);
  EXPECT_EQ(useOf(secret, "/pp/v1/info"), 401);
  EXPECT_EQ(useOf(secret, kKeys), 401);
  EXPECT_EQ(useOf(secret, "/pp/v1/proxy/v3/apps"), 401);
  Browser asker = t().browser();
  EXPECT_EQ(jsonAt(asker.get("/api/v1/auth/verify", with(secret)).body, "status"), "error");
}

TEST_P(ApiKeyTest, EndsWithItsExpiry) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string secret = makeKey(admin, {{"expires_in_days", "2"}});
  EXPECT_EQ(jsonAt(admin.get(kKeys).body, "0/expires_at"), toRfc3339(t().clock.now() + 48h));
  t().clock.advance(47h);
  EXPECT_EQ(useOf(secret), 200);
  t().clock.advance(1h);
  EXPECT_EQ(useOf(secret), 401);
}

TEST_P(ApiKeyTest, WorksWithAKeyThatUpstreamMade) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string secret = store::makeApiKeySecret(t().random).reveal();
  t().vault.add(secret);
  t().database->connect().execute(
      "INSERT INTO api_keys (guid, secret, user_guid, comment) VALUES ($1, $2, $3, $4)",
      {"old", secret, t().uaa().userGuid(kAdminUser), "from upstream"});
  EXPECT_EQ(useOf(secret), 200);
}

class ApiKeyAttackTest : public ApiKeyTest {};
STRATOS_ON_EVERY_DIALECT(ApiKeyAttackTest);

TEST_P(ApiKeyAttackTest, S4AKeyTouchesNoSession) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string secret = makeKey(admin);
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  const std::string cookie = user.cookie().value();
  const auto sessions = [&] {
    return t()
        .database->connect()
        .queryOne("SELECT count(*) AS n FROM stratos_sessions")
        ->integer("n");
  };
  const auto before = sessions();
  const Answer answer = user.get("/api/v1/endpoints", with(secret));
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.headers.has("Set-Cookie"));
  EXPECT_EQ(sessions(), before);
  EXPECT_EQ(user.cookie().value(), cookie);
  EXPECT_EQ(t().userGuid(user), t().uaa().userGuid(kPlainUser)) << "still the cookie's user";
}

TEST_P(ApiKeyAttackTest, S16TheStoredHashOpensNothing) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  makeKey(admin);
  const std::string stored =
      t().database->connect().queryOne("SELECT secret FROM api_keys")->text("secret");
  EXPECT_EQ(stored.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(useOf(stored), 401);
}

TEST_P(ApiKeyAttackTest, S15AKeyIsWorthWhatItsUserIs) {
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string secret = makeKey(admin);
  t().clock.advance(700s);
  t().uaa().revokeRefreshTokens();
  EXPECT_EQ(useOf(secret), 401) << "the UAA does not know the user's token any more";
}

TEST_P(ApiKeyAttackTest, WrongKeysAreNobody) {
  for (const std::string& value : {std::string{}, std::string{"x"}, std::string(64, 'A'),
                                   std::string(5000, 'A'), std::string{"' OR '1'='1"}}) {
    EXPECT_EQ(useOf(value), 401) << value.substr(0, 70);
  }
  Browser program = t().browser();
  for (const char* field : {"", "Bearer", "Bearer ", "Basic YTpi", "bearer x"}) {
    EXPECT_EQ(program.get("/api/v1/endpoints", {{"Authentication", field}}).status, 401);
  }
}

}  // namespace
}  // namespace stratos::compat
