#include <string>

#include "server_fixture.hpp"

namespace stratos::server_test {
namespace {

constexpr const char* kAdminPassword = "chosen-in-the-wizard";

/// A program that nobody has told how users sign in.
class SetupProgramTest : public ServerTest {
 protected:
  Settings unconfigured() {
    Settings result = settings();
    for (const char* name : {"AUTH_ENDPOINT_TYPE", "LOCAL_USER", "LOCAL_USER_PASSWORD",
                             "LOCAL_USER_SCOPE", "CONSOLE_ADMIN_SCOPE"}) {
      result.erase(name);
    }
    return result;
  }
  void restart() {
    server->signal(15);
    ASSERT_EQ(server->waitForExit(), 0);
    startServer(unconfigured());
  }
  std::string codeInLog() {
    const std::string line = server->waitForLine("setup?code=");
    const auto at = line.find("code=");
    return at == std::string::npos ? "" : line.substr(at + 5, 32);
  }
};

TEST_F(SetupProgramTest, IsSetUpThroughTheLinkInItsLogAndStaysSo) {
  startServer(unconfigured());
  const std::string code = codeInLog();
  ASSERT_EQ(code.size(), 32u);
  restart();
  EXPECT_EQ(codeInLog(), code) << "every replica and every start shows the same code";

  Browser browser{origin()};
  const Answer closed = browser.get("/api/v1/auth/verify");
  EXPECT_EQ(closed.status, 503);
  EXPECT_EQ(closed.headers.get("stratos-setup-required"), "true");
  const http::Headers throughProxy{{"X-Forwarded-For", "192.0.2.1"},
                                   {"Content-Type", "application/x-www-form-urlencoded"}};
  const std::string form = std::string{"local_admin_password="} + kAdminPassword;
  EXPECT_EQ(browser.send("POST", "/pp/v1/setup/save", throughProxy, form).status, 403);
  EXPECT_EQ(browser.get("/pp/v1/setup?code=" + code).status, 303);
  EXPECT_EQ(browser.send("POST", "/pp/v1/setup/save", throughProxy, form).status, 200);
  EXPECT_EQ(browser.get("/api/v1/auth/verify").text("data.user.name"), "admin");

  restart();
  Browser later{origin()};
  EXPECT_EQ(later.login("admin", kAdminPassword).status, 200);
  EXPECT_EQ(later.get("/pp/v1/setup?code=" + code).status, 303);
  EXPECT_EQ(later.send("POST", "/pp/v1/setup/save", throughProxy, form).status, 503);
  EXPECT_EQ(server->output().find("setup?code="), std::string::npos);
}

}  // namespace
}  // namespace stratos::server_test
