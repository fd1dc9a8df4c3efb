#pragma once

#include <string>

namespace stratos::console {

/// Names a request in the log and in its answer; put there by the first step.
struct RequestId {
  std::string value;
};

}  // namespace stratos::console
