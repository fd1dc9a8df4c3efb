#include "server_config.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kKey(64, 'a');

class ServerConfigTest : public ::testing::Test {
 protected:
  Settings with(SettingMap environment) {
    environment.try_emplace("SQLITE_DB_DIR", folder_.path().string());
    environment.try_emplace("ENCRYPTION_KEY", kKey);
    chain_.emplace(std::move(environment),
                   LookupPlaces{folder_.path() / "config.properties", folder_.path() / "secrets"});
    return Settings(*chain_);
  }
  ServerConfig config(SettingMap environment) {
    warnings_.clear();
    return loadServerConfig(with(std::move(environment)), warnings_);
  }
  ConsoleOptions options(SettingMap environment) {
    warnings_.clear();
    return loadConsoleOptions(with(std::move(environment)), warnings_);
  }
  std::string configRefusal(SettingMap environment) {
    return refusalOf([&] { static_cast<void>(config(std::move(environment))); });
  }
  std::string optionsRefusal(SettingMap environment) {
    return refusalOf([&] { static_cast<void>(options(std::move(environment))); });
  }
  template <class Call>
  static std::string refusalOf(Call call) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
      return e.what();
    }
    return "(accepted)";
  }

  TemporaryFolder folder_;
  std::optional<LookupChain> chain_;
  Warnings warnings_;
};

SettingMap localUser(SettingMap more = {}) {
  more.insert({{"AUTH_ENDPOINT_TYPE", "local"},
               {"LOCAL_USER", "admin"},
               {"LOCAL_USER_PASSWORD", "hunter2"}});
  return more;
}

TEST_F(ServerConfigTest, HasUsableDefaults) {
  const ServerConfig c = config({});
  EXPECT_EQ(c.database.dialect, db::Dialect::Sqlite);
  EXPECT_EQ(c.database.sqlite.file, (folder_.path() / "console-database.db").string());
  EXPECT_FALSE(c.database.deleteReason);
  EXPECT_EQ(c.https->str(), ":5443");
  EXPECT_FALSE(c.http);
  EXPECT_EQ(c.uiPath, "./ui");
  EXPECT_EQ(c.transport.connectTimeout, seconds{10});
  EXPECT_EQ(c.transport.idleTimeout, seconds{600});
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ServerConfigTest, KeepsSqliteUnlessToldOtherwise) {
  EXPECT_FALSE(config({{"SQLITE_KEEP_DB", "true"}}).database.deleteReason);
  EXPECT_FALSE(config({{"SQLITE_KEEP_DB", ""}}).database.deleteReason);
  EXPECT_TRUE(config({{"SQLITE_KEEP_DB", "false"}}).database.deleteReason);
  EXPECT_THAT(warnings_, SizeIs(1));
  EXPECT_TRUE(config({{"VCAP_APPLICATION", "{}"}}).database.deleteReason);
  EXPECT_FALSE(
      config({{"VCAP_APPLICATION", "{}"}, {"SQLITE_KEEP_DB", "true"}}).database.deleteReason);
}

TEST_F(ServerConfigTest, ReadsPostgreSqlSettings) {
  const ServerConfig c = config({{"DATABASE_PROVIDER", "pgsql"},
                                 {"DB_HOST", "db"},
                                 {"DB_USER", "u'x"},
                                 {"DB_PASSWORD", "p\\w"},
                                 {"DB_DATABASE_NAME", "console"},
                                 {"DB_SSL_MODE", "verify-full"}});
  EXPECT_EQ(c.database.dialect, db::Dialect::PostgreSql);
  EXPECT_EQ(c.database.postgreSql.user, "u'x");
  EXPECT_EQ(c.database.postgreSql.password.reveal(), "p\\w");
  EXPECT_EQ(c.database.postgreSql.port, 5432);
  EXPECT_EQ(c.database.postgreSql.sslMode, "verify-full");
  EXPECT_THAT(
      configRefusal({{"DATABASE_PROVIDER", "pgsql"}, {"DB_HOST", "db"}}),
      AllOf(HasSubstr("DB_USER"), HasSubstr("DB_DATABASE_NAME"), Not(HasSubstr("DB_HOST"))));
}

TEST_F(ServerConfigTest, UsesABoundPostgreSqlService) {
  const char* byFields = R"({"postgres": [{"tags": [], "credentials": {"uri": "postgres://x",
      "hostname": "h", "port": "6432", "username": "u", "password": "p", "dbname": "d"}}]})";
  const ServerConfig a = config({{"VCAP_SERVICES", byFields}, {"DB_HOST", "ignored"}});
  EXPECT_EQ(a.database.dialect, db::Dialect::PostgreSql);
  EXPECT_EQ(a.database.postgreSql.host, "h");
  EXPECT_EQ(a.database.postgreSql.port, 6432);
  const char* byUri = R"({"pg": [{"credentials": {"uri": "postgresql://u:p%40w@h2/d2?x=y"}}]})";
  const db::PostgreSqlOptions b = config({{"VCAP_SERVICES", byUri}}).database.postgreSql;
  EXPECT_EQ(b.host + "|" + b.user + "|" + b.password.reveal() + "|" + b.database, "h2|u|p@w|d2");
  EXPECT_EQ(b.port, 5432);
  EXPECT_EQ(config({{"VCAP_SERVICES", R"({"redis": [{"credentials": {"uri": "redis://x"}}]})"}})
                .database.dialect,
            db::Dialect::Sqlite);
  EXPECT_THAT(
      configRefusal({{"VCAP_SERVICES", R"({"m": [{"tags": ["mysql"], "credentials": {}}]})"}}),
      HasSubstr("MySQL"));
  EXPECT_THAT(configRefusal({{"VCAP_SERVICES", "{\"password\": secret"}}),
              Not(HasSubstr("secret")));
}

TEST_F(ServerConfigTest, RefusesWhatIsNotThereYetInPlainWords) {
  EXPECT_THAT(configRefusal({{"DATABASE_PROVIDER", "mysql"}}), HasSubstr("not supported yet"));
}

TEST_F(ServerConfigTest, AsksForAKeyAndSaysHowToMakeOne) {
  EXPECT_THAT(configRefusal({{"ENCRYPTION_KEY", ""}}), HasSubstr("openssl rand -hex 32"));
  for (const char* bad : {"abc", "zz", "aabbccdd"}) {
    const std::string text = configRefusal({{"ENCRYPTION_KEY", bad}});
    EXPECT_THAT(text, HasSubstr("ENCRYPTION_KEY"));
    EXPECT_THAT(text, Not(HasSubstr(std::string("\"") + bad)));
  }
}

TEST_F(ServerConfigTest, ReadsTheKeyFromAFileByUpstreamsPathRule) {
  folder_.write("key", std::string(64, 'B') + "\n");
  const std::string volume = folder_.path().string();
  for (const SettingMap& places : std::vector<SettingMap>{
           {{"ENCRYPTION_KEY_VOLUME", volume}, {"ENCRYPTION_KEY_FILENAME", "key"}},
           {{"ENCRYPTION_KEY_VOLUME", volume.substr(1)}, {"ENCRYPTION_KEY_FILENAME", "key"}},
           {{"ENCRYPTION_KEY_VOLUME", volume}, {"ENCRYPTION_KEY_FILENAME", "/key"}}}) {
    SettingMap environment = places;
    environment["ENCRYPTION_KEY"] = "";
    const ServerConfig c = config(environment);
    ASSERT_EQ(c.keys.size(), 1U);
    EXPECT_EQ(c.keys[0].bytes().reveal(), std::string(32, '\xbb'));
    EXPECT_EQ(c.keyOrigin, volume + "/key");
  }
  EXPECT_THAT(configRefusal({{"ENCRYPTION_KEY", ""}, {"ENCRYPTION_KEY_VOLUME", volume}}),
              HasSubstr("ENCRYPTION_KEY_FILENAME"));
  EXPECT_THAT(configRefusal({{"ENCRYPTION_KEY", ""},
                             {"ENCRYPTION_KEY_VOLUME", volume},
                             {"ENCRYPTION_KEY_FILENAME", "absent"}}),
              HasSubstr("cannot be read"));
}

TEST_F(ServerConfigTest, KeepsEarlierKeysBehindTheCurrentOne) {
  const ServerConfig c = config(
      {{"ENCRYPTION_KEY_PREVIOUS", std::string(64, 'c') + ", " + std::string(32, 'd') + ","}});
  ASSERT_EQ(c.keys.size(), 3U);
  EXPECT_EQ(c.keys[0].bytes().reveal(), std::string(32, '\xaa'));
  EXPECT_EQ(c.keys[2].bytes().reveal(), std::string(16, '\xdd'));
}

TEST_F(ServerConfigTest, ChoosesListeners) {
  EXPECT_EQ(config({{"CONSOLE_PROXY_TLS_ADDRESS", "127.0.0.1:0"}}).https->str(), "127.0.0.1:0");
  EXPECT_EQ(config({{"CONSOLE_PROXY_TLS_ADDRESS", "[::1]:3003"}}).https->str(), "[::1]:3003");
  EXPECT_EQ(config({{"CONSOLE_PROXY_TLS_ADDRESS", ""}}).https->port, 5443);
  EXPECT_EQ(config({{"STRATOS_HTTP_ADDRESS", "localhost:8080"}}).http->host, "localhost");
  const ServerConfig hosted = config({{"VCAP_APPLICATION", "{}"}, {"PORT", "61001"}});
  EXPECT_FALSE(hosted.https);
  EXPECT_EQ(hosted.http->str(), ":61001");
  EXPECT_THAT(configRefusal({{"CONSOLE_PROXY_TLS_ADDRESS", "off"}}),
              HasSubstr("STRATOS_HTTP_ADDRESS"));
  for (const char* bad : {"5443", "host:", "host:http", "host:70000", "::1:80"}) {
    EXPECT_THAT(configRefusal({{"CONSOLE_PROXY_TLS_ADDRESS", bad}}),
                AllOf(HasSubstr("CONSOLE_PROXY_TLS_ADDRESS"), HasSubstr(bad)));
  }
}

TEST_F(ServerConfigTest, ReadsProxiesFromTheEnvironmentInEitherCase) {
  const ServerConfig c = config({{"HTTP_PROXY", ""},
                                 {"http_proxy", "http://a"},
                                 {"HTTPS_PROXY", "http://b"},
                                 {"https_proxy", "http://c"},
                                 {"no_proxy", "x"}});
  EXPECT_EQ(c.transport.httpProxy, "http://a");
  EXPECT_EQ(c.transport.httpsProxy, "http://b");
  EXPECT_EQ(c.transport.noProxy, "x");
}

TEST_F(ServerConfigTest, FindsTheUpgradeLock) {
  EXPECT_FALSE(config({}).upgradeLock);
  EXPECT_EQ(*config({{"UPGRADE_VOLUME", "vol/"}, {"UPGRADE_LOCK_FILENAME", "u.lock"}}).upgradeLock,
            "/vol/u.lock");
  EXPECT_THAT(configRefusal({{"UPGRADE_VOLUME", "vol"}}), HasSubstr("UPGRADE_LOCK_FILENAME"));
}

TEST_F(ServerConfigTest, StartsInSetupModeWhenSignInIsIncomplete) {
  const std::vector<SettingMap> incomplete{{},
                                           {{"UAA_ENDPOINT", "https://uaa.example.com"}},
                                           {{"CONSOLE_ADMIN_SCOPE", "stratos.admin"}},
                                           {{"AUTH_ENDPOINT_TYPE", "local"}},
                                           {{"AUTH_ENDPOINT_TYPE", "local"}, {"LOCAL_USER", "a"}}};
  for (const SettingMap& settings : incomplete) EXPECT_TRUE(options(settings).setup);
  EXPECT_FALSE(options(localUser()).setup);
  EXPECT_FALSE(options({{"AUTH_ENDPOINT_TYPE", "none"}}).setup);
  EXPECT_FALSE(options({}).setup->openToAll);
  EXPECT_TRUE(options({{"STRATOS_SETUP_ACCESS", "open"}}).setup->openToAll);
  EXPECT_THAT(optionsRefusal({{"UAA_ENDPOINT", "nonsense"}, {"CONSOLE_ADMIN_SCOPE", "x"}}),
              HasSubstr("UAA_ENDPOINT"));
}

TEST_F(ServerConfigTest, RefusesAConsoleWithoutSignInThatOthersCanReach) {
  const auto refusal = [&](const std::string& address, SettingMap more = {}) {
    more.insert({{"AUTH_ENDPOINT_TYPE", "none"}, {"CONSOLE_PROXY_TLS_ADDRESS", address}});
    const SignInOptions signIn = options(more).signIn;
    return refusalOf([&] { refuseOpenConsole(config(more), signIn); });
  };
  for (const char* address : {":5443", "0.0.0.0:5443", "[::]:5443", "192.0.2.1:5443"}) {
    EXPECT_THAT(refusal(address), HasSubstr("STRATOS_ALLOW_NO_SIGN_IN")) << address;
    EXPECT_EQ(refusal(address, {{"STRATOS_ALLOW_NO_SIGN_IN", "true"}}), "(accepted)");
  }
  for (const char* address : {"127.0.0.1:5443", "localhost:5443", "[::1]:5443"}) {
    EXPECT_EQ(refusal(address), "(accepted)") << address;
  }
}

TEST_F(ServerConfigTest, CompletesTheScopesOfLocalUsers) {
  const auto scopes = [&](SettingMap more) {
    const ConsoleOptions o = options(localUser(std::move(more)));
    return o.signIn.localUserScope + "|" + o.signIn.adminScope;
  };
  EXPECT_EQ(scopes({}), "stratos.admin|stratos.admin");
  EXPECT_EQ(scopes({{"LOCAL_USER_SCOPE", "a"}}), "a|a");
  EXPECT_EQ(scopes({{"CONSOLE_ADMIN_SCOPE", "b"}}), "b|b");
  EXPECT_EQ(scopes({{"LOCAL_USER_SCOPE", "a"}, {"CONSOLE_ADMIN_SCOPE", "b"}}), "a|b");
}

TEST_F(ServerConfigTest, ReadsTheUaaOfTheConsole) {
  const ConsoleOptions o = options({{"UAA_ENDPOINT", "https://uaa.example.com/"},
                                    {"CONSOLE_ADMIN_SCOPE", "cloud_controller.admin"},
                                    {"CONSOLE_CLIENT", "console"},
                                    {"SKIP_SSL_VALIDATION", "true"}});
  EXPECT_EQ(o.signIn.type, AuthType::Remote);
  EXPECT_EQ(o.signIn.uaa.baseUrl, "https://uaa.example.com");
  EXPECT_TRUE(o.signIn.uaa.trust.skipVerification);
  EXPECT_THAT(warnings_, SizeIs(1));
}

TEST_F(ServerConfigTest, ForcesPersistenceFeaturesBothWays) {
  const auto isHidden = [&](const char* force, db::Dialect dialect) {
    SettingMap environment;
    if (force != nullptr) environment["FORCE_ENABLE_PERSISTENCE_FEATURES"] = force;
    return loadHosting(with(std::move(environment)), {}, dialect).disablePersistenceFeatures;
  };
  EXPECT_TRUE(isHidden(nullptr, db::Dialect::Sqlite));
  EXPECT_FALSE(isHidden(nullptr, db::Dialect::PostgreSql));
  for (const auto dialect : {db::Dialect::Sqlite, db::Dialect::PostgreSql}) {
    EXPECT_FALSE(isHidden("true", dialect));
    EXPECT_TRUE(isHidden("false", dialect));
  }
}

TEST_F(ServerConfigTest, ReadsTimeouts) {
  const auto timeouts = [&](SettingMap more) {
    return options(localUser(std::move(more))).proxy.timeouts;
  };
  EXPECT_EQ(timeouts({}).reading, seconds{30});
  EXPECT_EQ(timeouts({}).mutating, seconds{120});
  EXPECT_EQ(timeouts({}).longRunning, seconds{600});
  EXPECT_EQ(timeouts({{"HTTP_CLIENT_TIMEOUT_IN_SECS", "300"}}).mutating, seconds{300});
  EXPECT_EQ(timeouts({{"HTTP_CLIENT_TIMEOUT_MUTATING_IN_SECS", "0"}}).mutating, seconds{30});
  EXPECT_EQ(timeouts({{"HTTP_CLIENT_TIMEOUT_IN_SECS", ""}}).reading, seconds{30});
}

TEST_F(ServerConfigTest, ForgivesASessionLifetimeThatIsNoNumber) {
  EXPECT_EQ(options(localUser({{"SESSION_STORE_EXPIRY", "5000"}})).session.lifetime, minutes{5000});
  EXPECT_EQ(options(localUser({{"SESSION_STORE_EXPIRY", "soon"}})).session.lifetime, minutes{20});
  EXPECT_THAT(warnings_, SizeIs(1));
  EXPECT_EQ(options(localUser({{"SESSION_STORE_EXPIRY", "0"}})).session.lifetime, minutes{20});
}

TEST_F(ServerConfigTest, WarnsOfAnUnknownLogLevel) {
  Warnings warnings;
  EXPECT_EQ(loadLogConfig(with({{"LOG_LEVEL", "loud"}}), warnings).level, LogLevel::Info);
  EXPECT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(loadLogConfig(with({{"LOG_TO_JSON", "TRUE"}}), warnings).format, LogFormat::Text);
  EXPECT_EQ(loadLogConfig(with({{"LOG_TO_JSON", "true"}}), warnings).format, LogFormat::Json);
}

TEST_F(ServerConfigTest, InvitationsAreMailedAsTheSettingsSay) {
  const ext::UserInviteOptions none = loadUserInvite(with({}), warnings_);
  EXPECT_EQ(none.smtp.host, "");
  EXPECT_EQ(none.smtp.port, 25);
  EXPECT_THAT(warnings_, IsEmpty());

  std::ofstream(folder_.path() / "user-invite-email.txt") << "Hi {{.EmailAddress}}";
  std::ofstream(folder_.path() / "own.html") << "<p>";
  const ext::UserInviteOptions all = loadUserInvite(with({{"SMTP_HOST", "mail.example"},
                                                          {"SMTP_PORT", "465"},
                                                          {"SMTP_USER", "mailer"},
                                                          {"SMTP_PASSWORD", "hunter2"},
                                                          {"SMTP_FROM_ADDRESS", "a@example.com"},
                                                          {"STRATOS_SMTP_TLS", "starttls"},
                                                          {"TEMPLATE_DIR", folder_.path().string()},
                                                          {"INVITE_USER_HTML_TEMPLATE", "own.html"},
                                                          {"INVITE_USER_SUBJECT", "Hi"}}),
                                                    warnings_);
  EXPECT_EQ(all.smtp.host, "mail.example");
  EXPECT_EQ(all.smtp.port, 465);
  EXPECT_EQ(all.smtp.tls, ext::SmtpTls::StartTls);
  EXPECT_FALSE(all.smtp.trust.skipVerification);
  EXPECT_EQ(all.smtp.user, "mailer");
  EXPECT_EQ(all.smtp.password.reveal(), "hunter2");
  EXPECT_EQ(all.from, "a@example.com");
  EXPECT_EQ(all.subject, "Hi");
  EXPECT_EQ(all.textTemplate, "Hi {{.EmailAddress}}");
  EXPECT_EQ(all.htmlTemplate, "<p>");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ServerConfigTest, WhatInvitationsLackIsSaid) {
  const ext::UserInviteOptions options =
      loadUserInvite(with({{"SMTP_HOST", "mail.example"},
                           {"SMTP_PORT", "0"},
                           {"SMTP_AUTH", "false"},
                           {"SMTP_USER", "mailer"},
                           {"SMTP_PASSWORD", "hunter2"},
                           {"INVITE_USER_TEXT_TEMPLATE", "missing.txt"}}),
                     warnings_);
  EXPECT_EQ(options.smtp.port, 25) << "as the original console understands 0";
  EXPECT_EQ(options.smtp.user, "");
  EXPECT_TRUE(options.smtp.password.empty());
  EXPECT_EQ(options.textTemplate, "");
  ASSERT_THAT(warnings_, SizeIs(2));
  EXPECT_THAT(warnings_[0], HasSubstr("SMTP_FROM_ADDRESS"));
  EXPECT_THAT(warnings_[1],
              AllOf(HasSubstr("INVITE_USER_TEXT_TEMPLATE"), HasSubstr("missing.txt")));
}

TEST_F(ServerConfigTest, ReadsWhichAddressesMayBeCalled) {
  const http::AddressPolicy usual = config({}).transport.addresses;
  EXPECT_TRUE(usual.refusal("169.254.169.254"));
  EXPECT_FALSE(usual.refusal("10.1.2.3"));
  const auto policy = config({{"STRATOS_OUTGOING_DENY", "private, 192.0.2.0/24"},
                              {"STRATOS_OUTGOING_ALLOW", "10.1.0.0/16,"}})
                          .transport.addresses;
  EXPECT_TRUE(policy.refusal("10.2.2.3"));
  EXPECT_TRUE(policy.refusal("192.0.2.1"));
  EXPECT_FALSE(policy.refusal("10.1.2.3"));
  EXPECT_FALSE(policy.refusal("127.0.0.1"));
  for (const char* name : {"STRATOS_OUTGOING_DENY", "STRATOS_OUTGOING_ALLOW"}) {
    EXPECT_THAT(configRefusal({{name, "10.0.0.0/8,intern"}}),
                AllOf(HasSubstr(name), HasSubstr("\"intern\"")));
  }
}

TEST_F(ServerConfigTest, SaysThatUsersMayReachPrivateNetworks) {
  static_cast<void>(options(localUser({{"USER_ENDPOINTS_ENABLED", "enabled"}})));
  ASSERT_THAT(warnings_, SizeIs(1));
  EXPECT_THAT(warnings_.front(), HasSubstr("STRATOS_OUTGOING_DENY=loopback,private"));
  static_cast<void>(options(localUser(
      {{"USER_ENDPOINTS_ENABLED", "enabled"}, {"STRATOS_OUTGOING_DENY", "loopback,private"}})));
  EXPECT_THAT(warnings_, IsEmpty());
  static_cast<void>(options(localUser({{"USER_ENDPOINTS_ENABLED", "admin_only"}})));
  EXPECT_THAT(warnings_, IsEmpty());
}

}  // namespace
}  // namespace stratos::server
