#include "stratos/crypto/password_hash.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"

namespace stratos::crypto {
namespace {

Secret secret(std::string text) { return Secret(std::move(text)); }

TEST(PasswordHashTest, VerifiesWhatItMade) {
  SystemRandom random;
  const std::string hash = hashPassword(secret("s3cr\xC3\xA9t"), random, 4);
  EXPECT_TRUE(hash.starts_with("$2a$04$"));
  EXPECT_EQ(hash.size(), 60u);
  EXPECT_TRUE(verifyPassword(secret("s3cr\xC3\xA9t"), hash));
  EXPECT_FALSE(verifyPassword(secret("s3cret"), hash));
  EXPECT_NE(hash, hashPassword(secret("s3cr\xC3\xA9t"), random, 4));
}

TEST(PasswordHashTest, ReadsEveryVariantOfAPublishedHash) {
  const std::string rest = "05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  EXPECT_TRUE(verifyPassword(secret("U*U"), "$2a$" + rest));
  EXPECT_TRUE(verifyPassword(secret("U*U"), "$2b$" + rest));
  EXPECT_TRUE(verifyPassword(secret("U*U"), "$2y$" + rest));
  EXPECT_FALSE(verifyPassword(secret("U*U"), "$2x$" + rest));
  EXPECT_FALSE(verifyPassword(secret("U*V"), "$2a$" + rest));
}

TEST(PasswordHashTest, RefusesPasswordsThatBcryptWouldCut) {
  SystemRandom random;
  EXPECT_THROW((void)hashPassword(secret(""), random, 4), Error);
  EXPECT_THROW((void)hashPassword(secret(std::string(73, 'a')), random, 4), Error);
  EXPECT_THROW((void)hashPassword(secret(std::string("a\0b", 3)), random, 4), Error);
  EXPECT_THROW((void)hashPassword(secret("a"), random, 3), Error);
  const std::string hash = hashPassword(secret(std::string(72, 'a')), random, 4);
  EXPECT_TRUE(verifyPassword(secret(std::string(72, 'a')), hash));
  EXPECT_FALSE(verifyPassword(secret(std::string(73, 'a')), hash));
}

TEST(PasswordHashTest, UnreadableHashIsFalse) {
  EXPECT_FALSE(verifyPassword(secret("a"), ""));
  EXPECT_FALSE(verifyPassword(secret("a"), "$2a$04$"));
  EXPECT_FALSE(verifyPassword(secret("a"), "$2a$99$" + std::string(53, '.')));
  EXPECT_FALSE(verifyPassword(secret("a"), "$6$saltsalt$" + std::string(48, '.')));
}

}  // namespace
}  // namespace stratos::crypto
