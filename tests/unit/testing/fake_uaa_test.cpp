#include "stratos/testing/fake_uaa.hpp"

#include <gmock/gmock.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "sim_client.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class FakeUaaTest : public ::testing::Test {
 protected:
  FakeUaaTest() {
    uaa_.addUser({"ann", "secret", {"openid", "cloud_controller.read"}});
    uaa_.addClient({"cf", "", {"password", "refresh_token", "authorization_code"}});
    uaa_.addClient({"od d&", "s +%", {"client_credentials"}, {"uaa.resource"}});
  }

  Answer login() {
    return requestToken(uaa_.url(),
                        {{"grant_type", "password"}, {"username", "ann"}, {"password", "secret"}});
  }
  Answer refresh(const std::string& token) {
    return requestToken(uaa_.url(), {{"grant_type", "refresh_token"}, {"refresh_token", token}});
  }
  std::string authorize(const std::string& extra) {
    const Answer answer = call(
        uaa_.url() + "/oauth/authorize?client_id=cf&response_type=code&redirect_uri=" +
            percentEncode("http://127.0.0.1/back?state=1") + "&state=s%201&test_user=ann" + extra,
        "GET");
    return answer.head.get("Location", "");
  }
  static std::string codeIn(const std::string& location) {
    const auto at = location.find("code=") + 5;
    return location.substr(at, location.find('&', at) - at);
  }

  ManualClock clock_;
  FakeUaa uaa_{clock_};
};

TEST_F(FakeUaaTest, PasswordGrantGivesTokensWithTheUsersClaims) {
  const Answer answer = login();
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("token_type"), "bearer");
  EXPECT_EQ(answer.text("expires_in"), "600");
  EXPECT_EQ(answer.text("scope"), "openid cloud_controller.read");
  const auto parts = split(answer.text("access_token"), '.');
  ASSERT_EQ(parts.size(), 3U);
  Answer claims;
  claims.body = fromBase64(parts[1]).value();
  EXPECT_EQ(claims.text("user_id"), uaa_.userGuid("ann"));
  EXPECT_EQ(claims.text("user_name"), "ann");
  EXPECT_EQ(claims.text("exp"), std::to_string(toUnixSeconds(clock_.now()) + 600));
  EXPECT_EQ(claims.text("iss"), uaa_.url() + "/oauth/token");
  EXPECT_EQ(uaa_.counters().logins, 1U);
}

TEST_F(FakeUaaTest, SignaturesVerifyWithThePublishedKey) {
  const std::string token = login().text("access_token");
  const std::string pem = call(uaa_.url() + "/token_key", "GET").text("value");
  const auto dot = token.rfind('.');
  const std::string text = token.substr(0, dot);
  const std::string signature = fromBase64(token.substr(dot + 1)).value();
  std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free);
  const auto bytes = [](const std::string& s) {
    return reinterpret_cast<const unsigned char*>(s.data());
  };
  ASSERT_EQ(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()), 1);
  EXPECT_EQ(
      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()),
      1);
}

TEST_F(FakeUaaTest, WrongPasswordIs401Unauthorized) {
  const Answer answer = requestToken(
      uaa_.url(), {{"grant_type", "password"}, {"username", "ann"}, {"password", "wrong"}});
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.body, R"({"error":"unauthorized","error_description":"Bad credentials"})");
  EXPECT_EQ(uaa_.counters().refusedLogins, 1U);
}

TEST_F(FakeUaaTest, ClientErrorsAreTold) {
  const Answer unknown = requestToken(uaa_.url(), {{"grant_type", "password"}}, "cf", "wrong");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(unknown.text("error"), "invalid_client");
  const Answer grant = requestToken(uaa_.url(), {{"grant_type", "client_credentials"}});
  EXPECT_EQ(grant.status, 401);
  EXPECT_EQ(grant.text("error"), "invalid_client");
  const Answer odd = requestToken(uaa_.url(), {{"grant_type", "magic"}});
  EXPECT_EQ(odd.status, 400);
  EXPECT_EQ(odd.text("error"), "unsupported_grant_type");
}

TEST_F(FakeUaaTest, ClientCredentialsAreFormDecoded) {
  const Answer header =
      requestToken(uaa_.url(), {{"grant_type", "client_credentials"}}, "od d&", "s +%");
  EXPECT_EQ(header.status, 200) << header.body;
  const Answer form = call(uaa_.url() + "/oauth/token", "POST",
                           {{"Content-Type", "application/x-www-form-urlencoded"}},
                           encodeForm({{"grant_type", "client_credentials"},
                                       {"client_id", "od d&"},
                                       {"client_secret", "s +%"}}));
  EXPECT_EQ(form.status, 200) << form.body;
}

TEST_F(FakeUaaTest, KeptRefreshTokenComesBack) {
  const std::string token = login().text("refresh_token");
  EXPECT_EQ(refresh(token).text("refresh_token"), token);
  EXPECT_EQ(uaa_.counters().refreshes, 1U);
}

TEST_F(FakeUaaTest, RotatedRefreshTokenIsNewAndTheOldOneStillWorks) {
  uaa_.setRefreshMode(RefreshMode::Rotate);
  const std::string first = login().text("refresh_token");
  const std::string second = refresh(first).text("refresh_token");
  EXPECT_NE(first, second);
  EXPECT_EQ(refresh(first).status, 200);
  EXPECT_EQ(refresh(second).status, 200);
}

TEST_F(FakeUaaTest, SingleUseRefreshTokenIsRefusedTheSecondTime) {
  uaa_.setRefreshMode(RefreshMode::RotateOnce);
  const std::string first = login().text("refresh_token");
  const std::string second = refresh(first).text("refresh_token");
  const Answer again = refresh(first);
  EXPECT_EQ(again.status, 401);
  EXPECT_EQ(again.text("error"), "invalid_token");
  EXPECT_EQ(refresh(second).status, 200);
  EXPECT_EQ(uaa_.counters().refusedRefreshes, 1U);
}

TEST_F(FakeUaaTest, RefreshAnswerMayLackTheRefreshToken) {
  uaa_.setRefreshMode(RefreshMode::Omit);
  const Answer answer = refresh(login().text("refresh_token"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.json()->has("refresh_token"));
}

TEST_F(FakeUaaTest, TokensExpireByTheClock) {
  const Answer answer = login();
  const std::string access = answer.text("access_token");
  clock_.advance(seconds{599});
  EXPECT_TRUE(uaa_.findAccessToken(access).has_value());
  clock_.advance(seconds{1});
  EXPECT_FALSE(uaa_.findAccessToken(access).has_value());
  clock_.advance(std::chrono::hours{24 * 31});
  EXPECT_EQ(refresh(answer.text("refresh_token")).status, 401);
}

TEST_F(FakeUaaTest, OpaqueTokensCanBeIntrospected) {
  uaa_.setOpaqueAccessTokens(true);
  const std::string token = login().text("access_token");
  EXPECT_EQ(token.find('.'), std::string::npos);
  const auto introspect = [&] {
    return call(
        uaa_.url() + "/introspect", "POST",
        {{"Authorization", basic("cf", "")}, {"Content-Type", "application/x-www-form-urlencoded"}},
        encodeForm({{"token", token}}));
  };
  EXPECT_EQ(introspect().text("active"), "true");
  EXPECT_EQ(introspect().text("user_name"), "ann");
  uaa_.revokeAccessTokens();
  EXPECT_EQ(introspect().body, R"({"active":false})");
}

TEST_F(FakeUaaTest, UserInfoNeedsALiveToken) {
  const std::string token = login().text("access_token");
  const auto ask = [&] {
    return call(uaa_.url() + "/userinfo", "GET", {{"Authorization", "Bearer " + token}});
  };
  EXPECT_EQ(ask().text("user_name"), "ann");
  uaa_.expireAccessTokens();
  EXPECT_EQ(ask().status, 401);
}

TEST_F(FakeUaaTest, RevokesOneToken) {
  const Answer one = login();
  const Answer other = login();
  const Answer answer = call(uaa_.url() + "/oauth/token/revoke/" + one.text("jti"), "DELETE",
                             {{"Authorization", "Bearer " + other.text("access_token")}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(uaa_.findAccessToken(one.text("access_token")).has_value());
  EXPECT_TRUE(uaa_.findAccessToken(other.text("access_token")).has_value());
}

TEST_F(FakeUaaTest, CodeGrantChecksRedirectVerifierAndReuse) {
  const std::string verifier = "a-verifier-that-is-long-enough-for-rfc-7636-rules";
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(verifier.data()), verifier.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  const std::string pkce = "&code_challenge_method=S256&code_challenge=" + toBase64Url(digest);
  const auto redeem = [&](const std::string& code, const std::string& redirect,
                          const std::string& proof) {
    return requestToken(uaa_.url(), {{"grant_type", "authorization_code"},
                                     {"code", code},
                                     {"redirect_uri", redirect},
                                     {"code_verifier", proof}});
  };
  const std::string back = "http://127.0.0.1/back?state=1";
  const std::string location = authorize(pkce);
  EXPECT_THAT(location, HasSubstr(back + "&code="));
  EXPECT_THAT(location, HasSubstr("&state=s%201"));
  EXPECT_EQ(redeem(codeIn(location), back, verifier).status, 200);
  const Answer reuse = redeem(codeIn(location), back, verifier);
  EXPECT_EQ(reuse.status, 400);
  EXPECT_EQ(reuse.text("error"), "invalid_grant");
  EXPECT_EQ(redeem(codeIn(authorize(pkce)), back, "wrong").status, 400);
  EXPECT_EQ(redeem(codeIn(authorize(pkce)), back + "2", verifier).status, 400);
}

TEST_F(FakeUaaTest, PasscodeWorksOnce) {
  const FormFields form{{"grant_type", "password"}, {"passcode", uaa_.issuePasscode("ann")}};
  EXPECT_EQ(requestToken(uaa_.url(), form).status, 200);
  EXPECT_EQ(requestToken(uaa_.url(), form).status, 401);
}

TEST_F(FakeUaaTest, RotatedKeysHaveNewIds) {
  uaa_.rotateSigningKey(false);
  const Answer keys = call(uaa_.url() + "/token_keys", "GET");
  EXPECT_THAT(keys.body, HasSubstr(R"("kid":"key-2")"));
  EXPECT_EQ(keys.json()->getArray("keys")->size(), 1U);
  EXPECT_THAT(fromBase64(split(login().text("access_token"), '.')[0]).value(),
              HasSubstr(R"("kid":"key-2")"));
}

}  // namespace
}  // namespace stratos::testing
