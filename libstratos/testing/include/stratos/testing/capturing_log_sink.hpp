#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/annotations.hpp"
#include "stratos/base/log.hpp"

namespace stratos::testing {

/// One event as a CapturingLogSink kept it; numbers and booleans are kept as text.
struct LogLine {
  LogLevel level = LogLevel::Info;
  std::string message;
  std::map<std::string, std::string> fields;

  /// The value of a field, empty when it is not there.
  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string{} : found->second;
  }
};

/// Keeps every event for later assertions.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT CapturingLogSink final : public LogSink {
 public:
  explicit CapturingLogSink(LogLevel lowest = LogLevel::Debug) : lowest_(lowest) {}

  [[nodiscard]] bool enabled(LogLevel level) const noexcept override { return level >= lowest_; }
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) noexcept override;

  [[nodiscard]] std::vector<LogLine> lines() const;
  /// The events whose message holds `part`.
  [[nodiscard]] std::vector<LogLine> linesWith(std::string_view part) const;
  /// True when `text` occurs anywhere, in a message or a field: the test that secrets stay out.
  [[nodiscard]] bool mentions(std::string_view text) const;
  void clear();

 private:
  const LogLevel lowest_;
  mutable Mutex mutex_;
  std::vector<LogLine> lines_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::testing
