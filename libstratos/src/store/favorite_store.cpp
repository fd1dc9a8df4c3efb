#include "stratos/store/favorite_store.hpp"

namespace stratos::store {

std::string favoriteGuid(const Favorite& favorite) {
  std::string guid;
  for (const std::string* part :
       {&favorite.entityId, &favorite.endpointId, &favorite.entityType, &favorite.endpointType}) {
    if (part->empty()) continue;
    if (!guid.empty()) guid += '-';
    guid += *part;
  }
  return guid;
}

FavoriteStore::FavoriteStore(db::Database& database) : database_(database) {}

std::vector<Favorite> FavoriteStore::listForUser(const UserId& user) {
  std::vector<Favorite> favorites;
  for (const db::Row& row : database_.connect().query(
           "SELECT guid, endpoint_type, endpoint_id, entity_type, entity_id, metadata"
           " FROM favorites WHERE user_guid = $1 ORDER BY guid",
           {user.str()})) {
    favorites.push_back({.guid = row.text("guid"),
                         .endpointType = row.text("endpoint_type"),
                         .endpointId = row.text("endpoint_id"),
                         .entityType = row.text("entity_type"),
                         .entityId = row.text("entity_id"),
                         .metadata = row.text("metadata")});
  }
  return favorites;
}

bool FavoriteStore::insertIfAbsent(const UserId& user, const Favorite& favorite) {
  // Databases of some releases have no key here that could decide.
  bool inserted = false;
  database_.transact([&](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock("favorites:" + user.str());
    inserted = !connection.queryOne("SELECT guid FROM favorites WHERE guid = $1 AND user_guid = $2",
                                    {favorite.guid, user.str()});
    if (!inserted) return;
    connection.execute(
        "INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type,"
        " entity_id, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        {favorite.guid, user.str(), favorite.endpointType, favorite.endpointId, favorite.entityType,
         favorite.entityId, favorite.metadata});
  });
  return inserted;
}

bool FavoriteStore::setMetadata(const UserId& user, const std::string& guid,
                                const std::string& metadata) {
  return database_.connect().execute(
             "UPDATE favorites SET metadata = $1 WHERE guid = $2 AND user_guid = $3",
             {metadata, guid, user.str()}) > 0;
}

bool FavoriteStore::remove(const UserId& user, const std::string& guid) {
  return database_.connect().execute("DELETE FROM favorites WHERE guid = $1 AND user_guid = $2",
                                     {guid, user.str()}) > 0;
}

}  // namespace stratos::store
