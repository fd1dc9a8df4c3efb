#include "stratos/store/rekey.hpp"

#include <functional>
#include <map>
#include <stdexcept>

#include "store_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::store {
namespace {

using crypto::CipherFormat;

constexpr const char* kThirdKey =
    "0f0e0d0c0b0a090807060504030201000f0e0d0c0b0a09080706050403020100";

// The moment between reading a row and writing it back: then the new value is encrypted.
class HookedRandom final : public Random {
 public:
  std::string bytes(std::size_t count) override {
    if (hook) hook();
    return system_.bytes(count);
  }
  std::function<void()> hook;

 private:
  crypto::SystemRandom system_;
};

struct Crash : std::runtime_error {
  Crash() : std::runtime_error("crash") {}
};

class RekeyerTest : public StoreFixture {
 protected:
  static constexpr int kTokens = 7;
  static constexpr int kRows = kTokens + 3;  // And two endpoints and the session secret.

  void prepare() override { (void)migrateSchema(*database_, log_); }

  // As if the database came from upstream.
  void becomeLegacy() { SettingsStore(*database_).set("ciphertext_format", "legacy"); }

  void fill(const std::vector<std::string>& ring) {
    const crypto::TokenCipher cipher = openCipher(*database_, keys(ring), random_);
    SqlTokenStore tokens(*database_, cipher, random_);
    for (int i = 0; i < kTokens; ++i) {
      TokenRecord record;
      record.owner = UserId("user" + std::to_string(i));
      record.endpoint = EndpointId("endpoint");
      record.authToken = Secret("access-token-" + std::to_string(i));
      if (i != 0) record.refreshToken = Secret("refresh-token-" + std::to_string(i));
      (void)tokens.saveEndpointToken(record);
    }
    SqlEndpointStore endpoints(*database_, cipher);
    for (const char* secret : {"", "client-secret"}) {
      EndpointRecord record;
      record.id = EndpointId(std::string("endpoint") + secret);
      record.name = record.apiUrl = record.id.str();
      record.type = "cf";
      record.clientSecret = Secret(std::string(secret));
      endpoints.insert(record);
    }
    SettingsStore(*database_)
        .set("session_store_secret",
             toBase64(cipher.encrypt(Secret(std::string("cookie key")), kSessionIdentity)));
  }

  // Every secret, as a server with that ring reads it.
  std::map<std::string, std::string> readAll(const std::vector<std::string>& ring) {
    const crypto::TokenCipher cipher = openCipher(*database_, keys(ring), random_);
    std::map<std::string, std::string> all;
    for (const auto& [identity, stored] : storedValues()) {
      all[identity] = cipher.decrypt(stored, identity).reveal();
    }
    return all;
  }

  // Every encrypted value by the identity that it is bound to.
  std::map<std::string, std::string> storedValues() {
    std::map<std::string, std::string> all;
    db::Connection connection = database_->connect();
    for (const db::Row& row :
         connection.query("SELECT token_guid, auth_token, refresh_token FROM tokens")) {
      for (const std::string column : {"auth_token", "refresh_token"}) {
        all["tokens." + column + ":" + row.text("token_guid")] = row.blob(column);
      }
    }
    for (const db::Row& row : connection.query("SELECT guid, client_secret FROM cnsis")) {
      all["cnsis.client_secret:" + row.text("guid")] = row.blob("client_secret");
    }
    const auto setting = connection.queryOne(
        "SELECT value FROM stratos_settings WHERE name = 'session_store_secret'");
    if (setting) all[kSessionIdentity] = fromBase64(setting->text("value")).value();
    return all;
  }

  RekeySummary rekey(const std::vector<std::string>& ring, CipherFormat format) {
    return rekey(ring, RekeyOptions{.format = format, .batchSize = 2}, random_);
  }
  RekeySummary rekey(const std::vector<std::string>& ring, RekeyOptions options, Random& random) {
    return Rekeyer(*database_, keys(ring), random, clock_, std::move(options)).run();
  }

  void expectLegacyUnder(const std::string& key,
                         const std::map<std::string, std::string>& secrets) {
    const std::string bytes = fromHex(key).value();
    for (const auto& [identity, stored] : storedValues()) {
      EXPECT_EQ(crypto::decryptLegacy(bytes, stored), secrets.at(identity)) << identity;
    }
  }
  void expectGcmUnder(const std::string& key) {
    const std::string header = std::string("SG\x01") + crypto::EncryptionKey::fromHex(key).id();
    for (const auto& [identity, stored] : storedValues()) {
      EXPECT_EQ(stored.substr(0, 7), header) << identity;
    }
  }
  bool opens(const std::vector<std::string>& ring) {
    try {
      (void)openCipher(*database_, keys(ring), random_);
      return true;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
      return false;
    }
  }

  static constexpr const char* kSessionIdentity = "stratos_settings.session_store_secret";
  testing::ManualClock clock_;
};

TEST_P(RekeyerTest, GoesToTheNewFormatAndBack) {
  becomeLegacy();
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  expectLegacyUnder(kTestKey, secrets);

  EXPECT_EQ(rekey({kTestKey}, CipherFormat::Gcm).done, kRows);
  expectGcmUnder(kTestKey);
  EXPECT_EQ(readAll({kTestKey}), secrets);
  EXPECT_EQ(openCipher(*database_, keys({kTestKey}), random_).writeFormat(), CipherFormat::Gcm);

  EXPECT_EQ(rekey({kTestKey}, CipherFormat::Legacy).done, kRows);
  expectLegacyUnder(kTestKey, secrets);
  EXPECT_EQ(readAll({kTestKey}), secrets);
  EXPECT_EQ(openCipher(*database_, keys({kTestKey}), random_).writeFormat(), CipherFormat::Legacy);
}

TEST_P(RekeyerTest, AKeyChangeMovesTheDatabaseFromOneKeyToTheOther) {
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  EXPECT_TRUE(opens({kOtherKey, kTestKey}));
  EXPECT_FALSE(opens({kOtherKey}));

  EXPECT_EQ(rekey({kOtherKey, kTestKey}, CipherFormat::Gcm).done, kRows);
  expectGcmUnder(kOtherKey);
  EXPECT_EQ(readAll({kOtherKey}), secrets);
  EXPECT_FALSE(opens({kTestKey}));
  EXPECT_FALSE(opens({kThirdKey}));
}

TEST_P(RekeyerTest, AKeyChangeInTheOldFormatEndsInTheOldFormat) {
  becomeLegacy();
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  EXPECT_EQ(rekey({kOtherKey, kTestKey}, CipherFormat::Legacy).done, kRows);
  expectLegacyUnder(kOtherKey, secrets);
  EXPECT_EQ(readAll({kOtherKey}), secrets);
  EXPECT_FALSE(opens({kTestKey}));
}

TEST_P(RekeyerTest, TheNewKeyIsNotWrittenWithBeforeTheRekey) {
  fill({kTestKey});
  const crypto::TokenCipher cipher = openCipher(*database_, keys({kOtherKey, kTestKey}), random_);
  EXPECT_FALSE(cipher.writesWithFirstKey());
  const crypto::TokenCipher old = openCipher(*database_, keys({kTestKey}), random_);
  EXPECT_EQ(old.decrypt(cipher.encrypt(Secret(std::string("text")), "id"), "id").reveal(), "text");
}

// The old format has no key id and a short text looks right under many keys.
TEST_P(RekeyerTest, ShortSecretsOfTheOldFormatAreReadWithTheRightKey) {
  becomeLegacy();
  const crypto::TokenCipher cipher = openCipher(*database_, keys({kTestKey}), random_);
  SqlEndpointStore endpoints(*database_, cipher);
  for (int i = 0; i < 40; ++i) {
    EndpointRecord record;
    record.id = EndpointId("e" + std::to_string(i));
    record.name = record.apiUrl = record.id.str();
    record.type = "cf";
    record.clientSecret = Secret(std::string("x"));
    endpoints.insert(record);
  }
  for (const CipherFormat format : {CipherFormat::Gcm, CipherFormat::Legacy}) {
    const bool first = format == CipherFormat::Gcm;
    (void)rekey(first ? std::vector<std::string>{kOtherKey, kTestKey}
                      : std::vector<std::string>{kThirdKey, kOtherKey},
                format);
    for (const auto& [identity, text] : readAll({first ? kOtherKey : kThirdKey})) {
      EXPECT_EQ(text, "x") << identity;
    }
  }
}

TEST_P(RekeyerTest, ASecondRunChangesNothing) {
  for (const CipherFormat format : {CipherFormat::Gcm, CipherFormat::Legacy}) {
    if (format == CipherFormat::Gcm) fill({kTestKey});
    (void)rekey({kOtherKey, kTestKey}, format);
    const auto stored = storedValues();
    const RekeySummary again = rekey({kOtherKey, kTestKey}, format);
    EXPECT_EQ(again.done, 0);
    EXPECT_EQ(again.skipped, kRows);
    EXPECT_EQ(storedValues(), stored);
  }
}

TEST_P(RekeyerTest, ACrashAtAnyStepLeavesEveryRowReadableAndTheNextRunGoesOn) {
  becomeLegacy();
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  const std::vector<std::string> ring{kOtherKey, kTestKey};
  for (const CipherFormat format : {CipherFormat::Gcm, CipherFormat::Legacy}) {
    int crashes = 0;
    for (int allowed = 0;; ++allowed) {
      ASSERT_LT(allowed, 100);
      int left = allowed;
      HookedRandom random;
      random.hook = [&left] {
        if (left-- == 0) throw Crash();
      };
      try {
        EXPECT_TRUE(rekey(ring, {.format = format, .batchSize = 2}, random).unreadable.empty());
        break;
      } catch (const Crash&) {
        ++crashes;
      }
      ASSERT_EQ(readAll(ring), secrets) << "after crash " << allowed;
      // Dropping either key too early would lose rows.
      if (format == CipherFormat::Gcm) {
        ASSERT_FALSE(opens({kOtherKey}));
      }
    }
    EXPECT_GT(crashes, 2);
    EXPECT_EQ(readAll({kOtherKey}), secrets);
  }
  expectLegacyUnder(kOtherKey, secrets);
}

TEST_P(RekeyerTest, ACrashBetweenBatchesLeavesEveryRowReadable) {
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  const std::vector<std::string> ring{kThirdKey, kOtherKey, kTestKey};
  int batches = 0;
  const auto crashAt = [&](int batch, const std::vector<std::string>& keyRing) {
    batches = 0;
    RekeyOptions options{.batchSize = 1};
    options.onProgress = [&, batch](const RekeyProgress&) {
      if (++batches == batch) throw Crash();
    };
    EXPECT_THROW((void)rekey(keyRing, options, random_), Crash);
    EXPECT_EQ(readAll(ring), secrets);
  };
  crashAt(2, {kOtherKey, kTestKey});
  EXPECT_FALSE(opens({kOtherKey}));
  EXPECT_FALSE(opens({kTestKey}));
  // Changed one's mind twice: back to the first key, then to a third.
  crashAt(1, {kTestKey, kOtherKey});
  crashAt(3, ring);
  EXPECT_FALSE(opens({kOtherKey, kTestKey}));
  (void)rekey(ring, CipherFormat::Gcm);
  expectGcmUnder(kThirdKey);
  EXPECT_EQ(readAll({kThirdKey}), secrets);
}

TEST_P(RekeyerTest, ATokenThatIsRenewedMeanwhileIsKept) {
  fill({kTestKey});
  const crypto::TokenCipher cipher = openCipher(*database_, keys({kTestKey}), random_);
  SqlTokenStore tokens(*database_, cipher, random_);
  HookedRandom random;
  random.hook = [&] {
    random.hook = nullptr;
    auto record = tokens.findForEndpoint(UserId("user0"), EndpointId("endpoint"));
    ASSERT_TRUE(record);
    record->authToken = Secret(std::string("renewed"));
    record->refreshToken = Secret(std::string("rotated"));
    ASSERT_TRUE(tokens.replaceIfUnchanged(*record));
    ASSERT_TRUE(tokens.removeForEndpoint(UserId("user1"), EndpointId("endpoint")));
  };
  const RekeySummary summary = rekey({kOtherKey, kTestKey}, {.batchSize = 5}, random);
  EXPECT_EQ(summary.done, kRows - 1);
  const crypto::TokenCipher after = openCipher(*database_, keys({kOtherKey}), random_);
  SqlTokenStore renewed(*database_, after, random_);
  const auto record = renewed.findForEndpoint(UserId("user0"), EndpointId("endpoint"));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->authToken.reveal(), "renewed");
  EXPECT_EQ(record->refreshToken.reveal(), "rotated");
  EXPECT_FALSE(renewed.findForEndpoint(UserId("user1"), EndpointId("endpoint")));
  EXPECT_EQ(count("tokens"), kTokens - 1);
}

TEST_P(RekeyerTest, AServerThatLearnsLateIsSweptUpAfterItsTime) {
  fill({kTestKey});
  const crypto::TokenCipher late = openCipher(*database_, keys({kTestKey}), random_);
  SqlTokenStore tokens(*database_, late, random_);
  int passes = 0;
  RekeyOptions options{.settle = std::chrono::milliseconds{1}};
  options.onProgress = [&](const RekeyProgress& progress) {
    // The last table of the second pass, which found nothing to do.
    if (progress.table != "stratos_settings" || ++passes != 2) return;
    TokenRecord record;
    record.owner = UserId("late");
    record.endpoint = EndpointId("endpoint");
    record.authToken = Secret(std::string("late-token"));
    (void)tokens.saveEndpointToken(record);
  };
  EXPECT_EQ(rekey({kOtherKey, kTestKey}, options, random_).done, kRows + 1);
  expectGcmUnder(kOtherKey);
}

TEST_P(RekeyerTest, ACorruptRowIsReportedAndSpoilsOnlyItself) {
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  const std::string guid = database_->connect()
                               .queryOne("SELECT token_guid FROM tokens WHERE user_guid = 'user3'")
                               ->text("token_guid");
  run("UPDATE tokens SET refresh_token = $1 WHERE token_guid = $2", {db::Blob{"SG\x01zz"}, guid});
  for (const CipherFormat format : {CipherFormat::Gcm, CipherFormat::Legacy}) {
    const auto before = storedValues();
    const RekeySummary summary = rekey({kOtherKey, kTestKey}, format);
    EXPECT_EQ(summary.done, kRows - 1);
    EXPECT_EQ(summary.unreadable, (std::vector<UnreadableRow>{{"tokens", guid}}));
    const crypto::TokenCipher cipher = openCipher(*database_, keys({kOtherKey}), random_);
    for (const auto& [identity, stored] : storedValues()) {
      if (identity.ends_with(guid)) {
        EXPECT_EQ(stored, before.at(identity)) << identity;
      } else {
        EXPECT_EQ(cipher.decrypt(stored, identity).reveal(), secrets.at(identity));
      }
    }
  }
}

TEST_P(RekeyerTest, EmptyAndAbsentValuesOfOldReleasesSurvive) {
  fill({kTestKey});
  run("UPDATE tokens SET refresh_token = $1 WHERE user_guid = 'user2'", {db::Blob{}});
  run("UPDATE cnsis SET client_secret = NULL WHERE guid = 'endpoint'");
  EXPECT_TRUE(rekey({kTestKey}, CipherFormat::Legacy).unreadable.empty());
  const auto row =
      database_->connect().queryOne("SELECT refresh_token FROM tokens WHERE user_guid = 'user2'");
  EXPECT_EQ(crypto::decryptLegacy(fromHex(kTestKey).value(), row->blob("refresh_token")), "");
  EXPECT_EQ(count("cnsis WHERE client_secret IS NULL"), 1);
}

TEST_P(RekeyerTest, RowsThatShareAKeyAreAllFound) {
  if (GetParam() != db::Dialect::Sqlite) GTEST_SKIP() << "only SQLite's table has no primary key";
  fill({kTestKey});
  const crypto::TokenCipher cipher = openCipher(*database_, keys({kTestKey}), random_);
  for (const char* text : {"one", "two", "three"}) {
    run("INSERT INTO tokens (token_guid, token_type, cnsi_guid, user_guid, auth_token,"
        " refresh_token, token_expiry) VALUES ('twin', 'cnsi', 'endpoint', 'twin', $1, $1, 0)",
        {db::Blob{cipher.encrypt(Secret(std::string(text)), "tokens.auth_token:twin")}});
  }
  // The refresh token is bound to the other column, so these rows are unreadable, each of them.
  EXPECT_EQ(rekey({kTestKey}, CipherFormat::Gcm).unreadable.size(), 3u);
  run("UPDATE tokens SET refresh_token = $1 WHERE token_guid = 'twin'", {db::Blob{}});
  EXPECT_EQ(rekey({kOtherKey, kTestKey}, CipherFormat::Gcm).done, kRows + 3);
}

TEST_P(RekeyerTest, AWrongKeyChangesNothing) {
  fill({kTestKey});
  const auto stored = storedValues();
  EXPECT_THROW((void)rekey({kOtherKey}, CipherFormat::Gcm), Error);
  EXPECT_THROW((void)rekey({kOtherKey, kThirdKey}, CipherFormat::Legacy), Error);
  EXPECT_EQ(storedValues(), stored);
  EXPECT_TRUE(opens({kTestKey}));
}

TEST_P(RekeyerTest, ARunGivesUpWhenAnotherBegins) {
  fill({kTestKey});
  const auto secrets = readAll({kTestKey});
  bool started = false;
  RekeyOptions options;
  options.onProgress = [&](const RekeyProgress&) {
    if (started) return;
    started = true;
    (void)rekey({kThirdKey, kOtherKey, kTestKey}, CipherFormat::Gcm);
  };
  try {
    (void)rekey({kOtherKey, kTestKey}, options, random_);
    FAIL() << "two runs with different aims both succeeded";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Unavailable);
  }
}

TEST_P(RekeyerTest, StopsWhenAsked) {
  fill({kTestKey});
  std::stop_source stop;
  RekeyOptions options{.batchSize = 1};
  options.onProgress = [&](const RekeyProgress&) { stop.request_stop(); };
  try {
    (void)Rekeyer(*database_, keys({kOtherKey, kTestKey}), random_, clock_, options)
        .run(stop.get_token());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Cancelled);
  }
  EXPECT_EQ(readAll({kOtherKey, kTestKey}).size(), storedValues().size());
}

TEST_P(RekeyerTest, ARunningCipherFollows) {
  becomeLegacy();
  fill({kTestKey});
  const crypto::TokenCipher running = openCipher(*database_, keys({kOtherKey, kTestKey}), random_);
  const crypto::TokenCipher poor = openCipher(*database_, keys({kTestKey}), random_);
  (void)rekey({kOtherKey, kTestKey}, CipherFormat::Gcm);
  refreshCipher(*database_, running);
  EXPECT_EQ(running.writeFormat(), CipherFormat::Gcm);
  EXPECT_TRUE(running.writesWithFirstKey());
  EXPECT_THROW(refreshCipher(*database_, poor), Error);
  EXPECT_EQ(poor.writeFormat(), CipherFormat::Legacy);
  (void)rekey({kOtherKey}, CipherFormat::Legacy);
  refreshCipher(*database_, running);
  EXPECT_EQ(running.writeFormat(), CipherFormat::Legacy);
}

INSTANTIATE_TEST_SUITE_P(Dialects, RekeyerTest, bothDialects(), dialectName);

}  // namespace
}  // namespace stratos::store
