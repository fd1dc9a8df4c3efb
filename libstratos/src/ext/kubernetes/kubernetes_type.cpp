#include "ext/kubernetes/kubernetes_type.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/url.hpp"
#include "stratos/endpoint/connect_form.hpp"
#include "stratos/endpoint/endpoint_call.hpp"

namespace stratos::ext::kubernetes {

namespace {

using endpoint::ConnectResult;
using endpoint::EndpointAnswer;
using endpoint::ProbeResult;
using store::EndpointRecord;
using store::TokenRecord;

/// What every API server answers, signed in or not, if only with a refusal.
constexpr const char* kDiscovery = "/api";
/// What credentials are tried with: whoever is known gets a list, or is told that they may not.
constexpr const char* kTrial = "/api/v1/pods?limit=1";
constexpr std::string_view kSubTypes[] = {"", "config", "caasp", "aks", "eks", "gke", "k3s"};

}  // namespace

KubernetesType::KubernetesType(SchemeContext context, const auth::AuthSchemes& schemes)
    : context_(std::move(context)), schemes_(schemes) {}

ProbeResult KubernetesType::probe(const EndpointRecord& candidate, Deadline deadline) {
  if (std::find(std::begin(kSubTypes), std::end(kSubTypes), candidate.subType) ==
      std::end(kSubTypes)) {
    return endpoint::notThatKind("sub_type must be empty, caasp, aks, eks, gke or k3s");
  }
  const EndpointAnswer answer =
      endpoint::fetch(context_.transport, candidate, kDiscovery, {}, deadline);
  if (answer.failed()) return endpoint::unreachable(answer);
  const std::string kind = findJsonText(answer.body, "kind").value_or("");
  const bool refusesStrangers = answer.status == 401 || answer.status == 403;
  const bool isRefusal =
      refusesStrangers && (kind == "Status" || findJsonText(answer.body, "type") == "error");
  if ((answer.status < 400 && kind == "APIVersions") || isRefusal) {
    return endpoint::accepted(candidate);
  }
  return endpoint::notThatKind("it answered " + std::to_string(answer.status) + " to " +
                               kDiscovery +
                               " in another way than Kubernetes does; api_endpoint must be the "
                               "address of the API server, as in the kubeconfig's server");
}

ConnectResult KubernetesType::connect(const EndpointRecord& record,
                                      const http::FormParameters& form, Deadline deadline) {
  Candidate candidate = make({record, form, deadline}, toLower(form.get("connect_type")));
  if (!candidate.problem.empty()) {
    return endpoint::notConnected(candidate.problem, candidate.status);
  }
  const EndpointAnswer answer =
      endpoint::fetch(context_.transport, record, kTrial,
                      schemes_.of(candidate.token).credential(candidate.token), deadline);
  if (answer.failed()) {
    const bool isOurs = answer.failure == http::TransportFailure::Forbidden;
    return endpoint::notConnected(answer.problem, isOurs ? 400 : 502);
  }
  if (answer.status == 401) {
    return endpoint::notConnected("the cluster does not accept these credentials");
  }
  // Who may not list all pods is somebody all the same.
  if (answer.status >= 400 && answer.status != 403) {
    return endpoint::notConnected("the cluster answered " + std::to_string(answer.status), 502);
  }
  return endpoint::connected(std::move(candidate.token));
}

KubernetesType::Candidate KubernetesType::refused(std::string problem, int status) {
  return {.problem = std::move(problem), .status = status, .token = {}};
}

KubernetesType::Candidate KubernetesType::made(TokenRecord token) {
  return {.problem = {}, .status = 200, .token = std::move(token)};
}

KubernetesType::Candidate KubernetesType::make(const Attempt& attempt,
                                               const std::string& kind) const {
  if (kind == "creds") return fromBasic(attempt);
  if (kind == "k8s-token") return fromToken(attempt);
  if (kind == "kube-cert-auth") return fromCertificate(attempt);
  if (kind == "kubeconfig" || kind == "kubeconfig-az" || kind == "oidc") {
    return fromKubeconfig(attempt, kind);
  }
  if (kind == "aws-iam") return fromAws(attempt);
  if (kind == "gke-auth") return fromGoogle(attempt);
  return refused(
      "connect_type must be k8s-token, kube-cert-auth, creds, kubeconfig, kubeconfig-az, OIDC, "
      "aws-iam or gke-auth");
}

KubernetesType::Candidate KubernetesType::fromBasic(const Attempt& attempt) const {
  const endpoint::BasicFields fields = endpoint::readBasicFields(attempt.form);
  if (!fields.problem.empty()) return refused(fields.problem);
  return made(endpoint::namedToken("creds", fields.encoded, fields.userName));
}

KubernetesType::Candidate KubernetesType::fromToken(const Attempt& attempt) const {
  std::string problem = endpoint::problemOfFields(attempt.form, {"token"});
  if (!problem.empty()) return refused(std::move(problem));
  return made(
      makeServiceAccountToken(endpoint::trimmedField(attempt.form, "token"), context_.clock.now()));
}

KubernetesType::Candidate KubernetesType::fromCertificate(const Attempt& attempt) const {
  const std::string& body = attempt.form.rawBody;
  const auto colon = body.find(':');
  if (colon == std::string::npos) {
    return refused(
        "the body must be the certificate and its key, each in base64, with a colon between them");
  }
  const auto certificate = decodePem(body.substr(0, colon));
  if (!certificate) return refused("the certificate is not base64 of a certificate in PEM form");
  const auto key = decodePem(body.substr(colon + 1));
  if (!key) return refused("the key is not base64 of a private key in PEM form");
  return made(makeCertificateToken({*certificate, Secret{*key}, {}}, context_.clock.now()));
}

KubernetesType::Candidate KubernetesType::fromKubeconfig(const Attempt& attempt,
                                                         const std::string& kind) const {
  const auto url = Url::tryParse(attempt.endpoint.apiUrl);
  if (!url) return refused("the address of the endpoint is no URL; register it again");
  KubeUserResult found = findUser(attempt.form.rawBody, *url);
  if (!found.user) return refused(std::move(found.problem));
  const KubeUser& user = *found.user;
  const bool hasCertificate = !user.certificatePem.empty() && !user.keyPem.empty();
  if (kind == "kubeconfig-az") {
    if (!hasCertificate || user.token.empty()) {
      return refused(
          "the user of the kubeconfig needs client-certificate-data, client-key-data and token; "
          "get them with az aks get-credentials --admin, or choose another connect_type");
    }
    return made(
        makeCertificateToken({user.certificatePem, user.keyPem, user.token}, context_.clock.now()));
  }
  if (user.oidc) return fromOidc(attempt, *user.oidc);
  if (kind == "oidc") return refused("the user of the kubeconfig has no auth-provider named oidc");
  if (hasCertificate) {
    return made(makeCertificateToken({user.certificatePem, user.keyPem, {}}, context_.clock.now()));
  }
  if (!user.token.empty()) {
    return made(makeServiceAccountToken(user.token.reveal(), context_.clock.now()));
  }
  if (!user.userName.empty() && !user.password.empty()) {
    const http::FormParameters basic{
        .values = {{"username", user.userName}, {"password", user.password.reveal()}},
        .rawBody = {}};
    return fromBasic({attempt.endpoint, basic, attempt.deadline});
  }
  return refused(user.unusable.empty()
                     ? "the user of the kubeconfig has no credentials; it needs "
                       "client-certificate-data and client-key-data, a token, or user name and "
                       "password"
                     : user.unusable +
                           " of the kubeconfig works only where the file lies; embed the "
                           "credentials with kubectl config view --flatten, or use a token");
}

KubernetesType::Candidate KubernetesType::fromOidc(const Attempt& attempt,
                                                   const KubeUser::Oidc& oidc) const {
  const auto issuer = Url::tryParse(oidc.issuer);
  if (!issuer || issuer->scheme() != "https") {
    return refused("idp-issuer-url of the kubeconfig must be an https URL");
  }
  if (oidc.clientId.empty()) return refused("client-id of the kubeconfig's user is missing");
  if (oidc.idToken.empty() && oidc.refreshToken.empty()) {
    return refused("id-token of the kubeconfig's user is missing; sign in with kubectl first");
  }
  TokenRecord token = makeOidcToken(oidc.idToken, {.issuer = oidc.issuer,
                                                   .issuerCaPem = oidc.issuerCaPem,
                                                   .clientId = oidc.clientId,
                                                   .clientSecret = oidc.clientSecret,
                                                   .refreshToken = oidc.refreshToken});
  const bool isOver = token.expiry != 0 && token.expiry <= toUnixSeconds(context_.clock.now());
  if (!isOver && !oidc.idToken.empty()) return made(std::move(token));
  if (oidc.refreshToken.empty()) {
    return refused("id-token of the kubeconfig has expired; sign in with kubectl again");
  }
  return renewed(attempt, std::move(token),
                 "id-token of the kubeconfig has expired and its issuer does not renew it; sign in "
                 "with kubectl again");
}

KubernetesType::Candidate KubernetesType::fromAws(const Attempt& attempt) const {
  std::string problem =
      endpoint::problemOfFields(attempt.form, {"cluster", "access_key", "secret_key"});
  if (!problem.empty()) return refused(std::move(problem));
  TokenRecord token;
  token.authType = "aws-iam";
  token.refreshToken =
      awsRefreshColumn({.cluster = endpoint::trimmedField(attempt.form, "cluster"),
                        .accessKey = endpoint::trimmedField(attempt.form, "access_key"),
                        .secretKey = Secret{endpoint::trimmedField(attempt.form, "secret_key")}});
  return renewed(attempt, std::move(token), "no token can be signed");
}

KubernetesType::Candidate KubernetesType::fromGoogle(const Attempt& attempt) const {
  const std::string& body = attempt.form.rawBody;
  if (!isJsonObject(body)) {
    return refused(
        "the body must be the JSON document of Google's application default credentials");
  }
  if (findJsonText(body, "type") != "authorized_user") {
    return refused(
        "type of the credentials must be authorized_user; make them with gcloud auth "
        "application-default login");
  }
  for (const char* name : {"client_id", "client_secret", "refresh_token"}) {
    if (findJsonText(body, name).value_or("").empty()) {
      return refused(std::string{name} +
                     " of the credentials is missing; make them anew with gcloud auth "
                     "application-default login");
    }
  }
  auto user = readGoogleUser(body);
  if (!user) return refused("the credentials cannot be understood");
  GoogleGrant grant = askGoogle(context_, *user, attempt.deadline);
  if (grant.result.status != auth::GrantStatus::Granted) {
    const bool isAway = grant.result.status == auth::GrantStatus::Unavailable;
    return isAway ? refused("Google cannot be reached, or does not answer as expected", 502)
                  : refused(
                        "Google does not accept the refresh_token; make the credentials anew with "
                        "gcloud auth application-default login");
  }
  user->email = grant.email;
  TokenRecord token;
  token.authType = "gke-auth";
  token.expiry = auth::expiryOf(grant.result.grant, context_.clock.now());
  token.authToken = std::move(grant.result.grant.accessToken);
  token.refreshToken = googleRefreshColumn(*user);
  return made(std::move(token));
}

KubernetesType::Candidate KubernetesType::renewed(const Attempt& attempt, TokenRecord token,
                                                  const std::string& refusal) const {
  auth::GrantResult answer = schemes_.of(token).renew(attempt.endpoint, token, attempt.deadline);
  if (answer.status != auth::GrantStatus::Granted) {
    return refused(refusal, answer.status == auth::GrantStatus::Unavailable ? 502 : 400);
  }
  token.expiry = auth::expiryOf(answer.grant, context_.clock.now());
  token.authToken = std::move(answer.grant.accessToken);
  if (!answer.grant.refreshToken.empty()) token.refreshToken = std::move(answer.grant.refreshToken);
  return made(std::move(token));
}

}  // namespace stratos::ext::kubernetes
