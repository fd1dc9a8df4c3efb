#include "stratos/proxy/fan_out.hpp"

#include <gtest/gtest.h>

namespace stratos::proxy {
namespace {

std::string compact(std::string_view text) {
  std::string out = "(untouched)";
  return compactJson(text, out) ? out : "(refused)" + (out == "(untouched)" ? "" : out);
}

TEST(FanOutBody, IsTheVectorOfTheReference) {
  const std::map<std::string, FanOutEntry> entries = {
      {"E", FanOutEntry::noToken()},
      {"B",
       FanOutEntry::answered(404, "Not Found", R"({"code":1,"description":"d","error_code":"e"})")},
      {"D", FanOutEntry::answered(204, "No Content", "")},
      {"A", FanOutEntry::answered(200, "OK", R"({"a":"<b>&"})")},
      {"C", FanOutEntry::answered(500, "Internal Server Error", "oops")}};
  EXPECT_EQ(fanOutBody(entries),
            R"({"A":{"a":"\u003cb\u003e\u0026"},)"
            R"("B":{"error":{"statusCode":404,"status":"404 Not Found"},)"
            R"("errorResponse":{"code":1,"description":"d","error_code":"e"}},)"
            R"("C":{"error":{"statusCode":500,"status":"500 Internal Server Error"},)"
            R"("errorResponse":"oops"},)"
            R"("D":null,)"
            R"("E":{"error":{"statusCode":400,"status":"Unable to retrieve CNSI token record"},)"
            R"("errorResponse":""}})"
            "\n");
  EXPECT_EQ(fanOutBody({}), "{}\n");
}

TEST(FanOutEntry, HasAnErrorObjectForEveryOtherOutcome) {
  EXPECT_EQ(FanOutEntry::failed(500, "Error proxing request", "why \"x\"").json,
            R"({"error":{"statusCode":500,"status":"Error proxing request"},)"
            R"("errorResponse":"why \"x\""})");
  EXPECT_EQ(FanOutEntry::brokenOff("cut").json,
            R"({"error":{"statusCode":500,"status":"cut"},"errorResponse":null})");
  EXPECT_EQ(FanOutEntry::stillRunning().json,
            R"({"error":{"statusCode":202,"status":"Long Running Operation still active"},)"
            R"("errorResponse":{"longRunningTimeout":true,)"
            R"("description":"Long Running Operation still active",)"
            R"("error_code":"longRunningTimeout"}})");
  EXPECT_EQ(FanOutEntry::answered(200, "OK", "<html>").json,
            R"({"error":{"statusCode":502,"status":"502 Bad Gateway"},)"
            R"("errorResponse":"the endpoint did not answer with JSON"})");
  EXPECT_EQ(FanOutEntry::answered(200, "OK", " \r\n").json, "null");
  EXPECT_EQ(FanOutEntry::answered(404, "", "").json,
            R"({"error":{"statusCode":404,"status":"404 Not Found"},"errorResponse":""})");
  EXPECT_EQ(FanOutEntry::answered(418, "Tea\xff", "a\xff\x01").json,
            "{\"error\":{\"statusCode\":418,\"status\":\"418 Tea\xEF\xBF\xBD\"},"
            "\"errorResponse\":\"a\xEF\xBF\xBD\\u0001\"}");
}

TEST(CompactJson, RemovesWhiteSpaceBetweenTokensOnly) {
  EXPECT_EQ(compact(" { \"a b\" :\t[ 1 , \"x  y\" ,\r\n true , null , { } , [ ] ] } \n"),
            R"({"a b":[1,"x  y",true,null,{},[]]})");
  for (const char* scalar : {"1", "\"x\"", "null", "true", "[]", "{}"}) {
    EXPECT_EQ(compact(scalar), scalar);
  }
}

TEST(CompactJson, KeepsNumbersByteForByte) {
  for (const char* number :
       {"0", "-0", "1.0", "1.10", "1e5", "1E+05", "-1.5e-300", "12345678901234567890123456789",
        "0.1000000000000000055511151231257827", "9007199254740993", "1e308"}) {
    EXPECT_EQ(compact(number), number);
    EXPECT_EQ(compact("[" + std::string{number} + "]"), "[" + std::string{number} + "]");
  }
}

TEST(CompactJson, RefusesNumbersBeyondADouble) {
  EXPECT_EQ(compact("1e400"), "(refused)") << "JavaScript has no such number either";
}

TEST(CompactJson, KeepsDuplicateKeysInTheirOrder) {
  EXPECT_EQ(compact(R"({"a":1,"b":2,"a":3})"), R"({"a":1,"b":2,"a":3})");
}

TEST(CompactJson, WritesEscapesThatMeanTheSame) {
  EXPECT_EQ(compact(R"("\u0041\u00e9\ud83d\ude00\/\b\f\n\u0000\"\\")"),
            "\"A\xC3\xA9\xF0\x9F\x98\x80/\\u0008\\u000c\\n\\u0000\\\"\\\\\"");
  EXPECT_EQ(compact(R"({"<k>":"&"})"), R"({"\u003ck\u003e":"\u0026"})");
}

TEST(CompactJson, SurvivesAnyDepth) {
  constexpr std::size_t kDepth = 100'000;
  const std::string arrays = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_TRUE(compact(arrays) == arrays);
  EXPECT_EQ(compact(std::string(kDepth, '[')), "(refused)");
  std::string objects;
  for (std::size_t i = 0; i < kDepth; ++i) objects += "{\"a\":";
  EXPECT_EQ(compact(objects), "(refused)");
  objects += "1" + std::string(kDepth, '}');
  EXPECT_TRUE(compact(objects) == objects);
}

TEST(CompactJson, RefusesWhatIsNotOneJsonValueInUtf8) {
  using std::string;
  for (const string& text : {string{},
                             string{" "},
                             string{"{"},
                             string{"}"},
                             string{"[1,]"},
                             string{"{\"a\":1,}"},
                             string{"{a:1}"},
                             string{"'a'"},
                             string{"[1] x"},
                             string{"{}{}"},
                             string{"1 2"},
                             string{"nul"},
                             string{"01"},
                             string{"1."},
                             string{".5"},
                             string{"+1"},
                             string{"-"},
                             string{"NaN"},
                             string{"Infinity"},
                             string{"// c\n1"},
                             string{"\"a\nb\""},
                             string{"\"\\x\""},
                             string{"\"\\u12\""},
                             string{"\"abc"},
                             string{"\"\xff\""},
                             string{"\"\xc0\xae\""},
                             string{"\"\xed\xa0\x80\""},
                             string{"\xEF\xBB\xBF{}\xff"},
                             string{"{}\0", 3},
                             string{"{}\0garbage", 10},
                             string{"\0{}", 3},
                             string{"\"a\0b\"", 5}}) {
    EXPECT_EQ(compact(text), "(refused)") << text;
  }
}

TEST(CompactJson, RefusesLoneSurrogates) {
  // They cannot be written in UTF-8, and passing the escape on would hand out a broken string.
  for (const char* text :
       {R"("\ud800")", R"("\udc00")", R"("\ud800\u0041")", R"("\ud800x")", R"({"\udfff":1})"}) {
    EXPECT_EQ(compact(text), "(refused)") << text;
  }
}

TEST(CompactJson, TakesTheCharactersNextToTheSurrogates) {
  EXPECT_EQ(compact(R"("\ud7ff\ue000")"), "\"\xED\x9F\xBF\xEE\x80\x80\"");
}

TEST(JsonString, MakesAStringOfAnyBytes) {
  EXPECT_EQ(jsonString("a\"\\\n\x01<>&\xff"),
            "\"a\\\"\\\\\\n\\u0001\\u003c\\u003e\\u0026\xEF\xBF\xBD\"");
  EXPECT_EQ(jsonString(std::string_view("\0", 1)), "\"\\u0000\"");
}

}  // namespace
}  // namespace stratos::proxy
