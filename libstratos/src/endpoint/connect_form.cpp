#include "stratos/endpoint/connect_form.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"

namespace stratos::endpoint {

namespace {

/// What fits into the header of a request that servers accept.
constexpr std::size_t kMaxFieldBytes = 16 * 1024;

}  // namespace

std::string trimmedField(const http::FormParameters& form, std::string_view field) {
  return std::string{trim(form.get(field))};
}

std::string problemOfFields(const http::FormParameters& form,
                            std::initializer_list<std::string_view> fields) {
  for (const std::string_view field : fields) {
    const std::string name{field};
    const std::string value = trimmedField(form, field);
    if (value.empty()) return name + " is missing; enter it";
    if (value.size() > kMaxFieldBytes) {
      return name + " is longer than " + std::to_string(kMaxFieldBytes) + " bytes; check it";
    }
    const bool isLine = std::all_of(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    });
    if (!isLine) return name + " holds line breaks or control characters; enter it as one line";
  }
  return {};
}

BasicFields readBasicFields(const http::FormParameters& form) {
  BasicFields fields;
  fields.problem = problemOfFields(form, {"username", "password"});
  if (!fields.problem.empty()) return fields;
  fields.userName = form.get("username");
  if (fields.userName.find(':') != std::string::npos) {
    fields.problem = "username holds a colon, which HTTP Basic cannot send; use another user";
    return fields;
  }
  fields.encoded = toBase64(fields.userName + ":" + form.get("password"));
  return fields;
}

store::TokenRecord namedToken(std::string authType, std::string authToken, std::string userName) {
  store::TokenRecord token;
  token.authType = std::move(authType);
  token.authToken = Secret{std::move(authToken)};
  token.refreshToken = Secret{std::move(userName)};
  return token;
}

}  // namespace stratos::endpoint
