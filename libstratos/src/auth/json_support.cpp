#include "auth/json_support.hpp"

#include <sstream>

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

namespace stratos::auth::detail {

namespace {
constexpr std::size_t kMaxDepth = 32;
}

Poco::JSON::Object::Ptr parseObject(const std::string& text) {
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(kMaxDepth);
    const Poco::Dynamic::Var value = parser.parse(text);
    if (value.type() == typeid(Poco::JSON::Object::Ptr)) {
      return value.extract<Poco::JSON::Object::Ptr>();
    }
  } catch (const Poco::Exception&) {
    // Not JSON: the caller sees that from the null result.
  }
  return nullptr;
}

std::string stringMember(const Poco::JSON::Object& object, const std::string& name) {
  const Poco::Dynamic::Var value = object.get(name);
  return value.isString() ? value.extract<std::string>() : std::string{};
}

std::int64_t integerMember(const Poco::JSON::Object& object, const std::string& name) {
  const Poco::Dynamic::Var value = object.get(name);
  if (value.isEmpty() || !value.isNumeric() || value.isBoolean()) return 0;
  try {
    return value.convert<Poco::Int64>();
  } catch (const Poco::Exception&) {
    return 0;  // Out of range: as good as absent.
  }
}

std::vector<std::string> listMember(const Poco::JSON::Object& object, const std::string& name) {
  std::vector<std::string> list;
  if (const auto array = object.getArray(name)) {
    for (const auto& item : *array) {
      if (item.isString()) list.push_back(item.extract<std::string>());
    }
    return list;
  }
  std::istringstream words(stringMember(object, name));
  for (std::string word; words >> word;) list.push_back(word);
  return list;
}

}  // namespace stratos::auth::detail
