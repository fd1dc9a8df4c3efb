#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <string>

#include "stratos/base/annotations.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::auth {

struct PasswordCheckerOptions {
  /// Hashes that are computed at the same time, so that a flood of sign-ins does not take all
  /// processors. More wait.
  int atOnce = 4;
  /// The longest wait for one's turn; the caller's own deadline still applies.
  std::chrono::milliseconds turn{5'000};
  /// Does the work; a seam for tests. Default: crypto::verifyPassword().
  std::function<bool(const Secret& password, const std::string& hash)> verify;
};

/// Compares passwords with bcrypt hashes and takes as long for a wrong name as for a wrong
/// password, whatever the costs of the hashes are.
///
/// Thread safety: safe from any thread.
class STRATOS_EXPORT PasswordChecker {
 public:
  explicit PasswordChecker(PasswordCheckerOptions options = {});

  /// Whether `hash` was made from `password`; an empty hash is that of a user who does not exist.
  /// The work is that of one hash of `greatestCost`, the greatest that any user's hash has (a hash
  /// of a greater cost takes what it takes). Throws Error(Unavailable) when it is not our turn in
  /// time.
  [[nodiscard]] bool matches(const Secret& password, const std::string& hash, int greatestCost,
                             Deadline deadline);

  /// The cost of a bcrypt hash; 0 when `hash` is none.
  [[nodiscard]] static int costOf(const std::string& hash) noexcept;

 private:
  class Turn;

  PasswordCheckerOptions options_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  int busy_ STRATOS_GUARDED_BY(mutex_) = 0;
};

}  // namespace stratos::auth
