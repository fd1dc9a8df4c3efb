#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "stratos/auth/auth_scheme.hpp"
#include "stratos/auth/uaa_client.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_lease_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::auth {

class UaaTokenCheck;

/// Why there is no token to send.
enum class TokenFailure {
  None,
  NotConnected,   ///< The user has no token for this endpoint.
  Rejected,       ///< The authorization server refused to renew it: the user must connect again.
  Unreachable,    ///< It expired and the authorization server could not be asked; may pass.
  Misconfigured,  ///< The authorization server does not accept our client.
};

/// What a caller sends upstream, or why it cannot.
struct STRATOS_EXPORT TokenResult {
  TokenFailure failure = TokenFailure::NotConnected;
  std::string reason;         ///< One sentence for the log and the browser; no secret.
  store::TokenRecord record;  ///< Valid when failure is None.

  [[nodiscard]] bool ok() const noexcept { return failure == TokenFailure::None; }
};

enum class TokenCondition {
  Ok,             ///< As far as is known.
  Expired,        ///< And there is nothing to renew it with.
  Rejected,       ///< The authorization server refused to renew it: the user must connect again.
  Unreachable,    ///< The last renewal failed for a reason that may pass.
  Misconfigured,  ///< The authorization server does not accept our client.
};

/// What is known of a stored token without asking anybody.
struct STRATOS_EXPORT TokenState {
  TokenCondition condition = TokenCondition::Ok;
  std::string reason;               ///< One sentence for users; empty when Ok.
  std::optional<TimePoint> since;  ///< When that was first seen by this process.
};

struct TokenProviderOptions {
  /// Tokens with less life than this left are refreshed before being handed out.
  std::chrono::seconds refreshMargin{30};
  /// Cap on one refresh call. It does not follow the deadline of the caller that happens to start
  /// it, since others wait for the same answer.
  std::chrono::milliseconds refreshTimeout{15'000};
  /// Renewals that may ask one authorization server at the same time, and how long others wait for
  /// their turn. Afterwards they are told that it cannot be reached, as are those who come within a
  /// few seconds after a call that the server let wait in vain.
  std::size_t renewalsPerServer = 16;
  std::chrono::milliseconds turnTimeout{2'000};
  /// How long a caller waits for the write of a renewed token when the database is away. Afterwards
  /// it is served from memory, and the write is tried until it succeeds.
  std::chrono::milliseconds storeTimeout{10'000};
  /// Pause between looks at a row that another process renews, and between tries to write.
  std::chrono::milliseconds pollInterval{50};
};

/// Supplies the token of one user on one endpoint, renewing it when it is about to lapse.
///
/// When many requests find the same token stale, one of them asks the authorization server and the
/// others wait for its answer: single flight per token *row*, so users of a shared or linked token
/// wait together and different rows never wait for each other. The new token is written by
/// compare-and-swap, so a late writer never overwrites a newer one. Among processes a lease on the
/// row does what the single flight does within one: the others wait until the holder has stored the
/// new token and use that. A renewed token that cannot be stored is kept until it can be. Only a refusal of the very
/// token that is still stored marks it rejected; outages change nothing.
///
/// Thread safety: all members may be called concurrently.
/// Lifetime: the collaborators must outlive the provider.
class STRATOS_EXPORT TokenProvider {
 public:
  /// `leases` may be null where no other process uses the database. `consoleCheck` judges what
  /// renews a console's own login token; null: it is believed.
  TokenProvider(store::TokenStore& tokens, store::TokenLeaseStore* leases, UaaClient& uaa,
                const Clock& clock, Random& random, LogSink& log,
                TokenProviderOptions options = {}, UaaTokenCheck* consoleCheck = nullptr);
  ~TokenProvider();
  TokenProvider(const TokenProvider&) = delete;
  TokenProvider& operator=(const TokenProvider&) = delete;

  /// How each kind of token is used and renewed. Additions come before the first get().
  [[nodiscard]] AuthSchemes& schemes() noexcept;
  [[nodiscard]] const AuthSchemes& schemes() const noexcept;

  /// The token to send now; refreshes it first when it is stale. A caller that waits for another
  /// one's refresh blocks until `deadline` at most; the one that makes it until
  /// TokenProviderOptions::refreshTimeout, and twice that when another process dies meanwhile.
  /// Throws Error(Unavailable) when the database cannot be asked, DeadlineExceeded while waiting.
  [[nodiscard]] TokenResult get(const UserId& user, const store::EndpointRecord& endpoint,
                                Deadline deadline);
  /// The endpoint answered 401 to `refused`: renews it, unless another caller has replaced it
  /// meanwhile; then that one is returned. A kind of token that cannot be renewed gives Rejected.
  [[nodiscard]] TokenResult renew(const store::EndpointRecord& endpoint,
                                  const store::TokenRecord& refused, Deadline deadline);

  /// What is known of a token of an endpoint. Asks nobody.
  [[nodiscard]] TokenState stateOf(const store::TokenRecord& token) const;

  /// The console's own login token of `user` at `uaa`, fresh, under the same rules.
  [[nodiscard]] TokenResult getConsole(const UserId& user, const UaaTarget& uaa, Deadline deadline);
  /// The UAA answered 401 to the login token `refused`: see renew().
  [[nodiscard]] TokenResult renewConsole(const store::TokenRecord& refused, const UaaTarget& uaa,
                                         Deadline deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::auth
