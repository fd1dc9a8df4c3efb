#include "stratos/base/error.hpp"

#include <gtest/gtest.h>

namespace stratos {
namespace {

TEST(ErrorTest, ShowsItsDetailOnlyWhenItDescribesTheCallersInput) {
  EXPECT_EQ(Error(ErrorCode::InvalidArgument, "no name").publicMessage(), "no name");
  const Error error(ErrorCode::Internal, "db at 10.0.0.1 broke");
  EXPECT_STREQ(error.what(), "db at 10.0.0.1 broke");
  EXPECT_EQ(error.publicMessage().find("10.0.0.1"), std::string::npos);
  EXPECT_EQ(Error(ErrorCode::Unavailable, "a", "b").publicMessage(), "b");
}

TEST(ErrorTest, OnlyPassingCausesAreRetryable) {
  EXPECT_TRUE(Error(ErrorCode::Unavailable, "").isRetryable());
  EXPECT_TRUE(Error(ErrorCode::DeadlineExceeded, "").isRetryable());
  EXPECT_FALSE(Error(ErrorCode::Internal, "").isRetryable());
  EXPECT_FALSE(Error(ErrorCode::Unauthenticated, "").isRetryable());
}

TEST(ErrorTest, CodesHaveLogNames) {
  EXPECT_EQ(toString(ErrorCode::NotFound), "not_found");
  EXPECT_EQ(toString(ErrorCode::DeadlineExceeded), "deadline_exceeded");
}

}  // namespace
}  // namespace stratos
