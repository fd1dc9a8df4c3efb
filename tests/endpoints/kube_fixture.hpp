#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "endpoints_fixture.hpp"
#include "stratos/testing/fake_kubernetes.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::compat {

/// An OpenID Connect provider that renews ID tokens, behind a private authority.
class Issuer {
 public:
  static constexpr const char* kSecret = "kube-client-secret-6";

  Issuer(const testing::TestCertificates& authority, const Clock& clock);
  [[nodiscard]] const std::string& url() const { return server_.url(); }
  [[nodiscard]] std::string idToken(const std::string& user, std::chrono::seconds life) const;
  /// What the next renewals give; without a refresh token when that is empty.
  void grant(const std::string& idToken, const std::string& refreshToken);
  /// The refresh tokens that were redeemed, in order.
  [[nodiscard]] std::vector<std::string> redeemed() const;
  /// An entry of `users` in a kubeconfig.
  [[nodiscard]] std::string kubeUser(const std::string& name, const std::string& idToken,
                                     const std::string& refreshToken) const;
  [[nodiscard]] std::string authorityAsJson() const;

 private:
  const testing::TestCertificates& authority_;
  const Clock& clock_;
  testing::FakeUpstream server_;
};

/// A cluster behind a private authority, which also signs its clients' certificates.
class KubeTest : public EndpointsTest {
 protected:
  void SetUp() override;

  [[nodiscard]] testing::TestCertificates& authority() { return *authority_; }
  [[nodiscard]] testing::FakeKubernetes& cluster() { return *cluster_; }
  /// Registers the cluster with its authority.
  std::string addCluster(Fields changes = {});
  /// Whom the cluster sees when the administrator calls it.
  std::string asked(const std::string& guid);
  [[nodiscard]] std::string lastAuthorization();
  /// A kubeconfig with this cluster and another one (context `other`), and a context for this one
  /// and each of the users.
  [[nodiscard]] std::string kubeconfig(const std::string& usersYaml,
                                       const std::vector<std::string>& users,
                                       const std::string& current);

 private:
  std::unique_ptr<testing::TestCertificates> authority_;
  std::unique_ptr<testing::FakeKubernetes> cluster_;
};

}  // namespace stratos::compat
