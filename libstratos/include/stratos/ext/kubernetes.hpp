#pragma once

#include <memory>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::ext {

struct KubernetesOptions {
  /// AWS region whose STS signs the tokens of EKS clusters that do not name theirs in their
  /// address; empty: the global one.
  std::string awsRegion;
  /// Where the tokens of GKE users come from, and which certificates are trusted there.
  std::string googleTokenUrl = "https://www.googleapis.com/oauth2/v4/token";
  http::TrustPolicy googleTrust = {};
};

/// Kubernetes clusters: the endpoint type `k8s`, and the ways to connect to one that the front end
/// offers: service account token, client certificate, user name and password, kubeconfig (also
/// Azure's and OpenID Connect), AWS IAM, Google. Credentials are tried before they are stored.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<Extension> makeKubernetes(
    KubernetesOptions options = {});

}  // namespace stratos::ext
