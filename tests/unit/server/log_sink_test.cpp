#include "log_sink.hpp"

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

namespace stratos::server {
namespace {

const TimePoint kTime = fromUnixSeconds(784'111'777) + std::chrono::milliseconds{42};

TEST(LogSinkTest, WritesTextWithFields) {
  EXPECT_EQ(formatLogLine(LogFormat::Text, kTime, LogLevel::Warning, "slow",
                          {{"endpoint", "a b"}, {"ms", 12}, {"again", true}, {"empty", ""}}),
            "1994-11-06T08:49:37.042Z warning slow endpoint=\"a b\" ms=12 again=true empty=\"\"\n");
}

TEST(LogSinkTest, WritesJsonWithFields) {
  EXPECT_EQ(
      formatLogLine(LogFormat::Json, kTime, LogLevel::Info, "a \"b\"",
                    {{"n", -3}, {"ok", false}, {"t", "x"}}),
      R"({"time":"1994-11-06T08:49:37.042Z","level":"info","msg":"a \"b\"","n":-3,"ok":false,)"
      R"("t":"x"})"
      "\n");
}

TEST(LogSinkTest, EscapesWhatCouldForgeALineOrReachATerminal) {
  for (const LogFormat format : {LogFormat::Text, LogFormat::Json}) {
    const std::string line = formatLogLine(format, kTime, LogLevel::Info,
                                           "x\r\ny\x1b[2J\x7f\xc2\x9b", {{"value", "bad\xff\n"}});
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    for (const char c : {'\r', '\x1b', '\x7f', '\x9b', '\xff'}) {
      EXPECT_EQ(line.find(c), std::string::npos);
    }
    EXPECT_NE(line.find("\\u001b"), std::string::npos);
    EXPECT_NE(line.find("\\u009b"), std::string::npos);
  }
}

TEST(LogSinkTest, KnowsTheLevelNamesOfUpstream) {
  EXPECT_EQ(parseLogLevel("PANIC"), LogLevel::Error);
  EXPECT_EQ(parseLogLevel("Warn"), LogLevel::Warning);
  EXPECT_EQ(parseLogLevel("trace"), LogLevel::Debug);
  EXPECT_EQ(parseLogLevel("loud"), std::nullopt);
}

TEST(LogSinkTest, KeepsLinesWholeWhenThreadsWriteAtOnce) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  constexpr int kThreads = 4;
  constexpr int kLines = 50;
  {
    DescriptorLogSink sink(LogFormat::Text, LogLevel::Info, pipe[1]);
    EXPECT_FALSE(sink.enabled(LogLevel::Debug));
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&sink] {
        const std::string text(100, 'x');
        for (int i = 0; i < kLines; ++i) sink.write(LogLevel::Info, text, {});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  ::close(pipe[1]);
  std::string all;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  int lines = 0;
  for (std::size_t at = 0; at < all.size(); ++lines) {
    const std::size_t end = all.find('\n', at);
    EXPECT_TRUE(all.substr(at, end - at).ends_with(" info    " + std::string(100, 'x')));
    at = end + 1;
  }
  EXPECT_EQ(lines, kThreads * kLines);
}

}  // namespace
}  // namespace stratos::server
