#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include "server_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"

namespace stratos::server_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "a secret: with/special+signs";
constexpr const char* kCallback = "/pp/v1/auth/sso_login_callback";

/// Installs the provider once, at the versions of the lock file; empty when that works, else why
/// not.
std::string installProblem() {
  static const std::string problem = [] {
    const fs::path build = STRATOS_OIDC_FOLDER;
    fs::create_directories(build);
    for (const char* name : {"package.json", "package-lock.json", "provider.mjs"}) {
      fs::copy_file(fs::path(STRATOS_OIDC_SOURCE) / name, build / name,
                    fs::copy_options::overwrite_existing);
    }
    if (std::system("command -v node >/dev/null && command -v npm >/dev/null") != 0) {
      return std::string{"node and npm are not installed"};
    }
    const std::string install =
        "cd '" + build.string() +
        "' && exec 9>lock && flock -w 120 9 && { [ -d node_modules/oidc-provider ] ||"
        " timeout 120 npm ci --ignore-scripts --no-audit --no-fund; }"
        " >npm.log 2>&1";
    return std::system(install.c_str()) == 0 ? std::string{}
                                             : "npm cannot install oidc-provider (see npm.log)";
  }();
  return problem;
}

/// The provider in a process of its own.
class Provider {
 public:
  Provider() {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      if (chdir(STRATOS_OIDC_FOLDER) == 0) execlp("node", "node", "provider.mjs", nullptr);
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
    char line[256];
    int port = 0;
    while (port == 0 && std::fgets(line, sizeof line, output_) != nullptr) {
      (void)std::sscanf(line, "listening %d", &port);
    }
    if (port != 0) url = "http://127.0.0.1:" + std::to_string(port);
  }
  ~Provider() {
    stop();
    if (output_) std::fclose(output_);
  }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  void stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::string url;  ///< Empty when it did not start.

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

std::string parameterOf(const std::string& url, const std::string& name) {
  const auto query = url.find('?');
  if (query == std::string::npos) return {};
  const std::string text = url.substr(query + 1);
  for (const auto& [key, value] : decodeForm(text).value_or(FormFields{})) {
    if (key == name) return value;
  }
  return {};
}

class OidcServerTest : public ServerTest {
 protected:
  void SetUp() override {
    if (const std::string problem = installProblem(); !problem.empty()) {
      GTEST_SKIP() << "no OpenID Connect provider: " << problem;
    }
    ServerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    provider = std::make_unique<Provider>();
    if (provider->url.empty()) GTEST_SKIP() << "oidc-provider does not run on this Node.js";
    Settings wanted = settings();
    wanted["AUTH_ENDPOINT_TYPE"] = "oidc";
    wanted["OIDC_ISSUER"] = provider->url;
    wanted["OIDC_CLIENT_ID"] = "console";
    wanted["OIDC_CLIENT_SECRET"] = kSecret;
    wanted["OIDC_ADMIN_GROUPS"] = "console-admins";
    wanted["SSO_OPTIONS"] = "logout";
    startServer(wanted);
  }

  /// Begins a sign-in and returns where the browser is sent.
  std::string begin(Browser& browser) {
    const Answer answer =
        browser.get("/pp/v1/auth/sso_login?state=" + percentEncode(origin() + "/home"));
    EXPECT_EQ(answer.status, 307) << answer.body;
    return std::string{answer.headers.get("location")};
  }
  /// What a browser does at the provider; returns the console's page that it is sent to.
  std::string atProvider(std::string url) {
    Browser page{provider->url};
    for (int i = 0; i < 8 && url.starts_with(provider->url); ++i) {
      const Answer answer = page.get(url.substr(provider->url.size()));
      url = answer.headers.get("location");
      if (url.starts_with("/")) url = provider->url + url;
    }
    return url.starts_with(origin()) ? url.substr(origin().size()) : url;
  }
  void signIn(Browser& browser) {
    const std::string back = atProvider(begin(browser));
    ASSERT_TRUE(back.starts_with(kCallback)) << back;
    const Answer answer = browser.get(back);
    ASSERT_EQ(answer.status, 307);
    ASSERT_EQ(answer.headers.get("location"), origin() + "/home") << server->output();
  }
  static bool isOk(const Answer& answer) { return answer.text("status") == "ok"; }

  std::unique_ptr<Provider> provider;
};

TEST_F(OidcServerTest, SignsInVerifiesRenewsAndLeaves) {
  Browser browser{origin()};
  signIn(browser);
  std::string session = browser.cookies["console-session"];
  Answer verified = browser.get("/api/v1/auth/verify");
  ASSERT_TRUE(isOk(verified)) << verified.body << server->output();
  EXPECT_EQ(verified.text("data.user.name"), "ann");
  EXPECT_EQ(verified.text("data.user.admin"), "true");
  // The access token lives shorter than the margin, so each of these redeems a rotated refresh
  // token: a second use of one would end everything.
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(isOk(browser.get("/api/v1/auth/verify")));

  EXPECT_EQ(browser.login("ann", "pw").status, 401);
  EXPECT_EQ(server->output().find(kSecret), std::string::npos);

  EXPECT_EQ(browser.send("POST", "/pp/v1/auth/logout").status, 200);
  EXPECT_FALSE(isOk(browser.get("/api/v1/auth/verify")));
  const Answer leave =
      browser.get("/pp/v1/auth/sso_logout?state=" + percentEncode(origin() + "/home"));
  ASSERT_EQ(leave.status, 307);
  const std::string target{leave.headers.get("location")};
  ASSERT_TRUE(target.starts_with(provider->url + "/session/end?")) << target;
  EXPECT_EQ(parameterOf(target, "post_logout_redirect_uri"), origin() + kCallback);
  Browser page{provider->url};
  EXPECT_EQ(page.get(target.substr(provider->url.size())).status, 200);
}

TEST_F(OidcServerTest, ASessionOutlivesTheProviderButNotItsRefusal) {
  Browser browser{origin()};
  signIn(browser);
  Browser page{provider->url};
  ASSERT_EQ(page.get("/test/revoke").body, "revoked");
  EXPECT_FALSE(isOk(browser.get("/api/v1/auth/verify")));
  EXPECT_EQ(browser.get("/pp/v1/info").status, 401);

  signIn(browser);
  provider->stop();
  EXPECT_TRUE(isOk(browser.get("/api/v1/auth/verify")));
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
}

TEST_F(OidcServerTest, S5AnAnswerWorksOnceAndOnlyInTheBrowserThatBegan) {
  Browser victim{origin()};
  Browser attacker{origin()};
  const std::string back = atProvider(begin(attacker));
  (void)begin(victim);
  EXPECT_NE(victim.get(back).headers.get("location"), origin() + "/home");
  EXPECT_FALSE(isOk(victim.get("/api/v1/auth/verify")));

  const auto ticket = attacker.cookies;
  EXPECT_EQ(attacker.get(back).headers.get("location"), origin() + "/home");
  Browser replayer{origin()};
  replayer.cookies = ticket;
  EXPECT_NE(replayer.get(back).headers.get("location"), origin() + "/home");
  EXPECT_FALSE(isOk(replayer.get("/api/v1/auth/verify")));
}

TEST_F(OidcServerTest, S9ACodeOfAnotherFlowIsRefused) {
  Browser browser{origin()};
  const std::string stolen = parameterOf(atProvider(begin(browser)), "code");
  ASSERT_NE(stolen, "");
  // Neither its PKCE verifier nor its nonce is this flow's.
  const std::string state = parameterOf(begin(browser), "state");
  const Answer answer =
      browser.get(std::string{kCallback} + "?" +
                  encodeForm({{"state", state}, {"code", stolen}, {"iss", provider->url}}));
  EXPECT_NE(answer.headers.get("location"), origin() + "/home");
  EXPECT_FALSE(isOk(browser.get("/api/v1/auth/verify")));

  const std::string own = atProvider(begin(browser));
  const Answer mixed = browser.get(std::string{kCallback} + "?" +
                                   encodeForm({{"state", parameterOf(own, "state")},
                                               {"code", parameterOf(own, "code")},
                                               {"iss", "https://another.example"}}));
  EXPECT_NE(mixed.headers.get("location"), origin() + "/home");
}

}  // namespace
}  // namespace stratos::server_test
