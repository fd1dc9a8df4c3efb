#pragma once

#include "stratos/base/random.hpp"

namespace stratos::crypto {

/// Bytes from OpenSSL's generator. Thread safety: safe from any thread.
class STRATOS_EXPORT SystemRandom final : public Random {
 public:
  [[nodiscard]] std::string bytes(std::size_t count) override;
};

}  // namespace stratos::crypto
