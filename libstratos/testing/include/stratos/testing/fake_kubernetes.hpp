#pragma once

#include <memory>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

/// The API server of a Kubernetes cluster, as far as signing in to it goes: bearer tokens, HTTP
/// Basic, client certificates (by their common name) and the presigned calls of AWS IAM, which it
/// checks as the authenticator of EKS does, signature and age.
///
/// Strangers and whoever is not known get 401 with a `Status`. `GET /api` lists versions, the list
/// of all pods is for those who may have it, everything else says who asked
/// (`{"kind":"Echo","user":...,"path":...}`).
///
/// Thread safety: all members may be called concurrently. `clock` must outlive it.
class STRATOS_EXPORT FakeKubernetes {
 public:
  explicit FakeKubernetes(const Clock& clock, FakeUpstreamOptions options = {});
  ~FakeKubernetes();
  FakeKubernetes(const FakeKubernetes&) = delete;
  FakeKubernetes& operator=(const FakeKubernetes&) = delete;

  [[nodiscard]] FakeUpstream& server() noexcept;
  [[nodiscard]] const std::string& url() const noexcept;

  void addToken(const std::string& token, const std::string& user);
  void revokeToken(const std::string& token);
  void addBasicUser(const std::string& user, const std::string& password);
  /// The common name of certificates that the options' client authority has signed.
  void addCertificateUser(const std::string& commonName);
  /// An AWS user of the cluster of that name.
  void addAwsUser(const std::string& cluster, const std::string& accessKey,
                  const std::string& secretKey);
  /// Known, but not allowed to list the pods of all namespaces.
  void confineToNamespace(const std::string& user);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
