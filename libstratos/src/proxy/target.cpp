#include "stratos/proxy/target.hpp"

#include <algorithm>
#include <array>

#include "stratos/base/encoding.hpp"

namespace stratos::proxy {

namespace {

/// Hosts beside the API of a foundation that the front end asks for by x-cap-api-host.
constexpr std::array<std::string_view, 1> kHostLabels = {"autoscaler"};

bool hasForbiddenByte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f || c == '?' || c == '#';
  });
}

/// Servers disagree about these: some end the path at a NUL, some strip a line break.
bool hasControls(std::string_view decoded) {
  return std::any_of(decoded.begin(), decoded.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// A segment that an endpoint could read as "go up": `..` in any escaping, also behind an escaped
/// slash or backslash, also with a path parameter (`..;x`).
bool climbs(std::string_view decoded) {
  std::size_t start = 0;
  while (start <= decoded.size()) {
    auto end = decoded.find_first_of("/\\", start);
    if (end == std::string_view::npos) end = decoded.size();
    std::string_view part = decoded.substr(start, end - start);
    part = part.substr(0, part.find(';'));
    if (part == "..") return true;
    start = end + 1;
  }
  return false;
}

/// The first segment of `path`, as http::Router sees it; leaves what follows.
std::string_view takeSegment(std::string_view& path) noexcept {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

}  // namespace

std::optional<std::string> joinPath(std::string_view basePath, std::string_view rawRest) {
  if (hasForbiddenByte(rawRest)) return std::nullopt;
  while (!basePath.empty() && basePath.back() == '/') basePath.remove_suffix(1);
  std::string path;
  path.reserve(basePath.size() + 1 + rawRest.size());
  path.append(basePath);
  while (!rawRest.empty()) {
    const auto slash = rawRest.find('/');
    const std::string_view segment = rawRest.substr(0, slash);
    rawRest.remove_prefix(slash == std::string_view::npos ? rawRest.size() : slash + 1);
    if (segment.empty()) continue;
    const auto decoded = percentDecode(segment);
    if (!decoded) return std::nullopt;  // Where a broken escape leads is anybody's guess.
    if (*decoded == ".") continue;
    if (*decoded == "..") {
      if (path.size() == basePath.size()) return std::nullopt;
      path.resize(path.rfind('/'));
      continue;
    }
    if (climbs(*decoded) || hasControls(*decoded) || !isValidUtf8(*decoded)) return std::nullopt;
    path.append("/").append(segment);
  }
  return path;
}

bool isProxied(std::string_view target) noexcept {
  if (!target.starts_with('/')) {
    // The absolute form names the same resource (RFC 9112 section 3.2.2).
    constexpr std::string_view kAuthority = "://";
    const auto scheme = target.find(kAuthority);
    if (scheme == std::string_view::npos) return false;
    target.remove_prefix(scheme + kAuthority.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
  }
  std::string_view path = target.substr(0, target.find('?'));
  const std::string_view first = takeSegment(path);
  if (takeSegment(path) != "v1" || takeSegment(path) != "proxy") return false;
  // The route of the API has another segment.
  return first == "pp" || (first == "api" && !path.empty());
}

std::optional<std::string> overrideHost(const std::string& host, std::string_view label) {
  if (label.empty() || label.find('.') != std::string_view::npos) return host;
  if (std::find(kHostLabels.begin(), kHostLabels.end(), label) == kHostLabels.end()) {
    return std::nullopt;
  }
  constexpr std::string_view kApi = "api.";
  std::string result{label};
  result += '.';
  result += host.starts_with(kApi) ? host.substr(kApi.size()) : host;
  return result;
}

}  // namespace stratos::proxy
