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

TEST(HeadersTest, TakesItsOwnTextAsArguments) {
  Headers headers{{"Name", "value"}};
  for (int i = 0; i < 200; ++i) {
    headers.add(headers.begin()->first, headers.get("name"));
    headers.set("Last", headers.get("name"));
    headers.set("Last", headers.get("last"));
  }
  EXPECT_EQ(headers.count("NAME"), 201U);
  EXPECT_EQ(headers.get("last"), "value");
  for (const auto& [name, value] : headers) EXPECT_EQ(value, "value") << name;
}

TEST(HeadersTest, ReplacesByShorterAndByLongerValues) {
  Headers headers{{"First", "1"}, {"Field", "12345"}, {"Last", "9"}};
  for (const char* value : {"123", "12345678", "", "1", "12345678901234567890"}) {
    headers.set("FIELD", value);
    EXPECT_EQ(headers.get("field"), value);
    EXPECT_EQ(headers.get("first"), "1");
    EXPECT_EQ(headers.get("last"), "9");
    EXPECT_EQ(headers.size(), 3U);
  }
}

TEST(HeadersTest, CopiesAndMoves) {
  Headers headers{{"A", "1"}, {"B", std::string(1'000, 'b')}};
  Headers copy = headers;
  headers.set("A", "2");
  EXPECT_EQ(copy.get("a"), "1");
  const Headers moved = std::move(copy);
  EXPECT_EQ(moved.get("b").size(), 1'000U);
  copy = Headers();
  copy.add("C", "3");
  EXPECT_EQ(copy.get("c"), "3");
  EXPECT_EQ(copy.size(), 1U);
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
