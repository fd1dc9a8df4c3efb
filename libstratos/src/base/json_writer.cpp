#include "stratos/base/json_writer.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "stratos/base/encoding.hpp"

namespace stratos {

class JsonWriter::Impl {
 public:
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonWriter::JsonWriter() : impl_(std::make_unique<Impl>()) {}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter& JsonWriter::operator=(JsonWriter&&) noexcept = default;

JsonWriter& JsonWriter::beginObject() { return impl_->writer.StartObject(), *this; }
JsonWriter& JsonWriter::endObject() { return impl_->writer.EndObject(), *this; }
JsonWriter& JsonWriter::beginArray() { return impl_->writer.StartArray(), *this; }
JsonWriter& JsonWriter::endArray() { return impl_->writer.EndArray(), *this; }

JsonWriter& JsonWriter::key(std::string_view name) {
  const std::string valid = toValidUtf8(name);
  impl_->writer.Key(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  const std::string valid = toValidUtf8(text);
  impl_->writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  return *this;
}

JsonWriter& JsonWriter::null() { return impl_->writer.Null(), *this; }

JsonWriter& JsonWriter::raw(std::string_view json) {
  impl_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}

JsonWriter& JsonWriter::writeFlag(bool flag) { return impl_->writer.Bool(flag), *this; }
JsonWriter& JsonWriter::writeNumber(std::int64_t number) {
  return impl_->writer.Int64(number), *this;
}

std::string JsonWriter::str() const { return {impl_->buffer.GetString(), impl_->buffer.GetSize()}; }

}  // namespace stratos
