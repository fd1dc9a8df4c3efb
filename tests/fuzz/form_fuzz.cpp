#include <string>

#include "fuzz.hpp"
#include "stratos/base/error.hpp"
#include "stratos/http/form.hpp"

// Input: the content type, the query, and the body in the rest.

namespace stratos::fuzz {
namespace {

constexpr http::FormLimits kLimits{.bodyBytes = 64 * 1024, .fields = 20};

template <class Read>
void check(const http::Request& prototype, const std::string& body, Read read) {
  http::Request request;
  request.method = "POST";
  request.target = prototype.target;
  request.headers = prototype.headers;
  request.body = http::Body(body);
  try {
    const http::FormParameters form = read(request, kLimits);
    require(form.values.size() <= 2 * kLimits.fields, "there are no more fields than allowed");
    std::size_t bytes = form.rawBody.size();
    for (const auto& [name, value] : form.values) bytes += name.size() + value.size();
    // Numbers and nested values of JSON are written anew, a little longer perhaps.
    require(bytes <= 1024 + 8 * (body.size() + request.target.size()), "fields do not grow");
  } catch (const Error& error) {
    require(error.code() == ErrorCode::InvalidArgument, "a malformed form is refused as such");
  }
}

}  // namespace

void run(std::string_view input) {
  const std::string type{takeLine(input)};
  const std::string query{takeLine(input)};
  if (type.find_first_of(std::string_view{"\0\r", 2}) != std::string::npos) return;
  http::Request prototype;
  prototype.target = "/x?" + query;
  prototype.headers.add("Content-Type", type);
  const std::string body{input};
  check(prototype, body, http::readParameters);
  check(prototype, body, http::readBodyForm);
}

}  // namespace stratos::fuzz
