#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/annotations.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/log.hpp"

namespace stratos::server {

enum class LogFormat { Text, Json };

/// The level that `text` names, in any case: panic, fatal, error, warn, warning, info, debug,
/// trace.
[[nodiscard]] std::optional<LogLevel> parseLogLevel(std::string_view text);

/// One event as one line, with its line end. Control characters and malformed UTF-8 are escaped, so
/// that what a client sends can neither forge a line nor reach a terminal.
[[nodiscard]] std::string formatLogLine(LogFormat format, TimePoint time, LogLevel level,
                                        std::string_view message,
                                        std::initializer_list<LogField> fields);

/// Writes each event as one line to a file descriptor, by default standard output. Lines stay whole
/// when many threads write. Thread safety: safe from any thread.
class DescriptorLogSink final : public LogSink {
 public:
  DescriptorLogSink(LogFormat format, LogLevel level, int descriptor = 1);

  [[nodiscard]] bool enabled(LogLevel level) const noexcept override { return level >= level_; }
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) noexcept override;

 private:
  const LogFormat format_;
  const LogLevel level_;
  Mutex mutex_;
  const int descriptor_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::server
