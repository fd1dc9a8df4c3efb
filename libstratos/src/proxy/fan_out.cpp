#include "stratos/proxy/fan_out.hpp"

#include <vector>

#include <rapidjson/error/error.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "stratos/base/encoding.hpp"
#include "stratos/http/message.hpp"

namespace stratos::proxy {

namespace {

/// Escapes as Go's encoder does, so that a body is safe inside a page as well.
void appendString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4];
          out += kHex[static_cast<unsigned char>(c) & 0x0f];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

/// True when an escape stood for half of a surrogate pair, which UTF-8 cannot hold. The reader
/// takes a lone second half.
bool hasSurrogate(std::string_view decoded) {
  constexpr char kLead = '\xed';
  for (auto at = decoded.find(kLead); at != std::string_view::npos;
       at = decoded.find(kLead, at + 1)) {
    if (at + 1 < decoded.size() && static_cast<unsigned char>(decoded[at + 1]) >= 0xa0) return true;
  }
  return false;
}

/// Writes what the reader finds; numbers keep their bytes.
class Compactor {
 public:
  explicit Compactor(std::string& out) : out_(out) {}

  bool Null() { return literal("null"); }
  bool Bool(bool value) { return literal(value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    return literal({text, length});
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (hasSurrogate({text, length})) return false;
    separate();
    appendString(out_, {text, length});
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (hasSurrogate({text, length})) return false;
    separate();
    appendString(out_, {text, length});
    out_ += ':';
    afterKey_ = true;
    return true;
  }
  bool StartObject() { return open('{'); }
  bool EndObject(rapidjson::SizeType) { return close('}'); }
  bool StartArray() { return open('['); }
  bool EndArray(rapidjson::SizeType) { return close(']'); }

  // The reader hands every number over as RawNumber.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  void separate() {
    if (afterKey_) {
      afterKey_ = false;
    } else if (!first_.empty()) {
      if (!first_.back()) out_ += ',';
      first_.back() = false;
    }
  }
  bool literal(std::string_view text) {
    separate();
    out_ += text;
    return true;
  }
  bool open(char bracket) {
    separate();
    out_ += bracket;
    first_.push_back(true);
    return true;
  }
  bool close(char bracket) {
    out_ += bracket;
    first_.pop_back();
    return true;
  }

  std::string& out_;
  std::vector<bool> first_;
  bool afterKey_ = false;
};

std::string errorObject(int status, std::string_view statusText, std::string_view response) {
  std::string json = R"({"error":{"statusCode":)" + std::to_string(status) + R"(,"status":)";
  appendString(json, toValidUtf8(statusText));
  json += R"(},"errorResponse":)";
  json += response;
  json += '}';
  return json;
}

}  // namespace

bool compactJson(std::string_view text, std::string& out) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag;
  std::string compact;
  compact.reserve(text.size());
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  Compactor compactor(compact);
  if (reader.Parse<kFlags>(stream, compactor).IsError()) return false;
  if (stream.Tell() != text.size()) return false;  // The reader takes a NUL for the end.
  out = std::move(compact);
  return true;
}

std::string jsonString(std::string_view text) {
  std::string json;
  appendString(json, toValidUtf8(text));
  return json;
}

FanOutEntry FanOutEntry::answered(int status, std::string_view reason, std::string body) {
  std::string compact;
  const bool isJson = !body.empty() && compactJson(body, compact);
  if (status < 400) {
    if (trim(body).empty()) return {"null"};
    if (isJson) return {std::move(compact)};
    return failed(502, "502 Bad Gateway", "the endpoint did not answer with JSON");
  }
  const std::string phrase{reason.empty() ? http::reasonPhrase(status) : reason};
  return {errorObject(status, std::to_string(status) + " " + phrase,
                      isJson ? compact : jsonString(body))};
}

FanOutEntry FanOutEntry::failed(int status, std::string_view statusText, std::string_view reason) {
  return {errorObject(status, statusText, jsonString(reason))};
}

FanOutEntry FanOutEntry::brokenOff(std::string_view reason) {
  return {errorObject(500, reason, "null")};
}

FanOutEntry FanOutEntry::noToken() {
  return {errorObject(400, "Unable to retrieve CNSI token record", R"("")")};
}

FanOutEntry FanOutEntry::stillRunning() {
  // The front end compares this text, and must find no member "code" in errorResponse.
  return {errorObject(202, "Long Running Operation still active",
                      R"({"longRunningTimeout":true,"description":"Long Running Operation still )"
                      R"(active","error_code":"longRunningTimeout"})")};
}

std::string fanOutBody(const std::map<std::string, FanOutEntry>& entries) {
  std::string body = "{";
  for (const auto& [id, entry] : entries) {
    if (body.size() > 1) body += ',';
    appendString(body, id);
    body += ':';
    body += entry.json;
  }
  body += "}\n";
  return body;
}

}  // namespace stratos::proxy
