#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <Poco/JSON/Object.h>

namespace stratos::auth::detail {

/// `text` as a JSON object, or null when it is something else or nested too deeply.
[[nodiscard]] Poco::JSON::Object::Ptr parseObject(const std::string& text);
/// The member if it is a string, else empty.
[[nodiscard]] std::string stringMember(const Poco::JSON::Object& object, const std::string& name);
/// The member if it is a whole number, else 0.
[[nodiscard]] std::int64_t integerMember(const Poco::JSON::Object& object, const std::string& name);
/// The member as list: an array of strings, or a string with blanks between its words.
[[nodiscard]] std::vector<std::string> listMember(const Poco::JSON::Object& object,
                                                  const std::string& name);

}  // namespace stratos::auth::detail
