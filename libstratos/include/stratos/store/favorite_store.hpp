#pragma once

#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// Something that a user marked in the front end. A value.
struct Favorite {
  std::string guid;  ///< Made by favoriteGuid().
  std::string endpointType;
  std::string endpointId;
  std::string entityType;
  std::string entityId;
  std::string metadata;  ///< A JSON object as text; empty for none.
};

/// The non-empty ones of entity id, endpoint id, entity type and endpoint type, joined by `-`: the
/// front end computes the same.
[[nodiscard]] STRATOS_EXPORT std::string favoriteGuid(const Favorite& favorite);

/// The favourites of all users (`favorites`). Callable from any thread; all members throw
/// Error(Unavailable) when the database cannot be asked.
class STRATOS_EXPORT FavoriteStore {
 public:
  /// The database must outlive it.
  explicit FavoriteStore(db::Database& database);

  [[nodiscard]] std::vector<Favorite> listForUser(const UserId& user);
  /// False when the user has it already.
  bool insertIfAbsent(const UserId& user, const Favorite& favorite);
  /// False when the user has no such favourite.
  bool setMetadata(const UserId& user, const std::string& guid, const std::string& metadata);
  bool remove(const UserId& user, const std::string& guid);

 private:
  db::Database& database_;
};

}  // namespace stratos::store
