#include "stratos/base/random.hpp"

#include <gtest/gtest.h>

#include "stratos/base/error.hpp"

namespace stratos {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes(std::size_t) override { return bytes_; }

 private:
  std::string bytes_;
};

TEST(RandomTest, UuidsCarryVersionAndVariant) {
  FixedRandom ones(std::string(16, '\xff'));
  EXPECT_EQ(makeUuid(ones), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  FixedRandom zeros(std::string(16, '\0'));
  EXPECT_EQ(makeUuid(zeros), "00000000-0000-4000-8000-000000000000");
}

TEST(RandomTest, UuidsRefuseAShortGenerator) {
  FixedRandom few("abc");
  EXPECT_THROW((void)makeUuid(few), Error);
}

}  // namespace
}  // namespace stratos
