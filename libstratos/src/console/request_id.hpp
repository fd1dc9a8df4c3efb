#pragma once

#include <cstdint>
#include <string>

#include "stratos/base/encoding.hpp"

namespace stratos::console {

/// Names a request in the log and in its answer; put there by the first step.
struct RequestId {
  std::uint64_t number;

  [[nodiscard]] std::string str() const {
    return toHex({reinterpret_cast<const char*>(&number), sizeof number});
  }
};

}  // namespace stratos::console
