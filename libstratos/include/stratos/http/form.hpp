#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/http/message.hpp"

namespace stratos::http {

struct FormLimits {
  std::size_t bodyBytes = 1024 * 1024;
  std::size_t fields = 200;
};

/// The parameters of a request, merged as the console's API has always done it: the path first,
/// then the query, then an urlencoded, multipart/form-data (RFC 7578) or flat JSON object body.
/// When a name occurs twice, an urlencoded or JSON body beats the query and the query beats
/// multipart. Any other content type is left in `rawBody`.
struct STRATOS_EXPORT FormParameters {
  std::map<std::string, std::string, std::less<>> values;
  std::string rawBody;

  /// The value, or an empty string.
  [[nodiscard]] const std::string& get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return values.find(name) != values.end(); }
};

/// Reads the body and merges. Throws Error(InvalidArgument) naming what is wrong: a broken escape,
/// a multipart body without its boundary, malformed JSON, more bytes or fields than allowed.
[[nodiscard]] STRATOS_EXPORT FormParameters readParameters(Request& request,
                                                           const FormLimits& limits = {});

/// Only the body of a form (urlencoded or multipart), never the query: for credentials.
[[nodiscard]] STRATOS_EXPORT FormParameters readBodyForm(Request& request,
                                                         const FormLimits& limits = {});

}  // namespace stratos::http
