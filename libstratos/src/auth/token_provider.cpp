#include "stratos/auth/token_provider.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "auth/renewal_places.hpp"
#include "stratos/auth/uaa_token_check.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::auth {

namespace {

using store::TokenRecord;

/// Refused rows are remembered so that a dead token does not ask its server once per request. The
/// bound only limits memory: forgetting one costs a request to the server.
constexpr std::size_t kMaxRejected = 10'000;

/// A row changes while its token is stored at most once in practice: when it is re-encrypted.
constexpr int kMaxChanges = 3;

TokenResult failed(TokenFailure failure, std::string reason) {
  TokenResult result;
  result.failure = failure;
  result.reason = std::move(reason);
  return result;
}

TokenResult usable(TokenRecord record) {
  TokenResult result;
  result.failure = TokenFailure::None;
  result.record = std::move(record);
  return result;
}

/// One refresh in the making, and those who wait for it.
struct Flight {
  Gate finished;
  // Written before it opens.
  bool abandoned = false;  ///< Its leader was cancelled before it began.
  TokenResult result;
  std::exception_ptr error;
};

/// Who renews a token: what its endpoint's scheme asks, or the UAA that signs users in. One is set.
struct Server {
  const store::EndpointRecord* endpoint = nullptr;
  const UaaTarget* uaa = nullptr;
};

}  // namespace

class TokenProvider::Impl {
 public:
  Impl(store::TokenStore& tokens, store::TokenLeaseStore* leases, UaaClient& uaa,
       const Clock& clock, Random& random, LogSink& log, TokenProviderOptions options,
       UaaTokenCheck* consoleCheck)
      : tokens_(tokens),
        leases_(leases),
        uaa_(uaa),
        schemes_(uaa),
        clock_(clock),
        random_(random),
        log_(log),
        options_(options),
        consoleCheck_(consoleCheck),
        places_(clock, options.renewalsPerServer) {}

  store::TokenStore& tokens() { return tokens_; }
  AuthSchemes& schemes() { return schemes_; }

  TokenResult current(std::optional<TokenRecord> stored, const Server& server, Deadline deadline) {
    if (stored && (isFresh(*stored) || !isRenewable(*stored, server))) {
      return usable(std::move(*stored));
    }
    TokenResult result = currentOf(stored, server, deadline);
    if (!stored || result.failure != TokenFailure::NotConnected) return result;
    // What was read may be a little old: removed since, and connected anew as another row.
    auto again = findStored(*stored);
    if (!again || again->id == stored->id) return result;
    return currentOf(again, server, deadline);
  }

  TokenState stateOf(const TokenRecord& token) const {
    MutexLock lock(mutex_);
    if (const auto refused = rejected_.find(keyOf(token));
        refused != rejected_.end() && refused->second.version == token.version) {
      return {TokenCondition::Rejected, rejection().reason, refused->second.since};
    }
    if (schemes_.isOAuth2(token) && token.refreshToken.empty() && !isAlive(token)) {
      return {TokenCondition::Expired, "the token has expired; connect again",
              fromUnixSeconds(token.expiry)};
    }
    const auto trouble = troubles_.find(keyOf(token));
    // Connected anew since, or renewed by another process.
    if (trouble == troubles_.end() || isFresh(token)) return {};
    return trouble->second;
  }

  TokenResult renewAfterRefusal(const TokenRecord& refused, const Server& server,
                                Deadline deadline) {
    if (isRenewable(refused, server)) {
      TokenResult result = renewRow(refused, server, /*force=*/true, deadline);
      if (result.failure != TokenFailure::NotConnected) return result;
    }
    auto stored = findStored(refused);
    if (stored && !isSameToken(*stored, refused)) return currentOf(stored, server, deadline);
    if (!stored) return disconnected();
    return failed(TokenFailure::Rejected, "the endpoint refused the stored credentials");
  }

 private:
  TokenResult currentOf(const std::optional<TokenRecord>& stored, const Server& server,
                        Deadline deadline) {
    if (!stored) return failed(TokenFailure::NotConnected, "there is no token for this endpoint");
    if (!isRenewable(*stored, server) || isFresh(*stored)) return usable(*stored);
    TokenResult renewed;
    try {
      renewed = renewRow(*stored, server, /*force=*/false, deadline);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Unavailable || !isAlive(*stored)) throw;
      return usable(*stored);
    }
    // Stale is not expired: what is left of its life bridges an outage of its server, or of the
    // database.
    const bool outage = renewed.failure == TokenFailure::Unreachable ||
                        renewed.failure == TokenFailure::Misconfigured;
    if (outage && isAlive(*stored)) return usable(*stored);
    return renewed;
  }

  /// Rows of databases from before 2018 share token ids among users, so the owner is part of it.
  using RowKey = std::pair<std::string, std::string>;
  static RowKey keyOf(const TokenRecord& token) { return {token.owner.str(), token.id.str()}; }

  /// The console's own token is the UAA's; whatever else signs users in is not asked.
  bool isRenewable(const TokenRecord& token, const Server& server) const {
    return server.endpoint ? schemes_.of(token).isRenewable(token) : schemes_.isOAuth2(token);
  }
  GrantResult ask(const Server& server, const TokenRecord& row, Deadline deadline) {
    return server.endpoint ? schemes_.of(row).renew(*server.endpoint, row, deadline)
                           : uaa_.refresh(*server.uaa, row.refreshToken, deadline);
  }

  // In seconds, since a stored expiry may be any number and must not overflow a finer unit.
  bool isFresh(const TokenRecord& token) const {
    return token.expiry > toUnixSeconds(clock_.now() + options_.refreshMargin);
  }
  bool isAlive(const TokenRecord& token) const {
    return token.expiry > toUnixSeconds(clock_.now());
  }

  /// By content: a row that was only encrypted anew still holds the token that was refused.
  static bool isSameToken(const TokenRecord& a, const TokenRecord& b) {
    return a.authToken == b.authToken;
  }

  TokenResult renewRow(const TokenRecord& seen, const Server& server, bool force,
                       Deadline deadline) {
    // A second round is needed only when a flight that was already on its way gave back the very
    // token that `force` refuses.
    for (int round = 0; round < 2; ++round) {
      bool leader = false;
      const std::shared_ptr<Flight> flight = join(keyOf(seen), leader);
      if (leader) return lead(*flight, seen, server, force);
      TokenResult result = await(*flight, deadline);
      if (flight->abandoned) {
        --round;
        continue;
      }
      if (!force || !result.ok() || !isSameToken(result.record, seen)) return result;
    }
    return failed(TokenFailure::Unreachable, "the token could not be renewed");
  }

  std::shared_ptr<Flight> join(const RowKey& key, bool& leader) {
    MutexLock lock(mutex_);
    auto& slot = flights_[key];
    leader = !slot;
    if (leader) slot = std::make_shared<Flight>();
    return slot;
  }

  TokenResult await(Flight& flight, Deadline deadline) {
    if (!flight.finished.await(deadline)) {
      throw Error(ErrorCode::DeadlineExceeded, "waited too long for the renewal of a token");
    }
    if (flight.error) std::rethrow_exception(flight.error);
    return flight.result;
  }

  TokenResult lead(Flight& flight, const TokenRecord& seen, const Server& server, bool force) {
    TokenResult result;
    std::exception_ptr error;
    try {
      result = inTurn(flight, seen, server, force);
      if (!flight.abandoned) remember(seen, result);
    } catch (...) {
      error = std::current_exception();  // For the waiters too; rethrown below.
    }
    {
      // Off the list first: who comes from here on reads the row as this flight has left it.
      MutexLock lock(mutex_);
      flights_.erase(keyOf(seen));
    }
    flight.result = result;
    flight.error = error;
    flight.finished.open();
    if (error) std::rethrow_exception(error);
    return result;
  }

  static std::string nameOf(const Server& server) {
    if (server.uaa) return server.uaa->baseUrl;
    const std::string& own = server.endpoint->tokenEndpoint;
    return own.empty() ? server.endpoint->id.str() : own;
  }

  /// renewAsLeader(), when the server can take another call; else what can be had without it.
  TokenResult inTurn(Flight& flight, const TokenRecord& seen, const Server& server, bool force) {
    const std::string name = nameOf(server);
    const auto entry = places_.enter(name, Deadline::after(options_.turnTimeout));
    if (entry != RenewalPlaces::Entry::Granted) {
      flight.abandoned = entry == RenewalPlaces::Entry::Gone;
      return runBlocking([&] {
        if (auto done = withoutServer(seen, force)) return std::move(*done);
        return failed(TokenFailure::Unreachable, entry == RenewalPlaces::Entry::Hangs
                                                     ? "the authorization server does not answer"
                                                     : "the authorization server is busy");
      });
    }
    std::chrono::milliseconds inVain{0};
    struct Leave {
      RenewalPlaces& places;
      const std::string& name;
      const std::chrono::milliseconds& inVain;
      ~Leave() { places.leave(name, inVain); }
    } const leave{places_, name, inVain};
    return runBlocking([&] { return renewAsLeader(seen, server, force, inVain); },
                       Waiter::BlocksOn::Network);
  }

  /// What users are told about the token from now on.
  void remember(const TokenRecord& row, const TokenResult& result) {
    const bool mayPass = result.failure == TokenFailure::Unreachable ||
                         result.failure == TokenFailure::Misconfigured;
    MutexLock lock(mutex_);
    if (!mayPass) {
      troubles_.erase(keyOf(row));
      return;
    }
    if (troubles_.size() >= kMaxRejected) troubles_.clear();
    TokenState& state = troubles_[keyOf(row)];
    state.condition = result.failure == TokenFailure::Unreachable ? TokenCondition::Unreachable
                                                                  : TokenCondition::Misconfigured;
    state.reason = result.reason;
    if (!state.since) state.since = clock_.now();
  }

  /// Sets `inVain` to how long the server was waited for when it did not answer.
  TokenResult renewAsLeader(const TokenRecord& seen, const Server& server, bool force,
                            std::chrono::milliseconds& inVain) {
    // What cannot be renewed needs no lease, which costs two writes.
    if (seen.refreshToken.empty() || isRejected(seen)) {
      if (auto done = withoutServer(seen, force)) return std::move(*done);
    }
    Lease lease(*this, seen);
    // The lease of a process that died ends within its life.
    const Deadline deadline = Deadline::after(lease.life());
    while (!lease.tryAcquire()) {
      // Another process is at it. Its answer serves us, too.
      if (auto done = withoutServer(seen, force)) return std::move(*done);
      if (deadline.hasPassed()) {
        return failed(TokenFailure::Unreachable, "another process is renewing the token");
      }
      std::this_thread::sleep_for(options_.pollInterval);
    }
    TokenRecord row;
    if (auto done = withoutServer(seen, force, &row)) return std::move(*done);
    if (!lease.isLongEnough() && !lease.tryAcquire()) {
      return failed(TokenFailure::Unreachable, "the database took too long to answer");
    }
    const TimePoint asked = clock_.now();
    GrantResult answer = ask(server, row, Deadline::after(options_.refreshTimeout));
    switch (answer.status) {
      case GrantStatus::Granted:
        if (const std::string problem = problemOf(row, server, answer.grant); !problem.empty()) {
          answer.detail = problem;
          note(row, "the authorization server renewed a token that must not be trusted", answer);
          keepRefreshToken(std::move(row), std::move(answer.grant));
          return failed(TokenFailure::Unreachable,
                        "the authorization server sent an answer that cannot be understood");
        }
        return storeGrant(std::move(row), std::move(answer.grant));
      case GrantStatus::Refused:
        return judgeRefusal(row, answer);
      case GrantStatus::ClientRefused:
        note(row, "the authorization server refuses the client of an endpoint", answer);
        return failed(TokenFailure::Misconfigured,
                      "the authorization server does not accept the endpoint's client");
      case GrantStatus::Unavailable:
        break;
    }
    inVain = std::max(clock_.now() - asked, std::chrono::milliseconds{0});
    note(row, "a token could not be renewed", answer);
    return failed(TokenFailure::Unreachable, "the authorization server cannot be reached");
  }

  /// The outcome, when the row as it is stored now decides it; `current` takes the row otherwise.
  std::optional<TokenResult> withoutServer(const TokenRecord& seen, bool force,
                                           TokenRecord* current = nullptr) {
    // In this order: what is written meanwhile is forgotten only afterwards, so that the row, read
    // later, has it.
    auto unstored = findUnstoredEntry(seen);
    auto row = findConnected(seen);
    if (!row) {
      forgetUnstored(seen);
      return disconnected();
    }
    if (unstored && holdsSame(*row, unstored->replaced)) {
      // The server has dropped what is stored. What it gave instead counts, stored or not.
      TokenRecord kept = std::move(unstored->record);
      kept.version = row->version;
      row = current ? store(std::move(kept), Deadline::after({})) : std::move(kept);
      if (!row) return disconnected();
    } else if (unstored) {
      forgetUnstored(*row);  // Written, connected anew, or renewed by somebody else.
    }
    const bool replaced = !isSameToken(*row, seen);
    if ((replaced || !force) && isFresh(*row)) return usable(std::move(*row));
    if (isRejected(*row)) return rejection();
    if (row->refreshToken.empty()) {
      if ((replaced || !force) && isAlive(*row)) return usable(std::move(*row));
      return failed(TokenFailure::Rejected, "the token has expired and cannot be renewed");
    }
    if (current) *current = std::move(*row);
    return std::nullopt;
  }

  /// Roles in the console are read from the console's own tokens, so only those are judged.
  std::string problemOf(const TokenRecord& row, const Server& server, const TokenGrant& grant) {
    if (consoleCheck_ == nullptr || row.endpoint.str() != store::kConsoleEndpointGuid) return {};
    const UaaTarget uaa = server.endpoint ? uaaOf(*server.endpoint) : *server.uaa;
    return consoleCheck_->problemOf(uaa, grant.accessToken,
                                    Deadline::after(options_.refreshTimeout));
  }

  TokenResult storeGrant(TokenRecord row, TokenGrant grant) {
    const TokenRecord replaced = row;
    row.expiry = expiryOf(grant, clock_.now());
    row.authToken = std::move(grant.accessToken);
    // A server that does not rotate may leave the refresh token out (RFC 6749 section 6).
    if (!grant.refreshToken.empty()) row.refreshToken = std::move(grant.refreshToken);
    log(log_, LogLevel::Debug, "token renewed",
        {{"endpoint", row.endpoint.str()}, {"user", row.owner.str()}, {"expiry", row.expiry}});
    keepUnstored(row, replaced);
    auto stored = store(std::move(row), Deadline::after(options_.storeTimeout));
    return stored ? usable(std::move(*stored)) : disconnected();
  }

  /// Of a grant that cannot be used: its refresh token, as the server may have dropped the old one.
  /// The next call redeems it.
  void keepRefreshToken(TokenRecord row, TokenGrant grant) {
    if (grant.refreshToken.empty()) return;
    const TokenRecord replaced = row;
    row.refreshToken = std::move(grant.refreshToken);
    row.expiry = 0;
    keepUnstored(row, replaced);
    static_cast<void>(store(std::move(row), Deadline::after(options_.storeTimeout)));
  }

  /// Writes a token that keepUnstored() knows, trying again until `deadline` while the database is
  /// away; then it stays known. Returns what to use: it, or what somebody else has stored
  /// meanwhile. Empty when the connection was removed.
  std::optional<TokenRecord> store(TokenRecord row, Deadline deadline) {
    const auto unstored = findUnstoredEntry(row);
    for (int changes = 0; changes < kMaxChanges;) {
      try {
        if (auto stored = tokens_.replaceIfUnchanged(row)) {
          forgetUnstored(row);
          return stored;
        }
        // Somebody connected anew, disconnected, or was faster: what is stored now counts. Unless
        // it is the token just redeemed under another encryption; then the server has dropped it.
        auto newer = findConnected(row);
        if (!newer || !unstored || !holdsSame(*newer, unstored->replaced)) {
          forgetUnstored(row);
          return newer;
        }
        row.version = newer->version;
        ++changes;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::Unavailable) throw;
        if (deadline.hasPassed()) {
          log(log_, LogLevel::Error, "a renewed token cannot be stored yet and is kept in memory",
              {{"endpoint", row.endpoint.str()},
               {"user", row.owner.str()},
               {"reason", error.what()}});
          writeInBackground();
          return row;
        }
        std::this_thread::sleep_for(options_.pollInterval);
      }
    }
    throw Error(ErrorCode::Unavailable, "a renewed token could not be stored");
  }

  /// A granted token that is not in the database yet, and the one that it replaces there.
  struct Unstored {
    TokenRecord record;
    TokenRecord replaced;
  };

  /// Writes what store() has given up on until nothing is left. Other processes cannot know of it:
  /// they would redeem what the server has dropped.
  void writeInBackground() {
    MutexLock lock(mutex_);
    if (isWriting_) return;
    writer_ = std::jthread([this](const std::stop_token& stop) { writeUnstored(stop); });
    isWriting_ = true;
  }

  void writeUnstored(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds kLongestPause{1'000};
    std::chrono::milliseconds pause = options_.pollInterval;
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock waiting(mutex);
    while (!stopped.wait_for(waiting, stop, pause, [&] { return stop.stop_requested(); })) {
      pause = std::min(2 * pause, kLongestPause);
      for (const Unstored& entry : listUnstored()) tryToStore(entry);
      MutexLock lock(mutex_);
      isWriting_ = !unstored_.empty();
      if (!isWriting_) return;
    }
  }

  /// Beside the flights, any of which may be storing the same.
  void tryToStore(const Unstored& entry) noexcept {
    try {
      TokenRecord row = entry.record;
      const auto stored = findConnected(row);
      if (stored && holdsSame(*stored, entry.replaced)) {
        row.version = stored->version;
        if (!tokens_.replaceIfUnchanged(row)) return;  // The next look shows why.
        log(log_, LogLevel::Info, "a renewed token that was kept in memory is stored",
            {{"endpoint", row.endpoint.str()}, {"user", row.owner.str()}});
      }
      MutexLock lock(mutex_);
      const auto it = unstored_.find(keyOf(row));
      if (it != unstored_.end() && holdsSame(it->second.record, row)) unstored_.erase(it);
    } catch (const std::exception&) {
      // The database is still away, as the log says already.
    }
  }

  std::vector<Unstored> listUnstored() {
    MutexLock lock(mutex_);
    std::vector<Unstored> all;
    for (const auto& [key, entry] : unstored_) all.push_back(entry);
    return all;
  }

  static bool holdsSame(const TokenRecord& a, const TokenRecord& b) {
    return isSameToken(a, b) && a.refreshToken == b.refreshToken;
  }

  void keepUnstored(const TokenRecord& record, const TokenRecord& replaced) {
    MutexLock lock(mutex_);
    unstored_.insert_or_assign(keyOf(record), Unstored{record, replaced});
  }
  void forgetUnstored(const TokenRecord& record) {
    MutexLock lock(mutex_);
    unstored_.erase(keyOf(record));
  }
  std::optional<Unstored> findUnstoredEntry(const TokenRecord& record) {
    MutexLock lock(mutex_);
    const auto it = unstored_.find(keyOf(record));
    return it == unstored_.end() ? std::nullopt : std::optional(it->second);
  }
  struct Refused {
    std::string version;
    TimePoint since;
  };

  /// The right to redeem the refresh token of one row, among all processes.
  class Lease {
   public:
    Lease(Impl& provider, const TokenRecord& row)
        : provider_(provider), owner_(row.owner), token_(row.id) {
      if (provider_.leases_) holder_ = toHex(provider_.random_.bytes(16));
    }
    ~Lease() {
      if (!held_) return;
      try {
        provider_.leases_->release(owner_, token_, holder_);
      } catch (const std::exception& error) {
        log(provider_.log_, LogLevel::Warning, "a token's lease could not be given back",
            {{"reason", error.what()}});
      }
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    bool tryAcquire() {
      if (!provider_.leases_) return true;
      const auto asked = std::chrono::steady_clock::now();
      held_ = provider_.leases_->tryAcquire(owner_, token_, holder_, life());
      if (held_) ends_ = asked + life();
      return held_;
    }
    [[nodiscard]] std::chrono::milliseconds life() const {
      constexpr std::chrono::milliseconds kSpare{5'000};  // To read and to write the row.
      return provider_.options_.refreshTimeout + kSpare;
    }
    /// Whether the server's answer comes before the lease ends.
    [[nodiscard]] bool isLongEnough() const {
      return !provider_.leases_ ||
             std::chrono::steady_clock::now() + provider_.options_.refreshTimeout < ends_;
    }

   private:
    Impl& provider_;
    UserId owner_;
    TokenId token_;
    std::string holder_;
    std::chrono::steady_clock::time_point ends_;
    bool held_ = false;
  };

  TokenResult judgeRefusal(const TokenRecord& row, const GrantResult& answer) {
    // Another process may have redeemed this refresh token a moment ago and stored its successor.
    auto newer = findConnected(row);
    if (!newer) return disconnected();
    if (!(newer->refreshToken == row.refreshToken)) return usable(std::move(*newer));
    note(row, "the authorization server refuses to renew a token", answer);
    MutexLock lock(mutex_);
    if (rejected_.size() >= kMaxRejected) rejected_.clear();
    rejected_[keyOf(row)] = {newer->version, clock_.now()};
    return rejection();
  }

  std::optional<TokenRecord> findConnected(const TokenRecord& row) {
    auto found = tokens_.findById(row.owner, row.id);
    if (found && found->disconnected) found.reset();
    return found;
  }

  /// What is stored now in the place of `row`, which may be gone and made anew under another id.
  std::optional<TokenRecord> findStored(const TokenRecord& row) {
    return runBlocking([&] {
      if (auto same = findConnected(row)) return same;
      return row.endpoint.str() == store::kConsoleEndpointGuid
                 ? tokens_.findConsoleToken(row.owner)
                 : tokens_.findForEndpoint(row.owner, row.endpoint);
    });
  }

  static TokenResult disconnected() {
    return failed(TokenFailure::NotConnected, "the connection has been removed");
  }

  static TokenResult rejection() {
    return failed(TokenFailure::Rejected,
                  "the authorization server refuses to renew the token; connect again");
  }

  bool isRejected(const TokenRecord& row) {
    MutexLock lock(mutex_);
    const auto it = rejected_.find(keyOf(row));
    if (it == rejected_.end()) return false;
    if (it->second.version == row.version) return true;
    rejected_.erase(it);  // Connected anew since.
    return false;
  }

  void note(const TokenRecord& row, std::string_view message, const GrantResult& answer) {
    log(log_, LogLevel::Warning, message,
        {{"endpoint", row.endpoint.str()}, {"user", row.owner.str()}, {"reason", answer.detail}});
  }

  store::TokenStore& tokens_;
  store::TokenLeaseStore* leases_;
  UaaClient& uaa_;
  AuthSchemes schemes_;
  const Clock& clock_;
  Random& random_;
  LogSink& log_;
  const TokenProviderOptions options_;
  UaaTokenCheck* const consoleCheck_;
  RenewalPlaces places_;

  mutable Mutex mutex_;
  std::map<RowKey, std::shared_ptr<Flight>> flights_ STRATOS_GUARDED_BY(mutex_);
  std::map<RowKey, Refused> rejected_ STRATOS_GUARDED_BY(mutex_);
  /// Whose last renewal failed for a reason that may pass.
  std::map<RowKey, TokenState> troubles_ STRATOS_GUARDED_BY(mutex_);
  std::map<RowKey, Unstored> unstored_ STRATOS_GUARDED_BY(mutex_);
  bool isWriting_ STRATOS_GUARDED_BY(mutex_) = false;
  /// Last, so that it ends first.
  std::jthread writer_ STRATOS_GUARDED_BY(mutex_);
};

TokenProvider::TokenProvider(store::TokenStore& tokens, store::TokenLeaseStore* leases,
                             UaaClient& uaa, const Clock& clock, Random& random, LogSink& log,
                             TokenProviderOptions options, UaaTokenCheck* consoleCheck)
    : impl_(
          std::make_unique<Impl>(tokens, leases, uaa, clock, random, log, options, consoleCheck)) {}

TokenProvider::~TokenProvider() = default;

AuthSchemes& TokenProvider::schemes() noexcept { return impl_->schemes(); }

const AuthSchemes& TokenProvider::schemes() const noexcept { return impl_->schemes(); }

TokenResult TokenProvider::get(const UserId& user, const store::EndpointRecord& endpoint,
                               Deadline deadline) {
  return impl_->current(impl_->tokens().findForEndpoint(user, endpoint.id), {.endpoint = &endpoint},
                        deadline);
}

TokenResult TokenProvider::renew(const store::EndpointRecord& endpoint,
                                 const store::TokenRecord& refused, Deadline deadline) {
  return impl_->renewAfterRefusal(refused, {.endpoint = &endpoint}, deadline);
}

TokenState TokenProvider::stateOf(const store::TokenRecord& token) const {
  return impl_->stateOf(token);
}

TokenResult TokenProvider::getConsole(const UserId& user, const UaaTarget& uaa, Deadline deadline) {
  return impl_->current(impl_->tokens().findConsoleToken(user), {.uaa = &uaa}, deadline);
}

TokenResult TokenProvider::renewConsole(const store::TokenRecord& refused, const UaaTarget& uaa,
                                        Deadline deadline) {
  return impl_->renewAfterRefusal(refused, {.uaa = &uaa}, deadline);
}

}  // namespace stratos::auth
