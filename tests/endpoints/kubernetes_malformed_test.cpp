#include "kube_fixture.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::compat {
namespace {

class MalformedClusterTest : public KubeTest {};
STRATOS_ON_EVERY_DIALECT(MalformedClusterTest);

TEST_P(MalformedClusterTest, RegistrationsThatCannotWork) {
  expectRefused(registerAt("k8s", cluster().url(), {{"sub_type", "mesos"}}), 400, "sub_type", "");
  expectRefused(registerAt("k8s", cluster().url(), {{"ca_cert", "no certificate"}}), 400, "ca_cert",
                "");
  expectRefused(registerAt("k8s", ""), 400, "API Endpoint", "");
  expectRefused(registerAt("k8s", "kubernetes.example:6443"), 400, "API Endpoint", "");
  expectRefused(registerAt("k8s", "https://127.0.0.1:1"), 400, "cannot be reached", "");
  testing::TestCertificates stranger;
  expectRefused(registerAt("k8s", cluster().url(), {{"ca_cert", stranger.caPem()}}), 403,
                "SSL error - ", "");
  testing::FakeUpstream other;
  const std::pair<int, const char*> answers[] = {
      {200, "<html>"}, {200, R"({"kind":"Status"})"}, {401, R"({"kind":"APIVersions"})"},
      {403, "no"},     {404, R"({"kind":"Status"})"}, {500, R"({"kind":"Status"})"}};
  for (const auto& [status, body] : answers) {
    other.handle("/api", [status = status, body = body](const testing::ReceivedRequest&) {
      return testing::jsonReply(status, body);
    });
    expectRefused(registerAt("k8s", other.url()), 400,
                  "api_endpoint must be the address of the API", "");
  }
  other.handle("/api", [](const testing::ReceivedRequest&) {
    return testing::jsonReply(403, R"({"type":"error"})");  // As Rancher does.
  });
  add("k8s", other.url());
}

TEST_P(MalformedClusterTest, CredentialsThatCannotWorkLeaveTheConnection) {
  const std::string guid = addCluster();
  cluster().addToken("working-token", "keeper");
  ASSERT_EQ(connect(guid, "k8s-token", {{"token", "working-token"}}).status, 200);
  const std::string before = rows();
  const auto identity = authority().issueClient("carol");
  const auto another = authority().issueClient("carol");
  const std::string cert = toBase64(identity.certificatePem);
  const std::string key = toBase64(identity.keyPem);

  struct Form {
    const char* connectType;
    Fields fields;
    const char* text;
  };
  const Form forms[] = {
      {"", {}, "connect_type must be k8s-token"},
      {"kerberos", {}, "connect_type must be k8s-token"},
      {"k8s-token", {}, "token is missing"},
      {"k8s-token", {{"token", "a\nb"}}, "token holds line breaks"},
      {"k8s-token", {{"token", "unknown-token"}}, "does not accept these credentials"},
      {"creds", {{"username", "ops"}}, "password is missing"},
      {"creds", {{"username", "o:ps"}, {"password", "pass-word-1"}}, "username holds a colon"},
      {"creds", {{"username", "ops"}, {"password", "pass-word-2"}}, "does not accept these"},
  };
  for (const Form& form : forms) {
    expectRefused(connect(guid, form.connectType, form.fields), 400, form.text, before);
  }

  const auto config = [&](const std::string& user) {
    return kubeconfig("- name: u\n  user:" + user + "\n", {"u"}, "u");
  };
  struct File {
    const char* connectType;
    std::string body;
    const char* text;
  };
  const File files[] = {
      {"kube-cert-auth", "", "with a colon between them"},
      {"kube-cert-auth", cert, "with a colon between them"},
      {"kube-cert-auth", "%%%:" + key, "the certificate is not base64"},
      {"kube-cert-auth", cert + ":bm8=", "the key is not base64"},
      {"kube-cert-auth", toBase64("-----BEGIN CERTIFICATE-----\nx") + ":" + key,
       "cannot be used together"},
      {"kube-cert-auth", cert + ":" + toBase64(another.keyPem), "cannot be used together"},
      {"kube-cert-auth", cert + ":" + key, "does not accept these credentials"},
      {"kubeconfig", "", "the kubeconfig is missing"},
      {"kubeconfig", "{[", "no YAML document"},
      {"kubeconfig", std::string(100'000, '['), "no YAML document"},
      {"kubeconfig", "just text", "this is no kubeconfig"},
      {"kubeconfig", "apiVersion: v1\nkind: Pod\n", "this is no kubeconfig"},
      {"kubeconfig", "apiVersion: v1\nkind: Config\n", "has no clusters"},
      {"kubeconfig", "apiVersion: v1\nkind: Config\nclusters: []\n", "has no contexts"},
      {"kubeconfig", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: [1, {name: x}]\n",
       "has no context for a cluster whose server is"},
      {"kubeconfig", kubeconfig("", {"u"}, "u"), "has no user of its context's name"},
      {"kubeconfig", config(" {}"), "has no credentials"},
      {"kubeconfig", config(" {exec: {command: aws}}"), "exec of the kubeconfig works only where"},
      {"kubeconfig", config(" {tokenFile: /etc/passwd}"), "tokenFile of the kubeconfig"},
      {"kubeconfig", config(" {client-certificate-data: x}"), "client-certificate-data of the"},
      {"kubeconfig", config(" {client-certificate-data: " + cert + "}"), "has no credentials"},
      {"kubeconfig", config(" {token: \"a\\nb\"}"), "token of the kubeconfig holds control"},
      {"kubeconfig", config(" {token: unknown-too}"), "does not accept these credentials"},
      {"kubeconfig-az", config(" {token: x}"), "client-key-data and token"},
      {"OIDC", config(" {token: x}"), "no auth-provider named oidc"},
      {"OIDC", config(" {auth-provider: {name: oidc, config: {idp-issuer-url: 'http://x'}}}"),
       "idp-issuer-url of the kubeconfig must be an https URL"},
      {"OIDC", config(" {auth-provider: {name: oidc, config: {idp-issuer-url: 'https://x'}}}"),
       "client-id of the kubeconfig"},
      {"OIDC",
       config(
           " {auth-provider: {name: oidc, config: {idp-issuer-url: 'https://x', client-id: c}}}"),
       "id-token of the kubeconfig"},
  };
  for (const File& file : files) {
    SCOPED_TRACE(file.body.substr(0, 600));
    expectRefused(connectWithFile(guid, file.connectType, file.body), 400, file.text, before);
  }
  cluster().server().addFault(
      {.kind = testing::FaultKind::Status, .pathPrefix = "/api/v1/pods", .status = 503});
  expectRefused(connect(guid, "k8s-token", {{"token", "working-token"}}), 502,
                "the cluster answered 503", before);
  EXPECT_EQ(asked(guid), "keeper");
  EXPECT_EQ(lastAuthorization(), "bearer working-token");
}

}  // namespace
}  // namespace stratos::compat
