#include "kube_fixture.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/json_writer.hpp"

namespace stratos::compat {

Issuer::Issuer(const testing::TestCertificates& authority, const Clock& clock)
    : authority_(authority), clock_(clock), server_({.tls = authority.issueServer()}) {
  const std::string issuer = server_.url();
  server_.handle("/.well-known/openid-configuration", [issuer](const testing::ReceivedRequest&) {
    JsonWriter json;
    json.beginObject()
        .member("issuer", issuer)
        .member("authorization_endpoint", issuer + "/auth")
        .member("token_endpoint", issuer + "/issue")
        .member("jwks_uri", issuer + "/keys")
        .endObject();
    return testing::jsonReply(200, json.str());
  });
  server_.handle("/issue", [](const testing::ReceivedRequest&) {
    return testing::jsonReply(400, R"({"error":"invalid_grant"})");
  });
}

std::string Issuer::idToken(const std::string& user, std::chrono::seconds life) const {
  JsonWriter json;
  json.beginObject()
      .member("iss", server_.url())
      .member("sub", "id-of-" + user)
      .member("preferred_username", user)
      .member("exp", toUnixSeconds(clock_.now() + life))
      .endObject();
  return toBase64Url(R"({"alg":"RS256"})") + "." + toBase64Url(json.str()) + ".c2ln";
}

void Issuer::grant(const std::string& idToken, const std::string& refreshToken) {
  JsonWriter json;
  json.beginObject()
      .member("access_token", "opaque-access-token")
      .member("token_type", "Bearer")
      .member("id_token", idToken)
      .member("expires_in", 600);
  if (!refreshToken.empty()) json.member("refresh_token", refreshToken);
  json.endObject();
  const std::string client = "Basic " + toBase64(std::string{"kube:"} + kSecret);
  server_.handle("/issue", [client, answer = json.str()](const testing::ReceivedRequest& request) {
    if (request.header("Authorization") != client) {
      return testing::jsonReply(401, R"({"error":"invalid_client"})");
    }
    return testing::jsonReply(200, answer);
  });
}

std::vector<std::string> Issuer::redeemed() const {
  std::vector<std::string> tokens;
  for (const auto& request : server_.requestsTo("/issue")) {
    for (const auto& [name, value] : decodeForm(request.body).value_or(FormFields{})) {
      if (name == "refresh_token") tokens.push_back(value);
    }
  }
  return tokens;
}

std::string Issuer::kubeUser(const std::string& name, const std::string& idToken,
                             const std::string& refreshToken) const {
  return "- name: " + name +
         "\n  user:\n    auth-provider:\n      name: oidc\n      config:\n"
         "        client-id: kube\n        client-secret: " +
         kSecret + "\n        id-token: " + idToken + "\n        idp-issuer-url: " + url() +
         "\n        idp-certificate-authority-data: " + toBase64(authority_.caPem()) +
         (refreshToken.empty() ? "" : "\n        refresh-token: " + refreshToken) + "\n";
}

std::string Issuer::authorityAsJson() const {
  std::string text;
  for (const char c : authority_.caPem()) text += c == '\n' ? std::string{"\\n"} : std::string{c};
  return text;
}

void KubeTest::SetUp() {
  EndpointsTest::SetUp();
  if (IsSkipped()) return;
  t().vault.add(Issuer::kSecret);
  authority_ = std::make_unique<testing::TestCertificates>();
  cluster_ = std::make_unique<testing::FakeKubernetes>(
      t().clock, testing::FakeUpstreamOptions{.tls = authority_->issueServer(),
                                              .clientCaPem = authority_->caPem()});
}

std::string KubeTest::addCluster(Fields changes) {
  changes.emplace_back("ca_cert", authority_->caPem());
  return add("k8s", cluster_->url(), changes);
}

std::string KubeTest::asked(const std::string& guid) {
  const Answer answer = call(guid, "/api/v1/namespaces/dev/pods");
  EXPECT_EQ(answer.status, 200) << answer.body;
  return jsonAt(answer.body, "user");
}

std::string KubeTest::lastAuthorization() {
  return cluster_->server().requests().back().header("Authorization");
}

std::string KubeTest::kubeconfig(const std::string& usersYaml,
                                 const std::vector<std::string>& users,
                                 const std::string& current) {
  std::string file = "apiVersion: v1\nkind: Config\ncurrent-context: to-" + current +
                     "\nclusters:\n- name: elsewhere\n  cluster: {server: 'https://k.example'}\n"
                     "- name: here\n  cluster:\n    server: " +
                     cluster_->url() +
                     "/\ncontexts:\n- name: to-other\n  context: {cluster: elsewhere, user: x}\n";
  for (const std::string& user : users) {
    file += "- name: to-" + user + "\n  context: {cluster: here, user: " + user + "}\n";
  }
  return file + "users:\n" + usersYaml;
}

}  // namespace stratos::compat
