#include "stratos/http/router.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  void route(const std::string& method, const std::string& pattern) {
    router_.add(method, pattern, [pattern](Request& request) {
      std::string text = pattern;
      for (const auto& [name, value] : request.pathParams) text += " " + name + "=" + value;
      return Response::text(200, text);
    });
  }
  std::string ask(const std::string& target, const std::string& method = "GET") {
    Request request;
    request.method = method;
    request.target = target;
    const Response response = router_.handle(request);
    return response.status == 200 ? response.body.bytes() : std::to_string(response.status);
  }

  Router router_;
};

TEST_F(RouterTest, FixedBeatsParameterBeatsRest) {
  route("GET", "/a/b");
  route("GET", "/a/:id");
  route("GET", "/a/*");
  EXPECT_EQ(ask("/a/b"), "/a/b");
  EXPECT_EQ(ask("/a/c?x=/y"), "/a/:id id=c");
  EXPECT_EQ(ask("/a/b/c"), "/a/* *=b/c");
  EXPECT_EQ(ask("/a/"), "/a/* *=");
  EXPECT_EQ(ask("/b"), "404");
}

TEST_F(RouterTest, GoesBackWhenTheBetterBranchEnds) {
  route("GET", "/a/b/c");
  route("GET", "/:x/b/d");
  EXPECT_EQ(ask("/a/b/d"), "/:x/b/d x=a");
}

TEST_F(RouterTest, CollapsesSlashesInFrontOfTheRestOnly) {
  route("GET", "/pp/v1/proxy/*");
  route("GET", "/pp/v1/info");
  EXPECT_EQ(ask("//pp///v1//info"), "/pp/v1/info");
  EXPECT_EQ(ask("//pp//v1/proxy//v2//x%2F/"), "/pp/v1/proxy/* *=/v2//x%2F/");
  EXPECT_EQ(ask("/pp/v1/proxy"), "/pp/v1/proxy/* *=");
}

TEST_F(RouterTest, ListsWhatItAnswers) {
  route("GET", "/a/:id");
  route("*", "/b/*");
  ASSERT_EQ(router_.list().size(), 2U);
  EXPECT_EQ(router_.list()[0].pattern, "/a/:id");
  EXPECT_EQ(router_.list()[1].method, "*");
}

TEST_F(RouterTest, ATrailingSlashIsSignificant) {
  route("GET", "/a");
  route("GET", "/");
  EXPECT_EQ(ask("/a/"), "404");
  EXPECT_EQ(ask("/"), "/");
  EXPECT_EQ(ask("//"), "/");
}

TEST_F(RouterTest, DecodesParametersAndRefusesBrokenEscapes) {
  route("GET", "/a/:id/x");
  EXPECT_EQ(ask("/a/b%2Fc%20d/x"), "/a/:id/x id=b/c d");
  EXPECT_EQ(ask("/a/b%2/x"), "400");
}

TEST_F(RouterTest, MethodsSelectRoutes) {
  route("GET", "/a");
  route("POST", "/a");
  route("*", "/b");
  EXPECT_EQ(ask("/a", "HEAD"), "/a");
  EXPECT_EQ(ask("/a", "DELETE"), "404");
  EXPECT_EQ(ask("/b", "PATCH"), "/b");
  EXPECT_EQ(ask("*", "OPTIONS"), "404");
}

TEST_F(RouterTest, RefusesMalformedAndRepeatedPatterns) {
  route("GET", "/a/:id");
  EXPECT_THROW(route("GET", "/a/:other"), Error);
  for (const char* pattern : {"", "a", "/*/a", "/:", "/a//b"}) {
    EXPECT_THROW(route("GET", pattern), Error) << pattern;
  }
}

TEST_F(RouterTest, TheFallbackAnswersTheRest) {
  router_.setFallback([](Request&) { return Response::text(200, "fallback"); });
  EXPECT_EQ(ask("/nothing"), "fallback");
}

TEST(PipelineTest, TheFirstStepSeesTheRequestFirst) {
  const auto step = [](std::string name) {
    return [name](Request& request, const HandlerFunction& next) {
      request.target += name;
      return next(request);
    };
  };
  const HandlerFunction handler = wrap(
      {step("1"), step("2")}, [](Request& request) { return Response::text(200, request.target); });
  Request request;
  EXPECT_EQ(handler(request).body.bytes(), "/12");
}

}  // namespace
}  // namespace stratos::http
