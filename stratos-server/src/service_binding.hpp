#pragma once

#include <optional>
#include <string>

#include "stratos/db/database.hpp"

namespace stratos::server {

/// A database that Cloud Foundry has bound to the application.
struct BoundDatabase {
  std::string service;  ///< Its name, for the log.
  /// Place and credentials; of the TLS options only those that the binding names.
  db::PostgreSqlOptions options;
  /// As the binding asks for it; empty when it says nothing.
  std::string sslMode;
};

/// The database in `vcapServices`, the document that Cloud Foundry calls VCAP_SERVICES; empty when
/// none is bound. The only database service is used, or of several the one with the tag "stratos".
/// Throws Error(InvalidArgument) with one sentence that names the service, never its credentials,
/// when one is bound that cannot be used.
[[nodiscard]] std::optional<BoundDatabase> findBoundDatabase(const std::string& vcapServices);

/// The parts of `postgres://user:password@host:port/database?option=value`, percent-decoded. The
/// port is 5432 unless given; of the options, host, port, user, password, dbname, sslmode, sslcert,
/// sslkey and sslrootcert count and others are ignored, as services add some for other clients.
/// Throws Error(InvalidArgument) that says which part is wrong without quoting it.
[[nodiscard]] BoundDatabase parsePostgreSqlUri(const std::string& uri);

}  // namespace stratos::server
