#include <csignal>
#include <fstream>

#include "server_fixture.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::server_test {
namespace {

/// The program's manners: arguments, exit statuses, what it says when it cannot start.
class ProgramTest : public ServerTest {
 protected:
  struct Run {
    int status;
    std::string output;
  };
  [[nodiscard]] Run run(const Settings& settings, const std::vector<std::string>& arguments) const {
    ServerProcess process(settings, arguments, folder.string());
    const int status = process.waitForExit();
    return {status, process.output()};
  }
};

TEST_F(ProgramTest, ExplainsItself) {
  const Run help = run({}, {"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* word :
       {"serve", "check", "version", "ENCRYPTION_KEY", "CONSOLE_PROXY_TLS_ADDRESS"}) {
    EXPECT_NE(help.output.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(run({}, {"version"}).status, 0);
}

TEST_F(ProgramTest, RefusesUnknownArgumentsWithStatus2) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--no-such-option"}, {"no-such-command"}}) {
    const Run wrong = run({}, arguments);
    EXPECT_EQ(wrong.status, 2);
    EXPECT_NE(wrong.output.find(arguments[0]), std::string::npos) << wrong.output;
  }
}

TEST_F(ProgramTest, SaysInOneLineWhyItCannotStart) {
  const auto without = [&](const char* name) {
    Settings changed = settings();
    changed.erase(name);
    return changed;
  };
  const auto with = [&](const char* name, const char* value) {
    Settings changed = settings();
    changed[name] = value;
    return changed;
  };
  const auto withUaa = [&](const char* authorities) {
    Settings changed = uaaSettings();
    changed["STRATOS_SIGN_IN_CA_FILE"] = authorities;
    return changed;
  };
  const std::vector<std::pair<Settings, std::string>> wrong{
      {without("ENCRYPTION_KEY"), "ENCRYPTION_KEY"},
      {with("ENCRYPTION_KEY", "abc"), "ENCRYPTION_KEY"},
      {with("AUTH_ENDPOINT_TYPE", "sometimes"), "AUTH_ENDPOINT_TYPE"},
      {with("DATABASE_PROVIDER", "mysql"), "MySQL"},
      {with("HTTP_CLIENT_TIMEOUT_IN_SECS", "soon"), "HTTP_CLIENT_TIMEOUT_IN_SECS"},
      {with("CONSOLE_PROXY_TLS_ADDRESS", "nowhere:what"), "CONSOLE_PROXY_TLS_ADDRESS"},
      {with("AUTH_ENDPOINT_TYPE", "oidc"), "OIDC_ISSUER"},
      {withUaa("/nonexistent/ca.crt"), "STRATOS_SIGN_IN_CA_FILE"},
      {withUaa("/dev/null"), "STRATOS_SIGN_IN_CA_FILE"},
      {with("LOCAL_USER_PASSWORD", std::string(73, 'x').c_str()), "LOCAL_USER_PASSWORD"}};
  for (const auto& [changed, name] : wrong) {
    const Run refused = run(changed, {"serve"});
    EXPECT_EQ(refused.status, 1) << name << ": " << refused.output;
    EXPECT_NE(refused.output.find(name), std::string::npos) << refused.output;
    EXPECT_EQ(refused.output.find(kPassword), std::string::npos);
  }
}

TEST_F(ProgramTest, ChecksWithoutChangingAnything) {
  const Run good = run(settings(), {"check"});
  EXPECT_EQ(good.status, 0) << good.output;
  Settings wrong = settings();
  wrong["ENCRYPTION_KEY"] = "abc";
  EXPECT_EQ(run(wrong, {"check"}).status, 1);
}

TEST_F(ProgramTest, KeepsTheEndpointsOfItsFile) {
  Settings declared = settings();
  declared["STRATOS_ENDPOINTS_FILE"] = (folder / "endpoints.yaml").string();
  const auto write = [&](const std::string& text) {
    std::ofstream(folder / "endpoints.yaml") << text;
  };
  write("endpoints:\n  - name: Declared\n    kind: cf\n");
  for (const char* command : {"check", "serve"}) {
    const Run refused = run(declared, {command});
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.output.find("endpoints.yaml, line 3: the key"), std::string::npos)
        << refused.output;
  }
  write("endpoints:\n  - {name: Declared, type: cf, skip_ssl_validation: true, url: \"" +
        foundation->apiUrl() + "\"}\n");
  const Run good = run(declared, {"check"});
  EXPECT_EQ(good.status, 0) << good.output;
  EXPECT_NE(good.output.find("1 endpoint"), std::string::npos) << good.output;
  startServer(declared);
  EXPECT_NE(server->waitForLine("registered=1"), "") << server->output();
  EXPECT_NE(signedIn().get("/api/v1/endpoints").body.find("\"Declared\""), std::string::npos);
  server->signal(SIGTERM);
  ASSERT_EQ(server->waitForExit(), 0);

  write("prune: true\nendpoints: []\n");
  startServer(declared);
  EXPECT_NE(server->waitForLine("removed=1"), "") << server->output();
  EXPECT_EQ(signedIn().get("/api/v1/endpoints").body, "[]");
}

TEST_F(ProgramTest, AWrongKeyIsNoticedBeforeAnythingIsWritten) {
  startServer(settings());
  {
    Browser browser = signedIn();
    EXPECT_NE(connectFoundation(browser), "");
  }
  server->signal(SIGTERM);
  ASSERT_EQ(server->waitForExit(), 0);

  Settings wrong = settings();
  wrong["ENCRYPTION_KEY"] = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
  const Run refused = run(wrong, {"serve"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.output.find("key"), std::string::npos) << refused.output;
  startServer(settings());
  EXPECT_EQ(signedIn().get("/pp/v1/info").status, 200);
}

TEST_F(ProgramTest, ASecondServerOnTheSamePortFailsWithAClearLine) {
  startServer(settings());
  Settings same = settings();
  same["STRATOS_HTTP_ADDRESS"] = "127.0.0.1:" + std::to_string(httpPort());
  const Run refused = run(same, {"serve"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.output.find(std::to_string(httpPort())), std::string::npos) << refused.output;
}

TEST_F(ProgramTest, RequestsInFlightAreFinishedOnSigterm) {
  startServer(settings());
  Browser browser = signedIn();
  const std::string guid = connectFoundation(browser);
  auto& upstream = foundation->cloudController().server();
  upstream.addFault({.kind = stratos::testing::FaultKind::Hold, .pathPrefix = "/v3/apps"});
  Answer answer;
  std::jthread caller(
      [&] { answer = browser.get("/api/v1/proxy/" + guid + "/v3/apps?per_page=1"); });
  ASSERT_TRUE(upstream.waitUntilHeld(1, Deadline::after(std::chrono::seconds{30})));
  server->signal(SIGTERM);
  EXPECT_NE(server->waitForLine("stopping"), "") << server->output();
  upstream.release();
  caller.join();
  EXPECT_EQ(answer.status, 200) << answer.detail;
  EXPECT_EQ(server->waitForExit(), 0);
}

TEST_F(ProgramTest, SaysThatItStopsBeforeItRefusesConnections) {
  Settings delayed = settings();
  delayed["STRATOS_SHUTDOWN_DELAY_IN_SECS"] = "3600";
  startServer(delayed);
  EXPECT_EQ(Browser{origin()}.get("/readyz").body, "ok\n");
  server->signal(SIGTERM);
  ASSERT_NE(server->waitForLine("stopping"), "") << server->output();
  // New connections, as those of probes and of balancers that do not know yet.
  const Answer ready = Browser{origin()}.get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "not ready: shutting down\n");
  EXPECT_EQ(Browser{origin()}.get("/livez").status, 200);
  EXPECT_EQ(signedIn().get("/pp/v1/info").status, 200);
  server->signal(SIGTERM);
  EXPECT_EQ(server->waitForExit(), 1) << "the second signal ends it at once";

  delayed["STRATOS_SHUTDOWN_DELAY_IN_SECS"] = "1";
  startServer(delayed);
  server->signal(SIGTERM);
  EXPECT_EQ(server->waitForExit(), 0);
}

TEST_F(ProgramTest, TakesAnotherCertificateOnSighup) {
  const stratos::testing::TestCertificates before;
  const stratos::testing::TestCertificates after;
  const auto put = [&](const stratos::testing::TestCertificates& authority) {
    const auto identity = authority.issueServer();
    std::ofstream(folder / "tls.crt") << identity.certificatePem;
    std::ofstream(folder / "tls.key") << identity.keyPem;
  };
  put(before);
  Settings own = settings();
  own["CONSOLE_PROXY_CERT_PATH"] = (folder / "tls.crt").string();
  own["CONSOLE_PROXY_CERT_KEY_PATH"] = (folder / "tls.key").string();
  startServer(own);
  const auto statusFor = [&](http::Transport& transport, const std::string& caPem) {
    http::ClientRequest request{"GET", Url::parse(secureOrigin() + "/livez"), {}, {}, {}};
    request.trust.caCertificatePem = caPem;
    request.trust.anyAddress = true;
    request.deadline = Deadline::after(std::chrono::seconds{30});
    http::ClientResponse response = transport.send(std::move(request));
    if (!response.failed()) static_cast<void>(response.body.readAll(100));
    return response.failed() ? 0 : response.status;
  };
  http::PooledTransport kept;
  EXPECT_EQ(statusFor(kept, before.caPem()), 200);
  put(after);
  server->signal(SIGHUP);
  ASSERT_NE(server->waitForLine("another certificate is served"), "") << server->output();
  EXPECT_EQ(statusFor(kept, before.caPem()), 200) << "its connection goes on";
  http::PooledTransport fresh;
  EXPECT_EQ(statusFor(fresh, after.caPem()), 200);
  http::PooledTransport strict;
  EXPECT_EQ(statusFor(strict, before.caPem()), 0);

  std::ofstream(folder / "tls.key") << "no key";
  server->signal(SIGHUP);
  ASSERT_NE(server->waitForLine("cannot be used"), "") << server->output();
  http::PooledTransport again;
  EXPECT_EQ(statusFor(again, after.caPem()), 200);
  EXPECT_EQ(server->output().find("PRIVATE KEY"), std::string::npos);
}

TEST_F(ProgramTest, ChecksTheKeyWithoutTouchingTheDatabase) {
  startServer(settings());
  Browser browser = signedIn();
  ASSERT_FALSE(connectFoundation(browser).empty());
  const Run good = run(settings(), {"check"});
  EXPECT_EQ(good.status, 0) << good.output;
  EXPECT_NE(good.output.find("the key fits"), std::string::npos) << good.output;
  Settings other = settings();
  other["ENCRYPTION_KEY"] = std::string(64, 'b');
  const Run wrong = run(other, {"check"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.output.find("another encryption key"), std::string::npos) << wrong.output;
  EXPECT_EQ(run(settings(), {"check"}).status, 0) << "nothing was changed";
}

TEST_F(ProgramTest, TellsWhetherTheServerBesideItIsWell) {
  Settings locked = settings();
  locked["UPGRADE_VOLUME"] = folder.string();
  locked["UPGRADE_LOCK_FILENAME"] = "upgrade.lock";
  startServer(locked);
  Settings http{{"CONSOLE_PROXY_TLS_ADDRESS", "off"},
                {"STRATOS_HTTP_ADDRESS", ":" + std::to_string(httpPort())}};
  const Settings https{{"CONSOLE_PROXY_TLS_ADDRESS", secureOrigin().substr(8)}};
  for (const Settings& listener : {http, https}) {
    const Run well = run(listener, {"health"});
    EXPECT_EQ(well.status, 0) << well.output;
  }
  std::ofstream(folder / "upgrade.lock").put('\n');
  const Run busy = run(http, {"health"});
  EXPECT_EQ(busy.status, 1);
  EXPECT_NE(busy.output.find("503 not ready: an upgrade"), std::string::npos) << busy.output;
  EXPECT_EQ(run(http, {"health", "--live"}).status, 0) << "a restart would not end the upgrade";
  std::filesystem::remove(folder / "upgrade.lock");

  server->signal(SIGTERM);
  ASSERT_EQ(server->waitForExit(), 0);
  const Run gone = run(http, {"health"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_NE(gone.output.find(std::to_string(httpPort())), std::string::npos) << gone.output;
  http["STRATOS_HTTP_ADDRESS"] = ":0";
  EXPECT_EQ(run(http, {"health"}).status, 1);
}

TEST_F(ProgramTest, MakesItsKeyAtTheFirstStart) {
  Settings own = settings();
  own.erase("ENCRYPTION_KEY");
  EXPECT_EQ(run(own, {"serve"}).status, 1);
  own["STRATOS_GENERATE_ENCRYPTION_KEY"] = "true";
  for (int start = 0; start < 2; ++start) {
    startServer(own);
    Browser browser = signedIn();
    if (start == 0) {
      EXPECT_FALSE(connectFoundation(browser).empty());
    }
    EXPECT_NE(browser.get("/api/v1/endpoints").body.find("\"Simulated\""), std::string::npos);
    server->signal(SIGTERM);
    ASSERT_EQ(server->waitForExit(), 0);
  }
  const Run proven = run(own, {"check"});
  EXPECT_NE(proven.output.find("the key fits"), std::string::npos) << proven.output;
  std::filesystem::remove(folder / "encryption-key");
  const bool isFile = database->dialect() == db::Dialect::Sqlite;
  const Run lost = run(own, {"serve"});
  EXPECT_EQ(lost.status, 1) << "no other key takes its place";
  EXPECT_NE(lost.output.find(isFile ? "not its key" : "another encryption key"), std::string::npos)
      << lost.output;
}

TEST_F(ProgramTest, DoesNotWaitForADatabaseThatRefusesIt) {
  if (database->dialect() != db::Dialect::PostgreSql) GTEST_SKIP() << "a file refuses nobody";
  for (const auto& [name, value] : {std::pair{"DB_PASSWORD", "not-the-password"},
                                    std::pair{"DB_DATABASE_NAME", "no_such_one"}}) {
    Settings wrong = settings();
    wrong[name] = value;
    const Run refused = run(wrong, {"serve"});  // Waits a minute at most, a start ten.
    EXPECT_EQ(refused.status, 1) << name << ": " << refused.output;
    EXPECT_NE(refused.output.find("cannot start"), std::string::npos);
    EXPECT_EQ(refused.output.find("not-the-password"), std::string::npos);
  }
}

using UaaAuthorityTest = ServerTest;

TEST_F(UaaAuthorityTest, TheUaaIsTrustedByTheAuthorityThatIsNamedForIt) {
  Settings verified = uaaSettings();
  verified.erase("SKIP_SSL_VALIDATION");
  verified["STRATOS_SIGN_IN_CA_FILE"] = (folder / "ca.crt").string();
  stratos::testing::TestCertificates{}.writeCa((folder / "ca.crt").string());
  startServer(verified);
  EXPECT_NE((Browser{origin()}.login("admin", "admin").status), 200) << "of somebody else";
  server->signal(SIGTERM);
  ASSERT_EQ(server->waitForExit(), 0);
  foundation->certificates().writeCa((folder / "ca.crt").string());
  startServer(verified);
  EXPECT_EQ((Browser{origin()}.login("admin", "admin").status), 200) << server->output();
}

}  // namespace
}  // namespace stratos::server_test
