#include "console_fixture.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConnectTest : public ConsoleTest {
 protected:
  std::string target(const std::string& guid, const std::string& more = {}) {
    return "/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds&system_shared=false" + more;
  }
  std::string userOf(Browser& browser, const std::string& guid) {
    return jsonAt(browser.get("/pp/v1/info").body, "endpoints/cf/" + guid + "/user");
  }
};
STRATOS_ON_EVERY_DIALECT(ConnectTest);

TEST_P(ConnectTest, AnswersWithTheConnectionDocument) {
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  const Answer answer = t().connect(admin, guid, kAdminUser, kAdminPassword);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const std::string url = t().foundation().apiUrl();
  EXPECT_EQ(answer.body,
            R"({"account":")" + t().userGuid(admin) + R"(","token_expiry":)" +
                std::to_string(toUnixSeconds(t().clock.now()) + 600) +
                R"(,"api_endpoint":{"Scheme":"http","Opaque":"","User":null,"Host":")" +
                url.substr(7) +
                R"(","Path":"","RawPath":"","OmitHost":false,"ForceQuery":false,"RawQuery":"",)"
                R"("Fragment":"","RawFragment":""},"admin":true,"user":{"guid":")" +
                t().uaa().userGuid(kAdminUser) +
                R"(","name":"ada","admin":true,"scopes":["openid","cloud_controller.admin",)"
                R"("cloud_controller.read","cloud_controller.write","stratos.admin"]}})");
  EXPECT_EQ(userOf(admin, guid),
            R"({"guid":")" + t().uaa().userGuid(kAdminUser) +
                R"(","name":"ada","admin":true,"scopes":["openid","cloud_controller.admin",)"
                R"("cloud_controller.read","cloud_controller.write","stratos.admin"]})");
}

TEST_P(ConnectTest, AdminOfTheFoundationNeedsTheExactScope) {  // Better than upstream: 9.2.8.
  t().uaa().addUser({"mallory", "mallory-pass-4", {"openid", "cloud_controller.admin_read_only"}});
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  const Answer answer = t().connect(admin, guid, "mallory", "mallory-pass-4");
  t().vault.add("mallory-pass-4");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "admin"), "false");
  EXPECT_EQ(jsonAt(answer.body, "user/admin"), "false");
}

TEST_P(ConnectTest, TakesTheCredentialsFromWhereverTheyAre) {
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  const std::string credentials =
      std::string{"&username="} + kPlainUser + "&password=" + kPlainPassword;
  // The form of the front end for types with a raw body: all values in the query.
  EXPECT_EQ(admin.postMultipart(target(guid, credentials), {}).status, 200);
  EXPECT_EQ(
      admin.send("POST", target(guid, credentials), {{"Content-Type", "text/plain"}}, "raw").status,
      200);  // Better than upstream: W-02.
  EXPECT_EQ(
      admin
          .postForm("/api/v1/tokens",
                    {{"cnsi_guid", guid}, {"username", kPlainUser}, {"password", kPlainPassword}})
          .status,
      200);
  EXPECT_EQ(admin
                .postJson("/api/v1/tokens", R"({"cnsi_guid":")" + guid +
                                                R"(","connect_type":"creds","username":"bob",)"
                                                R"("password":"bob-pass-1d9e"})")
                .status,
            200);
  EXPECT_EQ(t().uaa().counters().logins, 4U);
}

TEST_P(ConnectTest, AnEmptyMultipartBodyIsNoError) {
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  const Answer answer = admin.postMultipart(target(guid), {});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_EQ(t().uaa().counters().refusedLogins, 0U);
}

TEST_P(ConnectTest, RefusesWithUpstreamsTexts) {
  Browser admin = t().localAdmin();
  const Answer missing = admin.postMultipart("/api/v1/tokens", {});
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.body, jsonT("Missing target endpoint"));
  const Answer unknown = t().connect(admin, "nobody", kAdminUser, kAdminPassword);
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body, jsonT("Requested endpoint not registered"));
}

TEST_P(ConnectTest, ARefusalOfTheUaaKeepsItsStatusAndTheOldConnection) {
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  ASSERT_EQ(t().connect(admin, guid, kAdminUser, kAdminPassword).status, 200);
  const std::string before = userOf(admin, guid);
  t().vault.add("wrong-pass-8");
  const Answer answer = t().connect(admin, guid, kAdminUser, "wrong-pass-8");
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(jsonAt(answer.body, "error"),
              ::testing::StartsWith("Could not connect to the endpoint: "));
  EXPECT_FALSE(answer.headers.has("Set-Cookie"));
  EXPECT_EQ(userOf(admin, guid), before);
}

TEST_P(ConnectTest, AnOutageOfTheUaaIs502) {  // Better than upstream: W-12 drops the connection.
  Browser admin = t().localAdmin();
  const std::string guid = t().registerFoundation(admin);
  t().uaa().server().addFault({.kind = testing::FaultKind::CloseBeforeAnswer, .times = -1});
  const Answer answer = t().connect(admin, guid, kAdminUser, kAdminPassword);
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.body, jsonT("Could not connect to the endpoint"));
}

TEST_P(ConnectTest, SharingIsForAdministrators) {
  t().start(t().remoteOptions());
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  Browser plain = t().signedIn(kPlainUser, kPlainPassword);
  const std::string guid = t().registerFoundation(admin);
  const std::string shared =
      "/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds&system_shared=true";
  const Fields credentials{{"username", kPlainUser}, {"password", kPlainPassword}};
  const Answer refused = plain.postMultipart(shared, credentials);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, "Can not connect System Shared endpoint - user is not an administrator");
  const Answer done = admin.postMultipart(shared, credentials);
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(jsonAt(done.body, "account"), kSharedUserGuid);
  EXPECT_EQ(jsonAt(done.body, "user/name"), "system_shared");

  const std::string info = plain.get("/pp/v1/info").body;
  EXPECT_EQ(jsonAt(info, "endpoints/cf/" + guid + "/system_shared_token"), "true");
  EXPECT_EQ(plain.get("/api/v1/proxy/" + guid + "/v3/apps").status, 200);
  const Answer kept = plain.remove("/api/v1/tokens/" + guid);
  EXPECT_EQ(kept.status, 401);
  EXPECT_EQ(kept.body, "Can not disconnect System Shared endpoint - user is not an administrator");
  EXPECT_EQ(admin.remove("/api/v1/tokens/" + guid).status, 200);
  EXPECT_EQ(userOf(plain, guid), "null");
}

class DisconnectTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(DisconnectTest);

TEST_P(DisconnectTest, RemovesTheCallersTokenOnly) {
  Browser admin = t().localAdmin();
  const std::string user = t().userGuid(admin);
  t().insertEndpoint("E1", "https://api.example.com");
  t().insertToken(user, "E1");
  t().insertToken("other", "E1");
  const Answer answer = admin.remove("/api/v1/tokens/E1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_FALSE(t().tokenStore.findForEndpoint(UserId{user}, EndpointId{"E1"}));
  EXPECT_TRUE(t().tokenStore.findForEndpoint(UserId{"other"}, EndpointId{"E1"}));
}

TEST_P(DisconnectTest, SucceedsWithoutAToken) {
  Browser admin = t().localAdmin();
  t().insertEndpoint("E1", "https://api.example.com");
  EXPECT_EQ(admin.remove("/api/v1/tokens/E1").status, 200);
}

TEST_P(DisconnectTest, FromAnUnknownEndpointFails) {
  const Answer answer = t().localAdmin().remove("/api/v1/tokens/nobody");
  EXPECT_EQ(answer.status, 404);  // Better than upstream, which has a bare 500.
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
}

}  // namespace
}  // namespace stratos::compat
