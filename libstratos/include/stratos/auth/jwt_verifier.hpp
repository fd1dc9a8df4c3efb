#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::auth {

/// Where an issuer publishes its keys, and what it may sign with. A value.
struct STRATOS_EXPORT JwtKeySource {
  std::string url;  ///< A JWK set (RFC 7517), or the UAA's /token_keys.
  http::TrustPolicy trust;
  /// The `alg` values that are accepted; empty: every asymmetric one that is known.
  std::vector<std::string> algorithms = {};
  /// Also accept HS256 with a symmetric key of the set. Only for sets that nobody else can read.
  bool allowSymmetric = false;
};

enum class JwtStatus {
  Verified,
  BadSignature,     ///< Forged, altered, unsigned, or signed with what this issuer may not use.
  UnknownKey,       ///< Signed with a key that the issuer does not publish.
  KeysUnavailable,  ///< The issuer's keys cannot be had: nothing is known.
  Malformed,        ///< No JWS in compact form, too large, or with critical extensions.
};

struct STRATOS_EXPORT JwtResult {
  JwtStatus status = JwtStatus::Malformed;
  std::string reason;     ///< For the log when not verified; holds no part of the token.
  std::string payload;    ///< The claims as JSON, only when verified.
  std::string algorithm;  ///< Only when verified.
};

struct JwtVerifierOptions {
  /// Keys older than this are fetched anew.
  std::chrono::seconds keyLifetime{3600};
  /// The least time between two fetches of one set, however many unknown keys are named.
  std::chrono::seconds refetchPause{10};
  std::chrono::milliseconds fetchTimeout{10'000};
};

/// Verifies the signatures of JSON Web Tokens (RFC 7515, 7518, 8037; advice of RFC 8725): RS, PS
/// and ES with 256, 384 and 512 bits, EdDSA with Ed25519, and HS256 where it is allowed.
///
/// Keys are kept per set: fetched by one caller while the others wait, anew when a token names a
/// key that is not there, and used on while the issuer is away.
/// Thread safety: all members may be called concurrently. The collaborators must outlive it.
class STRATOS_EXPORT JwtVerifier {
 public:
  JwtVerifier(http::Transport& transport, const Clock& clock, LogSink& log,
              JwtVerifierOptions options = {});
  ~JwtVerifier();
  JwtVerifier(const JwtVerifier&) = delete;
  JwtVerifier& operator=(const JwtVerifier&) = delete;

  /// Checks the signature, not the claims. Never throws for what the token or the issuer is.
  [[nodiscard]] JwtResult verify(const Secret& token, const JwtKeySource& keys, Deadline deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the claims of a token have to say.
struct STRATOS_EXPORT JwtClaimRules {
  std::string issuer = {};    ///< `iss`, exactly; empty: any.
  std::string audience = {};  ///< One of `aud`; with several, `azp` has to be it. Empty: any.
  std::optional<std::string> nonce = {};
  bool requireIssuedAt = false;
  std::chrono::seconds leeway{60};  ///< For clocks that differ.
};

/// Why the claims (JSON) are not acceptable, for the log, without quoting them; empty when they
/// are. `exp` is always required (OpenID Connect Core 1.0 section 3.1.3.7, RFC 7519 section 4.1).
[[nodiscard]] STRATOS_EXPORT std::string claimProblem(const std::string& claims,
                                                      const JwtClaimRules& rules, TimePoint now);

/// The `at_hash` of an access token for an ID token signed with `algorithm` (OpenID Connect Core
/// 1.0 section 3.1.3.6); empty for an unknown algorithm.
[[nodiscard]] STRATOS_EXPORT std::string accessTokenHash(std::string_view algorithm,
                                                         const Secret& accessToken);

}  // namespace stratos::auth
