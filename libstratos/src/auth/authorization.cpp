#include <algorithm>

#include "stratos/auth/token_provider.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::auth {

namespace {

std::string decoded(const store::TokenRecord& token) {
  auto value = fromBase64(token.authToken.reveal());
  if (!value) {
    throw Error(ErrorCode::Internal, "the stored token " + token.id.str() + " of type " +
                                         token.authType + " is not base64");
  }
  return std::move(*value);
}

/// Header text must not hold what could end the header.
std::string checked(std::string header, const store::TokenRecord& token) {
  const bool isClean = std::all_of(header.begin(), header.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (!isClean) {
    throw Error(ErrorCode::Internal, "the stored token " + token.id.str() + " of type " +
                                         token.authType + " holds control characters");
  }
  return header;
}

}  // namespace

UaaTarget uaaOf(const store::EndpointRecord& endpoint) {
  return {.baseUrl = endpoint.tokenEndpoint,
          .clientId = endpoint.clientId,
          .clientSecret = endpoint.clientSecret,
          .trust = {.skipVerification = endpoint.skipSslValidation,
                    .caCertificatePem = endpoint.caCertificate}};
}

std::string authorizationHeader(const store::TokenRecord& token) {
  const std::string& type = token.authType;
  if (type == "none") return {};
  if (type == "kube-cert-auth" || type == "kubeconfig-az") {
    // These keep a private key, which belongs into the TLS handshake and never into a header.
    throw Error(ErrorCode::Internal, "a token of type " + type + " is no header value");
  }
  if (type == "HttpBasic" || type == "creds") {
    return checked("basic " + token.authToken.reveal(), token);
  }
  if (type == "Bearer") return checked("bearer " + decoded(token), token);
  if (type == "Token") return checked("token " + decoded(token), token);
  // OAuth2, OIDC and everything unknown.
  return checked("bearer " + token.authToken.reveal(), token);
}

}  // namespace stratos::auth
