#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/session_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::store {

struct CacheOptions {
  /// How long a change that nobody announces may stay unseen; zero: nothing is cached.
  std::chrono::milliseconds staleness{3'000};
  std::size_t sessions = 50'000;
  std::size_t endpoints = 5'000;
  std::size_t tokens = 50'000;
  /// Whether a console lets a ChangeListener tell it what other processes change.
  bool listen = true;
};

/// The three stores that a proxied request asks, with what was asked lately kept in memory:
/// sessions by id, endpoints by id, the token of a user for an endpoint and for the console.
/// Everything else, and every change, goes to the stores behind.
///
/// A change through these stores counts at once. One that another process makes counts when it is
/// announced, see ChangeListener, and after CacheOptions::staleness if it is not. An outage of the
/// database shows as soon as something must be asked again; what is cached never outlives
/// `staleness`.
/// Thread safety: all members may be called concurrently.
/// Lifetime: the stores behind and the clock must outlive it.
class STRATOS_EXPORT CachedStores {
 public:
  CachedStores(SessionStore& sessions, EndpointStore& endpoints, TokenStore& tokens,
               const Clock& clock, CacheOptions options = {});
  ~CachedStores();
  CachedStores(const CachedStores&) = delete;
  CachedStores& operator=(const CachedStores&) = delete;

  [[nodiscard]] SessionStore& sessions() noexcept;
  [[nodiscard]] EndpointStore& endpoints() noexcept;
  [[nodiscard]] TokenStore& tokens() noexcept;

  /// Forgets what an announcement names: `session <id hash>`, `endpoint <guid>`, `token <user>`;
  /// everything when it is not understood.
  void apply(std::string_view announcement);
  /// Forgets everything: rows were changed past these stores.
  void clear();
  /// Frees what has become too old; from time to time, so that nothing secret stays longer than
  /// it is of use.
  void prune();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Tells CachedStores what other processes change, as the database's triggers announce it
/// (PostgreSQL's LISTEN/NOTIFY, on a connection and a thread of its own). After every new
/// connection the caches are emptied, since announcements may have been missed. Where the database
/// cannot announce (SQLite, or a connection pooler in between) it does nothing, and
/// CacheOptions::staleness is what counts.
///
/// Lifetime: the collaborators must outlive it; the destructor ends the thread.
class STRATOS_EXPORT ChangeListener {
 public:
  ChangeListener(db::Database& database, CachedStores& stores, LogSink& log);
  ~ChangeListener();
  ChangeListener(const ChangeListener&) = delete;
  ChangeListener& operator=(const ChangeListener&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::store
