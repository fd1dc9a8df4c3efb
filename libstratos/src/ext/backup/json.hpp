#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <rapidjson/document.h>

#include "stratos/base/encoding.hpp"

namespace stratos::ext::backup {

/// A member that is there, but of another type than it has to be.
class WrongType : public std::exception {};

/// Parses without recursion, so that deep nesting costs no stack. Check HasParseError().
inline rapidjson::Document parseJson(std::string_view text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  return document;
}

/// The member of that name in any case, as Go's decoder finds it; null when absent or JSON's null.
inline const rapidjson::Value* findMember(const rapidjson::Value& object, std::string_view name) {
  if (!object.IsObject()) throw WrongType();
  const rapidjson::Value* found = nullptr;
  for (const auto& member : object.GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    const bool isExact = key == name;
    if (isExact || (found == nullptr && equalsIgnoreCase(key, name))) found = &member.value;
    if (isExact) break;
  }
  return found == nullptr || found->IsNull() ? nullptr : found;
}

inline std::string textMember(const rapidjson::Value& object, std::string_view name) {
  const rapidjson::Value* value = findMember(object, name);
  if (value == nullptr) return {};
  if (!value->IsString()) throw WrongType();
  return {value->GetString(), value->GetStringLength()};
}

inline std::int64_t integerMember(const rapidjson::Value& object, std::string_view name) {
  const rapidjson::Value* value = findMember(object, name);
  if (value == nullptr) return 0;
  if (!value->IsInt64()) throw WrongType();
  return value->GetInt64();
}

inline bool flagMember(const rapidjson::Value& object, std::string_view name) {
  const rapidjson::Value* value = findMember(object, name);
  if (value == nullptr) return false;
  if (!value->IsBool()) throw WrongType();
  return value->GetBool();
}

}  // namespace stratos::ext::backup
