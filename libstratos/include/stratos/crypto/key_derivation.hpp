#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::crypto {

/// The cost of scrypt (RFC 7914): about 128 * n * r bytes of memory, n * r * p blocks of work.
struct ScryptCost {
  std::uint64_t n = 32'768;  ///< A power of two above 1.
  std::uint32_t r = 8;
  std::uint32_t p = 1;
};

/// A key of `bytes` bytes from a password, slow on purpose: a tenth of a second and 32 MiB at the
/// default cost. Throws Error(InvalidArgument) for a cost that scrypt does not allow or that needs
/// more than 256 MiB.
[[nodiscard]] STRATOS_EXPORT Secret scrypt(const Secret& password, std::string_view salt,
                                           const ScryptCost& cost, std::size_t bytes);

}  // namespace stratos::crypto
