#include "stratos/auth/login_throttle.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include "stratos/base/encoding.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::auth {

namespace {

using store::SignInFailures;
using Entries = store::SignInFailureStore::Entries;

/// One household or server has a whole /64 of IPv6.
std::string networkOf(const std::string& address) {
  in6_addr parsed{};
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return address;
  if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &parsed.s6_addr[12], text.data(), text.size());
    return text.data();
  }
  return toHex({reinterpret_cast<const char*>(parsed.s6_addr), 8});
}

std::string hashed(const char* kind, const std::string& account, const std::string& address) {
  return toHex(crypto::sha256(std::string{kind} + '\n' + account + '\n' + address));
}

struct Keys {
  Keys(const std::string& name, const std::string& clientAddress) {
    const std::string address = networkOf(clientAddress);
    // Upper and lower case are one account to a UAA.
    const std::string folded = toLower(name);
    pair = hashed("pair", folded, address);
    network = hashed("address", "", address);
    account = hashed("account", folded, "");
    trusted = hashed("trusted", folded, address);
  }
  [[nodiscard]] std::vector<std::string> all() const { return {pair, network, account, trusted}; }

  std::string pair;
  std::string network;
  std::string account;
  std::string trusted;
};

/// The wait after the `count`th failure.
std::chrono::seconds waitAfter(std::int64_t count, const ThrottleLimit& limit) {
  constexpr std::int64_t kMaxDoublings = 20;
  if (count < limit.freeFailures) return std::chrono::seconds{0};
  const auto doublings = std::min(count - limit.freeFailures, kMaxDoublings);
  return std::min(std::chrono::seconds{std::int64_t{1} << doublings}, limit.longestWait);
}

/// An attempt that was counted, but was no failure.
void takeBack(SignInFailures& entry) {
  if (entry.count <= 1) {
    entry = {};
  } else {
    --entry.count;
    entry.blockedUntil = {};
  }
}

using Counted = std::vector<std::pair<SignInFailures*, const ThrottleLimit*>>;

/// What an attempt counts for. An account that has signed in from there before is judged by what it
/// does from there alone: nobody behind the same address, and nobody elsewhere, keeps it out.
Counted countedFor(const Keys& keys, const LoginThrottleOptions& options, TimePoint now,
                   Entries& entries) {
  Counted counted{{&entries[keys.pair], &options.pair}};
  if (entries[keys.trusted].changedAt + options.trust <= now) {
    counted.emplace_back(&entries[keys.network], &options.address);
    counted.emplace_back(&entries[keys.account], &options.account);
  }
  return counted;
}

}  // namespace

LoginThrottle::LoginThrottle(store::SignInFailureStore& store, const Clock& clock,
                             LoginThrottleOptions options)
    : store_(store), clock_(clock), options_(options) {}

std::chrono::seconds LoginThrottle::attempt(const std::string& account,
                                            const std::string& address) {
  if (!options_.enabled) return std::chrono::seconds{0};
  const Keys keys(account, address);
  const TimePoint now = clock_.now();
  std::chrono::seconds wait{0};
  store_.update(keys.all(), [&](Entries& entries) {
    wait = std::chrono::seconds{0};
    const Counted counted = countedFor(keys, options_, now, entries);
    for (const auto& [entry, limit] : counted) {
      if (entry->changedAt + options_.memory <= now) *entry = {};
      if (entry->blockedUntil > now) {
        wait = std::max(wait, std::chrono::ceil<std::chrono::seconds>(entry->blockedUntil - now));
      }
    }
    if (wait.count() > 0) return;
    for (const auto& [entry, limit] : counted) {
      entry->changedAt = now;
      entry->blockedUntil = now + waitAfter(++entry->count, *limit);
    }
  });
  return wait;
}

void LoginThrottle::succeeded(const std::string& account, const std::string& address) {
  if (!options_.enabled) return;
  const Keys keys(account, address);
  const TimePoint now = clock_.now();
  store_.update(keys.all(), [&](Entries& entries) {
    for (const auto& [entry, limit] : countedFor(keys, options_, now, entries)) takeBack(*entry);
    entries[keys.pair] = {};
    entries[keys.trusted].changedAt = now;
  });
}

void LoginThrottle::undecided(const std::string& account, const std::string& address) {
  if (!options_.enabled) return;
  const Keys keys(account, address);
  const TimePoint now = clock_.now();
  store_.update(keys.all(), [&](Entries& entries) {
    for (const auto& [entry, limit] : countedFor(keys, options_, now, entries)) takeBack(*entry);
  });
}

void LoginThrottle::sweep() {
  static_cast<void>(
      store_.removeOlderThan(clock_.now() - std::max(options_.memory, options_.trust)));
}

}  // namespace stratos::auth
