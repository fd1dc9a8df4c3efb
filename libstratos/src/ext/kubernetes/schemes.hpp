#pragma once

#include <map>
#include <memory>
#include <string>

#include "ext/kubernetes/stored_credentials.hpp"
#include "stratos/auth/auth_scheme.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/ext/kubernetes.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::ext::kubernetes {

/// What the kinds of tokens that Kubernetes adds have in common. The collaborators must outlive
/// them.
struct SchemeContext {
  http::Transport& transport;
  const Clock& clock;
  KubernetesOptions options;
};

/// The schemes by auth type: k8s-token, kube-cert-auth, kubeconfig-az, OIDC, aws-iam, gke-auth.
/// (`creds` is built in.)
[[nodiscard]] std::map<std::string, std::unique_ptr<auth::AuthScheme>> makeSchemes(
    const SchemeContext& context);

struct GoogleGrant {
  auth::GrantResult result;
  std::string email;  ///< Of the ID token, when there was one.
};
/// Trades a Google user's refresh token for an access token.
[[nodiscard]] GoogleGrant askGoogle(const SchemeContext& context, const GoogleUser& user,
                                    Deadline deadline);

}  // namespace stratos::ext::kubernetes
