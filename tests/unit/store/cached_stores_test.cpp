#include "stratos/store/cached_stores.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "store/snapshot_cache.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/seeded_random.hpp"

namespace stratos::store {
namespace {

using namespace std::chrono_literals;

using Cache = SnapshotCache<std::string>;

/// Loads `value`, and counts how often.
struct Source {
  std::optional<std::string> value = "first";
  int loads = 0;
  std::optional<std::string> operator()() {
    ++loads;
    return value;
  }
};

class SnapshotCacheTest : public ::testing::Test {
 protected:
  std::string get(const std::string& key = "k") {
    const auto found = cache_.get(key, [this] { return source_(); });
    return found ? *found : "(none)";
  }
  testing::ManualClock clock_;
  Cache cache_{clock_, 3s, 64};
  Source source_;
};

TEST_F(SnapshotCacheTest, LoadsOnceAndAgainWhenTooOld) {
  EXPECT_EQ(get(), "first");
  source_.value = "second";
  clock_.advance(2999ms);
  EXPECT_EQ(get(), "first");
  EXPECT_EQ(source_.loads, 1);
  clock_.advance(1ms);
  EXPECT_EQ(get(), "second");
}

TEST_F(SnapshotCacheTest, AClockThatIsSetBackMakesNothingYounger) {
  EXPECT_EQ(get(), "first");
  source_.value = "second";
  clock_.advance(-1h);
  EXPECT_EQ(get(), "second");
}

TEST_F(SnapshotCacheTest, WhatIsAbsentIsAskedForAgain) {
  source_.value.reset();
  EXPECT_EQ(get(), "(none)");
  source_.value = "there";
  EXPECT_EQ(get(), "there");
}

TEST_F(SnapshotCacheTest, ForgetsWhatWasInvalidated) {
  get("a");
  get("b");
  cache_.invalidate("a");
  EXPECT_EQ(cache_.size(), 1U);
  cache_.invalidateIf([](const std::string& value) { return value == "first"; });
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(SnapshotCacheTest, AGroupIsForgottenAtOnce) {
  for (const char* key : {"ann\n1", "ann\n2", "ann", "annie\n1", "joe\n1"}) get(key);
  cache_.invalidateGroup("ann");
  EXPECT_EQ(cache_.size(), 3U);
  const int loads = source_.loads;
  for (const char* key : {"ann", "annie\n1", "joe\n1"}) get(key);
  EXPECT_EQ(source_.loads, loads);
}

TEST_F(SnapshotCacheTest, WhatIsTooOldIsFreed) {
  get("old");
  clock_.advance(2s);
  get("young");
  clock_.advance(1s);
  cache_.prune();
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(SnapshotCacheTest, DropsTheLeastRecentlyUsed) {
  for (int i = 0; i < 10'000; ++i) {
    get(std::to_string(i));
    get("always");
  }
  EXPECT_LE(cache_.size(), 80U) << "the capacity, and a little for its parts";
  const int loads = source_.loads;
  get("always");
  EXPECT_EQ(source_.loads, loads);
}

TEST_F(SnapshotCacheTest, KeepsNothingThatWasLoadedDuringAChange) {
  const auto read = cache_.get("k", [&]() -> std::optional<std::string> {
    cache_.invalidate("k");  // The row is changed after it was read, before it is kept.
    return "old";
  });
  EXPECT_EQ(*read, "old");
  EXPECT_EQ(get(), "first");
}

TEST_F(SnapshotCacheTest, AFailedLoadIsNoAnswer) {
  const auto fail = []() -> std::optional<std::string> {
    throw Error(ErrorCode::Unavailable, "the database is away");
  };
  EXPECT_THROW(static_cast<void>(cache_.get("k", fail)), Error);
  EXPECT_EQ(get(), "first");
}

TEST_F(SnapshotCacheTest, WithoutAgeNothingIsKept) {
  Cache none{clock_, 0s, 64};
  for (int i = 0; i < 2; ++i) static_cast<void>(none.get("k", [this] { return source_(); }));
  EXPECT_EQ(source_.loads, 2);
  EXPECT_EQ(none.size(), 0U);
}

/// Readers and a writer at once: once a change has been made known, nobody who asks afterwards gets
/// what was before it.
TEST_F(SnapshotCacheTest, NoReaderGetsWhatWasReplaced) {
  constexpr std::int64_t kChanges = 2'000;
  SnapshotCache<std::int64_t> cache{clock_, 1h, 64};
  std::atomic<std::int64_t> row = 0;
  std::atomic<std::int64_t> announced = 0;
  std::atomic<bool> wrong = false;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i) {
      readers.emplace_back([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const std::int64_t atLeast = announced.load();
          const auto seen = cache.get("k", [&] { return std::optional(row.load()); });
          if (*seen < atLeast) wrong = true;
        }
      });
    }
    for (std::int64_t i = 1; i <= kChanges; ++i) {
      row = i;
      cache.invalidate("k");
      announced = i;
    }
  }
  EXPECT_FALSE(wrong);
}

/// Stores in memory that count what they are asked.
class MemorySessions final : public SessionStore {
 public:
  void insert(const SessionRecord& record) override { rows[record.idHash] = record; }
  std::optional<SessionRecord> find(const std::string& idHash) override {
    ++finds;
    const auto found = rows.find(idHash);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<SessionRecord> listForUser(const UserId&) override { return {}; }
  bool update(const SessionRecord& record) override {
    rows[record.idHash].expiresAt = record.expiresAt;
    return true;
  }
  bool remove(const std::string& idHash) override { return rows.erase(idHash) > 0; }
  bool removeByPublicId(const UserId&, const std::string& publicId) override {
    return std::erase_if(rows, [&](const auto& row) { return row.second.publicId == publicId; }) >
           0;
  }
  std::int64_t removeForUser(const UserId& user) override {
    return static_cast<std::int64_t>(
        std::erase_if(rows, [&](const auto& row) { return row.second.user == user; }));
  }
  std::int64_t removeOthers(const UserId& user, const std::string& kept) override {
    return static_cast<std::int64_t>(std::erase_if(rows, [&](const auto& row) {
      return row.second.user == user && row.second.idHash != kept;
    }));
  }
  std::int64_t removeExpired(TimePoint) override { return 0; }

  std::map<std::string, SessionRecord> rows;
  int finds = 0;
};

class NoEndpoints final : public EndpointStore {
 public:
  std::vector<EndpointRecord> list() override { return {}; }
  std::optional<EndpointRecord> find(const EndpointId& id) override {
    ++finds;
    EndpointRecord record;
    record.id = id;
    return record;
  }
  void insert(const EndpointRecord&) override {}
  bool update(const EndpointRecord&) override { return true; }
  bool updateMetadata(const EndpointId&, const std::string&) override { return true; }
  bool removeWithDependents(const EndpointId&) override { return true; }
  int finds = 0;
};

class CountedTokens final : public TokenStore {
 public:
  std::optional<TokenRecord> findForEndpoint(const UserId& user, const EndpointId&) override {
    ++finds;
    TokenRecord record;
    record.owner = user;
    record.id = TokenId{"t"};
    return record;
  }
  std::optional<TokenRecord> findById(const UserId& owner, const TokenId&) override {
    return findForEndpoint(owner, EndpointId{});
  }
  std::optional<TokenRecord> findConsoleToken(const UserId& user) override {
    return findForEndpoint(user, EndpointId{});
  }
  std::vector<TokenRecord> listForUser(const UserId&, std::vector<EndpointId>*) override {
    return {};
  }
  TokenRecord saveConsoleToken(const TokenRecord& record) override { return record; }
  TokenRecord saveEndpointToken(const TokenRecord& record) override { return record; }
  std::optional<TokenRecord> replaceIfUnchanged(const TokenRecord& record) override {
    return record;
  }
  bool removeForEndpoint(const UserId&, const EndpointId&) override { return true; }
  bool markDisconnected(const UserId&, const EndpointId&) override { return true; }
  bool wasDisconnected(const UserId&, const EndpointId&) override { return false; }
  int finds = 0;
};

class CachedStoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [id, user] : {std::pair{"s1", "ann"}, {"s2", "ann"}, {"s3", "joe"}}) {
      SessionRecord record;
      record.idHash = id;
      record.user = UserId{user};
      record.publicId = std::string{"public-"} + id;
      record.expiresAt = clock_.now() + 1h;
      sessions_.insert(record);
      static_cast<void>(stores_.sessions().find(id));
    }
    sessions_.finds = 0;
  }
  bool has(const std::string& id) { return stores_.sessions().find(id).has_value(); }
  void useTokens() {
    static_cast<void>(stores_.tokens().findForEndpoint(UserId{"ann"}, EndpointId{"e"}));
    static_cast<void>(stores_.tokens().findConsoleToken(UserId{"ann"}));
    static_cast<void>(stores_.tokens().findForEndpoint(UserId{"joe"}, EndpointId{"e"}));
  }
  /// Which of the three the store behind is asked for after `act`.
  template <class Act>
  int askedAfter(Act&& act) {
    useTokens();
    act();
    tokens_.finds = 0;
    useTokens();
    return tokens_.finds;
  }

  testing::ManualClock clock_;
  MemorySessions sessions_;
  NoEndpoints endpoints_;
  CountedTokens tokens_;
  CachedStores stores_{sessions_, endpoints_, tokens_, clock_};
};

TEST_F(CachedStoresTest, AsksForASessionOnce) {
  EXPECT_TRUE(has("s1"));
  EXPECT_TRUE(has("s2"));
  EXPECT_EQ(sessions_.finds, 0);
}

TEST_F(CachedStoresTest, AnEndedSessionIsGoneAtOnce) {
  stores_.sessions().remove("s1");
  EXPECT_FALSE(has("s1"));
  stores_.sessions().removeByPublicId(UserId{"ann"}, "public-s2");
  EXPECT_FALSE(has("s2"));
  stores_.sessions().removeForUser(UserId{"joe"});
  EXPECT_FALSE(has("s3"));
}

TEST_F(CachedStoresTest, TheOtherSessionsOfAUserAreGoneAtOnce) {
  stores_.sessions().removeOthers(UserId{"ann"}, "s1");
  EXPECT_TRUE(has("s1"));
  EXPECT_FALSE(has("s2"));
  EXPECT_TRUE(has("s3"));
}

TEST_F(CachedStoresTest, ARenewedSessionIsReadAnew) {
  SessionRecord record;
  record.idHash = "s1";
  record.expiresAt = TimePoint{42s};
  stores_.sessions().update(record);
  EXPECT_EQ(stores_.sessions().find("s1")->expiresAt, TimePoint{42s});
}

TEST_F(CachedStoresTest, ASessionThatSeemsExpiredIsReadAnew) {
  sessions_.rows["s1"].expiresAt = clock_.now() + 1s;
  stores_.clear();
  EXPECT_TRUE(has("s1"));
  sessions_.rows["s1"].expiresAt = clock_.now() + 1h;  // Renewed on another replica.
  clock_.advance(1s);
  EXPECT_EQ(stores_.sessions().find("s1")->expiresAt, sessions_.rows["s1"].expiresAt);
}

TEST_F(CachedStoresTest, WhatAnotherProcessEndsIsGoneWhenAnnouncedOrALittleLater) {
  sessions_.rows.clear();
  EXPECT_TRUE(has("s1"));
  stores_.apply("session s1");
  EXPECT_FALSE(has("s1"));
  EXPECT_TRUE(has("s2")) << "not announced";
  clock_.advance(CacheOptions{}.staleness);
  EXPECT_FALSE(has("s2"));
}

TEST_F(CachedStoresTest, WhatIsNotUnderstoodMayMeanAnything) {
  for (const char* announcement : {"", "session", "session ", "tables", "x y"}) {
    has("s1");
    sessions_.finds = 0;
    stores_.apply(announcement);
    has("s1");
    EXPECT_EQ(sessions_.finds, 1) << announcement;
  }
}

TEST_F(CachedStoresTest, TokensAreForgottenByTheirOwner) {
  const UserId ann{"ann"};
  const UserId everybody{std::string{kSharedUserGuid}};
  TokenRecord record;
  record.owner = ann;
  auto& tokens = stores_.tokens();
  EXPECT_EQ(askedAfter([] {}), 0);
  EXPECT_EQ(askedAfter([&] { tokens.saveEndpointToken(record); }), 2);
  EXPECT_EQ(askedAfter([&] { tokens.saveConsoleToken(record); }), 2);
  EXPECT_EQ(askedAfter([&] { static_cast<void>(tokens.replaceIfUnchanged(record)); }), 2);
  EXPECT_EQ(askedAfter([&] { tokens.removeForEndpoint(ann, EndpointId{"e"}); }), 2);
  EXPECT_EQ(askedAfter([&] { tokens.markDisconnected(ann, EndpointId{"e"}); }), 2);
  EXPECT_EQ(askedAfter([&] { static_cast<void>(tokens.findById(ann, TokenId{"t"})); }), 2)
      << "what was refused must not be handed out again";
  EXPECT_EQ(askedAfter([&] { tokens.removeForEndpoint(everybody, EndpointId{"e"}); }), 3);
  EXPECT_EQ(askedAfter([&] { stores_.apply("token ann"); }), 2);
  EXPECT_EQ(askedAfter([&] { stores_.apply("token " + everybody.str()); }), 3);
  EXPECT_EQ(askedAfter([&] { stores_.endpoints().removeWithDependents(EndpointId{"e"}); }), 3);
}

TEST_F(CachedStoresTest, AChangedEndpointIsReadAnew) {
  auto& endpoints = stores_.endpoints();
  const auto askedOnceAfter = [&](auto&& act) {
    static_cast<void>(endpoints.find(EndpointId{"e"}));
    endpoints_.finds = 0;
    static_cast<void>(endpoints.find(EndpointId{"e"}));
    EXPECT_EQ(endpoints_.finds, 0);
    act();
    static_cast<void>(endpoints.find(EndpointId{"e"}));
    EXPECT_EQ(endpoints_.finds, 1);
  };
  EndpointRecord record;
  record.id = EndpointId{"e"};
  askedOnceAfter([&] { endpoints.update(record); });
  askedOnceAfter([&] { endpoints.updateMetadata(record.id, "{}"); });
  askedOnceAfter([&] { endpoints.removeWithDependents(record.id); });
  askedOnceAfter([&] { stores_.apply("endpoint e"); });
  askedOnceAfter([&] { stores_.clear(); });
}

}  // namespace
}  // namespace stratos::store
