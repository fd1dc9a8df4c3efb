#include <utility>
#include <vector>

#include "stratos/base/encoding.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::http {
namespace {

// RFC 3986 section 5.2.4.
std::string removeDotSegments(std::string_view path) {
  std::vector<std::string> kept;
  const std::vector<std::string> segments = split(path, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "..") {
      if (kept.size() > 1) kept.pop_back();
      if (last) kept.emplace_back();
    } else if (segments[i] == ".") {
      if (last) kept.emplace_back();
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out += '/';
    out += kept[i];
  }
  return out;
}

// RFC 3986 section 5.2.2; empty when `location` is no reference to an http(s) resource.
std::optional<Url> resolve(const Url& base, std::string_view location) {
  location = trim(location);
  location = location.substr(0, location.find('#'));
  const auto colon = location.find(':');
  if (colon != std::string_view::npos && colon < location.find_first_of("/?")) {
    return Url::tryParse(location);
  }
  if (location.starts_with("//")) return Url::tryParse(base.scheme() + ":" + std::string(location));
  const auto question = location.find('?');
  std::string path(location.substr(0, question));
  std::string query(question == std::string_view::npos ? std::string_view{}
                                                       : location.substr(question + 1));
  if (path.empty()) {
    path = base.rawPath();
    if (question == std::string_view::npos) query = base.rawQuery();
  } else if (path.front() != '/') {
    path.insert(0, base.rawPath().substr(0, base.rawPath().rfind('/') + 1));
    if (path.front() != '/') path.insert(0, 1, '/');
  }
  std::string text = base.origin() + removeDotSegments(path);
  if (!query.empty()) text += "?" + query;
  return Url::tryParse(text);
}

bool isRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool keepsMethod(int status) { return status == 307 || status == 308; }

bool sameOrigin(const Url& a, const Url& b) {
  return a.scheme() == b.scheme() && a.host() == b.host() && a.port() == b.port();
}

/// What becomes of `request` when it is answered with a redirect to `target`.
ClientRequest redirected(const ClientRequest& request, int status, const Url& target) {
  ClientRequest next{request.method, target,        request.headers,
                     Body(),         request.trust, request.deadline};
  if (keepsMethod(status) || next.method == "GET" || next.method == "HEAD") {
    if (!request.body.isStream()) next.body = Body(request.body.bytes());
  } else {
    next.method = "GET";
    for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language"}) {
      next.headers.remove(name);
    }
  }
  if (!sameOrigin(request.url, target)) {
    for (const char* name : {"Authorization", "Cookie", "Proxy-Authorization"}) {
      next.headers.remove(name);
    }
    next.trust.identity = {};
  }
  if (request.url.host() != target.host()) next.trust.anyAddress = false;
  return next;
}

}  // namespace

ClientResponse followRedirects(Transport& transport, ClientRequest& request, int limit) {
  std::optional<ClientRequest> changed;
  for (int followed = 0;; ++followed) {
    ClientRequest& current = changed ? *changed : request;
    const bool repeatable = !current.body.isStream();
    ClientResponse response = transport.exchange(current);
    if (response.failed() || !isRedirect(response.status) || followed >= limit) return response;
    const auto location = response.headers.find("Location");
    const auto target = location ? resolve(current.url, *location) : std::nullopt;
    if (!target || (current.url.isSecure() && !target->isSecure())) return response;
    if (keepsMethod(response.status) && !repeatable) return response;
    changed = redirected(current, response.status, *target);
  }
}

}  // namespace stratos::http
