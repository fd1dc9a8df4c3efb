#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// How often something was tried in vain, under a key that tells nobody what it was.
struct SignInFailures {
  std::int64_t count = 0;
  TimePoint blockedUntil{};
  TimePoint changedAt{};
  friend bool operator==(const SignInFailures&, const SignInFailures&) = default;
};

/// Failed sign-ins of all replicas (`stratos_sign_in_failures`). Callable from any thread; throws
/// Error(Unavailable) when the database cannot be asked.
class STRATOS_EXPORT SignInFailureStore {
 public:
  using Entries = std::map<std::string, SignInFailures>;

  /// The database must outlive it.
  explicit SignInFailureStore(db::Database& database);

  /// Hands `change` the entries of `keys` (absent ones with changedAt 0) and stores what it makes of
  /// them; an entry with changedAt 0 is deleted. Nobody else reads or writes them meanwhile. `change` may run more than once.
  void update(const std::vector<std::string>& keys, const std::function<void(Entries&)>& change);
  /// Deletes what was last changed before `time`; returns how many.
  std::int64_t removeOlderThan(TimePoint time);

 private:
  db::Database& database_;
};

}  // namespace stratos::store
