#include "stratos/base/json_text.hpp"

#include <gtest/gtest.h>

namespace stratos {
namespace {

TEST(JsonTextTest, FindsTextsAndWholeNumbers) {
  const char* document = R"({"a":{"b":[{"c":"x\u0000y"},7]},"n":-3,"d":1.5,"":"empty"})";
  EXPECT_EQ(findJsonText(document, "a/b/0/c"), std::string("x\0y", 3));
  EXPECT_EQ(findJsonText(document, ""), "empty");
  EXPECT_EQ(findJsonInteger(document, "a/b/1"), 7);
  EXPECT_EQ(findJsonInteger(document, "n"), -3);
  EXPECT_EQ(findJsonInteger(document, "d"), std::nullopt);
  EXPECT_EQ(findJsonText(document, "n"), std::nullopt);
}

TEST(JsonTextTest, IsEmptyForWhatIsNotThere) {
  for (const char* path : {"a/b/2/c", "a/b/-1", "a/b/0x0", "a/b/", "a/x", "a/b/0/c/d", "n/0"}) {
    EXPECT_EQ(findJsonText(R"({"a":{"b":[{"c":"x"}]},"n":1})", path), std::nullopt) << path;
  }
  for (const char* broken : {"", "{", "{\"a\":\"x\"} y", "{\"a\":\"\xff\"}", "<html>"}) {
    EXPECT_EQ(findJsonText(broken, "a"), std::nullopt) << broken;
    EXPECT_FALSE(isJsonObject(broken)) << broken;
  }
  EXPECT_EQ(findJsonText(std::string(100'000, '['), "0"), std::nullopt);
  EXPECT_TRUE(isJsonObject("{}"));
  EXPECT_FALSE(isJsonObject("[]"));
  EXPECT_TRUE(isJsonArray("[]"));
}

}  // namespace
}  // namespace stratos
