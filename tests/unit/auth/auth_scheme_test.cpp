#include <gtest/gtest.h>

#include "stratos/auth/auth_scheme.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "support/scripted_transport.hpp"

namespace stratos::auth {
namespace {

store::TokenRecord tokenOf(const std::string& type, const std::string& text) {
  store::TokenRecord token;
  token.id = TokenId{"t1"};
  token.authType = type;
  token.authToken = Secret{text};
  return token;
}

class AuthSchemesTest : public ::testing::Test {
 protected:
  std::string authorizationHeader(const store::TokenRecord& token) {
    return schemes_.of(token).credential(token).authorization;
  }
  bool isRenewable(const store::TokenRecord& token) {
    return schemes_.of(token).isRenewable(token);
  }

  test::ScriptedTransport transport_{[](const auto&) { return http::ClientResponse{}; }};
  UaaClient uaa_{transport_};
  AuthSchemes schemes_{uaa_};
};

TEST_F(AuthSchemesTest, HasTheSchemeOfTheAuthTypeInLowerCase) {
  EXPECT_EQ(authorizationHeader(tokenOf("OAuth2", "abc")), "bearer abc");
  EXPECT_EQ(authorizationHeader(tokenOf("OIDC", "abc")), "bearer abc");
  EXPECT_EQ(authorizationHeader(tokenOf("k8s-token", "abc")), "bearer abc");
  EXPECT_EQ(authorizationHeader(tokenOf("something-new", "abc")), "bearer abc");
  EXPECT_EQ(authorizationHeader(tokenOf("HttpBasic", toBase64("u:p"))), "basic dTpw");
  EXPECT_EQ(authorizationHeader(tokenOf("creds", toBase64("u:p"))), "basic dTpw");
  EXPECT_EQ(authorizationHeader(tokenOf("Bearer", toBase64("t0k"))), "bearer t0k");
  EXPECT_EQ(authorizationHeader(tokenOf("Token", toBase64("t0k"))), "token t0k");
  EXPECT_EQ(authorizationHeader(tokenOf("none", "anything")), "");
}

TEST_F(AuthSchemesTest, RefusesValuesThatAreNotWhatTheirTypeSays) {
  for (const auto& token : {tokenOf("Bearer", "not base64!"), tokenOf("Token", "x"),
                            tokenOf("Bearer", toBase64("a\r\nX-Evil: 1")),
                            tokenOf("OAuth2", "a\nb"), tokenOf("HttpBasic", "a\tb")}) {
    try {
      (void)authorizationHeader(token);
      ADD_FAILURE() << token.authType << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Internal);
      EXPECT_EQ(std::string{error.what()}.find("Evil"), std::string::npos);
    }
  }
}

TEST_F(AuthSchemesTest, NeverSendsThePrivateKeyOfAClientCertificate) {
  for (const char* type : {"kube-cert-auth", "kubeconfig-az"}) {
    EXPECT_THROW((void)authorizationHeader(tokenOf(type, R"({"certKey":"KEY"})")), Error) << type;
  }
}

TEST_F(AuthSchemesTest, RenewsOnlyKindsWhoseSecondColumnIsARefreshTokenOfTheEndpointsServer) {
  EXPECT_TRUE(isRenewable(tokenOf("OAuth2", "")));
  EXPECT_TRUE(isRenewable(tokenOf("something-new", "")));
  for (const char* type :
       {"HttpBasic", "creds", "Bearer", "Token", "none", "k8s-token", "OIDC", "kube-cert-auth",
        "kubeconfig-az", "aws-iam", "gke-auth", "uaa-client"}) {
    EXPECT_FALSE(isRenewable(tokenOf(type, ""))) << type;
  }
}

TEST(UaaOf, TakesTheTokenEndpointWithTheEndpointsClientAndTrust) {
  store::EndpointRecord endpoint;
  endpoint.authorizationEndpoint = "https://login.x";
  endpoint.tokenEndpoint = "https://uaa.x";
  endpoint.clientId = "cf";
  endpoint.clientSecret = Secret{"s"};
  endpoint.caCertificate = "PEM";
  endpoint.skipSslValidation = true;
  const UaaTarget target = uaaOf(endpoint);
  EXPECT_EQ(target.baseUrl, "https://uaa.x");
  EXPECT_EQ(target.clientId, "cf");
  EXPECT_EQ(target.clientSecret.reveal(), "s");
  EXPECT_EQ(target.trust.caCertificatePem, "PEM");
  EXPECT_TRUE(target.trust.skipVerification);
}

}  // namespace
}  // namespace stratos::auth
