#include "stratos/base/encoding.hpp"

#include <gtest/gtest.h>

namespace stratos {
namespace {

TEST(EncodingTest, HexRoundTripsAndRefusesGarbage) {
  EXPECT_EQ(toHex(std::string("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(fromHex("007FfF"), std::string("\x00\x7f\xff", 3));
  EXPECT_EQ(fromHex("0"), std::nullopt);
  EXPECT_EQ(fromHex("0g"), std::nullopt);
}

TEST(EncodingTest, Base64FollowsTheRfcVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(toBase64(plain), coded);
    EXPECT_EQ(fromBase64(coded), plain);
  }
  EXPECT_EQ(toBase64Url("\xfb\xff\xfe\xfe"), "-__-_g");
  EXPECT_EQ(fromBase64("-__-_g"), "\xfb\xff\xfe\xfe");
  EXPECT_EQ(fromBase64("+//+/g=="), "\xfb\xff\xfe\xfe");
}

TEST(EncodingTest, Base64RefusesWhatIsNoEncoding) {
  for (const char* text : {"Z", "Zg=", "Zm9v=", "Zg===", "Zh==", "Z*==", "Zm 9v", "="}) {
    EXPECT_EQ(fromBase64(text), std::nullopt) << text;
  }
}

TEST(EncodingTest, PercentEncodingKeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(percentEncode("aZ9-._~ +/%\xc3\xa4"), "aZ9-._~%20%2B%2F%25%C3%A4");
  EXPECT_EQ(percentDecode("a%20b+%2f%C3%a4"), "a b+/\xc3\xa4");
  EXPECT_EQ(percentDecode("%"), std::nullopt);
  EXPECT_EQ(percentDecode("%4"), std::nullopt);
  EXPECT_EQ(percentDecode("%4x"), std::nullopt);
}

TEST(EncodingTest, FormsRoundTripInOrder) {
  const FormFields fields = {{"a b", "1&2"}, {"a b", "="}, {"", ""}};
  EXPECT_EQ(encodeForm(fields), "a+b=1%262&a+b=%3D&=");
  EXPECT_EQ(decodeForm("a+b=1%262&a+b=%3D&="), fields);
  EXPECT_EQ(decodeForm("&&x&y=1=2&"), (FormFields{{"x", ""}, {"y", "1=2"}}));
  EXPECT_EQ(decodeForm("a=%zz"), std::nullopt);
  EXPECT_EQ(encodeFormValue("a*~"), "a*%7E");
}

TEST(EncodingTest, Utf8RefusesOverlongFormsAndSurrogates) {
  EXPECT_TRUE(isValidUtf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* text : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
                           "\xc3", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(isValidUtf8(text));
  }
  EXPECT_EQ(toValidUtf8("a\xffz\xc3"), "a\xef\xbf\xbdz\xef\xbf\xbd");
}

TEST(EncodingTest, TextHelpersWorkOnAscii) {
  EXPECT_EQ(toLower("ABC\xc3\x84"), "abc\xc3\x84");
  EXPECT_TRUE(equalsIgnoreCase("HoSt", "hOsT"));
  EXPECT_FALSE(equalsIgnoreCase("a", "ab"));
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" "), "");
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
}

}  // namespace
}  // namespace stratos
