#include "http/proxy_settings.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http::detail {
namespace {

TEST(ProxySettingsTest, PicksTheProxyByScheme) {
  const ProxySettings settings("http://a:8080", "user:p%40ss@b:3128", "");
  EXPECT_EQ(settings.find(Url::parse("http://x.test"))->host, "a");
  const ForwardProxy* proxy = settings.find(Url::parse("https://x.test"));
  ASSERT_NE(proxy, nullptr);
  EXPECT_EQ(proxy->host, "b");
  EXPECT_EQ(proxy->port, 3128);
  EXPECT_EQ(proxy->authorization, "Basic dXNlcjpwQHNz");
  EXPECT_EQ(settings.find(Url::parse("http://localhost:1")), nullptr);
  EXPECT_EQ(settings.find(Url::parse("http://127.0.0.9")), nullptr);
  EXPECT_EQ(settings.find(Url::parse("http://[::1]")), nullptr);
  EXPECT_THROW(ProxySettings("socks5://a", "", ""), Error);
}

TEST(ProxySettingsTest, HonoursExceptions) {
  const ProxySettings settings(
      "a:1", "a:1",
      " Example.com,.sub.test,*.star.test,10.0.0.0/8,192.0.2.7,2001:db8::/32,[::2],port.test:8080,"
      "10.0.0.0/99,");
  for (const char* direct :
       {"http://example.com", "http://x.example.com", "http://y.sub.test", "http://z.star.test",
        "http://10.200.3.4", "http://192.0.2.7:99", "http://[2001:db8:1::5]", "http://[::2]",
        "http://[::ffff:10.1.1.1]", "http://port.test:8080"}) {
    EXPECT_EQ(settings.find(Url::parse(direct)), nullptr) << direct;
  }
  for (const char* proxied :
       {"http://notexample.com", "http://sub.test", "http://star.test", "http://11.0.0.1",
        "http://192.0.2.8", "http://[2001:db9::1]", "http://port.test"}) {
    EXPECT_NE(settings.find(Url::parse(proxied)), nullptr) << proxied;
  }
  EXPECT_EQ(ProxySettings("a:1", "", "*").find(Url::parse("http://x.test")), nullptr);
}

}  // namespace
}  // namespace stratos::http::detail
