#include "stratos/http/message.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

TEST(RequestTest, SplitsTheTargetWithoutDecoding) {
  Request request;
  request.target = "/a%2Fb?x=1?y";
  EXPECT_EQ(request.rawPath(), "/a%2Fb");
  EXPECT_EQ(request.rawQuery(), "x=1?y");
  request.target = "/a";
  EXPECT_EQ(request.rawQuery(), "");
}

TEST(RequestTest, FindsTheLastCookieOfAName) {
  Request request;
  request.headers.add("Cookie", "a=1; b=\"two\"; a=3");
  request.headers.add("Cookie", "c=x=y;d");
  EXPECT_EQ(request.cookie("a"), "3");
  EXPECT_EQ(request.cookie("b"), "two");
  EXPECT_EQ(request.cookie("c"), "x=y");
  EXPECT_EQ(request.cookie("A"), std::nullopt);
  EXPECT_EQ(request.cookie("d"), std::nullopt);
}

TEST(RequestTest, KeepsOneContextValuePerType) {
  struct User {
    int id;
  };
  Request request;
  EXPECT_EQ(request.find<User>(), nullptr);
  request.put(User{1});
  request.put(std::string("other"));
  request.put(User{2});
  ASSERT_NE(request.find<User>(), nullptr);
  EXPECT_EQ(request.find<User>()->id, 2);
  EXPECT_EQ(*request.find<std::string>(), "other");
}

TEST(ResponseTest, RedirectsRefuseControlCharacters) {
  EXPECT_EQ(Response::redirect(302, "/x").headers.get("Location"), "/x");
  EXPECT_THROW((void)Response::redirect(302, "/x\ty"), Error);
  EXPECT_THROW((void)Response::redirect(302, "/x\r\nSet-Cookie: a=b"), Error);
}

TEST(ResponseTest, CarriesTypeAndReason) {
  EXPECT_EQ(Response::json(200, "{}").headers.get("content-type"),
            "application/json; charset=UTF-8");
  EXPECT_EQ(reasonPhrase(404), "Not Found");
  EXPECT_EQ(reasonPhrase(799), "Unknown");
}

}  // namespace
}  // namespace stratos::http
