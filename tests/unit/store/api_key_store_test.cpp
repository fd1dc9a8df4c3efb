#include "stratos/store/api_key_store.hpp"

#include "store_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::store {
namespace {

using namespace std::chrono_literals;

constexpr const char* kClear = "Abc-_cret0Abc-_cret0Abc-_cret0Abc-_cret0Abc-_cret0Abc-_cret0Abcd";

class ApiKeyStoreTest : public MigratedFixture {
 protected:
  ApiKeyStore store() { return {*database_, *cipher_}; }
  void insertAsUpstream() {
    run("INSERT INTO api_keys (guid, secret, user_guid, comment) VALUES ($1, $2, $3, $4)",
        {"old", kClear, "u1", "made by upstream"});
  }
  std::string storedSecret(const std::string& guid) {
    return database_->connect()
        .queryOne("SELECT secret FROM api_keys WHERE guid = $1", {guid})
        ->text("secret");
  }
  /// What a database that came from upstream writes.
  crypto::TokenCipher legacyCipher() {
    return {keys({kTestKey}), crypto::CipherFormat::Legacy, random_};
  }
  const TimePoint now_ = fromUnixSeconds(1'800'000'000);
};
INSTANTIATE_TEST_SUITE_P(Dialects, ApiKeyStoreTest, bothDialects(), dialectName);

TEST_P(ApiKeyStoreTest, KeepsAHashOnly) {
  const Secret secret = makeApiKeySecret(random_);
  EXPECT_EQ(secret.reveal().size(), 64U);
  store().insert({.guid = "k1", .user = UserId{"u1"}, .comment = "ci", .expiresAt = now_ + 1h},
                 secret, now_);
  EXPECT_EQ(storedSecret("k1"), toHex(crypto::sha256(secret.reveal())));
  const auto found = store().findBySecret(secret, now_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->guid, "k1");
  EXPECT_EQ(found->user, UserId{"u1"});
  EXPECT_EQ(found->comment, "ci");
  EXPECT_EQ(found->expiresAt, now_ + 1h);
  EXPECT_FALSE(found->lastUsed);
  EXPECT_FALSE(store().findBySecret(Secret{}, now_));
  EXPECT_FALSE(store().findBySecret(Secret{secret.reveal() + "A"}, now_));
}

TEST_P(ApiKeyStoreTest, S16TheStoredTextOpensNothing) {
  const Secret secret = makeApiKeySecret(random_);
  store().insert({.guid = "k1", .user = UserId{"u1"}, .comment = "ci"}, secret, now_);
  EXPECT_FALSE(store().findBySecret(Secret{storedSecret("k1")}, now_));
}

TEST_P(ApiKeyStoreTest, EndsWithItsExpiry) {
  const Secret secret = makeApiKeySecret(random_);
  store().insert({.guid = "k1", .user = UserId{"u1"}, .comment = "ci", .expiresAt = now_ + 1h},
                 secret, now_);
  EXPECT_TRUE(store().findBySecret(secret, now_ + 1h - 1s));
  EXPECT_FALSE(store().findBySecret(secret, now_ + 1h));
}

TEST_P(ApiKeyStoreTest, TakesUpstreamsKeysAndHashesThemOnUse) {
  insertAsUpstream();
  EXPECT_EQ(store().listForUser(UserId{"u1"}).at(0).comment, "made by upstream");
  for (int use = 0; use < 2; ++use) {
    EXPECT_EQ(store().findBySecret(Secret{kClear}, now_).value().guid, "old");
    EXPECT_EQ(storedSecret("old"), toHex(crypto::sha256(kClear)));
  }
  EXPECT_FALSE(store().findBySecret(Secret{storedSecret("old")}, now_));
}

TEST_P(ApiKeyStoreTest, LeavesUpstreamsKeysAsTheyAreWhileTheDatabaseMayGoBack) {
  insertAsUpstream();
  const crypto::TokenCipher cipher = legacyCipher();
  ApiKeyStore store(*database_, cipher);
  EXPECT_TRUE(store.findBySecret(Secret{kClear}, now_));
  EXPECT_EQ(storedSecret("old"), kClear);
}

TEST_P(ApiKeyStoreTest, NotesAUseOnceAMinute) {
  const Secret secret = makeApiKeySecret(random_);
  store().insert({.guid = "k1", .user = UserId{"u1"}, .comment = "ci"}, secret, now_);
  const auto use = [&](TimePoint at) {
    store().recordUse(store().findBySecret(secret, at).value(), at);
    return store().listForUser(UserId{"u1"}).at(0).lastUsed.value();
  };
  EXPECT_EQ(use(now_), now_);
  EXPECT_EQ(use(now_ + 59s), now_);
  EXPECT_EQ(use(now_ + 60s), now_ + 60s);
}

TEST_P(ApiKeyStoreTest, RemovesOnesOwnOnly) {
  const Secret secret = makeApiKeySecret(random_);
  store().insert({.guid = "k1", .user = UserId{"u1"}, .comment = "ci"}, secret, now_);
  EXPECT_FALSE(store().remove(UserId{"u2"}, "k1"));
  EXPECT_FALSE(store().hasKeys(UserId{"u2"}));
  EXPECT_TRUE(store().hasKeys(UserId{"u1"}));
  EXPECT_TRUE(store().remove(UserId{"u1"}, "k1"));
  EXPECT_FALSE(store().remove(UserId{"u1"}, "k1"));
  EXPECT_FALSE(store().findBySecret(secret, now_));
  EXPECT_EQ(count("stratos_api_keys"), 0);
}

}  // namespace
}  // namespace stratos::store
