#include "stratos/crypto/digest.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/crypto/random.hpp"

namespace stratos::crypto {
namespace {

TEST(DigestTest, MatchesPublishedVectors) {
  EXPECT_EQ(toHex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(toHex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(DigestTest, HmacMatchesRfc4231) {
  EXPECT_EQ(toHex(hmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(DigestTest, HmacTakesAnEmptyKey) {
  EXPECT_EQ(toHex(hmacSha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(DigestTest, APreparedKeyGivesTheSame) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{63},
                                   std::size_t{64}, std::size_t{65}, std::size_t{200}}) {
    const std::string key(length, 'k');
    const HmacSha256 hmac(key);
    EXPECT_EQ(hmac.of("one", "two"), hmacSha256(key, "onetwo")) << length;
    EXPECT_EQ(hmac.of("onetwo"), hmacSha256(key, "onetwo")) << length;
    EXPECT_EQ(hmac.of(""), hmacSha256(key, "")) << length;
  }
}

TEST(SystemRandomTest, NeverRepeats) {
  SystemRandom random;
  EXPECT_EQ(random.bytes(0), "");
  const std::string first = random.bytes(32);
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first, random.bytes(32));
}

}  // namespace
}  // namespace stratos::crypto
