#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/http/message.hpp"

namespace stratos::http {

using HandlerFunction = std::function<Response(Request&)>;

/// One step around the handlers of a route. It may answer by itself or call `next`.
using Middleware = std::function<Response(Request&, const HandlerFunction& next)>;

/// An ordered list of middlewares. A value.
using Pipeline = std::vector<Middleware>;

/// `handler` behind `steps`, the first of which sees the request first.
[[nodiscard]] STRATOS_EXPORT HandlerFunction wrap(Pipeline steps, HandlerFunction handler);

/// What a router answers: one of its patterns. A value.
struct RouteName {
  std::string method;  ///< "*" for any.
  std::string pattern;
};

/// Finds the handler for method and path.
///
/// A pattern is a path whose segments are fixed (`api_keys`), parameters (`:id`) or, at its end,
/// the rest (`*`, which also matches an empty rest). Patterns are matched on the raw path after
/// repeated slashes were collapsed in the part that precedes a rest; a fixed segment beats a
/// parameter, a parameter beats a rest. Parameters are percent-decoded; a broken escape answers
/// 400. What `*` matched is handed on byte for byte (leading slashes included) in
/// `pathParams["*"]`.
///
/// Thread safety: build it in one thread; afterwards handle() may be called from any thread.
class STRATOS_EXPORT Router final : public Handler {
 public:
  Router();
  ~Router() override;

  /// Adds a route; `method` may be "*" for any. Throws Error(AlreadyExists) when the same pair is
  /// there already, Error(InvalidArgument) when the pattern is malformed.
  void add(std::string method, std::string pattern, HandlerFunction handler);
  /// Every route, in the order in which they were added.
  [[nodiscard]] const std::vector<RouteName>& list() const noexcept { return names_; }
  /// Answers what no route matches; the default is an empty 404.
  void setFallback(HandlerFunction handler);

  /// HEAD is answered by the GET route when there is no HEAD route. A known path with another
  /// method goes to the fallback, as upstream does; there is no 405.
  [[nodiscard]] Response handle(Request& request) override;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::vector<RouteName> names_;
  HandlerFunction fallback_;
};

}  // namespace stratos::http
