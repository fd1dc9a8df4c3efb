#pragma once

#include <chrono>
#include <cstddef>
#include <iosfwd>

#include "lookup_chain.hpp"
#include "stratos/crypto/token_cipher.hpp"

namespace stratos::server {

/// How often a running server asks the database which key and format to write.
inline constexpr std::chrono::seconds kCipherRefreshInterval{5};

struct RekeyCommand {
  crypto::CipherFormat format = crypto::CipherFormat::Gcm;
  std::size_t batchSize = 100;
  /// Time that running servers get to learn of the change; longer than kCipherRefreshInterval, as a
  /// write that has begun must end, too.
  std::chrono::seconds wait{10};
};

/// Re-encrypts the stored tokens and secrets with ENCRYPTION_KEY. Progress and summary go to `out`,
/// what went wrong to `err`. Returns the exit status: 0 only when no row is left behind.
[[nodiscard]] int rekey(SettingMap environment, const RekeyCommand& command, std::ostream& out,
                        std::ostream& err, const LookupPlaces& places = {});

}  // namespace stratos::server
