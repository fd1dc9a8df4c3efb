#pragma once

#include <string>

#include "ext/kubernetes/kubeconfig.hpp"
#include "ext/kubernetes/schemes.hpp"
#include "stratos/auth/auth_scheme.hpp"
#include "stratos/endpoint/endpoint_type.hpp"

namespace stratos::ext::kubernetes {

/// The endpoint type `k8s`.
class KubernetesType final : public endpoint::EndpointType {
 public:
  /// `schemes` must hold those of makeSchemes() by the time of the first connection.
  KubernetesType(SchemeContext context, const auth::AuthSchemes& schemes);

  [[nodiscard]] std::string_view name() const noexcept override { return "k8s"; }
  [[nodiscard]] endpoint::ProbeResult probe(const store::EndpointRecord& candidate,
                                            Deadline deadline) override;
  [[nodiscard]] endpoint::ConnectResult connect(const store::EndpointRecord& endpoint,
                                                const http::FormParameters& form,
                                                Deadline deadline) override;

 private:
  /// A token that was not tried yet, or why there is none.
  struct Candidate {
    std::string problem;
    int status = 400;
    store::TokenRecord token;
  };
  struct Attempt {
    const store::EndpointRecord& endpoint;
    const http::FormParameters& form;
    Deadline deadline;
  };
  static Candidate refused(std::string problem, int status = 400);
  static Candidate made(store::TokenRecord token);

  [[nodiscard]] Candidate make(const Attempt& attempt, const std::string& kind) const;
  [[nodiscard]] Candidate fromBasic(const Attempt& attempt) const;
  [[nodiscard]] Candidate fromToken(const Attempt& attempt) const;
  [[nodiscard]] Candidate fromCertificate(const Attempt& attempt) const;
  [[nodiscard]] Candidate fromKubeconfig(const Attempt& attempt, const std::string& kind) const;
  [[nodiscard]] Candidate fromOidc(const Attempt& attempt, const KubeUser::Oidc& oidc) const;
  [[nodiscard]] Candidate fromAws(const Attempt& attempt) const;
  [[nodiscard]] Candidate fromGoogle(const Attempt& attempt) const;
  /// Has the scheme make the first token of a row that it can renew.
  [[nodiscard]] Candidate renewed(const Attempt& attempt, store::TokenRecord token,
                                  const std::string& refusal) const;

  const SchemeContext context_;
  const auth::AuthSchemes& schemes_;
};

}  // namespace stratos::ext::kubernetes
