#pragma once

#include "settings.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"

namespace stratos::server {

/// With STRATOS_GENERATE_ENCRYPTION_KEY, and without ENCRYPTION_KEY, makes encryptionKeyFile(): a
/// new random key, readable by its owner only. Does nothing when the file exists. Of several
/// processes that do this at the same time one makes the key.
///
/// Throws Error(InvalidArgument) when there is a SQLite database already, whose key is another one,
/// Error(Unavailable) when the file cannot be written.
void provideKeyFile(const Settings& settings, Random& random, LogSink& log);

}  // namespace stratos::server
