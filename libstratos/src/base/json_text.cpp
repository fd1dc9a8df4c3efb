#include "stratos/base/json_text.hpp"

#include <charconv>

#include <rapidjson/document.h>

#include "stratos/base/encoding.hpp"

namespace stratos {

namespace {

rapidjson::Document parse(std::string_view text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  return document;
}

const rapidjson::Value* step(const rapidjson::Value& value, const std::string& name) {
  if (value.IsObject()) {
    const auto found =
        value.FindMember(rapidjson::Value(rapidjson::StringRef(name.data(), name.size())));
    return found == value.MemberEnd() ? nullptr : &found->value;
  }
  if (!value.IsArray()) return nullptr;
  rapidjson::SizeType index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc{} || end != name.data() + name.size() || index >= value.Size()) {
    return nullptr;
  }
  return &value[index];
}

const rapidjson::Value* walk(const rapidjson::Document& document, std::string_view path) {
  if (document.HasParseError()) return nullptr;
  const rapidjson::Value* value = &document;
  for (const std::string& name : split(path, '/')) {
    value = step(*value, name);
    if (value == nullptr) return nullptr;
  }
  return value;
}

}  // namespace

std::optional<std::string> findJsonText(std::string_view document, std::string_view path) {
  const rapidjson::Document parsed = parse(document);
  const rapidjson::Value* value = walk(parsed, path);
  if (value == nullptr || !value->IsString()) return std::nullopt;
  return std::string{value->GetString(), value->GetStringLength()};
}

std::optional<std::int64_t> findJsonInteger(std::string_view document, std::string_view path) {
  const rapidjson::Document parsed = parse(document);
  const rapidjson::Value* value = walk(parsed, path);
  if (value == nullptr || !value->IsInt64()) return std::nullopt;
  return value->GetInt64();
}

bool isJsonObject(std::string_view document) {
  const rapidjson::Document parsed = parse(document);
  return !parsed.HasParseError() && parsed.IsObject();
}

bool isJsonArray(std::string_view document) {
  const rapidjson::Document parsed = parse(document);
  return !parsed.HasParseError() && parsed.IsArray();
}

}  // namespace stratos
