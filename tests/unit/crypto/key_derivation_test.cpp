#include "stratos/crypto/key_derivation.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::crypto {
namespace {

// RFC 7914 section 12.
TEST(KeyDerivationTest, ScryptMakesThePublishedKeys) {
  EXPECT_EQ(toHex(scrypt(Secret("password"), "NaCl", {.n = 1024, .r = 8, .p = 16}, 64).reveal()),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
  EXPECT_EQ(
      toHex(scrypt(Secret("pleaseletmein"), "SodiumChloride", {.n = 16384, .r = 8, .p = 1}, 64)
                .reveal()),
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

TEST(KeyDerivationTest, ScryptRefusesCostsOutOfRange) {
  for (const ScryptCost& cost :
       {ScryptCost{.n = 0, .r = 8, .p = 1}, ScryptCost{.n = 1, .r = 8, .p = 1},
        ScryptCost{.n = 1000, .r = 8, .p = 1}, ScryptCost{.n = 1024, .r = 0, .p = 1},
        ScryptCost{.n = 1024, .r = 8, .p = 0}, ScryptCost{.n = 1ULL << 40, .r = 8, .p = 1},
        ScryptCost{.n = 1024, .r = 1U << 30, .p = 1}}) {
    EXPECT_THROW((void)scrypt(Secret("password"), "salt", cost, 32), Error) << cost.n;
  }
}

TEST(KeyDerivationTest, ScryptTakesAnEmptyPassword) {
  EXPECT_EQ(scrypt(Secret(), "0123456789abcdef", {.n = 1024, .r = 8, .p = 1}, 32).reveal().size(),
            32U);
}

}  // namespace
}  // namespace stratos::crypto
