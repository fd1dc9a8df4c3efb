#include "stratos/store/declared_endpoint_store.hpp"

#include <string>

#include "store/declared_endpoint_mark.hpp"

namespace stratos::store {

void DeclaredEndpointStore::mark(const EndpointId& id) {
  database_.connect().execute(
      "INSERT INTO stratos_settings (name, value) VALUES ($1, '') ON CONFLICT (name) DO NOTHING",
      {declaredEndpointMark(id)});
}

void DeclaredEndpointStore::forget(const EndpointId& id) {
  database_.connect().execute("DELETE FROM stratos_settings WHERE name = $1",
                              {declaredEndpointMark(id)});
}

std::vector<EndpointId> DeclaredEndpointStore::list() {
  const std::string prefix = declaredEndpointMark(EndpointId{});
  std::vector<EndpointId> ids;
  for (const db::Row& row : database_.connect().query(
           "SELECT name FROM stratos_settings WHERE name LIKE $1", {prefix + "%"})) {
    const std::string name = row.text("name");
    // The underscore of the prefix is a wildcard, too.
    if (name.starts_with(prefix)) ids.emplace_back(name.substr(prefix.size()));
  }
  return ids;
}

}  // namespace stratos::store
