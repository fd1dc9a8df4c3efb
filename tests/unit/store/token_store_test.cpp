#include "stratos/store/token_store.hpp"

#include <atomic>
#include <thread>

#include "store_fixture.hpp"
#include "stratos/base/error.hpp"

namespace stratos::store {
namespace {

class TokenStoreTest : public MigratedFixture {
 protected:
  void prepare() override {
    MigratedFixture::prepare();
    store_ = std::make_unique<SqlTokenStore>(*database_, *cipher_, random_);
  }

  static TokenRecord makeToken(const std::string& owner, const std::string& endpoint,
                               const std::string& text, std::int64_t expiry = 100) {
    TokenRecord record;
    record.owner = UserId(owner);
    record.endpoint = EndpointId(endpoint);
    record.authToken = Secret(text);
    record.refreshToken = Secret(text + "-refresh");
    record.expiry = expiry;
    return record;
  }

  void insertRaw(const std::string& guid, const std::string& type, const std::string& endpoint,
                 const std::string& user, const std::string& text, std::int64_t expiry) {
    run("INSERT INTO tokens (token_guid, token_type, cnsi_guid, user_guid, auth_token,"
        " refresh_token, token_expiry, auth_type) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        {guid, type, endpoint, user,
         db::Blob{cipher_->encrypt(Secret(text), "tokens.auth_token:" + guid)}, db::Blob{}, expiry,
         db::Null{}});
  }

  std::optional<TokenRecord> find(const std::string& user, const std::string& endpoint) {
    return store_->findForEndpoint(UserId(user), EndpointId(endpoint));
  }

  std::unique_ptr<SqlTokenStore> store_;
};

TEST_P(TokenStoreTest, SavesAndFinds) {
  TokenRecord record = makeToken("u1", "e1", "token");
  record.authType = "HttpBasic";
  record.metadata = "{}";
  const TokenRecord saved = store_->saveEndpointToken(record);
  EXPECT_EQ(saved.id.str().size(), 36u);
  const auto found = find("u1", "e1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, saved.id);
  EXPECT_EQ(found->version, saved.version);
  EXPECT_EQ(found->authToken, record.authToken);
  EXPECT_EQ(found->refreshToken, record.refreshToken);
  EXPECT_EQ(found->authType, "HttpBasic");
  EXPECT_EQ(found->metadata, "{}");
  EXPECT_EQ(found->expiry, 100);
  EXPECT_FALSE(found->isShared());
  EXPECT_FALSE(find("u2", "e1"));
  EXPECT_FALSE(find("u1", "e2"));
}

TEST_P(TokenStoreTest, SecondSaveKeepsTheIdAndReplacesTheRest) {
  const TokenRecord first = store_->saveEndpointToken(makeToken("u1", "e1", "one"));
  TokenRecord record = makeToken("u1", "e1", "two", 200);
  record.authType = "Bearer";
  const TokenRecord second = store_->saveEndpointToken(record);
  EXPECT_EQ(second.id, first.id);
  EXPECT_NE(second.version, first.version);
  EXPECT_EQ(second.authType, "Bearer");
  EXPECT_EQ(count("tokens"), 1);
}

TEST_P(TokenStoreTest, EmptyRefreshTokenIsStoredEncrypted) {
  TokenRecord record = makeToken("u1", "e1", "one");
  record.refreshToken = Secret();
  (void)store_->saveEndpointToken(record);
  const auto row = database_->connect().queryOne("SELECT refresh_token FROM tokens");
  EXPECT_FALSE(row->blob("refresh_token").empty());
  EXPECT_TRUE(find("u1", "e1")->refreshToken.empty());
}

TEST_P(TokenStoreTest, IncompleteRecordsAreRefused) {
  EXPECT_THROW((void)store_->saveEndpointToken(makeToken("", "e1", "t")), Error);
  EXPECT_THROW((void)store_->saveEndpointToken(makeToken("u1", "", "t")), Error);
  EXPECT_THROW((void)store_->saveEndpointToken(makeToken("u1", "e1", "")), Error);
  EXPECT_EQ(count("tokens"), 0);
}

TEST_P(TokenStoreTest, ReadsNullAuthTypeAndZeroLengthValues) {
  insertRaw("g", "cnsi", "e1", "u1", "text", 5);
  const auto found = find("u1", "e1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->authType, "OAuth2");
  EXPECT_TRUE(found->refreshToken.empty());
  EXPECT_EQ(found->metadata, "");
}

TEST_P(TokenStoreTest, OwnTokenComesBeforeASharedOne) {
  (void)store_->saveEndpointToken(makeToken(std::string(kSharedUserGuid), "e1", "shared", 900));
  EXPECT_TRUE(find("u1", "e1")->isShared());
  (void)store_->saveEndpointToken(makeToken("u1", "e1", "own", 100));
  EXPECT_EQ(find("u1", "e1")->authToken.reveal(), "own");
  EXPECT_EQ(find("u2", "e1")->authToken.reveal(), "shared");
}

TEST_P(TokenStoreTest, OfDuplicatesTheLatestExpiryCountsAndTheNextSaveLeavesOne) {
  insertRaw("a", "cnsi", "e1", "u1", "old", 1);
  insertRaw("b", "cnsi", "e1", "u1", "new", 9);
  insertRaw("c", "cnsi", "e1", "u1", "mid", 5);
  EXPECT_EQ(find("u1", "e1")->authToken.reveal(), "new");
  const TokenRecord saved = store_->saveEndpointToken(makeToken("u1", "e1", "saved"));
  EXPECT_EQ(saved.id.str(), "b");
  EXPECT_EQ(count("tokens"), 1);
}

TEST_P(TokenStoreTest, DisconnectedRowIsFoundByIdOnly) {
  TokenRecord record = makeToken("u1", "e1", "cleared_token", 0);
  record.disconnected = true;
  const TokenRecord saved = store_->saveEndpointToken(record);
  EXPECT_TRUE(saved.disconnected);
  EXPECT_FALSE(find("u1", "e1"));
  EXPECT_TRUE(store_->findById(UserId("u1"), saved.id)->disconnected);
  EXPECT_TRUE(store_->listForUser(UserId("u1"), nullptr).empty());
}

TEST_P(TokenStoreTest, LinkedTokenIsTheConsoleTokenOfTheSameUser) {
  const TokenRecord console = store_->saveConsoleToken(makeToken("u1", "", "login", 500));
  TokenRecord link = makeToken("u1", "e1", "");
  link.linkedTo = console.id;
  (void)store_->saveEndpointToken(link);
  const auto found = find("u1", "e1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->authToken.reveal(), "login");
  EXPECT_EQ(found->id, console.id);
  EXPECT_EQ(found->linkedTo, console.id);
  EXPECT_EQ(found->endpoint.str(), "e1");
  EXPECT_EQ(found->expiry, 500);
  EXPECT_EQ(found->version, console.version);

  TokenRecord renewed = *found;
  renewed.authToken = Secret("renewed");
  EXPECT_TRUE(store_->replaceIfUnchanged(renewed));
  EXPECT_EQ(store_->findConsoleToken(UserId("u1"))->authToken.reveal(), "renewed");
  EXPECT_EQ(store_->listForUser(UserId("u1"), nullptr).front().authToken.reveal(), "renewed");
}

TEST_P(TokenStoreTest, LinkToNothingIsRefusedAndNeverFound) {
  TokenRecord link = makeToken("u1", "e1", "");
  link.linkedTo = TokenId("nowhere");
  EXPECT_THROW((void)store_->saveEndpointToken(link), Error);
  EXPECT_EQ(count("tokens"), 0);
  run("INSERT INTO tokens (token_guid, token_type, cnsi_guid, user_guid, auth_token,"
      " refresh_token, token_expiry, linked_token) VALUES ('a', 'cnsi', 'e1', 'u1', $1, $1, 0,"
      " 'gone')",
      {db::Blob{"x"}});
  EXPECT_FALSE(find("u1", "e1"));
}

TEST_P(TokenStoreTest, ConsoleTokenIsKeptOncePerUser) {
  const TokenRecord first = store_->saveConsoleToken(makeToken("u1", "", "one"));
  const TokenRecord second = store_->saveConsoleToken(makeToken("u1", "", "two"));
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(second.endpoint.str(), kConsoleEndpointGuid);
  EXPECT_EQ(store_->findConsoleToken(UserId("u1"))->authToken.reveal(), "two");
  EXPECT_FALSE(store_->findConsoleToken(UserId("u2")));
  EXPECT_EQ(count("tokens WHERE token_type = 'uaa' AND cnsi_guid = 'STRATOS'"), 1);
}

TEST_P(TokenStoreTest, ListTakesOneStatementAndNamesTheUnreadable) {
  (void)store_->saveEndpointToken(makeToken("u1", "e1", "own"));
  (void)store_->saveEndpointToken(makeToken(std::string(kSharedUserGuid), "e1", "shared"));
  (void)store_->saveEndpointToken(makeToken(std::string(kSharedUserGuid), "e2", "shared"));
  (void)store_->saveEndpointToken(makeToken("u1", "e3", "moved"));
  (void)store_->saveEndpointToken(makeToken("u2", "e4", "foreign"));
  run("UPDATE tokens SET auth_token = (SELECT auth_token FROM tokens WHERE cnsi_guid = 'e4')"
      " WHERE cnsi_guid = 'e3'");
  std::vector<EndpointId> unreadable;
  const std::uint64_t before = database_->statementCount();
  const auto all = store_->listForUser(UserId("u1"), &unreadable);
  EXPECT_EQ(database_->statementCount() - before, 1u);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].authToken.reveal(), "own");
  EXPECT_EQ(all[1].authToken.reveal(), "shared");
  EXPECT_EQ(unreadable, std::vector<EndpointId>{EndpointId("e3")});
  EXPECT_THROW((void)find("u1", "e3"), Error);
}

TEST_P(TokenStoreTest, CompareAndSwapLosesToAnEarlierWriter) {
  const TokenRecord saved = store_->saveEndpointToken(makeToken("u1", "e1", "one"));
  TokenRecord mine = saved;
  mine.authToken = Secret("mine");
  mine.expiry = 777;
  const auto stored = store_->replaceIfUnchanged(mine);
  ASSERT_TRUE(stored);
  EXPECT_NE(stored->version, saved.version);
  EXPECT_EQ(find("u1", "e1")->version, stored->version);
  TokenRecord late = saved;
  late.authToken = Secret("late");
  EXPECT_FALSE(store_->replaceIfUnchanged(late));
  EXPECT_EQ(find("u1", "e1")->authToken.reveal(), "mine");
  EXPECT_EQ(find("u1", "e1")->expiry, 777);
  EXPECT_TRUE(store_->removeForEndpoint(UserId("u1"), EndpointId("e1")));
  EXPECT_FALSE(store_->replaceIfUnchanged(*stored));
  EXPECT_FALSE(store_->removeForEndpoint(UserId("u1"), EndpointId("e1")));
}

TEST_P(TokenStoreTest, OneOfManySwapsWins) {
  const TokenRecord saved = store_->saveEndpointToken(makeToken("u1", "e1", "one"));
  std::atomic<int> winners{0};
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      TokenRecord mine = saved;
      mine.authToken = Secret("writer " + std::to_string(i));
      try {
        if (store_->replaceIfUnchanged(mine)) ++winners;
      } catch (const Error&) {
        ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(failures, 0);
}

TEST_P(TokenStoreTest, ConcurrentSavesLeaveOneRow) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      try {
        (void)store_->saveEndpointToken(makeToken("u1", "e1", "t" + std::to_string(i)));
        (void)store_->saveConsoleToken(makeToken("u1", "", "t" + std::to_string(i)));
      } catch (const Error&) {
        ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(count("tokens WHERE token_type = 'cnsi'"), 1);
  EXPECT_EQ(count("tokens WHERE token_type = 'uaa'"), 1);
}

INSTANTIATE_TEST_SUITE_P(Dialects, TokenStoreTest, bothDialects(), dialectName);

}  // namespace
}  // namespace stratos::store
