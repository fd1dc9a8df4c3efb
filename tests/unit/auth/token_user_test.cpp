#include <gtest/gtest.h>

#include "stratos/auth/auth_scheme.hpp"
#include "support/scripted_transport.hpp"

namespace stratos::auth {
namespace {

using test::jwt;
using Scopes = std::vector<std::string>;

store::TokenRecord tokenOf(const std::string& type, const std::string& access,
                           const std::string& refresh, const std::string& owner = "u1") {
  store::TokenRecord token;
  token.owner = UserId{owner};
  token.authType = type;
  token.authToken = Secret{access};
  token.refreshToken = Secret{refresh};
  return token;
}

const std::string kAdminJwt =
    jwt(R"({"user_id":"g1","user_name":"ann","scope":["cloud_controller.admin","x"]})");

ConnectedUser userOf(const store::TokenRecord& token, std::string_view endpointType) {
  test::ScriptedTransport transport{[](const auto&) { return http::ClientResponse{}; }};
  UaaClient uaa{transport};
  return AuthSchemes{uaa}.userOf(token, endpointType);
}

TEST(UserOfToken, ComesFromTheClaimsOfAJwt) {
  for (const char* type : {"OAuth2", "OIDC", "something-new"}) {
    const ConnectedUser user = userOf(tokenOf(type, kAdminJwt, "r"), "cf");
    EXPECT_EQ(user.guid, "g1");
    EXPECT_EQ(user.name, "ann");
    EXPECT_TRUE(user.admin);
    EXPECT_EQ(user.scopes, (Scopes{"cloud_controller.admin", "x"}));
  }
}

TEST(UserOfToken, IsAdministratorOnlyOfCloudFoundryAndOnlyByTheExactScope) {
  EXPECT_FALSE(userOf(tokenOf("OAuth2", kAdminJwt, "r"), "k8s").admin);
  const std::string readOnly =
      jwt(R"({"user_id":"g","scope":["cloud_controller.admin_read_only"]})");
  EXPECT_FALSE(userOf(tokenOf("OAuth2", readOnly, "r"), "cf").admin);
  const std::string parts = jwt(R"({"user_id":"g","scope":["cloud_controller.","admin"]})");
  EXPECT_FALSE(userOf(tokenOf("OAuth2", parts, "r"), "cf").admin);
}

TEST(UserOfToken, IsTheKeptNameWhereTheTypeKeepsOne) {
  for (const char* type : {"HttpBasic", "creds", "Bearer", "Token"}) {
    const ConnectedUser user = userOf(tokenOf(type, "dTpw", "bob"), "git");
    EXPECT_EQ(user.guid, "bob") << type;
    EXPECT_EQ(user.name, "bob") << type;
    EXPECT_FALSE(user.admin);
    EXPECT_FALSE(user.scopes.has_value()) << type;
  }
  EXPECT_EQ(userOf(tokenOf("none", "", ""), "x").guid, "none");
  EXPECT_FALSE(userOf(tokenOf("none", "", ""), "x").scopes.has_value());
}

TEST(UserOfToken, IsNeverTheSecretOfAnOpaqueToken) {
  for (const std::string& opaque : {std::string{"c0ffee-opaque"}, jwt(R"({"client_id":"c"})")}) {
    const ConnectedUser user = userOf(tokenOf("OAuth2", opaque, "refresh"), "cf");
    EXPECT_EQ(user.guid, "OAuth2");
    EXPECT_EQ(user.name, "OAuth2");
    EXPECT_EQ(user.scopes, Scopes{});
  }
}

TEST(UserOfToken, IsTheSharedUserForSharedTokensEvenOpaqueOnes) {
  const std::string shared{kSharedUserGuid};
  for (const auto& token :
       {tokenOf("OAuth2", "opaque", "r", shared), tokenOf("HttpBasic", "dTpw", "bob", shared)}) {
    const ConnectedUser user = userOf(token, "metrics");
    EXPECT_EQ(user.guid, shared);
    EXPECT_EQ(user.name, "system_shared");
    EXPECT_EQ(user.scopes, Scopes{});
  }
  EXPECT_TRUE(userOf(tokenOf("OAuth2", kAdminJwt, "r", shared), "cf").admin)
      << "the administrator's flag stays";
}

TEST(ConnectedUser, HasOnlyTheScopesThatAreNamedExactly) {
  ConnectedUser user;
  EXPECT_FALSE(user.hasScope("a"));
  user.scopes = Scopes{"stratos.admin", ""};
  EXPECT_TRUE(user.hasScope("stratos.admin"));
  EXPECT_FALSE(user.hasScope("stratos"));
  EXPECT_FALSE(user.hasScope("stratos.admin2"));
  EXPECT_FALSE(user.hasScope("")) << "an empty scope would make everybody an administrator";
}

}  // namespace
}  // namespace stratos::auth
