#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/http/form.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::endpoint {

/// Why the first of `fields` of a connect form that cannot be used cannot be; the text names it and
/// says what to do. Empty when all are there and are one line of text each.
[[nodiscard]] STRATOS_EXPORT std::string problemOfFields(
    const http::FormParameters& form, std::initializer_list<std::string_view> fields);

/// A field without white space around it, as tokens get it when they are pasted.
[[nodiscard]] STRATOS_EXPORT std::string trimmedField(const http::FormParameters& form,
                                                      std::string_view field);

/// The fields `username` and `password`, both needed.
struct STRATOS_EXPORT BasicFields {
  std::string problem;  ///< As problemOfFields(); the rest is valid when it is empty.
  std::string userName;
  std::string encoded;  ///< base64 of `user:password` (RFC 7617).
};
[[nodiscard]] STRATOS_EXPORT BasicFields readBasicFields(const http::FormParameters& form);

/// A token whose second column holds a user's name: HttpBasic, creds, Bearer, Token.
[[nodiscard]] STRATOS_EXPORT store::TokenRecord namedToken(std::string authType,
                                                           std::string authToken,
                                                           std::string userName);

}  // namespace stratos::endpoint
