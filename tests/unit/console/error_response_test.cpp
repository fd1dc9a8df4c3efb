#include "console/error_response.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stratos::console {
namespace {

constexpr const char* kDetail = "connect to db.internal:5432 failed";

TEST(ErrorResponseTest, EveryCodeHasItsStatus) {
  struct Row {
    ErrorCode code;
    int status;
    bool showsDetail;
  };
  const std::vector<Row> rows = {
      {ErrorCode::InvalidArgument, 400, true},  {ErrorCode::AlreadyExists, 400, true},
      {ErrorCode::NotFound, 404, true},         {ErrorCode::Unauthenticated, 401, false},
      {ErrorCode::PermissionDenied, 403, true}, {ErrorCode::Unavailable, 503, false},
      {ErrorCode::Cancelled, 503, false},       {ErrorCode::DeadlineExceeded, 504, false},
      {ErrorCode::Internal, 500, false}};
  for (const Row& row : rows) {
    const http::Response response = responseFor(Error(row.code, kDetail));
    const std::string name{toString(row.code)};
    EXPECT_EQ(response.status, row.status) << name;
    EXPECT_EQ(response.headers.get("Content-Type"), "text/plain; charset=UTF-8") << name;
    EXPECT_EQ(response.body.bytes().find("db.internal") != std::string::npos, row.showsDetail)
        << name;
    EXPECT_FALSE(response.body.bytes().empty()) << name;
    EXPECT_FALSE(response.headers.has("Set-Cookie")) << name;
  }
}

TEST(ErrorResponseTest, InternalErrorsSayNothingEvenWithAPublicText) {
  const http::Response response =
      responseFor(Error(ErrorCode::Internal, kDetail, "row 17 of table x"));
  EXPECT_EQ(response.body.bytes(), "Internal Server Error");
}

TEST(ErrorResponseTest, ThePublicTextIsQuoted) {
  const http::Response response =
      responseFor(Error(ErrorCode::Unavailable, kDetail, "say \"please\"\n\xff"));
  EXPECT_EQ(response.body.bytes(),
            "{\"status\":\"error\",\"error\":\"say \\\"please\\\"\\n\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace stratos::console
