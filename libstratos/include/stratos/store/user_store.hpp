#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// A local user: one row of `local_users`. A value.
struct LocalUser {
  UserId id;
  std::string name;
  std::string passwordHash;
  std::string email;
  std::string scope;
  std::string givenName;
  std::string familyName;
};

/// The local users. Callable from any thread.
class STRATOS_EXPORT LocalUserStore {
 public:
  virtual ~LocalUserStore() = default;
  [[nodiscard]] virtual std::optional<LocalUser> findByName(const std::string& name) = 0;
  [[nodiscard]] virtual std::optional<LocalUser> find(const UserId& id) = 0;
  /// Inserts unless the name is taken; returns whether it did.
  virtual bool insertIfAbsent(const LocalUser& user) = 0;
  virtual void recordLogin(const UserId& id, TimePoint at) = 0;
  /// Writes e-mail, given and family name of user.id.
  virtual void updateProfile(const LocalUser& user) = 0;
  virtual void updatePassword(const UserId& id, const std::string& passwordHash) = 0;
  /// The first characters of the users' password hashes, each once: `$2a$12$` says how they were
  /// made.
  [[nodiscard]] virtual std::vector<std::string> listHashKinds() = 0;
};

/// Inserts unless the name is taken, in the caller's transaction; returns whether it did.
STRATOS_EXPORT bool insertLocalUser(db::Connection& connection, const LocalUser& user);

/// LocalUserStore on SQL. The database must outlive it.
class STRATOS_EXPORT SqlLocalUserStore final : public LocalUserStore {
 public:
  explicit SqlLocalUserStore(db::Database& database);
  [[nodiscard]] std::optional<LocalUser> findByName(const std::string& name) override;
  [[nodiscard]] std::optional<LocalUser> find(const UserId& id) override;
  bool insertIfAbsent(const LocalUser& user) override;
  void recordLogin(const UserId& id, TimePoint at) override;
  void updateProfile(const LocalUser& user) override;
  void updatePassword(const UserId& id, const std::string& passwordHash) override;
  [[nodiscard]] std::vector<std::string> listHashKinds() override;

 private:
  db::Database& database_;
};

}  // namespace stratos::store
