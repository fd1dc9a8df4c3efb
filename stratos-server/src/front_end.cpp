#include "front_end.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "common_policy.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::server {
namespace {

// The policy of a page stands in its head.
constexpr std::size_t kMostHeadBytes = 64 * 1024;

/// The value of an attribute of one element, in either kind of quotes.
std::optional<std::string> attributeOf(std::string_view element, std::string_view name) {
  const std::string lower = toLower(element);
  for (std::size_t at = 0; (at = lower.find(name, at)) != std::string::npos; at += name.size()) {
    const std::size_t start = at + name.size();
    const bool isWhole =
        at > 0 && std::string_view(" \t\r\n").find(lower[at - 1]) != std::string::npos;
    if (!isWhole || start + 1 >= element.size() || element[start] != '=') continue;
    const char quote = element[start + 1];
    if (quote != '"' && quote != '\'') continue;
    const std::size_t end = element.find(quote, start + 2);
    if (end != std::string_view::npos)
      return std::string(element.substr(start + 2, end - start - 2));
  }
  return std::nullopt;
}

// One line of a field, whatever it was in the page.
std::string asFieldValue(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  std::string_view value = trim(text);
  while (value.ends_with(';')) value = trim(value.substr(0, value.size() - 1));
  return std::string(value);
}

}  // namespace

std::string policyOfPage(std::string_view html) {
  const std::string lower = toLower(html);
  for (std::size_t at = 0; (at = lower.find("<meta", at)) != std::string::npos;) {
    // A policy has quotes, but no angle brackets.
    const std::size_t end = lower.find('>', at);
    if (end == std::string::npos) break;
    const std::string_view element = html.substr(at, end - at);
    const auto kind = attributeOf(element, "http-equiv");
    if (kind && equalsIgnoreCase(*kind, "Content-Security-Policy")) {
      return asFieldValue(attributeOf(element, "content").value_or(""));
    }
    at = end;
  }
  return {};
}

std::string commonPolicy() { return kCommonPolicy; }

std::string policyFor(const std::filesystem::path& folder, const std::string& setting) {
  if (setting == "off") return {};
  if (!setting.empty()) return asFieldValue(setting);
  std::ifstream in(folder / "index.html", std::ios::binary);
  std::string head(kMostHeadBytes, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  const std::string own = policyOfPage(head);
  if (own.empty()) return commonPolicy();
  // The one directive that counts in a field only (CSP3 section 3.3).
  return own.find("frame-ancestors") == std::string::npos ? own + "; frame-ancestors 'self'" : own;
}

http::Response PolicyHandler::handle(http::Request& request) {
  http::Response response = inner_->handle(request);
  if (!policy_.empty()) response.headers.set("Content-Security-Policy", policy_);
  return response;
}

}  // namespace stratos::server
