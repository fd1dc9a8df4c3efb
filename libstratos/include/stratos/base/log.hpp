#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "stratos/base/export.hpp"

namespace stratos {

enum class LogLevel { Debug, Info, Warning, Error };

/// One named value of a log event. Never a secret: Secret does not convert.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view{v}) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view{v}) {}
  LogField(std::string_view n, std::int64_t v) : name(n), value(v) {}
  LogField(std::string_view n, int v) : name(n), value(std::int64_t{v}) {}
  LogField(std::string_view n, std::size_t v) : name(n), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
};

/// Where events go. The library never picks a destination itself.
/// Implementations must be callable from any thread and must not throw. The views are good until
/// write() returns.
class STRATOS_EXPORT LogSink {
 public:
  virtual ~LogSink() = default;
  /// False when events of `level` would be thrown away: callers then build no text.
  [[nodiscard]] virtual bool enabled(LogLevel level) const noexcept = 0;
  virtual void write(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) noexcept = 0;
};

/// Throws every event away.
class STRATOS_EXPORT NullLogSink final : public LogSink {
 public:
  [[nodiscard]] bool enabled(LogLevel) const noexcept override { return false; }
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

/// Writes when the level is enabled.
inline void log(LogSink& sink, LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields = {}) noexcept {
  if (sink.enabled(level)) sink.write(level, message, fields);
}

}  // namespace stratos
