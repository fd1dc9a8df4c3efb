#include "log_sink.hpp"

#include <array>
#include <cerrno>
#include <ctime>

#include <unistd.h>

#include "stratos/base/encoding.hpp"

namespace stratos::server {
namespace {

std::string_view nameOf(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Info:
      return "info";
    case LogLevel::Warning:
      return "warning";
    case LogLevel::Error:
      break;
  }
  return "error";
}

std::string isoTime(TimePoint time) {
  const std::time_t seconds = toUnixSeconds(time);
  const auto milliseconds =
      static_cast<int>((time - std::chrono::floor<std::chrono::seconds>(time)).count());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  std::string result(text.data(), length);
  const std::string digits = std::to_string(1'000 + milliseconds);
  return result.append(digits, 1, 3) + "Z";
}

// Valid inside a JSON string, and harmless in a terminal.
void appendEscaped(std::string& line, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::string valid = toValidUtf8(text);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto c = static_cast<unsigned char>(valid[i]);
    // C1 control characters (U+0080 to U+009F) are C2 80 to C2 9F; some terminals obey them.
    const bool isC1 =
        c == 0xC2 && i + 1 < valid.size() && static_cast<unsigned char>(valid[i + 1]) < 0xA0;
    if (c == '"' || c == '\\') {
      line.append({'\\', valid[i]});
    } else if (c == '\n') {
      line.append("\\n");
    } else if (c == '\r') {
      line.append("\\r");
    } else if (c == '\t') {
      line.append("\\t");
    } else if (c < 0x20 || c == 0x7F || isC1) {
      const unsigned char code = isC1 ? static_cast<unsigned char>(valid[++i]) : c;
      line.append("\\u00");
      line.append({kHex[code >> 4U], kHex[code & 0xFU]});
    } else {
      line.push_back(valid[i]);
    }
  }
}

void appendQuoted(std::string& line, std::string_view text) {
  line.push_back('"');
  appendEscaped(line, text);
  line.push_back('"');
}

bool isPlain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7F) return false;
  }
  return true;
}

void appendText(std::string& line, const LogField& field) {
  line.append(" ").append(field.name).append("=");
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (isPlain(*text)) {
      line.append(*text);
    } else {
      appendQuoted(line, *text);
    }
  } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    line.append(std::to_string(*number));
  } else {
    line.append(std::get<bool>(field.value) ? "true" : "false");
  }
}

void appendJson(std::string& line, const LogField& field) {
  line.push_back(',');
  appendQuoted(line, field.name);
  line.push_back(':');
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    appendQuoted(line, *text);
  } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    line.append(std::to_string(*number));
  } else {
    line.append(std::get<bool>(field.value) ? "true" : "false");
  }
}

}  // namespace

std::optional<LogLevel> parseLogLevel(std::string_view text) {
  const std::string name = toLower(text);
  if (name == "panic" || name == "fatal" || name == "error") return LogLevel::Error;
  if (name == "warn" || name == "warning") return LogLevel::Warning;
  if (name == "info") return LogLevel::Info;
  if (name == "debug" || name == "trace") return LogLevel::Debug;
  return std::nullopt;
}

std::string formatLogLine(LogFormat format, TimePoint time, LogLevel level,
                          std::string_view message, std::initializer_list<LogField> fields) {
  std::string line;
  line.reserve(256);
  if (format == LogFormat::Text) {
    constexpr std::size_t kNameWidth = 8;
    const std::string_view name = nameOf(level);
    line.append(isoTime(time)).append(" ").append(name);
    line.append(kNameWidth - name.size(), ' ');
    appendEscaped(line, message);
    for (const LogField& field : fields) appendText(line, field);
  } else {
    line.append(R"({"time":")").append(isoTime(time)).append(R"(","level":")");
    line.append(nameOf(level)).append(R"(","msg":)");
    appendQuoted(line, message);
    for (const LogField& field : fields) appendJson(line, field);
    line.push_back('}');
  }
  line.push_back('\n');
  return line;
}

DescriptorLogSink::DescriptorLogSink(LogFormat format, LogLevel level, int descriptor)
    : format_(format), level_(level), descriptor_(descriptor) {}

void DescriptorLogSink::write(LogLevel level, std::string_view message,
                              std::initializer_list<LogField> fields) noexcept {
  const std::string line = formatLogLine(format_, SystemClock().now(), level, message, fields);
  std::string_view rest = line;
  const MutexLock lock(mutex_);
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return;  // There is nowhere left to say so.
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace stratos::server
