#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/db/database.hpp"

namespace stratos::store {

/// Who may renew a token row now, among all processes on one database. A lease ends when it is
/// released or its life is over by the database's clock, so a holder that dies blocks nobody for
/// ever. Callable from any thread; all members throw Error(Unavailable) when the database cannot be
/// asked.
class STRATOS_EXPORT TokenLeaseStore {
 public:
  virtual ~TokenLeaseStore() = default;
  /// Takes the lease, or renews it when `holder` has it already. False while another holder has it.
  [[nodiscard]] virtual bool tryAcquire(const UserId& owner, const TokenId& token,
                                        const std::string& holder,
                                        std::chrono::milliseconds life) = 0;
  /// Gives the lease back; nothing happens when `holder` does not have it any more.
  virtual void release(const UserId& owner, const TokenId& token, const std::string& holder) = 0;
  /// Deletes what holders that died have left; returns how many.
  virtual std::int64_t removeExpired() = 0;
};

/// TokenLeaseStore on SQL (table `stratos_token_leases`). Each call is one statement, so it works
/// through a pooler and holds no connection while the authorization server is asked. The database
/// must outlive it.
class STRATOS_EXPORT SqlTokenLeaseStore final : public TokenLeaseStore {
 public:
  explicit SqlTokenLeaseStore(db::Database& database);
  [[nodiscard]] bool tryAcquire(const UserId& owner, const TokenId& token,
                                const std::string& holder, std::chrono::milliseconds life) override;
  void release(const UserId& owner, const TokenId& token, const std::string& holder) override;
  std::int64_t removeExpired() override;

 private:
  db::Database& database_;
};

}  // namespace stratos::store
