#include "stratos/proxy/target.hpp"

#include <gtest/gtest.h>

#include "stratos/http/router.hpp"

namespace stratos::proxy {
namespace {

TEST(JoinPath, GivesWhatTheReferenceWants) {
  const auto join = [](std::string_view rest) { return joinPath("/base", rest); };
  EXPECT_EQ(join("v2/info"), "/base/v2/info");
  EXPECT_EQ(join("/api/v1/nodes"), "/base/api/v1/nodes");
  EXPECT_EQ(join("v2/a%20b"), "/base/v2/a%20b");
  EXPECT_EQ(join("v2/x"), "/base/v2/x");
  EXPECT_EQ(join(""), "/base");
  EXPECT_EQ(join("v2/info/"), "/base/v2/info");
  EXPECT_EQ(join("v2/a%2Fb"), "/base/v2/a%2Fb");
  EXPECT_EQ(join("v2/a!b"), "/base/v2/a!b");
  EXPECT_EQ(join("v2/100%25"), "/base/v2/100%25");
  EXPECT_EQ(join("v2/a%2541"), "/base/v2/a%2541");
  EXPECT_EQ(join("../../etc"), std::nullopt);
  EXPECT_EQ(joinPath("/api/v4", "projects/a%2Fb"), "/api/v4/projects/a%2Fb");
}

TEST(JoinPath, CollapsesSlashesAndDotsWithinTheBase) {
  EXPECT_EQ(joinPath("", ""), "");
  EXPECT_EQ(joinPath("/", "//a///b//"), "/a/b");
  EXPECT_EQ(joinPath("/base//", "a/./b/../c/."), "/base/a/c");
  EXPECT_EQ(joinPath("/base", "a/.."), "/base");
  EXPECT_EQ(joinPath("/base", "a/%2e%2E/b"), "/base/b");
  EXPECT_EQ(joinPath("/base", "%2e/a"), "/base/a");
  EXPECT_EQ(joinPath("/base", "..."), "/base/...");
  EXPECT_EQ(joinPath("/base", "a..b/..c/d.."), "/base/a..b/..c/d..");
  EXPECT_EQ(joinPath("/base", "caf%C3%A9"), "/base/caf%C3%A9");
  EXPECT_EQ(joinPath("/base", "v3/apps;x=1"), "/base/v3/apps;x=1");
}

TEST(JoinPath, RefusesEveryWayOutOfTheBase) {
  for (const char* path : {"..",       "../x",     "a/../../x",       "%2e%2e",
                           "%2e%2e/x", ".%2e/x",   "%2E./x",          "a/%2e%2e/%2e%2e/x",
                           "..%2fx",   "..%2Fx",   "a%2f..%2f..%2fx", "%2f..",
                           "..%5cx",   "..\\x",    "a\\..\\..\\x",    "x%5c..%5c..",
                           "..;x",     "..;a=b/x", "%2e%2e;x/y",      "a/..;/x",
                           "a%2f..;x", "..%3bx"}) {
    EXPECT_EQ(joinPath("/base", path), std::nullopt) << path;
  }
}

TEST(JoinPath, RefusesWhatServersReadInDifferentWays) {
  for (const std::string& path :
       {std::string{"a%00b"}, std::string{"..%00"}, std::string{"a%0d%0aX:%201"},
        std::string{"a%09b"}, std::string{"a%7f"}, std::string{"a b"}, std::string{"a\tb"},
        std::string{"a\r\nb"}, std::string{"a\0b", 3}, std::string{"a\x7f"}, std::string{"a?b"},
        std::string{"a#b"}, std::string{"a%"}, std::string{"a%2"}, std::string{"a%zz"},
        std::string{"%c0%ae%c0%ae/x"}, std::string{"a%ff"}, std::string{"a\xff"}}) {
    EXPECT_EQ(joinPath("/base", path), std::nullopt) << path;
  }
}

TEST(IsProxied, AgreesWithTheRouter) {
  http::Router router;
  const auto answer = [](int status) {
    return [status](http::Request&) { return http::Response::empty(status); };
  };
  router.add("GET", "/pp/v1/proxy/*", answer(200));
  router.add("GET", "/api/v1/proxy/:uuid/*", answer(200));
  router.setFallback(answer(404));
  for (const char* target : {"/pp/v1/proxy/v2/info",
                             "/pp/v1/proxy/",
                             "/pp/v1/proxy",
                             "/pp/v1/proxy?a=/b",
                             "/pp/v1/proxy/x?a",
                             "/api/v1/proxy/guid/v2",
                             "/api/v1/proxy/guid",
                             "//pp/v1/proxy/x",
                             "/pp//v1///proxy//x",
                             "//api//v1//proxy//guid//x",
                             "/",
                             "//",
                             "/pp",
                             "/pp/v1",
                             "/pp/v1/",
                             "/pp/v1/proxyx/x",
                             "/pp/v1/Proxy/x",
                             "/pp/v1/prox%79/x",
                             "/x/pp/v1/proxy/x",
                             "/pp?/v1/proxy/x",
                             "/api/v1/proxy",
                             "/pp/v1/info",
                             "/?/pp/v1/proxy/x",
                             "/api/v2/proxy/x"}) {
    http::Request request;
    request.method = "GET";
    request.target = target;
    EXPECT_EQ(isProxied(target), router.handle(request).status == 200) << target;
  }
}

TEST(IsProxied, KnowsTheAbsoluteForm) {
  EXPECT_TRUE(isProxied("http://h/pp/v1/proxy/v2/info"));
  EXPECT_TRUE(isProxied("HTTPS://h:8080//api/v1//proxy/guid"));
  for (const char* target : {"", "*", "http://h", "http://h?/pp/v1/proxy/x", "http://pp/v1/proxy/x",
                             "pp/v1/proxy/x", "http://h/pp/v1/info"}) {
    EXPECT_FALSE(isProxied(target)) << target;
  }
}

TEST(OverrideHost, ReplacesTheApiLabelOrPrependsTheOther) {
  EXPECT_EQ(overrideHost("api.sys.x.com", "autoscaler"), "autoscaler.sys.x.com");
  EXPECT_EQ(overrideHost("cf.x.com", "autoscaler"), "autoscaler.cf.x.com");
  EXPECT_EQ(overrideHost("api.sys.x.com", "a.b"), "api.sys.x.com");
  EXPECT_EQ(overrideHost("api.sys.x.com", ""), "api.sys.x.com");
}

TEST(OverrideHost, RefusesLabelsThatAreNotKnown) {
  for (const char* label : {"evil", "Autoscaler", "autoscaler ", "uaa", "autoscaler@evil", "*"}) {
    EXPECT_EQ(overrideHost("api.x.com", label), std::nullopt) << label;
  }
}

}  // namespace
}  // namespace stratos::proxy
