#include "stratos/http/headers.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

TEST(HeadersTest, NamesCompareWithoutCaseAndKeepTheirSpelling) {
  Headers headers{{"X-One", "1"}, {"x-one", "2"}, {"Other", "3"}};
  EXPECT_EQ(headers.find("X-ONE"), "1");
  EXPECT_EQ(headers.all("x-One"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(headers.get("missing", "default"), "default");
  headers.set("X-ONE", "9");
  EXPECT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers.begin()->first, "X-ONE");
  headers.remove("other");
  EXPECT_FALSE(headers.has("Other"));
}

TEST(HeadersTest, RefusesInjection) {
  Headers headers;
  EXPECT_THROW(headers.add("A", "x\r\nB: y"), Error);
  EXPECT_THROW(headers.add("A", "x\ny"), Error);
  EXPECT_THROW(headers.set("A", std::string("x\0y", 3)), Error);
  EXPECT_THROW(headers.add("A:", "x"), Error);
  EXPECT_THROW(headers.add("A B", "x"), Error);
  EXPECT_THROW(headers.add("", "x"), Error);
  EXPECT_TRUE(headers.empty());
  headers.add("A", "\xe4 =?utf-8?q?raw?=");
  EXPECT_EQ(headers.get("a"), "\xe4 =?utf-8?q?raw?=");
}

TEST(HeadersTest, FindsTokensInLists) {
  const Headers headers{{"Connection", "keep-alive, Upgrade"}, {"Connection", "x"}};
  EXPECT_TRUE(headers.hasToken("connection", "upgrade"));
  EXPECT_TRUE(headers.hasToken("connection", "X"));
  EXPECT_FALSE(headers.hasToken("connection", "keep"));
}

}  // namespace
}  // namespace stratos::http
