#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/db/database.hpp"

namespace stratos::store {

inline constexpr const char* kUpstreamHistoryTable = "goose_db_version";
inline constexpr const char* kOwnHistoryTable = "stratos_schema_history";

/// Names in stratos_settings.
inline constexpr std::string_view kCiphertextFormatSetting = "ciphertext_format";
inline constexpr std::string_view kKeyCheckSetting = "encryption_key_check";

/// What repairUpstreamSchema() would add to a database whose history ends with `version`; names
/// nothing that a migration after that version makes.
[[nodiscard]] std::vector<std::string> missingUpstreamParts(db::Connection& connection,
                                                            std::int64_t version);
/// Adds what databases of some releases lack although their history says otherwise. Writes no
/// history row: a late one would make a returning upstream repeat steps.
void repairUpstreamSchema(db::Connection& connection);

}  // namespace stratos::store
