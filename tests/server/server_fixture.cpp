#include "server_fixture.hpp"

#include <csignal>
#include <cstdlib>

#include "stratos/crypto/random.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::server_test {

namespace {

constexpr const char* kEncryptionKey =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

db::Dialect wantedDialect() {
  const char* wanted = std::getenv("STRATOS_TEST_DATABASE");
  return wanted && std::string{wanted} == "postgresql" ? db::Dialect::PostgreSql
                                                       : db::Dialect::Sqlite;
}

}  // namespace

void ServerTest::SetUp() {
  if (!stratos::testing::TestDatabase::isAvailable(wantedDialect())) {
    GTEST_SKIP() << stratos::testing::TestDatabase::skipReason();
  }
  std::string pattern =
      (std::filesystem::temp_directory_path() / "stratos-server-test.XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder = pattern;
  database = std::make_unique<stratos::testing::TestDatabase>(wantedDialect());
  foundation = std::make_unique<stratos::testing::SimulatedFoundation>(
      stratos::testing::SimulatedFoundationOptions{.apps = 120});
}

void ServerTest::TearDown() {
  if (server) {
    server->signal(SIGTERM);
    EXPECT_EQ(server->waitForExit(), 0) << server->output();
    // A sanitizer's finding in the server is a failure of the test.
    EXPECT_EQ(server->output().find("Sanitizer"), std::string::npos) << server->output();
    EXPECT_EQ(server->output().find("runtime error:"), std::string::npos) << server->output();
    EXPECT_EQ(server->output().find(kPassword), std::string::npos) << "a password was logged";
  }
  server.reset();
  foundation.reset();
  database.reset();
  if (!folder.empty()) std::filesystem::remove_all(folder);
}

Settings ServerTest::settings() const {
  Settings settings{{"CONSOLE_PROXY_TLS_ADDRESS", "127.0.0.1:0"},
                    {"STRATOS_HTTP_ADDRESS", "127.0.0.1:0"},
                    {"ENCRYPTION_KEY", kEncryptionKey},
                    {"AUTH_ENDPOINT_TYPE", "local"},
                    {"LOCAL_USER", "admin"},
                    {"LOCAL_USER_PASSWORD", kPassword},
                    {"LOCAL_USER_SCOPE", "stratos.admin"},
                    {"CONSOLE_ADMIN_SCOPE", "stratos.admin"},
                    {"SQLITE_DB_DIR", folder.string()}};
  if (database->dialect() == db::Dialect::PostgreSql) {
    return onPostgres(std::move(settings), database->postgreSqlOptions());
  }
  settings["DATABASE_PROVIDER"] = "sqlite";
  return settings;
}

Settings ServerTest::onPostgres(Settings settings, const db::PostgreSqlOptions& options) {
  settings["DATABASE_PROVIDER"] = "pgsql";
  settings["DB_HOST"] = options.host;
  settings["DB_PORT"] = std::to_string(options.port);
  settings["DB_USER"] = options.user;
  settings["DB_PASSWORD"] = options.password.reveal();
  settings["DB_DATABASE_NAME"] = options.database;
  settings["DB_SSL_MODE"] = options.sslMode;
  return settings;
}

Settings ServerTest::uaaSettings() const {
  Settings remote = settings();
  for (const char* name : {"LOCAL_USER", "LOCAL_USER_PASSWORD", "LOCAL_USER_SCOPE"}) {
    remote.erase(name);
  }
  remote["AUTH_ENDPOINT_TYPE"] = "remote";
  remote["UAA_ENDPOINT"] = foundation->uaaUrl();
  remote["CONSOLE_CLIENT"] = "console";
  remote["CONSOLE_CLIENT_SECRET"] = "consolesecret";
  remote["SKIP_SSL_VALIDATION"] = "true";
  return remote;
}

std::uint16_t portIn(const std::string& line, const std::string& scheme) {
  const auto at = line.find(scheme + "=");
  if (at == std::string::npos) return 0;
  const auto end = line.find(' ', at);
  const std::string address = line.substr(at, end == std::string::npos ? end : end - at);
  return static_cast<std::uint16_t>(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
}

std::unique_ptr<ServerProcess> ServerTest::start(const Settings& settings) {
  auto process =
      std::make_unique<ServerProcess>(settings, std::vector<std::string>{"serve"}, folder.string());
  EXPECT_NE(process->waitForLine("listening "), "") << process->output();
  return process;
}

void ServerTest::startServer(const Settings& settings) {
  server = start(settings);
  const std::string line = server->waitForLine("listening ");
  httpPort_ = portIn(line, "http");
  httpsPort_ = portIn(line, "https");
  ASSERT_NE(httpPort_, 0) << line;
}

std::string ServerTest::origin() const { return "http://127.0.0.1:" + std::to_string(httpPort_); }

std::string ServerTest::secureOrigin() const {
  return "https://127.0.0.1:" + std::to_string(httpsPort_);
}

std::string ServerTest::httpOriginOf(ServerProcess& server) {
  return "http://127.0.0.1:" + std::to_string(portIn(server.waitForLine("listening "), "http"));
}

Browser ServerTest::signedIn() {
  Browser browser{origin()};
  EXPECT_EQ(browser.login("admin", kPassword).status, 200);
  return browser;
}

std::string ServerTest::registerEndpoint(Browser& browser, const std::string& url,
                                         const std::string& name) {
  const Answer answer = browser.postMultipart("/api/v1/endpoints?endpoint_type=cf",
                                              {{"cnsi_name", name},
                                               {"api_endpoint", url},
                                               {"skip_ssl_validation", "false"},
                                               {"cnsi_client_id", "cf"},
                                               {"ca_cert", foundation->certificates().caPem()}});
  EXPECT_EQ(answer.status, 201) << answer.body;
  return answer.text("guid");
}

std::string ServerTest::connectFoundation(Browser& browser) {
  const std::string guid = registerEndpoint(browser, foundation->apiUrl());
  const Answer answer =
      browser.postMultipart("/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds",
                            {{"username", "admin"}, {"password", "admin"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  return guid;
}

std::unique_ptr<db::Database> ServerTest::openDatabase() const {
  if (database->dialect() == db::Dialect::PostgreSql) return database->open();
  return db::Database::openSqlite({.file = (folder / "console-database.db").string()});
}

std::vector<crypto::EncryptionKey> ServerTest::ring(const Settings& settings) {
  std::vector<crypto::EncryptionKey> keys{
      crypto::EncryptionKey::fromHex(settings.at("ENCRYPTION_KEY"))};
  if (settings.contains("ENCRYPTION_KEY_PREVIOUS")) {
    keys.push_back(crypto::EncryptionKey::fromHex(settings.at("ENCRYPTION_KEY_PREVIOUS")));
  }
  return keys;
}

std::size_t ServerTest::readableTokens(const Settings& settings) const {
  crypto::SystemRandom random;
  const auto opened = openDatabase();
  const crypto::TokenCipher cipher = store::openCipher(*opened, ring(settings), random);
  std::size_t count = 0;
  for (const db::Row& row :
       opened->connect().query("SELECT token_guid, auth_token, refresh_token FROM tokens")) {
    for (const std::string column : {"auth_token", "refresh_token"}) {
      EXPECT_NO_THROW((void)cipher.decrypt(row.blob(column),
                                           "tokens." + column + ":" + row.text("token_guid")));
    }
    ++count;
  }
  return count;
}

}  // namespace stratos::server_test
