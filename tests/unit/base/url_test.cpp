#include "stratos/base/url.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos {
namespace {

TEST(UrlTest, SplitsAUrlIntoItsRawParts) {
  const Url url = Url::parse("HTTPS://user:p%40ss@API.Example.com:8443/v3/a%2Fb//c?x=1&y=%20#frag");
  EXPECT_EQ(url.scheme(), "https");
  EXPECT_EQ(url.userInfo(), "user:p%40ss");
  EXPECT_EQ(url.host(), "api.example.com");
  EXPECT_EQ(url.port(), 8443);
  EXPECT_EQ(url.rawPath(), "/v3/a%2Fb//c");
  EXPECT_EQ(url.rawQuery(), "x=1&y=%20");
  EXPECT_EQ(url.origin(), "https://api.example.com:8443");
  EXPECT_EQ(url.requestTarget(), "/v3/a%2Fb//c?x=1&y=%20");
  EXPECT_EQ(url.str(), "https://api.example.com:8443/v3/a%2Fb//c?x=1&y=%20");
}

TEST(UrlTest, KnowsDefaultPorts) {
  EXPECT_EQ(Url::parse("http://a").port(), 80);
  EXPECT_EQ(Url::parse("wss://a").port(), 443);
  const Url written = Url::parse("https://A:443");
  EXPECT_TRUE(written.hasDefaultPort());
  EXPECT_EQ(written.authority(), "a");
  EXPECT_EQ(written.hostAsWritten(), "a:443");
  EXPECT_EQ(written.requestTarget(), "/");
  EXPECT_EQ(written, Url::parse("https://a"));
  EXPECT_EQ(Url::parse("http://a:/x").port(), 80);
}

TEST(UrlTest, HandlesIpv6Addresses) {
  const Url url = Url::parse("http://[2001:DB8::1]:8080/x");
  EXPECT_EQ(url.host(), "2001:db8::1");
  EXPECT_EQ(url.authority(), "[2001:db8::1]:8080");
  EXPECT_EQ(Url::parse("http://[::1]").origin(), "http://[::1]");
}

TEST(UrlTest, SplitsAQueryWithoutAPath) {
  const Url url = Url::parse("http://a?x=/y");
  EXPECT_EQ(url.rawPath(), "");
  EXPECT_EQ(url.requestTarget(), "/?x=/y");
}

TEST(UrlTest, RefusesWhatIsNoHttpUrl) {
  for (const char* text : {"",
                           "api.example.com",
                           "://a",
                           "ftp://a",
                           "http://",
                           "http:///x",
                           "http://:80",
                           "http:/a",
                           "http://a:0",
                           "http://a:65536",
                           "http://a:8o",
                           "http://a:-1",
                           "http://a b",
                           "http://a/x y",
                           "http://a\r\nX: y",
                           "http://a/\x01",
                           "http://[::1",
                           "http://[::g]",
                           "http://[::1]x",
                           "http://a\\b",
                           "http://a%00b",
                           "http://::1/",
                           " http://a"}) {
    EXPECT_THROW((void)Url::parse(text), Error) << text;
    EXPECT_EQ(Url::tryParse(text), std::nullopt) << text;
  }
}

TEST(UrlTest, TheLastAtEndsTheUserInfo) {
  EXPECT_EQ(Url::parse("http://good.com@evil.com/").host(), "evil.com");
  EXPECT_EQ(Url::parse("http://a/@b").host(), "a");
  EXPECT_EQ(Url::parse("http://u:p@h/").str(), "http://h/");
}

TEST(UrlTest, CopiesWithOtherParts) {
  const Url url = Url::parse("https://api.example.com:444/base///?q=1");
  EXPECT_EQ(url.withPath("/v2/info").str(), "https://api.example.com:444/v2/info");
  EXPECT_EQ(url.withPath("v2", "a=b").str(), "https://api.example.com:444/v2?a=b");
  EXPECT_EQ(url.withHost("UAA.example.com").origin(), "https://uaa.example.com:444");
  EXPECT_EQ(url.withHost("::1").origin(), "https://[::1]:444");
  EXPECT_EQ(url.withoutTrailingSlash().rawPath(), "/base");
  EXPECT_EQ(Url::parse("http://a//").withoutTrailingSlash().str(), "http://a");
  EXPECT_THROW((void)url.withPath("/a\r\nb"), Error);
  EXPECT_THROW((void)url.withPath("/a?b"), Error);
  EXPECT_THROW((void)url.withHost("a/b"), Error);
}

}  // namespace
}  // namespace stratos
