#pragma once

#include <string_view>

#include "stratos/db/database.hpp"

namespace stratos::store {

inline constexpr const char* kUpstreamHistoryTable = "goose_db_version";
inline constexpr const char* kOwnHistoryTable = "stratos_schema_history";

/// Names in stratos_settings.
inline constexpr std::string_view kCiphertextFormatSetting = "ciphertext_format";
inline constexpr std::string_view kKeyCheckSetting = "encryption_key_check";

/// Adds what databases of some releases lack although their history says otherwise. Writes no
/// history row: a late one would make a returning upstream repeat steps.
void repairUpstreamSchema(db::Connection& connection);

}  // namespace stratos::store
