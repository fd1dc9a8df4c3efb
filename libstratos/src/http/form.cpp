#include "stratos/http/form.hpp"

#include <optional>
#include <sstream>
#include <utility>

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Stringifier.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

[[noreturn]] void refuse(const char* why) { throw Error(ErrorCode::InvalidArgument, why); }

// The type of a Content-Type field and its parameters (RFC 9110 section 8.3.1), or of a
// Content-Disposition field, which has the same form.
struct TypedValue {
  std::string type;
  std::map<std::string, std::string, std::less<>> parameters;
};

TypedValue parseTypedValue(std::string_view text) {
  TypedValue result;
  const auto end = text.find(';');
  result.type = toLower(trim(text.substr(0, end)));
  if (end == std::string_view::npos) return result;
  text.remove_prefix(end + 1);
  while (!(text = trim(text)).empty()) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) break;
    std::string name = toLower(trim(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    std::string value;
    if (text.starts_with('"')) {
      std::size_t i = 1;
      for (; i < text.size() && text[i] != '"'; ++i) {
        // Only these two are escapes: Windows paths in file names hold bare backslashes.
        if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) {
          ++i;
        }
        value += text[i];
      }
      text.remove_prefix(std::min(i + 1, text.size()));
      const auto semicolon = text.find(';');
      text.remove_prefix(semicolon == std::string_view::npos ? text.size() : semicolon + 1);
    } else {
      const auto semicolon = text.find(';');
      value = trim(text.substr(0, semicolon));
      text.remove_prefix(semicolon == std::string_view::npos ? text.size() : semicolon + 1);
    }
    result.parameters.try_emplace(std::move(name), std::move(value));
  }
  return result;
}

FormFields parseMultipart(std::string_view body, std::string_view boundary) {
  FormFields fields;
  const std::string delimiter = "--" + std::string(boundary);
  const std::string inner = "\r\n" + delimiter;
  if (!body.starts_with(delimiter)) {
    // A preamble may come first (RFC 2046 section 5.1.1).
    const auto at = body.find(inner);
    if (at == std::string_view::npos) refuse("the multipart body has no boundary line");
    body.remove_prefix(at + 2);
  }
  body.remove_prefix(delimiter.size());
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) refuse("the multipart body has a malformed boundary line");
    body.remove_prefix(2);
    const auto headEnd = body.find("\r\n\r\n");
    const auto end = body.find(inner, headEnd == std::string_view::npos ? 0 : headEnd + 2);
    if (headEnd == std::string_view::npos || end == std::string_view::npos) {
      refuse("the multipart body is not complete");
    }
    std::optional<TypedValue> disposition;
    for (const std::string& line : split(body.substr(0, headEnd), '\n')) {
      const auto colon = line.find(':');
      if (colon == std::string::npos) refuse("a part of the multipart body has a malformed header");
      if (equalsIgnoreCase(trim(std::string_view{line}.substr(0, colon)), "content-disposition")) {
        disposition = parseTypedValue(trim(std::string_view{line}.substr(colon + 1)));
      }
    }
    if (!disposition || disposition->type != "form-data" ||
        !disposition->parameters.contains("name")) {
      refuse("a part of the multipart body has no name");
    }
    const std::size_t valueBegin = headEnd + 4;
    // Files are no parameters.
    if (!disposition->parameters.contains("filename")) {
      fields.emplace_back(
          disposition->parameters["name"],
          valueBegin < end ? body.substr(valueBegin, end - valueBegin) : std::string_view{});
    }
    body.remove_prefix(end + inner.size());
  }
  return fields;
}

FormFields parseJson(const std::string& body) {
  FormFields fields;
  if (trim(body).empty()) return fields;
  if (!isValidUtf8(body)) refuse("the JSON body is not valid UTF-8");
  try {
    const auto root = Poco::JSON::Parser().parse(body);
    if (root.type() != typeid(Poco::JSON::Object::Ptr)) refuse("the JSON body is no object");
    for (const auto& [name, value] : *root.extract<Poco::JSON::Object::Ptr>()) {
      if (value.isEmpty()) continue;
      if (value.type() == typeid(Poco::JSON::Object::Ptr) ||
          value.type() == typeid(Poco::JSON::Array::Ptr)) {
        std::ostringstream text;
        Poco::JSON::Stringifier::stringify(value, text);
        fields.emplace_back(name, text.str());
      } else {
        fields.emplace_back(name, value.convert<std::string>());
      }
    }
  } catch (const Poco::Exception&) {
    // Poco's text quotes the body, which may hold a password.
    refuse("the JSON body is malformed");
  }
  return fields;
}

FormFields decodeFormOrThrow(std::string_view text, const char* why) {
  auto fields = decodeForm(text);
  if (!fields) refuse(why);
  return std::move(*fields);
}

enum class BodyKind { None, Form, Multipart, Json };

struct BodyFields {
  BodyKind kind = BodyKind::None;
  FormFields fields;
  std::string raw;
};

BodyFields readBody(Request& request, const FormLimits& limits, bool acceptJson) {
  BodyFields result;
  std::string body = request.body.readAll(limits.bodyBytes);
  const TypedValue type = parseTypedValue(request.headers.get("Content-Type"));
  if (type.type == "application/x-www-form-urlencoded") {
    result.kind = BodyKind::Form;
    result.fields = decodeFormOrThrow(body, "the form body holds a broken escape");
  } else if (type.type == "multipart/form-data") {
    const auto boundary = type.parameters.find("boundary");
    if (boundary == type.parameters.end() || boundary->second.empty() ||
        boundary->second.size() > 70) {
      refuse("the multipart body comes without a valid boundary");
    }
    result.kind = BodyKind::Multipart;
    result.fields = parseMultipart(body, boundary->second);
  } else if (acceptJson && type.type == "application/json") {
    result.kind = BodyKind::Json;
    result.fields = parseJson(body);
  } else {
    result.raw = std::move(body);
  }
  return result;
}

// Adds what is not there yet: sources are merged strongest first, and within one source the first
// of several values counts.
void merge(FormParameters& into, FormFields fields) {
  for (auto& [name, value] : fields) into.values.try_emplace(std::move(name), std::move(value));
}

}  // namespace

const std::string& FormParameters::get(std::string_view name) const {
  static const std::string kEmpty;
  const auto it = values.find(name);
  return it == values.end() ? kEmpty : it->second;
}

FormParameters readParameters(Request& request, const FormLimits& limits) {
  FormFields query = decodeFormOrThrow(request.rawQuery(), "the query holds a broken escape");
  BodyFields body = readBody(request, limits, true);
  if (query.size() + body.fields.size() > limits.fields) refuse("there are too many parameters");
  FormParameters parameters;
  parameters.rawBody = std::move(body.raw);
  if (body.kind == BodyKind::Multipart) {
    merge(parameters, std::move(query));
    merge(parameters, std::move(body.fields));
  } else {
    merge(parameters, std::move(body.fields));
    merge(parameters, std::move(query));
  }
  for (const auto& [name, value] : request.pathParams) {
    if (name != "*") parameters.values.try_emplace(name, value);
  }
  return parameters;
}

FormParameters readBodyForm(Request& request, const FormLimits& limits) {
  BodyFields body = readBody(request, limits, false);
  if (body.fields.size() > limits.fields) refuse("there are too many parameters");
  FormParameters parameters;
  parameters.rawBody = std::move(body.raw);
  merge(parameters, std::move(body.fields));
  return parameters;
}

}  // namespace stratos::http
