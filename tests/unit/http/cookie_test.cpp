#include "stratos/http/cookie.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

TEST(SetCookieTest, WritesItsAttributes) {
  SetCookie cookie;
  cookie.name = "console-session";
  cookie.value = "abc=";
  EXPECT_EQ(cookie.str(), "console-session=abc=; Path=/; HttpOnly; Secure; SameSite=Lax");
  cookie.domain = "example.com";
  cookie.maxAge = std::chrono::seconds{-1};
  cookie.expires = fromUnixSeconds(784111777);
  cookie.secure = false;
  cookie.httpOnly = false;
  cookie.sameSite.clear();
  EXPECT_EQ(cookie.str(),
            "console-session=abc=; Path=/; Domain=example.com; "
            "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=-1");
}

TEST(SetCookieTest, RefusesInjection) {
  SetCookie cookie;
  cookie.name = "a";
  cookie.value = "x; Domain=evil";
  EXPECT_THROW((void)cookie.str(), Error);
  cookie.value = "x";
  cookie.path = "/\r\nX: y";
  EXPECT_THROW((void)cookie.str(), Error);
  cookie.path = "/";
  cookie.name = "a b";
  EXPECT_THROW((void)cookie.str(), Error);
}

TEST(HttpDateTest, RoundTrips) {
  for (const std::int64_t seconds : {0LL, 784111777LL, 951782400LL, 4102444799LL}) {
    EXPECT_EQ(parseHttpDate(formatHttpDate(fromUnixSeconds(seconds))), fromUnixSeconds(seconds));
  }
}

TEST(HttpDateTest, RefusesOtherForms) {
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                           "Sun, -6 Nov 1994 08:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parseHttpDate(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace stratos::http
