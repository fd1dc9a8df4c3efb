#include <gmock/gmock.h>

#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/seeded_random.hpp"

namespace stratos::testing {
namespace {

TEST(ManualClockTest, FrozenTimeMovesOnlyByHand) {
  ManualClock clock(fromUnixSeconds(1000));
  EXPECT_EQ(clock.now(), fromUnixSeconds(1000));
  clock.advance(std::chrono::seconds{5});
  EXPECT_EQ(clock.now(), fromUnixSeconds(1005));
  clock.set(fromUnixSeconds(7));
  EXPECT_EQ(clock.now(), fromUnixSeconds(7));
}

TEST(ManualClockTest, RunningTimeIsTheSystemsPlusWhatWasAdvanced) {
  ManualClock clock(ManualClock::Mode::Running);
  clock.advance(std::chrono::hours{1});
  const auto ahead = clock.now() - SystemClock{}.now();
  EXPECT_GT(ahead, std::chrono::minutes{59});
  EXPECT_LE(ahead, std::chrono::hours{1});
}

TEST(CapturingLogSinkTest, KeepsMessagesAndFields) {
  CapturingLogSink sink(LogLevel::Info);
  log(sink, LogLevel::Debug, "quiet");
  log(sink, LogLevel::Warning, "token refused", {{"endpoint", "e1"}, {"status", 401}, {"x", true}});
  ASSERT_EQ(sink.lines().size(), 1U);
  const LogLine line = sink.linesWith("refused").at(0);
  EXPECT_EQ(line.level, LogLevel::Warning);
  EXPECT_EQ(line.field("endpoint"), "e1");
  EXPECT_EQ(line.field("status"), "401");
  EXPECT_EQ(line.field("x"), "true");
  EXPECT_TRUE(sink.mentions("e1"));
  EXPECT_FALSE(sink.mentions("quiet"));
}

TEST(SeededRandomTest, RepeatsItselfForTheSameSeed) {
  SeededRandom one(7);
  SeededRandom same(7);
  SeededRandom other(8);
  const std::string bytes = one.bytes(16);
  EXPECT_EQ(bytes.size(), 16U);
  EXPECT_EQ(bytes, same.bytes(16));
  EXPECT_NE(bytes, other.bytes(16));
}

}  // namespace
}  // namespace stratos::testing
