#include "endpoints_fixture.hpp"
#include "kube_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KubernetesEndpointTest : public KubeTest {};
STRATOS_ON_EVERY_DIALECT(KubernetesEndpointTest);

TEST_P(KubernetesEndpointTest, ServiceAccountToken) {
  const std::string before = rows();
  expectRefused(registerAt("k8s", cluster().url()), 403, "SSL error - ", before);
  const std::string guid = addCluster();
  const std::string jwt =
      "e30." + toBase64Url(R"({"sub":"system:serviceaccount:dev:robot"})") + ".s";
  cluster().addToken(jwt, "robot");
  cluster().confineToNamespace("robot");  // May not list all pods, and is somebody all the same.
  const Answer answer = connect(guid, "k8s-token", {{"token", jwt}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "user"),
            R"({"guid":"system:serviceaccount:dev:robot","name":"system:serviceaccount:dev:robot",)"
            R"("admin":false,"scopes":[]})");
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "k8s-token");
  EXPECT_EQ(stored.refreshToken.reveal(), "__NONE__");
  EXPECT_EQ(stored.expiry, toUnixSeconds(t().clock.now()) + 100'000LL * 3600);
  EXPECT_EQ(asked(guid), "robot");
  EXPECT_EQ(lastAuthorization(), "bearer " + jwt);
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, ATokenThatNamesNobodyLooksConnected) {
  const std::string guid = addCluster();
  cluster().addToken("opaque-token-1", "somebody");
  ASSERT_EQ(connect(guid, "k8s-token", {{"token", "opaque-token-1"}}).status, 200);
  EXPECT_EQ(jsonAt(userOf("k8s", guid), "name"), "k8s-token");
  cluster().addToken("kubelet:opaque-2", "kubelet");
  ASSERT_EQ(connect(guid, "K8S-Token", {{"token", "kubelet:opaque-2"}}).status, 200);
  EXPECT_EQ(jsonAt(userOf("k8s", guid), "name"), "kubelet");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, UserNameAndPassword) {
  const std::string guid = addCluster({{"sub_type", "k3s"}});
  cluster().addBasicUser("ops", "ops-pass:1");
  ASSERT_EQ(connect(guid, "creds", {{"username", "ops"}, {"password", "ops-pass:1"}}).status, 200);
  EXPECT_EQ(token(guid).authType, "creds");
  EXPECT_EQ(token(guid).expiry, 0);
  EXPECT_EQ(asked(guid), "ops");
  EXPECT_EQ(lastAuthorization(), "basic " + toBase64("ops:ops-pass:1"));
  EXPECT_EQ(jsonAt(userOf("k8s", guid), "guid"), "ops");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, ClientCertificate) {
  const std::string guid = addCluster();
  const auto identity = authority().issueClient("carol");
  cluster().addCertificateUser("carol");
  const Answer answer = connectWithFile(
      guid, "kube-cert-auth", toBase64(identity.certificatePem) + ":" + toBase64(identity.keyPem));
  EXPECT_EQ(answer.status, 200) << answer.body;
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "kube-cert-auth");
  EXPECT_THAT(jsonKeys(stored.authToken.reveal()), ::testing::ElementsAre("cert", "certKey"));
  EXPECT_EQ(jsonAt(stored.authToken.reveal(), "cert"), identity.certificatePem);
  EXPECT_EQ(jsonAt(stored.authToken.reveal(), "certKey"), identity.keyPem);
  EXPECT_EQ(stored.refreshToken, stored.authToken);
  EXPECT_EQ(asked(guid), "carol");
  EXPECT_EQ(lastAuthorization(), "");
  EXPECT_EQ(userOf("k8s", guid),
            R"({"guid":"Kube Cert Auth","name":"Cert Auth","admin":false,"scopes":null})");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, KubeconfigTakesTheUserOfTheCurrentContext) {
  const std::string guid = addCluster();
  const auto identity = authority().issueClient("dave");
  cluster().addCertificateUser("dave");
  cluster().addToken("first-users-token", "first");
  const std::string users =
      "- name: first\n  user: {token: first-users-token}\n"
      "- name: dave\n  user:\n    client-certificate-data: " +
      toBase64(identity.certificatePem) + "\n    client-key-data: " + toBase64(identity.keyPem) +
      "\n    token: ignored-then\n";
  ASSERT_EQ(
      connectWithFile(guid, "kubeconfig", kubeconfig(users, {"first", "dave"}, "dave")).status,
      200);
  EXPECT_EQ(token(guid).authType, "kube-cert-auth");
  EXPECT_EQ(asked(guid), "dave");
  EXPECT_EQ(lastAuthorization(), "");

  // The current context is for another cluster: the first one for this counts.
  ASSERT_EQ(
      connectWithFile(guid, "kubeconfig", kubeconfig(users, {"first", "dave"}, "other")).status,
      200);
  EXPECT_EQ(token(guid).authType, "k8s-token");
  EXPECT_EQ(asked(guid), "first");
  EXPECT_EQ(lastAuthorization(), "bearer first-users-token");

  cluster().addBasicUser("ops", "ops-pass-2");
  t().vault.add("ops-pass-2");
  ASSERT_EQ(connectWithFile(guid, "kubeconfig",
                            kubeconfig("- name: u\n  user: {username: ops, password: ops-pass-2}\n",
                                       {"u"}, "u"))
                .status,
            200);
  EXPECT_EQ(token(guid).authType, "creds");
  EXPECT_EQ(asked(guid), "ops");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, AzureKubeconfigSendsCertificateAndToken) {
  const std::string guid = addCluster({{"sub_type", "aks"}});
  const auto identity = authority().issueClient("masterclient");
  cluster().addCertificateUser("masterclient");
  const std::string withoutToken =
      "- name: admin\n  user:\n    client-certificate-data: " + toBase64(identity.certificatePem) +
      "\n    client-key-data: " + toBase64(identity.keyPem) + "\n";
  const std::string before = rows();
  expectRefused(
      connectWithFile(guid, "kubeconfig-az", kubeconfig(withoutToken, {"admin"}, "admin")), 400,
      "client-key-data and token", before);
  const std::string users = withoutToken + "    token: az-token-3\n";
  ASSERT_EQ(connectWithFile(guid, "kubeconfig-az", kubeconfig(users, {"admin"}, "admin")).status,
            200);
  EXPECT_EQ(token(guid).authType, "kubeconfig-az");
  EXPECT_EQ(jsonAt(token(guid).authToken.reveal(), "token"), "az-token-3");
  EXPECT_EQ(asked(guid), "masterclient");
  EXPECT_EQ(lastAuthorization(), "bearer az-token-3");
  EXPECT_EQ(jsonAt(userOf("k8s", guid), "name"), "Cert Auth");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, OpenIdConnectIsRenewedAndSendsTheIdToken) {
  const std::string guid = addCluster();
  Issuer issuer(authority(), t().clock);
  const std::string first = issuer.idToken("erin", std::chrono::seconds{600});
  cluster().addToken(first, "erin");
  const Answer answer = connectWithFile(
      guid, "kubeconfig", kubeconfig(issuer.kubeUser("u", first, "refresh-1"), {"u"}, "u"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "user/name"), "erin");
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "OIDC");
  EXPECT_EQ(stored.expiry, toUnixSeconds(t().clock.now()) + 600);
  EXPECT_EQ(jsonAt(stored.metadata, "ClientID"), "kube");
  EXPECT_EQ(jsonAt(stored.metadata, "IssuerURL"), issuer.url());
  EXPECT_THAT(stored.metadata, Not(HasSubstr(Issuer::kSecret)));
  EXPECT_EQ(asked(guid), "erin");
  EXPECT_EQ(lastAuthorization(), "bearer " + first);
  EXPECT_EQ(issuer.redeemed(), (std::vector<std::string>{}));

  t().clock.advance(std::chrono::seconds{590});
  const std::string second = issuer.idToken("erin", std::chrono::seconds{600});
  cluster().addToken(second, "erin");
  cluster().revokeToken(first);
  issuer.grant(second, "refresh-2");
  EXPECT_EQ(asked(guid), "erin");
  EXPECT_EQ(lastAuthorization(), "bearer " + second);
  EXPECT_EQ(asked(guid), "erin");
  // A refusal before the end is answered with the refresh token that came last.
  const std::string third = issuer.idToken("erin", std::chrono::seconds{700});
  cluster().addToken(third, "erin");
  cluster().revokeToken(second);
  issuer.grant(third, "");
  EXPECT_EQ(asked(guid), "erin");
  EXPECT_EQ(lastAuthorization(), "bearer " + third);
  EXPECT_EQ(issuer.redeemed(), (std::vector<std::string>{"refresh-1", "refresh-2"}));

  // A file whose ID token is over is renewed at once; one without refresh token is refused.
  const std::string over = issuer.idToken("erin", std::chrono::seconds{-60});
  const std::string before = rows();
  expectRefused(
      connectWithFile(guid, "OIDC", kubeconfig(issuer.kubeUser("u", over, ""), {"u"}, "u")), 400,
      "id-token of the kubeconfig has expired", before);
  ASSERT_EQ(
      connectWithFile(guid, "OIDC", kubeconfig(issuer.kubeUser("u", over, "refresh-9"), {"u"}, "u"))
          .status,
      200);
  EXPECT_EQ(asked(guid), "erin");
  removeAll("k8s", guid);
}

TEST_P(KubernetesEndpointTest, OpenIdConnectRowsOfUpstreamGoOn) {
  const std::string guid = addCluster();
  Issuer issuer(authority(), t().clock);
  const std::string renewed = issuer.idToken("fred", std::chrono::seconds{600});
  cluster().addToken(renewed, "fred");
  issuer.grant(renewed, "refresh-8");
  store::TokenRecord old;
  old.owner = UserId{t().userGuid(admin())};
  old.endpoint = EndpointId{guid};
  old.authType = "OIDC";
  old.authToken = Secret{issuer.idToken("fred", std::chrono::seconds{-5})};
  old.refreshToken = Secret{"refresh-7"};
  old.metadata = std::string{R"({"ClientID":"kube","ClientSecret":")"} + Issuer::kSecret +
                 R"(","IssuerURL":")" + issuer.url() + R"(","IssuerCA":")" +
                 issuer.authorityAsJson() + "\"}";
  t().tokenStore.saveEndpointToken(old);
  EXPECT_EQ(asked(guid), "fred");
  EXPECT_EQ(issuer.redeemed(), (std::vector<std::string>{"refresh-7"}));
}

TEST_P(KubernetesEndpointTest, CertificateCheckOfTheImport) {
  const auto check = [&](const std::string& url) {
    return admin().get("/pp/v1/kube/cert?url=" + percentEncode(url));
  };
  EXPECT_EQ(check(cluster().url()).body,
            R"({"Status":200,"Required":true,"Error":false,"Message":""})");
  testing::FakeKubernetes plain(t().clock);
  EXPECT_EQ(check(plain.url()).body,
            R"({"Status":200,"Required":false,"Error":false,"Message":""})");
  const Answer away = check("https://127.0.0.1:1");
  EXPECT_EQ(away.status, 500);
  EXPECT_EQ(jsonAt(away.body, "Error"), "true");
  EXPECT_THAT(jsonAt(away.body, "Message"),
              HasSubstr("Failed to validate Kube certificate requirement: "));
  EXPECT_EQ(check("ftp://x").status, 400);
  EXPECT_EQ(t().browser().get("/pp/v1/kube/cert?url=https%3A%2F%2Fx").status, 401);
}

}  // namespace
}  // namespace stratos::compat
