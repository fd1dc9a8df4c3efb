#include "stratos/proxy/header_policy.hpp"

#include <gtest/gtest.h>

namespace stratos::proxy {
namespace {

using http::Headers;

const Url kEndpoint = Url::parse("https://api.example.com/base");

TEST(RequestHeaders, ForwardOnlyWhatAnEndpointNeeds) {
  const Headers sent = requestHeaders({{"Accept", "application/json"},
                                       {"accept-language", "de"},
                                       {"Content-Type", "text/plain"},
                                       {"If-None-Match", "\"1\""},
                                       {"Range", "bytes=0-1"},
                                       {"traceparent", "00-1-2-01"}});
  EXPECT_EQ(sent.get("accept"), "application/json");
  EXPECT_EQ(sent.get("Accept-Language"), "de");
  EXPECT_EQ(sent.get("Content-Type"), "text/plain");
  EXPECT_EQ(sent.get("If-None-Match"), "\"1\"");
  EXPECT_EQ(sent.get("Range"), "bytes=0-1");
  EXPECT_EQ(sent.get("User-Agent"), "stratos");
  EXPECT_EQ(sent.size(), 7U);
}

TEST(RequestHeaders, KeepEverythingElseInTheConsole) {
  Headers browser;
  for (const char* name : {"X-Xsrf-Token",
                           "x-xsrf-token",
                           "Cookie",
                           "Authorization",
                           "Authentication",
                           "X-Cap-Cnsi-List",
                           "x-cap-long-running",
                           "X-Forwarded-For",
                           "X-Forwarded-Host",
                           "Forwarded",
                           "X-Real-Ip",
                           "Referer",
                           "Origin",
                           "Sec-Fetch-Site",
                           "Connection",
                           "Keep-Alive",
                           "TE",
                           "Trailer",
                           "Transfer-Encoding",
                           "Upgrade",
                           "Proxy-Authorization",
                           "Proxy-Connection",
                           "Host",
                           "Content-Length",
                           "Accept-Encoding",
                           "Expect",
                           "User-Agent",
                           "X-Stratos-Password"}) {
    browser.add(name, "SENTINEL");
  }
  const Headers sent = requestHeaders(browser);
  EXPECT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent.get("User-Agent"), "stratos");
}

TEST(ResponseHeaders, PassTheUsefulFieldsOn) {
  const Headers got = responseHeaders({{"Content-Type", "application/json; charset=utf-8"},
                                       {"Link", "<x>; rel=next"},
                                       {"Link", "<y>; rel=prev"},
                                       {"ETag", "\"1\""},
                                       {"Retry-After", "5"}},
                                      kEndpoint);
  EXPECT_EQ(got.get("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(got.all("Link").size(), 2U);
  EXPECT_EQ(got.get("ETag"), "\"1\"");
  EXPECT_EQ(got.get("Retry-After"), "5");
  EXPECT_EQ(got.get("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(got.get("Content-Security-Policy"), "sandbox");
}

TEST(ResponseHeaders, KeepWhatWouldActOnTheConsolesOrigin) {
  Headers endpoint;
  for (const char* name :
       {"Set-Cookie", "set-cookie2", "WWW-Authenticate", "Access-Control-Allow-Origin",
        "Content-Security-Policy", "X-Content-Type-Options", "Clear-Site-Data", "Refresh",
        "Strict-Transport-Security", "Service-Worker-Allowed", "Transfer-Encoding", "Connection",
        "Content-Length", "Content-Encoding", "X-Xsrf-Token", "X-Cap-Session-Expires-On",
        "X-Frame-Options", "Alt-Svc", "Server"}) {
    endpoint.add(name, "SENTINEL");
  }
  const Headers got = responseHeaders(endpoint, kEndpoint);
  EXPECT_EQ(got.size(), 2U);
  EXPECT_EQ(got.get("Content-Security-Policy"), "sandbox");
  EXPECT_EQ(got.get("X-Content-Type-Options"), "nosniff");
}

TEST(ResponseHeaders, LeadNowhereElse) {
  const auto location = [](const std::string& text) {
    return std::string{responseHeaders({{"Location", text}}, kEndpoint).get("Location", "(none)")};
  };
  for (const char* good : {"/v3/jobs/1", "https://api.example.com/v3/jobs/1",
                           "https://API.example.com:443/v3/jobs/1"}) {
    EXPECT_EQ(location(good), good);
  }
  for (const char* bad :
       {"https://evil.example.com/", "http://api.example.com/", "https://api.example.com:8443/",
        "//evil.com/x", "/\\evil.com", "/\t/evil.com", "\\\\evil.com", "javascript:alert(1)",
        "https://api.example.com@evil.com/", "https:/\\evil.com", "jobs/1", "", " /x",
        "data:text/html,x"}) {
    EXPECT_EQ(location(bad), "(none)") << bad;
  }
}

TEST(ResponseHeaders, DeliverActiveTypesAsText) {
  const auto type = [](const std::string& text) {
    return std::string{responseHeaders({{"Content-Type", text}}, kEndpoint).get("Content-Type")};
  };
  for (const char* active :
       {"text/html", "TEXT/HTML; charset=utf-8", " text/html", "application/xhtml+xml",
        "image/svg+xml", "Image/SVG+XML;x=1", "text/xml", "application/xml", "text/javascript",
        "application/javascript", "text/css", "multipart/x-mixed-replace", "", "nonsense",
        "image/png,text/html", "text/plain;x=,text/html", "application/json, text/html"}) {
    EXPECT_EQ(type(active), "text/plain; charset=UTF-8") << active;
  }
  for (const char* inert : {"application/json", "application/problem+json", "text/plain",
                            "image/png", "application/octet-stream", "text/csv; header=present"}) {
    EXPECT_EQ(type(inert), inert);
  }
}

}  // namespace
}  // namespace stratos::proxy
