#include "console_fixture.hpp"

#include "stratos/ext/cloud_foundry.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kInfo = "/pp/v1/info";

class VersionTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(VersionTest);

TEST_P(VersionTest, IsPublic) {
  Browser browser = t().browser();
  for (const char* path : {"/pp/v1/ping", "/pp/v1/version"}) {
    const Answer answer = browser.get(path);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body,
              "{\"proxy_version\":\"4.8.0-test\",\"database_version\":20240818042100}\n");
    EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=UTF-8");
    EXPECT_EQ(answer.header("Cache-Control"), "no-store");
    EXPECT_EQ(answer.header("Pragma"), "no-cache");
    EXPECT_FALSE(answer.headers.has("Set-Cookie"));
  }
}

TEST_P(VersionTest, Is503TextWhenTheDatabaseIsAway) {
  Browser browser = t().browser();
  {
    const DatabaseOutage outage(t());
    for (const char* path : {"/pp/v1/ping", "/pp/v1/version"}) {
      const Answer answer = browser.get(path);
      EXPECT_EQ(answer.status, 503);
      EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=UTF-8");
      EXPECT_EQ(answer.body, "Error trying to get current database version");
      EXPECT_FALSE(answer.headers.has("Retry-After"));  // Would show the upgrade page.
    }
  }
  EXPECT_EQ(browser.get("/pp/v1/ping").status, 200);
}

TEST_P(VersionTest, Is503TextWhenThereIsNoSchema) {
  Browser browser = t().browser();
  t().database->connect().execute("DROP TABLE goose_db_version");
  EXPECT_EQ(browser.get("/pp/v1/ping").status, 503);
}

TEST_P(VersionTest, PingIsNotInTheAccessLog) {
  Browser browser = t().browser();
  browser.get("/pp/v1/ping");
  EXPECT_TRUE(t().log.linesWith("request").empty());
  browser.get("/pp/v1/version");
  ASSERT_EQ(t().log.linesWith("request").size(), 1U);
}

class InfoTest : public ConsoleTest {};
STRATOS_ON_EVERY_DIALECT(InfoTest);

TEST_P(InfoTest, HasUpstreamsMembersInTheirOrder) {
  Browser admin = t().localAdmin();
  const Answer answer = admin.get(kInfo);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=UTF-8");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  for (const char* name : {"Set-Cookie", "X-Xsrf-Token", "X-Cap-Session-Expires-On"}) {
    EXPECT_FALSE(answer.headers.has(name)) << name;
  }
  EXPECT_EQ(answer.body,
            R"({"version":{"proxy_version":"4.8.0-test","database_version":20240818042100},)"
            R"("user":{"guid":")" +
                jsonAt(answer.body, "user/guid") +
                R"(","name":"root","admin":true,"scopes":["stratos.admin","password.write",)"
                R"("scim.write"]},"endpoints":{"cf":{}},"plugins":{"cloudfoundry":true},)"
                R"("diagnostics":)" +
                jsonAt(answer.body, "diagnostics") +
                R"(,"config":{"enableTechPreview":false,"APIKeysEnabled":"admin_only",)"
                R"("homeViewShowFavoritesOnly":false,"userEndpointsEnabled":"disabled"}})"
                "\n");
}

TEST_P(InfoTest, TellsAdministratorsWhereItRuns) {
  auto options = t().remoteOptions();
  options.diagnostics = {.deploymentType = "Kubernetes",
                         .helmName = "console",
                         .helmRevision = "3",
                         .helmChartVersion = "",
                         .helmLastModified = "seconds:1"};
  t().start(options);
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string info = admin.get(kInfo).body;
  EXPECT_THAT(
      jsonKeys(info, "diagnostics"),
      ::testing::ElementsAre("deploymentType", "gitClientVersion", "databaseMigrations",
                             "databaseBackend", "helmName", "helmRevision", "helmLastModified"));
  EXPECT_EQ(jsonAt(info, "diagnostics/deploymentType"), "Kubernetes");
  EXPECT_EQ(jsonAt(info, "diagnostics/databaseBackend"),
            GetParam() == db::Dialect::Sqlite ? "sqlite" : "pgsql");
  EXPECT_EQ(jsonAt(info, "diagnostics/databaseMigrations/0/version_id"), "20240818042100");
  EXPECT_EQ(jsonAt(info, "diagnostics/databaseMigrations/0/is_applied"), "true");
  EXPECT_NE(jsonAt(info, "diagnostics/databaseMigrations/31"), "<missing>");
  Browser user = t().signedIn(kPlainUser, kPlainPassword);
  EXPECT_EQ(jsonAt(user.get(kInfo).body, "diagnostics"), "<missing>");
}

/// Adds to the info document.
class Contributor final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "contributor"; }
  void attach(ExtensionHost& host) override {
    host.addInfo({.pluginConfig =
                      [] {
                        return std::map<std::string, std::string>{{"on", "true"}};
                      },
                  .endpointMetadata =
                      [](const auto& endpoint, const auto& user) {
                        return std::map<std::string, std::string>{
                            {"seen", user.name + " " + endpoint.id.str()}};
                      }});
  }
};

TEST_P(InfoTest, HoldsWhatExtensionsAdd) {
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(ext::makeCloudFoundry());
  extensions.push_back(std::make_unique<Contributor>());
  t().start(ConsoleFixture::localOptions(), std::move(extensions));
  t().insertEndpoint("E1", "https://api.example.com");
  const std::string info = t().localAdmin().get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "plugin-config"), R"({"on":"true"})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/metadata"), R"({"seen":"root E1"})");
}

TEST_P(InfoTest, TellsTheConfiguration) {
  auto options = ConsoleFixture::localOptions();
  options.enableTechPreview = true;
  options.listMaxSize = 600;
  options.listAllowLoadMaxed = true;
  options.apiKeysEnabled = "all_users";
  options.homeViewShowFavoritesOnly = true;
  options.endpoints.userEndpoints = endpoint::UserEndpoints::Enabled;
  t().start(options);
  EXPECT_EQ(jsonAt(t().localAdmin().get(kInfo).body, "config"),
            R"({"enableTechPreview":true,"listMaxSize":600,"listAllowLoadMaxed":true,)"
            R"("APIKeysEnabled":"all_users","homeViewShowFavoritesOnly":true,)"
            R"("userEndpointsEnabled":"enabled"})");
}

TEST_P(InfoTest, WithoutExtensionsThereAreNoTypesAndNoPlugins) {
  t().start(ConsoleFixture::localOptions(), {});
  const std::string info = t().localAdmin().get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "endpoints"), "{}");
  EXPECT_EQ(jsonAt(info, "plugins"), "{}");
}

TEST_P(InfoTest, AnUnconnectedEndpointHasAllMembers) {
  t().insertEndpoint("E1", "https://api.example.com:8443/base");
  const std::string info = t().localAdmin().get(kInfo).body;
  EXPECT_EQ(
      jsonAt(info, "endpoints/cf/E1"),
      R"({"guid":"E1","name":"endpoint E1","cnsi_type":"cf","api_endpoint":{"Scheme":"https",)"
      R"("Opaque":"","User":null,"Host":"api.example.com:8443","Path":"/base","RawPath":"",)"
      R"("OmitHost":false,"ForceQuery":false,"RawQuery":"","Fragment":"","RawFragment":""},)"
      R"("authorization_endpoint":"","token_endpoint":"","doppler_logging_endpoint":"",)"
      R"("skip_ssl_validation":false,"client_id":"","sso_allowed":false,"sub_type":"",)"
      R"("local":false,"ca_cert":"","endpoint_metadata":"","user":null,)"
      R"("creator":{"name":"System Endpoint","admin":false,"system":true},)"
      R"("system_shared_token":false})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/metadata"), "<missing>");  // Left out when empty.
}

TEST_P(InfoTest, LeavesOutEndpointsOfUnknownTypes) {
  t().insertEndpoint("K1", "https://k8s.example.com", "", "k8s");
  EXPECT_EQ(jsonAt(t().localAdmin().get(kInfo).body, "endpoints"), R"({"cf":{}})");
}

TEST_P(InfoTest, MetadataIsAnObjectTextOrNull) {
  const Fields cases = {{R"({ "status" : "Synchronizing" })", R"({"status":"Synchronizing"})"},
                        {"", ""},
                        {"{}", "{}"},  // Too short to be parsed: text.
                        {"plain", "plain"},
                        {"{broken", "null"},
                        {"[1]", "[1]"}};
  Browser admin = t().localAdmin();
  t().insertEndpoint("E1", "https://api.example.com");
  for (const auto& [stored, shown] : cases) {
    ASSERT_TRUE(t().endpointStore.updateMetadata(EndpointId{"E1"}, stored));
    const std::string info = admin.get(kInfo).body;
    EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/endpoint_metadata"), shown) << stored;
  }
}

TEST_P(InfoTest, ShowsWhoIsConnected) {
  Browser admin = t().localAdmin();
  const std::string user = t().userGuid(admin);
  t().insertEndpoint("E1", "https://one.example.com");
  t().insertEndpoint("E2", "https://two.example.com");
  t().insertToken(user, "E1");
  t().insertToken(std::string{kSharedUserGuid}, "E2");
  const std::string info = admin.get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/user"),
            R"({"guid":"somebody","name":"somebody","admin":false,"scopes":null})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/system_shared_token"), "false");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E2/user"),
            R"({"guid":"00000000-1111-2222-3333-444444444444","name":"system_shared",)"
            R"("admin":false,"scopes":[]})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E2/system_shared_token"), "true");
}

TEST_P(InfoTest, APersonalConnectionHidesTheSharedOne) {
  Browser admin = t().localAdmin();
  t().insertEndpoint("E1", "https://one.example.com");
  t().insertToken(std::string{kSharedUserGuid}, "E1");
  t().insertToken(t().userGuid(admin), "E1");
  const std::string info = admin.get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/user/name"), "somebody");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/system_shared_token"), "false");
}

TEST_P(InfoTest, AnUndecodableSharedTokenBreaksNothing) {  // Better than upstream: B6 crashes.
  Browser admin = t().localAdmin();
  t().insertEndpoint("E1", "https://one.example.com");
  t().insertToken(std::string{kSharedUserGuid}, "E1", "OAuth2", "no-json-web-token");
  t().vault.add("no-json-web-token");
  const Answer answer = admin.get(kInfo);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(jsonAt(answer.body, "endpoints/cf/E1/user/name"), "system_shared");
  t().database->connect().execute("UPDATE tokens SET auth_token = $1 WHERE token_type = 'cnsi'",
                                  {db::Blob{"no ciphertext"}});
  EXPECT_EQ(admin.get(kInfo).status, 200);
  EXPECT_EQ(jsonAt(admin.verify().body, "status"), "ok");
}

TEST_P(InfoTest, NamesTheCreator) {
  auto options = ConsoleFixture::localOptions();
  options.endpoints.userEndpoints = endpoint::UserEndpoints::Enabled;
  t().start(options);
  Browser admin = t().localAdmin();
  t().insertEndpoint("E1", "https://one.example.com", t().userGuid(admin));
  t().insertEndpoint("E2", "https://two.example.com", "somebody-who-left");
  t().insertEndpoint("E3", "https://three.example.com");
  const std::string info = admin.get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/creator"),
            R"({"name":"root","admin":true,"system":false})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E2/creator"),
            R"({"name":"user","admin":false,"system":false})");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E3/creator"),
            R"({"name":"System Endpoint","admin":false,"system":true})");
}

TEST_P(InfoTest, NeverHoldsASecret) {
  t().start(t().remoteOptions());
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  store::EndpointRecord record;
  record.id = EndpointId{"E1"};
  record.name = "one";
  record.type = "cf";
  record.apiUrl = "https://one.example.com";
  record.clientId = "cf";
  record.clientSecret = Secret{"endpoint-client-secret-88"};
  t().vault.add("endpoint-client-secret-88");
  t().endpointStore.insert(record);
  t().insertToken(t().uaa().userGuid(kAdminUser), "E1", "HttpBasic", "c2VjcmV0LWJhc2lj");
  const std::string token =
      t().tokenStore.findConsoleToken(UserId{t().uaa().userGuid(kAdminUser)})->authToken.reveal();
  for (const char* path : {kInfo, "/api/v1/auth/verify", "/api/v1/endpoints"}) {
    const std::string body = admin.get(path).body;
    EXPECT_THAT(body, HasSubstr("E1"));
    for (const std::string& secret :
         {std::string{"endpoint-client-secret-88"}, std::string{"c2VjcmV0LWJhc2lj"}, token,
          admin.cookie().value(), std::string{kConsoleSecret}}) {
      EXPECT_THAT(body, Not(HasSubstr(secret))) << path;
    }
    EXPECT_THAT(body, Not(HasSubstr("client_secret"))) << path;
  }
}

TEST_P(InfoTest, QuotesWhatNeedsQuoting) {
  t().insertEndpoint("E1", "https://one.example.com");
  t().endpointStore.updateMetadata(EndpointId{"E1"}, "caf\xc3\xa9 \"quoted\" </script>");
  const std::string info = t().localAdmin().get(kInfo).body;
  EXPECT_EQ(jsonAt(info, "endpoints/cf/E1/endpoint_metadata"), "caf\xc3\xa9 \"quoted\" </script>");
}

}  // namespace
}  // namespace stratos::compat
