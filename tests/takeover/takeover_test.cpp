#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "../compat/console_fixture.hpp"
#include "../unit/support/scripted_transport.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/console/console.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/store/api_key_store.hpp"
#include "stratos/store/favorite_store.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/user_store.hpp"
#include "upstream_database.hpp"

namespace stratos::takeover {
namespace {

using compat::Answer;
using compat::Browser;
using compat::jsonAt;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<crypto::EncryptionKey> ring(const char* hex) {
  return {crypto::EncryptionKey::fromHex(hex)};
}

/// A database of upstream that is taken over, used and handed back.
class Installation {
 public:
  explicit Installation(db::Dialect dialect) : place_(dialect), database_(place_.open()) {}

  [[nodiscard]] UpstreamDatabase upstream() { return UpstreamDatabase(*database_); }
  [[nodiscard]] db::Database& database() { return *database_; }
  [[nodiscard]] bool isPostgreSql() const { return place_.dialect() == db::Dialect::PostgreSql; }

  void run(const std::string& sql) { database_->connect().execute(sql); }
  std::int64_t count(const std::string& fromWhere) {
    return database_->connect().queryOne("SELECT count(*) AS n FROM " + fromWhere)->integer("n");
  }

  void takeOver() {
    const store::SchemaReport report = store::migrateSchema(*database_, log_);
    EXPECT_FALSE(report.wasEmpty);
    cipher_ =
        std::make_unique<crypto::TokenCipher>(store::openCipher(*database_, ring(kKey), random_));
    EXPECT_EQ(cipher_->writeFormat(), crypto::CipherFormat::Legacy);
    endpoints_ = std::make_unique<store::SqlEndpointStore>(*database_, *cipher_);
    tokens_ = std::make_unique<store::SqlTokenStore>(*database_, *cipher_, random_);
  }

  void expectWrongKeyRefused() {
    EXPECT_THROW(
        (void)store::openCipher(*database_, ring("00000000000000000000000000000000"), random_),
        Error);
  }

  /// Every kind of row reads as upstream meant it.
  void expectAllReadable() {
    EXPECT_EQ(endpoints_->find(EndpointId("e-cf"))->name, "name of e-cf");
    EXPECT_EQ(endpoints_->find(EndpointId("e-old"))->clientSecret.reveal(), "");
    EXPECT_EQ(endpoints_->find(EndpointId("e-old"))->caCertificate, "");
    EXPECT_GE(endpoints_->list().size(), 4u);

    EXPECT_EQ(accessToken(kAdminGuid, "e-cf"), "own.access.token");
    EXPECT_EQ(tokens_->findConsoleToken(UserId(kAdminGuid))->authToken.reveal(),
              "console.access.token");
    EXPECT_EQ(accessToken("u-empty", "e-cf"), "empty.access.token");
    EXPECT_EQ(
        tokens_->findForEndpoint(UserId("u-empty"), EndpointId("e-cf"))->refreshToken.reveal(), "");
    EXPECT_EQ(accessToken("u-null", "e-cf"), "null.access.token");
    EXPECT_EQ(accessToken("u-twice", "e-cf"), "newer.duplicate.token");
    EXPECT_EQ(accessToken("u-vector", "e-cf"), "The quick brown fox jumps over the lazy dog");
    const auto shared = tokens_->findForEndpoint(UserId("somebody"), EndpointId("e-none"));
    ASSERT_TRUE(shared);
    EXPECT_TRUE(shared->isShared());
    EXPECT_EQ(shared->authToken.reveal(), "c2hhcmVkOnNoYXJlZA==");

    // Damaged rows are their users' trouble only.
    for (const char* user : {"u-short", "u-garbage"}) {
      EXPECT_THROW((void)accessToken(user, "e-cf"), Error) << user;
      std::vector<EndpointId> unreadable;
      EXPECT_EQ(tokens_->listForUser(UserId(user), &unreadable).size(), 1u) << "the shared one";
      EXPECT_THAT(unreadable, ElementsAre(EndpointId("e-cf")));
    }
  }

  void expectLinkAndClearedRow() {
    EXPECT_EQ(accessToken(kAdminGuid, "e-old"), "console.access.token");
    EXPECT_EQ(tokens_->findForEndpoint(UserId("u-cleared"), EndpointId("e-cf")), std::nullopt);
  }

  /// Signs in and uses the console: as the administrator that is there, or as one that is made.
  void useConsole(bool hasUser, bool hasAuthTypes) {
    test::ScriptedTransport transport([](const test::SentRequest&) {
      return test::reply(200, R"({"answer":true})", {{"Content-Type", "application/json"}});
    });
    ConsoleOptions options;
    options.signIn.localUser = "admin";
    options.signIn.localUserPassword = Secret(hasUser ? "not the password" : kAdminPassword);
    options.passwordHashCost = 4;
    options.session.secret = Secret("a secret for the sessions of this test");
    options.workerThreads = 2;
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    Console console(std::move(options), {*database_, *cipher_, transport, clock_, random_, log_},
                    std::move(extensions));
    compat::Vault vault;
    Browser browser(console, clock_, vault);
    ASSERT_EQ(browser.login("admin", kAdminPassword).status, 200);

    const Answer info = browser.get("/pp/v1/info");
    EXPECT_EQ(info.status, 200);
    EXPECT_EQ(jsonAt(info.body, "endpoints/cf/e-cf/name"), "name of e-cf") << info.body;
    EXPECT_EQ(browser.get("/api/v1/endpoints").status, 200);

    const auto tokenSentTo = [&](const char* endpoint) {
      const Answer answer = browser.get("/pp/v1/proxy/v3/info", {{"x-cap-cnsi-list", endpoint}});
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(jsonAt(answer.body, std::string(endpoint) + "/answer"), "true") << answer.body;
      const auto sent = transport.sent();
      return sent.empty() ? std::string() : std::string(sent.back().headers.get("Authorization"));
    };
    EXPECT_EQ(toLower(tokenSentTo("e-none")),
              toLower(std::string(hasAuthTypes ? "basic" : "bearer") + " c2hhcmVkOnNoYXJlZA=="));
    if (hasUser) {
      EXPECT_EQ(toLower(tokenSentTo("e-cf")), "bearer own.access.token");
    }
  }

  /// Writes each kind of row that we write.
  void change() {
    store::EndpointRecord renamed = endpoints_->find(EndpointId("e-cf")).value();
    renamed.name = "Renamed";
    renamed.clientSecret = Secret("the new client secret");
    ASSERT_TRUE(endpoints_->update(renamed));
    store::EndpointRecord added;
    added.id = EndpointId("e-added");
    added.name = "Added";
    added.type = "cf";
    added.apiUrl = "https://api.added.example.com";
    endpoints_->insert(added);

    store::TokenRecord token;
    token.endpoint = EndpointId("e-cf");
    for (const auto& [owner, text] :
         {std::pair("u-new", "new.access.token"), std::pair("u-twice", "replaced.duplicate"),
          std::pair("u-garbage", "mended.access.token")}) {
      token.owner = UserId(owner);
      token.authToken = Secret(text);
      (void)tokens_->saveEndpointToken(token);
    }
    auto own = tokens_->findForEndpoint(UserId(kAdminGuid), EndpointId("e-cf")).value();
    own.authToken = Secret("renewed.access.token");
    own.refreshToken = Secret("renewed.refresh");
    EXPECT_TRUE(tokens_->replaceIfUnchanged(own));
    store::TokenRecord console;
    console.owner = UserId(kAdminGuid);
    console.authToken = Secret("renewed.console.token");
    (void)tokens_->saveConsoleToken(console);
    store::SqlLocalUserStore(*database_)
        .insertIfAbsent({UserId("u-new"), "new", "hash", "", "stratos.user", "", ""});
  }

  /// Upstream starts on the database again and reads everything.
  void expectUpstreamCanReturn(bool inOrder = true) {
    EXPECT_EQ(describeSchema(*database_, !inOrder), expectedSchema(database_->dialect(), !inOrder));
    EXPECT_THAT(foreignTables(*database_), IsEmpty());
    EXPECT_THAT(missingIndexes(*database_), IsEmpty());
    const std::vector<std::int64_t> versions = history(*database_);
    EXPECT_EQ(versions.back(), kLastVersion);
    EXPECT_EQ(*std::max_element(versions.begin(), versions.end()), kLastVersion);
    EXPECT_EQ(count("goose_db_version"), static_cast<std::int64_t>(versions.size()));

    // What upstream reads into plain strings must not be NULL.
    for (const char* where :
         {"tokens WHERE auth_type IS NULL OR cnsi_guid IS NULL OR token_guid IS NULL OR"
          " auth_token IS NULL OR refresh_token IS NULL",
          "favorites WHERE metadata IS NULL OR entity_id IS NULL",
          "cnsis WHERE client_id IS NULL OR creator IS NULL"}) {
      EXPECT_EQ(count(where), 0) << where;
    }
    EXPECT_EQ(decrypted("cnsis", "client_secret", "guid = 'e-cf'"), "the new client secret");
    EXPECT_EQ(decrypted("cnsis", "client_secret", "guid = 'e-added'"), "");
    expectToken("u-new", "new.access.token", "");
    expectToken("u-twice", "replaced.duplicate", "");
    expectToken("u-garbage", "mended.access.token", "");
    expectToken(kAdminGuid, "renewed.access.token", "renewed.refresh");
    expectToken("u-vector", "The quick brown fox jumps over the lazy dog", "");
    EXPECT_EQ(decrypted("tokens", "auth_token", "cnsi_guid = 'STRATOS'"), "renewed.console.token");
    EXPECT_EQ(count("cnsis WHERE name = 'Renamed'"), 1);
  }

  /// An API key of upstream works and stays as it is, so that it works there again.
  void expectApiKey() {
    store::ApiKeyStore keys(*database_, *cipher_);
    const std::string secret(64, 's');
    const auto key = keys.findBySecret(Secret{secret}, clock_.now());
    ASSERT_TRUE(key);
    EXPECT_EQ(key->user.str(), kAdminGuid);
    EXPECT_EQ(keys.listForUser(key->user).at(0).comment, "pipeline");
    keys.recordUse(*key, clock_.now());
    EXPECT_EQ(count("api_keys WHERE last_used IS NOT NULL AND secret = '" + secret + "'"), 1);
  }
  /// Favourites have their metadata in whatever form it was stored.
  void expectFavorites() {
    const auto favorites = store::FavoriteStore(*database_).listForUser(UserId{kAdminGuid});
    ASSERT_EQ(favorites.size(), 2U);
    for (const auto& each : favorites) EXPECT_EQ(each.metadata, R"({"name":"an app"})");
  }

 private:
  std::string accessToken(const std::string& user, const std::string& endpoint) {
    const auto token = tokens_->findForEndpoint(UserId(user), EndpointId(endpoint));
    return token ? token->authToken.reveal() : "(none)";
  }

  std::string decrypted(const std::string& table, const std::string& column,
                        const std::string& where) {
    const db::Rows rows =
        database_->connect().query("SELECT " + column + " FROM " + table + " WHERE " + where);
    if (rows.size() != 1) return "(" + std::to_string(rows.size()) + " rows)";
    return crypto::decryptLegacy(fromHex(kKey).value(), rows.front().blob(column));
  }
  void expectToken(const std::string& user, const std::string& auth, const std::string& refresh) {
    const std::string where =
        "token_type = 'cnsi' AND cnsi_guid = 'e-cf' AND user_guid = '" + user + "'";
    EXPECT_EQ(decrypted("tokens", "auth_token", where), auth) << user;
    EXPECT_EQ(decrypted("tokens", "refresh_token", where), refresh) << user;
  }

  NullLogSink log_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  testing::TestDatabase place_;
  std::unique_ptr<db::Database> database_;
  std::unique_ptr<crypto::TokenCipher> cipher_;
  std::unique_ptr<store::SqlEndpointStore> endpoints_;
  std::unique_ptr<store::SqlTokenStore> tokens_;
};

class TakeoverTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
  }

  static void takeOverFromLevel(std::size_t level) {
    SCOPED_TRACE("from level " + std::to_string(level));
    Installation old(GetParam());
    UpstreamDatabase upstream = old.upstream();
    upstream.applyUpTo(level);
    // Before step 20 lay the level of 2.5 and 2.6 with their trigger.
    if (level == 16 || level == 17) upstream.addUserTrigger();
    if (level > 0) upstream.insertRows({.costlyPassword = level == kSteps});
    old.takeOver();
    EXPECT_EQ(history(old.database()), completeHistory());
    EXPECT_EQ(describeSchema(old.database()), expectedSchema(GetParam()));
    if (level == 0) return;

    old.expectWrongKeyRefused();
    old.expectAllReadable();
    if (level >= 9) old.expectLinkAndClearedRow();
    old.useConsole(level >= 16, level >= 4);
    if (level >= 24) old.expectApiKey();
    EXPECT_EQ(old.count("tokens WHERE user_guid = 'u-orphan'"), level < 8 ? 0 : 1);
    // Hubs that were there at step 26 are repositories since; later ones went with step 28.
    const bool hubWasDeleted = level == 26 || level == 27;
    EXPECT_EQ(old.count("cnsis WHERE guid = 'e-hub'"), level >= 13 && !hubWasDeleted ? 1 : 0);
    if (level >= 12) old.expectFavorites();
    EXPECT_EQ(old.count("api_keys"), level >= 24 ? 1 : 0);
    EXPECT_EQ(old.count("analysis"), level >= 23 ? 1 : 0);
    EXPECT_EQ(old.count("helm_charts"), level >= 25 ? 1 : 0);
    if (level == 16 || level == 17) {
      EXPECT_EQ(old.count("local_users WHERE given_name = 'Admin' AND user_guid <> 'x'"),
                GetParam() == db::Dialect::PostgreSql ? 2 : 10);
      EXPECT_EQ(old.count(old.isPostgreSql() ? "pg_trigger WHERE tgname = 'update_trigger'"
                                             : "sqlite_master WHERE type = 'trigger'"),
                0);
    }
    old.change();
    old.expectUpstreamCanReturn();
  }
};

// In groups, which ctest runs side by side.
TEST_P(TakeoverTest, Levels0To8) {
  for (std::size_t level = 0; level <= 8; ++level) takeOverFromLevel(level);
}
TEST_P(TakeoverTest, Levels9To16) {
  for (std::size_t level = 9; level <= 16; ++level) takeOverFromLevel(level);
}
TEST_P(TakeoverTest, Levels17To24) {
  for (std::size_t level = 17; level <= 24; ++level) takeOverFromLevel(level);
}
TEST_P(TakeoverTest, Levels25To32) {
  for (std::size_t level = 25; level <= kSteps; ++level) takeOverFromLevel(level);
}

/// A release whose history is not a row of levels.
struct Release {
  const char* name;
  std::set<std::size_t> without;
  std::size_t last;
  bool otherChartsVersion = false;
};

TEST_P(TakeoverTest, ReleasesWithGapsInTheirHistory) {
  const std::vector<Release> releases = {
      {"4.1, no plug-ins", {14, 22, 23, 25}, 26},
      {"made by 4.2, later without the monocular plug-in", {25, 28}, 27, true},
      {"4.4.0", {}, 29},
      {"4.4.2", {30}, 31, true},
      {"4.8.1 on 4.4.2", {30}, 32, true},
      {"4.8.1 on 4.1 without plug-ins", {14, 22, 23, 25, 27, 28, 29}, 32},
  };
  for (const Release& release : releases) {
    SCOPED_TRACE(release.name);
    Installation old(GetParam());
    UpstreamDatabase upstream = old.upstream();
    std::vector<std::size_t> steps;
    for (std::size_t number = 1; number <= release.last; ++number) {
      if (!release.without.contains(number)) steps.push_back(number);
    }
    upstream.apply(steps);
    if (release.otherChartsVersion) upstream.useOtherChartsVersion();
    upstream.insertRows();
    const std::vector<std::int64_t> before = history(old.database());
    old.takeOver();
    std::vector<std::int64_t> wanted = before;
    for (std::size_t number = release.last + 1; number <= kSteps; ++number) {
      wanted.push_back(versionOf(number));
    }
    EXPECT_EQ(history(old.database()), wanted) << "a gap was filled, or a step left out";
    old.expectAllReadable();
    old.expectLinkAndClearedRow();
    old.useConsole(true, true);
    old.change();
    old.expectUpstreamCanReturn(/*inOrder=*/false);
  }
}

TEST_P(TakeoverTest, LastLoginIsReadInEveryForm) {
  Installation old(GetParam());
  old.upstream().applyUpTo(kSteps);
  old.upstream().insertRows();
  old.takeOver();
  const TimePoint expected = fromUnixSeconds(1614834367);
  const std::map<std::string, TimePoint> others = {{"minute", fromUnixSeconds(1614834360)},
                                                   {"day", fromUnixSeconds(1614816000)}};
  int seen = 0;
  for (const db::Row& row : old.database().connect().query(
           "SELECT user_name, last_login FROM local_users WHERE user_name <> 'admin'")) {
    const std::string name = row.text("user_name");
    const auto time = row.timestamp("last_login");
    if (name == "never") {
      EXPECT_EQ(time, std::nullopt);
    } else {
      const auto other = others.find(name);
      EXPECT_EQ(time, other == others.end() ? expected : other->second) << name;
    }
    ++seen;
  }
  EXPECT_EQ(seen, old.isPostgreSql() ? 1 : 9);
}

TEST_P(TakeoverTest, AGapInTheTablesIsMendedWithoutALateRecord) {
  Installation old(GetParam());
  old.upstream().applyUpTo(kSteps);
  old.run("ALTER TABLE cnsis DROP COLUMN ca_cert");
  old.run("ALTER TABLE tokens DROP COLUMN enabled");
  old.run("DROP TABLE helm_charts");
  old.run("DROP TABLE analysis");
  old.run(
      "DELETE FROM goose_db_version WHERE version_id IN (20201201163100, 20200819184800,"
      " 20200210105400, 20201005105400)");
  const auto before = history(old.database());
  EXPECT_THAT(store::readSchemaStatus(old.database()).missingParts,
              ElementsAre("analysis", "helm_charts", "cnsis.ca_cert", "tokens.enabled"));
  old.takeOver();
  EXPECT_EQ(history(old.database()), before);
  EXPECT_EQ(describeSchema(old.database(), true), expectedSchema(GetParam(), true));
  EXPECT_THAT(store::readSchemaStatus(old.database()).missingParts, IsEmpty());
}

TEST_P(TakeoverTest, ADamagedNewestRowDoesNotHideTheKey) {
  Installation old(GetParam());
  old.upstream().applyUpTo(kSteps);
  old.upstream().insertRows();
  old.run("UPDATE tokens SET last_updated = '2030-01-01 00:00:00' WHERE user_guid = 'u-garbage'");
  old.takeOver();
  old.expectAllReadable();
}

INSTANTIATE_TEST_SUITE_P(Dialects, TakeoverTest,
                         ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql),
                         compat::dialectName);

}  // namespace
}  // namespace stratos::takeover
