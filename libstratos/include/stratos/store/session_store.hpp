#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// A session as it is stored: typed values, no bag. A value.
struct SessionRecord {
  std::string idHash;  ///< Hex SHA-256 of the session id; the id itself is never stored.
  UserId user;
  std::int64_t tokenExpiry = 0;  ///< `exp` of the login token; INT64_MAX when it never ends.
  Secret xsrfToken;
  TimePoint createdAt{};
  TimePoint expiresAt{};
  std::string publicId;  ///< Names the session to its user; tells nothing about its cookie.
  TimePoint lastSeenAt{};
  std::string address;    ///< Of the client that signed in.
  std::string userAgent;  ///< What that client called itself, shortened.
};

/// Our own session table (upstream's rows are left alone). Callable from any thread.
class STRATOS_EXPORT SessionStore {
 public:
  virtual ~SessionStore() = default;
  virtual void insert(const SessionRecord& record) = 0;
  /// Also finds an expired session; the caller judges.
  [[nodiscard]] virtual std::optional<SessionRecord> find(const std::string& idHash) = 0;
  /// The user's sessions, expired ones included, latest first.
  [[nodiscard]] virtual std::vector<SessionRecord> listForUser(const UserId& user) = 0;
  /// Writes user, tokenExpiry, expiresAt and lastSeenAt. False when the session is gone.
  virtual bool update(const SessionRecord& record) = 0;
  virtual bool remove(const std::string& idHash) = 0;
  /// Ends one of the user's own sessions; false when there is none of that name.
  virtual bool removeByPublicId(const UserId& user, const std::string& publicId) = 0;
  virtual std::int64_t removeForUser(const UserId& user) = 0;
  /// Deletes every session of `user` but `keptIdHash`; returns how many.
  virtual std::int64_t removeOthers(const UserId& user, const std::string& keptIdHash) = 0;
  /// Deletes what expired before `now`; returns how many.
  virtual std::int64_t removeExpired(TimePoint now) = 0;
};

/// SessionStore on SQL (table `stratos_sessions`). The database must outlive it.
class STRATOS_EXPORT SqlSessionStore final : public SessionStore {
 public:
  explicit SqlSessionStore(db::Database& database);
  void insert(const SessionRecord& record) override;
  [[nodiscard]] std::optional<SessionRecord> find(const std::string& idHash) override;
  [[nodiscard]] std::vector<SessionRecord> listForUser(const UserId& user) override;
  bool update(const SessionRecord& record) override;
  bool remove(const std::string& idHash) override;
  bool removeByPublicId(const UserId& user, const std::string& publicId) override;
  std::int64_t removeForUser(const UserId& user) override;
  std::int64_t removeOthers(const UserId& user, const std::string& keptIdHash) override;
  std::int64_t removeExpired(TimePoint now) override;

 private:
  db::Database& database_;
};

}  // namespace stratos::store
