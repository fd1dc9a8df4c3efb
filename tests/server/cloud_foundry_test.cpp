// The program as an application on Cloud Foundry: what the platform gives it, and nothing else.

#include <csignal>
#include <filesystem>
#include <fstream>

#include <Poco/JSON/Object.h>

#include "server_fixture.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::server_test {
namespace {

class CloudFoundryTest : public ServerTest {
 protected:
  Settings application(const std::string& apiUrl) {
    Settings settings = uaaSettings();
    for (const char* name :
         {"UAA_ENDPOINT", "CONSOLE_CLIENT", "CONSOLE_CLIENT_SECRET", "CONSOLE_PROXY_TLS_ADDRESS",
          "STRATOS_HTTP_ADDRESS", "CONSOLE_ADMIN_SCOPE", "AUTH_ENDPOINT_TYPE"}) {
      settings.erase(name);
    }
    settings["VCAP_APPLICATION"] =
        R"({"cf_api":")" + apiUrl + R"(","application_id":"app-1","space_id":"space-1"})";
    settings["CF_INSTANCE_INDEX"] = "0";
    settings["PORT"] = "0";
    return settings;
  }
  static http::Headers fromRouter() {
    http::Headers headers;
    headers.set("X-Forwarded-Proto", "https");
    return headers;
  }
  Answer signIn(Browser& browser, const std::string& user, const std::string& password) {
    http::Headers headers = fromRouter();
    headers.set("Content-Type", "application/x-www-form-urlencoded");
    return browser.send("POST", "/pp/v1/auth/login/uaa", headers,
                        "username=" + user + "&password=" + password);
  }
};

TEST_F(CloudFoundryTest, ServesItsOwnFoundation) {
  startServer(application(foundation->apiUrl()));
  EXPECT_EQ(server->waitForLine("listening ").find("https="), std::string::npos);
  Browser browser{origin()};
  for (const char* path : {"/livez", "/readyz", "/pp/v1/ping"}) {
    EXPECT_EQ(browser.get(path).status, 200) << path << ": a health check has no router";
  }
  EXPECT_EQ(browser.get("/api/v1/auth/verify").status, 400);
  ASSERT_EQ(signIn(browser, "admin", "admin").status, 200) << server->output();
  const Answer info = browser.get("/pp/v1/info", fromRouter());
  EXPECT_EQ(info.text("user.admin"), "true") << "by cloud_controller.admin";
  EXPECT_EQ(info.text("cloud-foundry.AppGUID"), "app-1");
  EXPECT_EQ(info.text("diagnostics.deploymentType"), "Cloud Foundry");
  const bool ownDatabase = database->dialect() == db::Dialect::Sqlite;
  EXPECT_EQ(info.text("plugin-config.disablePersistenceFeatures"), ownDatabase ? "true" : "false");
  EXPECT_EQ(browser.cookies.contains("JSESSIONID"), ownDatabase);

  const auto foundations = info.json("endpoints.cf").extract<Poco::JSON::Object::Ptr>();
  ASSERT_EQ(foundations->size(), 1U) << info.body;
  const std::string guid = foundations->getNames().front();
  EXPECT_EQ(browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1", fromRouter()).status, 200);
  const Answer moved = browser.get("/applications?a=b", [] {
    http::Headers headers;
    headers.set("X-Forwarded-Proto", "http");
    return headers;
  }());
  EXPECT_EQ(moved.status, 301);
  EXPECT_TRUE(moved.headers.get("location").ends_with("/applications?a=b"));
  EXPECT_EQ(server->output().find("password"), std::string::npos) << server->output();
}

TEST_F(CloudFoundryTest, WaitsForAFoundationThatIsAway) {
  stratos::testing::FakeUpstream api;
  Settings settings = application("http://nobody.invalid");
  settings["CF_API_URL"] = api.url();
  ServerProcess waiting(settings, {"serve"}, folder.string());
  ASSERT_NE(waiting.waitForLine("the foundation cannot be asked yet"), "") << waiting.output();
  api.handle("/", [&](const stratos::testing::ReceivedRequest&) {
    return stratos::testing::jsonReply(200, R"({"links":{"login":{"href":")" +
                                                foundation->uaaUrl() + R"("},"uaa":{"href":")" +
                                                foundation->uaaUrl() + R"("}}})");
  });
  EXPECT_NE(waiting.waitForLine("listening "), "") << waiting.output();
  waiting.signal(SIGTERM);
  EXPECT_EQ(waiting.waitForExit(), 0);
}

TEST_F(CloudFoundryTest, CanBeStoppedWhileItWaits) {
  ServerProcess waiting(application("http://127.0.0.1:1"), {"serve"}, folder.string());
  ASSERT_NE(waiting.waitForLine("the foundation cannot be asked yet"), "") << waiting.output();
  waiting.signal(SIGTERM);
  EXPECT_EQ(waiting.waitForExit(), 0) << waiting.output();
}

TEST_F(CloudFoundryTest, TrustsTheAuthoritiesOfThePlatform) {
  Settings settings = application(foundation->apiUrl());
  settings.erase("SKIP_SSL_VALIDATION");
  {
    ServerProcess waiting(settings, {"serve"}, folder.string());
    ASSERT_NE(waiting.waitForLine("the foundation cannot be asked yet"), "") << waiting.output();
    waiting.signal(SIGTERM);
    EXPECT_EQ(waiting.waitForExit(), 0);
  }
  const auto certificates = folder / "certificates";
  std::filesystem::create_directory(certificates);
  settings["CF_SYSTEM_CERT_PATH"] = certificates.string();
  std::ofstream(certificates / "trusted-ca-1.crt") << foundation->certificates().caPem();
  std::ofstream(certificates / "README") << "no certificate";
  startServer(settings);
  Browser browser{origin()};
  EXPECT_EQ(signIn(browser, "admin", "admin").status, 200) << server->output();
  EXPECT_EQ(browser.get("/pp/v1/info", fromRouter()).text("user.admin"), "true");
}

TEST_F(CloudFoundryTest, SaysWhichSettingIsWrong) {
  Settings noApi = application("");
  ServerProcess first(noApi, {"serve"}, folder.string());
  EXPECT_EQ(first.waitForExit(), 1);
  EXPECT_NE(first.output().find("CF_API_URL"), std::string::npos) << first.output();
  Settings noJson = application("https://api.example.com");
  noJson["VCAP_APPLICATION"] = "{";
  ServerProcess second(noJson, {"serve"}, folder.string());
  EXPECT_EQ(second.waitForExit(), 1);
  EXPECT_NE(second.output().find("VCAP_APPLICATION is not"), std::string::npos) << second.output();
}

}  // namespace
}  // namespace stratos::server_test
