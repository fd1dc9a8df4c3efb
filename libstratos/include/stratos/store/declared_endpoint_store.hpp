#pragma once

#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// Which endpoints an endpoints file has brought. A mark goes with its endpoint: see
/// EndpointStore::removeWithDependents(). Callable from any thread.
class STRATOS_EXPORT DeclaredEndpointStore {
 public:
  explicit DeclaredEndpointStore(db::Database& database) : database_(database) {}

  void mark(const EndpointId& id);
  void forget(const EndpointId& id);
  /// In no particular order.
  [[nodiscard]] std::vector<EndpointId> list();

 private:
  db::Database& database_;
};

}  // namespace stratos::store
