#include "stratos/base/clock.hpp"

namespace stratos {

TimePoint SystemClock::now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace stratos
