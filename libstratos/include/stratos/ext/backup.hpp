#pragma once

#include <memory>

#include "stratos/base/export.hpp"
#include "stratos/base/random.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"

namespace stratos::ext {

/// Backup and restore of endpoints and tokens into a file that a password protects:
/// `POST /pp/v1/endpoints/backup` and `/restore`, for administrators. Files go both ways between
/// this console and upstream's; those made here also carry a seal that tells a wrong password and a
/// changed file apart from a good one.
///
/// The collaborators are the console's own and must outlive the extension.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeBackup(
    db::Database& database, const crypto::TokenCipher& cipher, Random& random);

}  // namespace stratos::ext
