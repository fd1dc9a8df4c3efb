#include "stratos/http/router.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

struct Route {
  std::vector<std::string> parameters;
  HandlerFunction handler;
};

using Routes = std::map<std::string, Route, std::less<>>;

const Route* findRoute(const Routes& routes, std::string_view method) {
  if (const auto it = routes.find(method); it != routes.end()) return &it->second;
  if (method == "HEAD") {
    if (const auto it = routes.find("GET"); it != routes.end()) return &it->second;
  }
  const auto any = routes.find("*");
  return any == routes.end() ? nullptr : &any->second;
}

struct Match {
  const Route* route = nullptr;
  std::vector<std::string_view> values;
  std::optional<std::string_view> rest;
};

}  // namespace

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> fixed;
  std::unique_ptr<Node> parameter;
  Routes here;
  Routes rest;

  // `position` is the end of `path` or the slash in front of the next segment. A trailing slash is
  // a last segment without characters.
  bool match(std::string_view method, std::string_view path, std::size_t position,
             Match& found) const {
    if (position < path.size()) {
      const std::size_t begin = std::min(path.find_first_not_of('/', position), path.size());
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string_view segment = path.substr(begin, end - begin);
      if (const auto it = fixed.find(segment); it != fixed.end()) {
        if (it->second->match(method, path, end, found)) return true;
      }
      if (parameter && !segment.empty()) {
        found.values.push_back(segment);
        if (parameter->match(method, path, end, found)) return true;
        found.values.pop_back();
      }
    } else if ((found.route = findRoute(here, method)) != nullptr) {
      return true;
    }
    found.route = findRoute(rest, method);
    if (found.route == nullptr) return false;
    found.rest = path.substr(std::min(position + 1, path.size()));
    return true;
  }
};

HandlerFunction wrap(Pipeline steps, HandlerFunction handler) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    handler = [middleware = std::move(*step), next = std::move(handler)](Request& request) {
      return middleware(request, next);
    };
  }
  return handler;
}

Router::Router()
    : root_(std::make_unique<Node>()), fallback_([](Request&) { return Response::empty(404); }) {}

Router::~Router() = default;

void Router::add(std::string method, std::string pattern, HandlerFunction handler) {
  const auto refuse = [&pattern](const char* why) {
    throw Error(ErrorCode::InvalidArgument, "malformed route " + pattern + ": " + why);
  };
  if (pattern.empty() || pattern.front() != '/') refuse("it must start with a slash");
  if (method.empty()) refuse("it has no method");
  Node* node = root_.get();
  Route route{{}, std::move(handler)};
  Routes* routes = nullptr;
  const std::vector<std::string> segments = split(std::string_view{pattern}.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& segment = segments[i];
    const bool last = i + 1 == segments.size();
    if (segment == "*") {
      if (!last) refuse("'*' must be its last segment");
      routes = &node->rest;
    } else if (segment.starts_with(':')) {
      if (segment.size() == 1) refuse("a parameter has no name");
      route.parameters.push_back(segment.substr(1));
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      if (segment.empty() && !last) refuse("it has an empty segment");
      auto& child = node->fixed[segment];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
    }
  }
  if (routes == nullptr) routes = &node->here;
  if (!routes->emplace(method, std::move(route)).second) {
    throw Error(ErrorCode::AlreadyExists, "the route " + method + " " + pattern + " exists");
  }
  names_.push_back({std::move(method), std::move(pattern)});
}

void Router::setFallback(HandlerFunction handler) { fallback_ = std::move(handler); }

Response Router::handle(Request& request) {
  Match found;
  const std::string_view path = request.rawPath();
  if (!path.starts_with('/') || !root_->match(request.method, path, 0, found)) {
    return fallback_(request);
  }
  std::map<std::string, std::string, std::less<>> parameters;
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    auto value = percentDecode(found.values[i]);
    if (!value) return Response::text(400, "malformed escape in the path");
    parameters[found.route->parameters[i]] = std::move(*value);
  }
  if (found.rest) parameters["*"] = std::string(*found.rest);
  request.pathParams = std::move(parameters);
  return found.route->handler(request);
}

}  // namespace stratos::http
