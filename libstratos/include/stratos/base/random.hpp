#pragma once

#include <cstddef>
#include <string>

#include "stratos/base/export.hpp"

namespace stratos {

/// Unpredictable bytes as an injected collaborator. Implementations must be callable from any
/// thread. The real one is crypto::SystemRandom.
class STRATOS_EXPORT Random {
 public:
  virtual ~Random() = default;
  /// `count` bytes fit for keys. Throws Error(Internal) when the system cannot supply them.
  [[nodiscard]] virtual std::string bytes(std::size_t count) = 0;
};

/// A random UUID (RFC 9562 version 4) in lower case.
[[nodiscard]] STRATOS_EXPORT std::string makeUuid(Random& random);

}  // namespace stratos
