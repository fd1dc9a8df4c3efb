#include "stratos/base/secret.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace stratos {
namespace {

TEST(SecretTest, PrintsAsStars) {
  std::ostringstream out;
  out << Secret("hunter2");
  EXPECT_EQ(out.str(), "***");
}

TEST(SecretTest, CopiesAndMovesItsValue) {
  Secret a("short");
  Secret b = a;
  EXPECT_EQ(b.reveal(), "short");
  Secret c = std::move(a);
  EXPECT_EQ(c.reveal(), "short");
  b = Secret(std::string(100, 'x'));
  c = std::move(b);
  EXPECT_EQ(c.reveal(), std::string(100, 'x'));
  const Secret& alias = c;
  c = alias;
  EXPECT_EQ(c.reveal(), std::string(100, 'x'));
}

TEST(SecretTest, LeavesNothingInAMovedFromShortString) {
  Secret a("topsecret");
  const char* place = a.reveal().data();
  const Secret b = std::move(a);
  // The inline buffer of a std::string is still part of the object `a`.
  EXPECT_EQ(std::string(place, 9), std::string(9, '\0'));
}

TEST(SecretTest, ComparesByValue) {
  EXPECT_TRUE(Secret("a") == Secret("a"));
  EXPECT_FALSE(Secret("a") == Secret("b"));
  EXPECT_TRUE(constantTimeEquals("", ""));
  EXPECT_FALSE(constantTimeEquals("a", "ab"));
  EXPECT_FALSE(constantTimeEquals("ab", "ac"));
}

}  // namespace
}  // namespace stratos
