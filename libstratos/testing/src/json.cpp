#include "json.hpp"

#include <array>
#include <charconv>

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

void writeString(std::string& out, std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
    } else {
      out += c;
    }
  }
  out += '"';
}

void flatten(const Poco::JSON::Object& object, const std::string& prefix,
             std::map<std::string, std::string>& out) {
  for (const auto& [name, value] : object) {
    if (value.type() == typeid(Poco::JSON::Object::Ptr)) {
      flatten(*value.extract<Poco::JSON::Object::Ptr>(), prefix + name + ".", out);
    } else if (value.isString() || value.isNumeric() || value.isBoolean()) {
      out[prefix + name] = value.convert<std::string>();
    }
  }
}

void findNulls(const Poco::JSON::Object& object, const std::string& prefix,
               std::vector<std::string>& out) {
  for (const auto& [name, value] : object) {
    if (value.isEmpty()) {
      out.push_back(prefix + name);
    } else if (value.type() == typeid(Poco::JSON::Object::Ptr)) {
      findNulls(*value.extract<Poco::JSON::Object::Ptr>(), prefix + name + ".", out);
    }
  }
}

Poco::JSON::Object::Ptr parseObject(std::string_view text) {
  try {
    Poco::JSON::Parser parser;
    const auto parsed = parser.parse(std::string{text});
    if (parsed.type() != typeid(Poco::JSON::Object::Ptr)) {
      throw Error(ErrorCode::InvalidArgument, "not a JSON object");
    }
    return parsed.extract<Poco::JSON::Object::Ptr>();
  } catch (const Poco::Exception& e) {
    throw Error(ErrorCode::InvalidArgument, "not JSON: " + e.displayText());
  }
}

}  // namespace

std::string Json::dump() const {
  std::string out;
  write(out);
  return out;
}

void Json::write(std::string& out) const {
  if (std::holds_alternative<std::nullptr_t>(value_)) {
    out += "null";
  } else if (const auto* flag = std::get_if<bool>(&value_)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    out += std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&value_)) {
    std::array<char, 32> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), *real);
    out.append(digits.data(), written.ptr);
  } else if (const auto* text = std::get_if<std::string>(&value_)) {
    writeString(out, *text);
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    out += '[';
    bool first = true;
    for (const Json& item : *array) {
      if (!first) out += ',';
      first = false;
      item.write(out);
    }
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const auto& [name, member] : std::get<Object>(value_)) {
      if (!first) out += ',';
      first = false;
      writeString(out, name);
      out += ':';
      member.write(out);
    }
    out += '}';
  }
}

std::map<std::string, std::string> parseFlatObject(std::string_view text) {
  std::map<std::string, std::string> out;
  flatten(*parseObject(text), "", out);
  return out;
}

std::vector<std::string> parseNulls(std::string_view text) {
  std::vector<std::string> out;
  findNulls(*parseObject(text), "", out);
  return out;
}

std::vector<std::map<std::string, std::string>> parseObjects(std::string_view text,
                                                             const std::string& member) {
  std::vector<std::map<std::string, std::string>> out;
  const auto array = parseObject(text)->getArray(member);
  if (!array) return out;
  for (const auto& item : *array) {
    if (item.type() == typeid(Poco::JSON::Object::Ptr)) {
      flatten(*item.extract<Poco::JSON::Object::Ptr>(), "", out.emplace_back());
    }
  }
  return out;
}

std::vector<std::string> parseStrings(std::string_view text, const std::string& member) {
  std::vector<std::string> out;
  const auto array = parseObject(text)->getArray(member);
  if (!array) return out;
  for (const auto& item : *array) {
    if (item.isString()) out.push_back(item.extract<std::string>());
  }
  return out;
}

}  // namespace stratos::testing
