#include "stratos/auth/jwt.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "support/scripted_transport.hpp"

namespace stratos::auth {
namespace {

using test::jwt;

TEST(Jwt, ReadsTheClaimsOfAnAccessToken) {
  const auto claims = decodeJwt(
      jwt(R"({"user_id":"u1","user_name":"ann","iss":"https://uaa/oauth/token","client_id":"cf",)"
          R"("exp":1767225600,"scope":["a.read","b.write"]})"));
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->userId, "u1");
  EXPECT_EQ(claims->userName, "ann");
  EXPECT_EQ(claims->issuer, "https://uaa/oauth/token");
  EXPECT_EQ(claims->clientId, "cf");
  EXPECT_EQ(claims->expiry, 1767225600);
  EXPECT_EQ(claims->scopes, (std::vector<std::string>{"a.read", "b.write"}));
}

TEST(Jwt, ReadsPayloadsWhoseEncodingHoldsDashAndUnderscore) {
  const std::string payload = "{\"user_name\":\"\xc3\xbb\xc3\xbf?>~\"}";
  const std::string encoded = toBase64Url(payload);
  ASSERT_NE(encoded.find('-'), std::string::npos) << encoded;
  ASSERT_NE(encoded.find('_'), std::string::npos) << encoded;
  const auto claims = decodeJwt("h." + encoded + ".s");
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->userName, "\xc3\xbb\xc3\xbf?>~");
}

TEST(Jwt, ToleratesPaddingAndALeadingScheme) {
  const std::string payload = toBase64(R"({"user_id":"u1"})");
  ASSERT_EQ(payload.back(), '=') << "the vector must need padding";
  for (const char* scheme : {"", "bearer ", "Bearer ", "BEARER "}) {
    const auto claims = decodeJwt(scheme + ("h." + payload + ".s"));
    ASSERT_TRUE(claims) << scheme;
    EXPECT_EQ(claims->userId, "u1");
  }
}

TEST(Jwt, RefusesWhatIsNoJwt) {
  const std::string good = toBase64Url(R"({"user_id":"u"})");
  for (const std::string& text :
       {std::string{}, std::string{"."}, std::string{".."}, std::string{"opaque"},
        std::string{"bearer "}, good, "h." + good, std::string{"h.!!!!.s"}, std::string{"h.a.s"},
        "h." + toBase64Url("[]") + ".s", "h." + toBase64Url("\"text\"") + ".s",
        "h." + toBase64Url("{\"user_id\":") + ".s", "h." + toBase64Url("{\"a\":tru}") + ".s",
        "h." + toBase64Url(std::string("\0\0", 2)) + ".s", std::string(1'000, '.')}) {
    EXPECT_FALSE(decodeJwt(text)) << text.substr(0, 60);
  }
}

TEST(Jwt, RefusesDeeplyNestedPayloads) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(decodeJwt(jwt(R"({"user_id":"u","x":)" + deep + "}")));
}

TEST(Jwt, TakesAnExpiryThatIsNoNumberInRangeForAbsent) {
  for (const char* exp : {"99999999999999999999999999", "1e400", "\"1767225600\"", "null", "true",
                          "[1]", "{}", "-99999999999999999999999999"}) {
    const auto claims = decodeJwt(jwt(std::string{R"({"user_id":"u","exp":)"} + exp + "}"));
    if (claims) {
      EXPECT_EQ(claims->expiry, 0) << exp;
    }
  }
  EXPECT_EQ(decodeJwt(jwt(R"({"exp":9223372036854775807})"))->expiry, INT64_MAX);
  EXPECT_EQ(decodeJwt(jwt(R"({"exp":1.7672256e9})"))->expiry, 1767225600);
}

TEST(Jwt, IgnoresMembersOfTheWrongType) {
  const auto claims =
      decodeJwt(jwt(R"({"user_id":7,"user_name":{"a":1},"scope":["a",1,null,["b"]]})"));
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->userId, "");
  EXPECT_EQ(claims->userName, "");
  EXPECT_EQ(claims->scopes, (std::vector<std::string>{"a"}));
  EXPECT_EQ(decodeJwt(jwt(R"({"scope":"a b"})"))->scopes, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace stratos::auth
