#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/secret.hpp"
#include "stratos/base/url.hpp"

namespace stratos::ext::kubernetes {

/// How a user of a kubeconfig signs in to the API server; members that the file does not have are
/// empty.
struct KubeUser {
  std::string certificatePem;
  Secret keyPem;
  Secret token;
  std::string userName;
  Secret password;
  struct Oidc {
    std::string issuer;
    std::string issuerCaPem;
    std::string clientId;
    Secret clientSecret;
    Secret idToken;
    Secret refreshToken;
  };
  std::optional<Oidc> oidc;
  /// What the file has instead that only works on the machine where it lies; for the user.
  std::string unusable;
};

struct KubeUserResult {
  std::optional<KubeUser> user;
  std::string problem;  ///< For whoever sent the file, when there is no user; quotes nothing of it.
};

/// Base64 of something in PEM form, line breaks allowed; empty when it is something else.
[[nodiscard]] std::optional<std::string> decodePem(std::string encoded);

/// The user with whom `kubeconfig` (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/)
/// reaches the cluster at `apiUrl`: that of the current context if it is for that cluster, else of
/// the first context that is.
[[nodiscard]] KubeUserResult findUser(const std::string& kubeconfig, const Url& apiUrl);

}  // namespace stratos::ext::kubernetes
