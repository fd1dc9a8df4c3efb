#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "stratos/base/encoding.hpp"

namespace stratos::console {

/// Writes one JSON document, members in the order of the calls. One thread at a time.
class JsonWriter {
 public:
  JsonWriter& beginObject() { return writer_.StartObject(), *this; }
  JsonWriter& endObject() { return writer_.EndObject(), *this; }
  JsonWriter& beginArray() { return writer_.StartArray(), *this; }
  JsonWriter& endArray() { return writer_.EndArray(), *this; }
  JsonWriter& key(std::string_view name) {
    writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    const std::string valid = toValidUtf8(text);
    writer_.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
    return *this;
  }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(bool flag) { return writer_.Bool(flag), *this; }
  JsonWriter& value(std::int64_t number) { return writer_.Int64(number), *this; }
  JsonWriter& null() { return writer_.Null(), *this; }
  /// `json` as it is; it must be one valid value.
  JsonWriter& raw(const std::string& json) {
    writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    return *this;
  }
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  [[nodiscard]] std::string str() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace stratos::console
