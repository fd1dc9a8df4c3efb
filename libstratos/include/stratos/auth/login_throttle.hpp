#pragma once

#include <chrono>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/store/sign_in_failure_store.hpp"

namespace stratos::auth {

/// After so many failures each further one has to wait, twice as long as the one before.
struct ThrottleLimit {
  int freeFailures;
  std::chrono::seconds longestWait;
};

struct LoginThrottleOptions {
  bool enabled = true;
  /// Of one account from one address.
  ThrottleLimit pair{5, std::chrono::minutes{15}};
  /// Of one address (IPv6: its /64 network) for all accounts that never signed in from there, so
  /// that nobody keeps out who shares it: an office, a proxy.
  ThrottleLimit address{50, std::chrono::minutes{15}};
  /// Of one account from all addresses from which it never signed in: short, so that strangers
  /// cannot lock somebody out.
  ThrottleLimit account{100, std::chrono::seconds{60}};
  /// What happened before is forgotten.
  std::chrono::hours memory{24};
  /// How long an address counts as one that the account signs in from.
  std::chrono::hours trust{24 * 30};
};

/// Slows down guessing of passwords, across all replicas. An attempt counts as failed before the
/// password is looked at, so parallel guesses are all counted; success takes that back.
///
/// Only hashes of accounts and addresses are stored. Thread safety: safe from any thread; the
/// collaborators must outlive it. All members throw Error(Unavailable) when the database cannot be
/// asked.
class STRATOS_EXPORT LoginThrottle {
 public:
  LoginThrottle(store::SignInFailureStore& store, const Clock& clock,
                LoginThrottleOptions options = {});

  /// Counts an attempt. Returns how long to wait when it must not be made now, else zero.
  [[nodiscard]] std::chrono::seconds attempt(const std::string& account,
                                             const std::string& address);
  /// The attempt was right.
  void succeeded(const std::string& account, const std::string& address);
  /// The attempt was not decided (the back end is away): it counts for nothing.
  void undecided(const std::string& account, const std::string& address);
  /// Forgets what is old.
  void sweep();

 private:
  store::SignInFailureStore& store_;
  const Clock& clock_;
  LoginThrottleOptions options_;
};

}  // namespace stratos::auth
