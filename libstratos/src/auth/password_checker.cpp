#include "stratos/auth/password_checker.hpp"

#include "stratos/base/error.hpp"
#include "stratos/crypto/password_hash.hpp"

namespace stratos::auth {

namespace {

constexpr std::size_t kHashLength = 60;

/// A hash of that cost that nobody's password has.
std::string decoy(int cost) {
  return (cost < 10 ? "$2a$0" : "$2a$") + std::to_string(cost) + "$" +
         std::string(kHashLength - 7, '.');
}

/// bcrypt does not look at more, and a check that ends early for one name only gives the name away.
bool canBeHashed(const Secret& password) {
  const std::string& text = password.reveal();
  return text.size() <= crypto::kMaxPasswordBytes && text.find('\0') == std::string::npos;
}

}  // namespace

/// Holds one of the places while it lives.
class PasswordChecker::Turn {
 public:
  Turn(PasswordChecker& checker, Deadline deadline) : checker_(checker) {
    MutexLock lock(checker_.mutex_);
    while (checker_.busy_ >= checker_.options_.atOnce) {
      if (deadline.hasPassed()) {
        throw Error(ErrorCode::Unavailable, "too many passwords are being checked");
      }
      checker_.changed_.wait_for(lock, deadline.remaining());
    }
    ++checker_.busy_;
  }
  ~Turn() {
    {
      const MutexLock lock(checker_.mutex_);
      --checker_.busy_;
    }
    checker_.changed_.notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  PasswordChecker& checker_;
};

PasswordChecker::PasswordChecker(PasswordCheckerOptions options) : options_(std::move(options)) {
  if (options_.atOnce < 1) options_.atOnce = 1;
  if (!options_.verify) options_.verify = crypto::verifyPassword;
}

int PasswordChecker::costOf(const std::string& hash) noexcept {
  const auto digit = [&](std::size_t at) { return hash[at] - '0'; };
  if (hash.size() != kHashLength || !hash.starts_with("$2") || hash[3] != '$' || hash[6] != '$' ||
      digit(4) < 0 || digit(4) > 9 || digit(5) < 0 || digit(5) > 9) {
    return 0;
  }
  return digit(4) * 10 + digit(5);
}

bool PasswordChecker::matches(const Secret& password, const std::string& hash, int greatestCost,
                              Deadline deadline) {
  const Secret nobodys{"x"};
  const int cost = costOf(hash);
  const Turn turn(*this, earliest(deadline, Deadline::after(options_.turn)));
  if (cost == 0 || !canBeHashed(password)) {
    static_cast<void>(options_.verify(nobodys, decoy(greatestCost)));
    return false;
  }
  const bool matches = options_.verify(password, hash);
  // Each cost is twice the work of the one below: c, c, c + 1, ... up to g - 1 are as much as g.
  for (int more = cost; more < greatestCost; ++more) {
    static_cast<void>(options_.verify(nobodys, decoy(more)));
  }
  return matches;
}

}  // namespace stratos::auth
