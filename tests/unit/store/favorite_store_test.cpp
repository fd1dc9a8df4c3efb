#include "stratos/store/favorite_store.hpp"

#include "store_fixture.hpp"

namespace stratos::store {
namespace {

class FavoriteStoreTest : public MigratedFixture {
 protected:
  FavoriteStore store() { return FavoriteStore{*database_}; }
  static Favorite favorite() {
    Favorite result{.guid = {},
                    .endpointType = "cf",
                    .endpointId = "e1",
                    .entityType = "application",
                    .entityId = "app-1",
                    .metadata = R"({"name":"one"})"};
    result.guid = favoriteGuid(result);
    return result;
  }
  const UserId user_{"u1"};
};
INSTANTIATE_TEST_SUITE_P(Dialects, FavoriteStoreTest, bothDialects(), dialectName);

TEST_P(FavoriteStoreTest, NamesAsTheFrontEndDoes) {
  EXPECT_EQ(favorite().guid, "app-1-e1-application-cf");
  EXPECT_EQ(favoriteGuid({.guid = "ignored",
                          .endpointType = "cf",
                          .endpointId = "e1",
                          .entityType = "endpoint",
                          .entityId = "",
                          .metadata = ""}),
            "e1-endpoint-cf");
}

TEST_P(FavoriteStoreTest, KeepsEachOnceForEachUser) {
  EXPECT_TRUE(store().insertIfAbsent(user_, favorite()));
  EXPECT_FALSE(store().insertIfAbsent(user_, favorite()));
  EXPECT_TRUE(store().insertIfAbsent(UserId{"u2"}, favorite()));
  const auto list = store().listForUser(user_);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].guid, favorite().guid);
  EXPECT_EQ(list[0].entityId, "app-1");
  EXPECT_EQ(list[0].metadata, R"({"name":"one"})");
}

TEST_P(FavoriteStoreTest, ChangesAndRemovesOnesOwn) {
  store().insertIfAbsent(user_, favorite());
  EXPECT_FALSE(store().setMetadata(UserId{"u2"}, favorite().guid, "{}"));
  EXPECT_TRUE(store().setMetadata(user_, favorite().guid, R"({"a":1})"));
  EXPECT_EQ(store().listForUser(user_)[0].metadata, R"({"a":1})");
  EXPECT_FALSE(store().remove(UserId{"u2"}, favorite().guid));
  EXPECT_TRUE(store().remove(user_, favorite().guid));
  EXPECT_FALSE(store().remove(user_, favorite().guid));
}

TEST_P(FavoriteStoreTest, ReadsOldRows) {  // NULL columns; bytes where the column is TEXT.
  run("INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type)"
      " VALUES ('g1', 'u1', 'cf', 'e1', 'endpoint')");
  if (database_->dialect() == db::Dialect::Sqlite) {
    run("INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type, metadata)"
        " VALUES ('g2', 'u1', 'cf', 'e1', 'endpoint', $1)",
        {db::Blob{"{\"b\":2}"}});
    EXPECT_EQ(store().listForUser(user_).at(1).metadata, "{\"b\":2}");
  }
  const Favorite old = store().listForUser(user_).at(0);
  EXPECT_EQ(old.entityId, "");
  EXPECT_EQ(old.metadata, "");
}

}  // namespace
}  // namespace stratos::store
