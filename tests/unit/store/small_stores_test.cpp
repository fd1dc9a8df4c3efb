#include <algorithm>
#include <limits>

#include "store_fixture.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/session_store.hpp"
#include "stratos/store/settings_store.hpp"
#include "stratos/store/user_store.hpp"

namespace stratos::store {
namespace {

class SettingsStoreTest : public MigratedFixture {};
class SessionStoreTest : public MigratedFixture {};
class LocalUserStoreTest : public MigratedFixture {};

TEST_P(SettingsStoreTest, FirstInsertWins) {
  SettingsStore store(*database_);
  EXPECT_FALSE(store.find("x"));
  EXPECT_EQ(store.insertIfAbsent("x", "first"), "first");
  EXPECT_EQ(store.insertIfAbsent("x", "second"), "first");
  store.set("x", "third");
  EXPECT_EQ(store.find("x"), "third");
}

TEST_P(SettingsStoreTest, ConfigIsInsertedThenReplaced) {
  SettingsStore store(*database_);
  store.setConfig("env", "UAA_ENDPOINT", "a");
  store.setConfig("env", "UAA_ENDPOINT", "b");
  store.setConfig("other", "UAA_ENDPOINT", "c");
  EXPECT_EQ(store.configGroup("env"), (std::map<std::string, std::string>{{"UAA_ENDPOINT", "b"}}));
  EXPECT_EQ(store.configGroup("system").size(), 1u) << "upstream's marker row";
  EXPECT_NO_THROW(store.setConfig("env", "LONG", std::string(255, 'x')));
  EXPECT_THROW(store.setConfig("env", "LONG", std::string(256, 'x')), Error);
}

TEST_P(SessionStoreTest, KeepsTypedValues) {
  SqlSessionStore store(*database_);
  SessionRecord record;
  record.idHash = std::string(64, 'a');
  record.user = UserId("u1");
  record.tokenExpiry = std::numeric_limits<std::int64_t>::max();
  record.xsrfToken = Secret("xsrf");
  record.createdAt = TimePoint{std::chrono::milliseconds{1'723'975'262'123}};
  record.expiresAt = record.createdAt + std::chrono::minutes{20};
  store.insert(record);
  auto found = store.find(record.idHash);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user, record.user);
  EXPECT_EQ(found->tokenExpiry, record.tokenExpiry);
  EXPECT_EQ(found->xsrfToken, record.xsrfToken);
  EXPECT_EQ(found->createdAt, record.createdAt);
  EXPECT_EQ(found->expiresAt, record.expiresAt);

  record.expiresAt += std::chrono::minutes{1};
  EXPECT_TRUE(store.update(record));
  EXPECT_EQ(store.find(record.idHash)->expiresAt, record.expiresAt);
  EXPECT_TRUE(store.remove(record.idHash));
  EXPECT_FALSE(store.remove(record.idHash));
  EXPECT_FALSE(store.update(record));
  EXPECT_FALSE(store.find(record.idHash));
}

TEST_P(SessionStoreTest, RemovesByUserAndByTime) {
  SqlSessionStore store(*database_);
  for (int i = 0; i < 4; ++i) {
    SessionRecord record;
    record.idHash = std::to_string(i);
    record.user = UserId(i < 2 ? "u1" : "u2");
    record.expiresAt = fromUnixSeconds(100 + i);
    store.insert(record);
  }
  EXPECT_EQ(store.removeForUser(UserId("u1")), 2);
  EXPECT_EQ(store.removeExpired(fromUnixSeconds(103)), 1);
  EXPECT_TRUE(store.find("3"));
}

TEST_P(LocalUserStoreTest, InsertsOncePerName) {
  SqlLocalUserStore store(*database_);
  LocalUser user{UserId("g1"), "admin", "$2a$04$hash", "", "stratos.admin", "Admin", "User"};
  EXPECT_TRUE(store.insertIfAbsent(user));
  user.id = UserId("g2");
  user.passwordHash = "other";
  EXPECT_FALSE(store.insertIfAbsent(user));
  const auto found = store.findByName("admin");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id.str(), "g1");
  EXPECT_EQ(found->passwordHash, "$2a$04$hash");
  EXPECT_EQ(found->scope, "stratos.admin");
  EXPECT_EQ(found->givenName, "Admin");
  EXPECT_TRUE(store.find(UserId("g1")));
  EXPECT_FALSE(store.find(UserId("g2")));
  EXPECT_FALSE(store.findByName("Admin"));
}

TEST_P(LocalUserStoreTest, RecordsTheLoginInUtc) {
  SqlLocalUserStore store(*database_);
  EXPECT_TRUE(store.insertIfAbsent({UserId("g1"), "admin", "h", "", "s", "", ""}));
  const TimePoint at{std::chrono::milliseconds{1'723'975'262'123}};
  store.recordLogin(UserId("g1"), at);
  EXPECT_EQ(
      database_->connect().queryOne("SELECT last_login FROM local_users")->timestamp("last_login"),
      at);
}

TEST_P(LocalUserStoreTest, ListsHowHashesWereMade) {
  SqlLocalUserStore store(*database_);
  EXPECT_TRUE(store.listHashKinds().empty());
  for (const char* hash : {"$2a$12$abc", "$2a$14$abc", "$2a$12$xyz"}) {
    EXPECT_TRUE(store.insertIfAbsent({UserId(hash), hash, hash, "", "s", "", ""}));
  }
  auto kinds = store.listHashKinds();
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(kinds, (std::vector<std::string>{"$2a$12$", "$2a$14$"}));
}

INSTANTIATE_TEST_SUITE_P(Dialects, SettingsStoreTest, bothDialects(), dialectName);
INSTANTIATE_TEST_SUITE_P(Dialects, SessionStoreTest, bothDialects(), dialectName);
INSTANTIATE_TEST_SUITE_P(Dialects, LocalUserStoreTest, bothDialects(), dialectName);

}  // namespace
}  // namespace stratos::store
