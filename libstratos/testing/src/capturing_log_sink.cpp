#include "stratos/testing/capturing_log_sink.hpp"

namespace stratos::testing {
namespace {

std::string toText(const std::variant<std::string_view, std::int64_t, bool>& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return std::string{*text};
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  return std::get<bool>(value) ? "true" : "false";
}

}  // namespace

void CapturingLogSink::write(LogLevel level, std::string_view message,
                             std::initializer_list<LogField> fields) noexcept {
  LogLine line{level, std::string{message}, {}};
  for (const LogField& field : fields) line.fields[std::string{field.name}] = toText(field.value);
  const MutexLock lock(mutex_);
  lines_.push_back(std::move(line));
}

std::vector<LogLine> CapturingLogSink::lines() const {
  const MutexLock lock(mutex_);
  return lines_;
}

std::vector<LogLine> CapturingLogSink::linesWith(std::string_view part) const {
  std::vector<LogLine> found;
  for (LogLine& line : lines()) {
    if (line.message.find(part) != std::string::npos) found.push_back(std::move(line));
  }
  return found;
}

bool CapturingLogSink::mentions(std::string_view text) const {
  for (const LogLine& line : lines()) {
    if (line.message.find(text) != std::string::npos) return true;
    for (const auto& [name, value] : line.fields) {
      if (name.find(text) != std::string::npos || value.find(text) != std::string::npos)
        return true;
    }
  }
  return false;
}

void CapturingLogSink::clear() {
  const MutexLock lock(mutex_);
  lines_.clear();
}

}  // namespace stratos::testing
