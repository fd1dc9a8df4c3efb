#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "console/services.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/http/cookie.hpp"
#include "stratos/http/router.hpp"

namespace stratos::console {

/// Keeps everybody out of the API until the console is set up, and notices when it is, by this
/// process or another one on the same database. Safe from any thread.
class SetupGate {
 public:
  explicit SetupGate(Services& services) : services_(services) {}

  [[nodiscard]] http::Response pass(http::Request& request, const http::HandlerFunction& next);
  /// Reads the settings and puts the sign-in in force if they are complete; true if it is.
  bool reload();

 private:
  [[nodiscard]] bool isOpenNow();
  [[nodiscard]] bool tryReload();

  Services& services_;
  std::atomic<std::int64_t> nextLook_{0};  ///< Milliseconds since 1970.
  std::atomic<bool> looking_{false};
  std::string problem_;  ///< Of the last look; only for the one who looks.
  Mutex mutex_;          ///< Of reload().
};

/// Who may run the wizard: everybody where that is wanted, programs on the same machine, and
/// browsers that have opened the link with the code from the log. Only in set-up mode.
[[nodiscard]] bool maySetUp(const ConsoleOptions& options, const http::Request& request);
/// What a browser that has shown `code` gets.
[[nodiscard]] http::SetCookie setupCookie(const Secret& code);

}  // namespace stratos::console
