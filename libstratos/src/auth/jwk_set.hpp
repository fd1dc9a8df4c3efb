#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>

namespace stratos::auth::detail {

/// A signature algorithm of RFC 7518 section 3.1 or RFC 8037 and the one kind of key that it goes
/// with: that binding is what keeps a public RSA key from being used as an HMAC secret.
struct SignatureAlgorithm {
  enum class Kind { RsaPkcs1, RsaPss, Ecdsa, EdDsa, Hmac };
  std::string_view name;
  Kind kind;
  std::string_view keyType;  ///< `kty`
  std::string_view curve;    ///< `crv`; empty for RSA and HMAC.
  const char* digest;        ///< Null for EdDSA.
  std::size_t coordinateBytes;
};

/// Null when unknown; `none` is unknown.
[[nodiscard]] const SignatureAlgorithm* findAlgorithm(std::string_view name);

/// One key of a JWK set (RFC 7517). Immutable.
struct Jwk {
  std::string id;
  std::string type;
  std::string curve;
  std::string algorithm;  ///< Empty: any that fits the type.
  std::shared_ptr<EVP_PKEY> key;
  std::string secret;  ///< Only for `oct`.

  [[nodiscard]] bool fits(const SignatureAlgorithm& wanted) const;
  [[nodiscard]] bool verify(const SignatureAlgorithm& by, std::string_view text,
                            std::string_view signature) const;
};

struct JwkSet {
  std::vector<Jwk> keys;
};

/// The keys of `text` that can check signatures; keys that cannot are left out. Empty when it is no
/// JWK set. Understands what the UAA's /token_keys adds: the PEM key in `value`, and a symmetric
/// key of type MAC.
[[nodiscard]] std::optional<JwkSet> parseJwkSet(const std::string& text);

}  // namespace stratos::auth::detail
