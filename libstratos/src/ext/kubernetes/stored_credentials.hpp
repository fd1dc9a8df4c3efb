#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ext/kubernetes/aws_signature.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::ext::kubernetes {

// What the two token columns and the metadata hold for each kind of token, as upstream has it. The
// read functions are empty for a row that holds something else.

/// Tokens and certificates that say nothing of their end.
[[nodiscard]] std::int64_t distantExpiry(TimePoint now);

struct StoredCertificate {
  std::string certificatePem;
  Secret keyPem;
  Secret token;  ///< Sent along when not empty.
};
[[nodiscard]] store::TokenRecord makeCertificateToken(const StoredCertificate& certificate,
                                                      TimePoint now);
[[nodiscard]] std::optional<StoredCertificate> readCertificate(const store::TokenRecord& token);

[[nodiscard]] store::TokenRecord makeServiceAccountToken(std::string token, TimePoint now);

/// The client's secret lies with the refresh token in its encrypted column. Upstream keeps it in
/// the metadata, which are not encrypted; such rows are read, too.
struct StoredOidc {
  std::string issuer;
  std::string issuerCaPem;
  std::string clientId;
  Secret clientSecret;
  Secret refreshToken;
};
[[nodiscard]] store::TokenRecord makeOidcToken(const Secret& idToken, const StoredOidc& oidc);
[[nodiscard]] std::optional<StoredOidc> readOidc(const store::TokenRecord& token);
/// The refresh column for `oidc`.
[[nodiscard]] Secret oidcRefreshColumn(const StoredOidc& oidc);

[[nodiscard]] Secret awsRefreshColumn(const EksIdentity& identity);
[[nodiscard]] std::optional<EksIdentity> readEksIdentity(const store::TokenRecord& token);

/// Google's application default credentials of type `authorized_user`.
struct GoogleUser {
  std::string clientId;
  Secret clientSecret;
  Secret refreshToken;
  std::string email;  ///< Not part of what users send.
};
[[nodiscard]] std::optional<GoogleUser> readGoogleUser(std::string_view json);
[[nodiscard]] Secret googleRefreshColumn(const GoogleUser& user);

/// The payload of a JWT; empty when `token` is none.
[[nodiscard]] std::string jwtPayload(std::string_view token);

}  // namespace stratos::ext::kubernetes
