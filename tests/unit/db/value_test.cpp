#include "stratos/db/value.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::db {
namespace {

TimePoint at(std::int64_t milliseconds) {
  return TimePoint{std::chrono::milliseconds{milliseconds}};
}

constexpr std::int64_t kMoment = 1'723'975'262'123;  // 2024-08-18 10:01:02.123 UTC

Row rowOf(Value value) {
  return Row(std::make_shared<std::vector<std::string>>(std::vector<std::string>{"groupName"}),
             {std::move(value)});
}

TEST(TimestampTest, WritesUtcWithMilliseconds) {
  EXPECT_EQ(formatTimestamp(at(kMoment)), "2024-08-18 10:01:02.123+00:00");
  EXPECT_EQ(formatTimestamp(at(-1)), "1969-12-31 23:59:59.999+00:00");
}

TEST(TimestampTest, ReadsEveryFormThatUpstreamsDriversWrite) {
  for (const char* text :
       {"2024-08-18 10:01:02.123456789+00:00", "2024-08-18T10:01:02.123Z",
        "2024-08-18 10:01:02.123", "2024-08-18 12:01:02.123+02:00", "2024-08-18 05:31:02.123-0430",
        "2024-08-18 10:01:02.123+00", "1723975262123"}) {
    EXPECT_EQ(parseTimestamp(text), at(kMoment)) << text;
  }
  EXPECT_EQ(parseTimestamp("2024-08-18 10:01:02"), at(1'723'975'262'000));
  EXPECT_EQ(parseTimestamp("1723975262"), at(1'723'975'262'000));
  EXPECT_EQ(parseTimestamp("2024-08-18 10:01"), at(1'723'975'260'000));
  EXPECT_EQ(parseTimestamp("2024-08-18"), at(1'723'939'200'000));
}

TEST(TimestampTest, RefusesWhatIsNoTimestamp) {
  for (const char* text : {"", "soon", "2024-13-01", "2024-02-30 00:00:00", "2024-08-18 25:00:00",
                           "2024-08-18 10:01:02.", "2024-08-18 10:01:02Zx", "infinity"}) {
    EXPECT_FALSE(parseTimestamp(text)) << text;
  }
}

TEST(RowTest, FindsColumnsInAnyCase) {
  EXPECT_EQ(rowOf(std::string("x")).text("groupname"), "x");
  EXPECT_THROW((void)rowOf(Null{}).text("other"), Error);
}

TEST(RowTest, ConvertsBetweenWhatTheDatabasesDeliver) {
  EXPECT_EQ(rowOf(Blob{"{}"}).text("groupName"), "{}");
  EXPECT_EQ(rowOf(std::string("{}")).blob("groupName"), "{}");
  EXPECT_EQ(rowOf(Null{}).text("groupName"), "");
  EXPECT_EQ(rowOf(Null{}).integer("groupName"), 0);
  EXPECT_EQ(rowOf(std::string("42")).integer("groupName"), 42);
  EXPECT_THROW((void)rowOf(std::string("42x")).integer("groupName"), Error);
  for (const Value& value : std::vector<Value>{true, std::int64_t{1}, std::string("1"),
                                               std::string("t"), std::string("TRUE")}) {
    EXPECT_TRUE(rowOf(value).boolean("groupName"));
  }
  for (const Value& value : std::vector<Value>{false, std::int64_t{0}, std::string("0"),
                                               std::string("f"), Null{}, std::string("")}) {
    EXPECT_FALSE(rowOf(value).boolean("groupName"));
  }
  EXPECT_EQ(rowOf(std::int64_t{1'723'975'262}).timestamp("groupName"), at(1'723'975'262'000));
  EXPECT_FALSE(rowOf(Null{}).timestamp("groupName"));
}

}  // namespace
}  // namespace stratos::db
