#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "json.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

/// A whole number of a query; empty when it is none.
[[nodiscard]] std::optional<std::size_t> parseCount(const std::string& text);

/// What a request wants of a list of the v3 API.
struct ListQuery {
  std::size_t page = 1;
  std::size_t perPage = 50;
  std::string order = "created_at";
  bool descending = false;
  std::map<std::string, std::set<std::string>> filters;
  std::string kept;     ///< The query without the page, for links to others.
  std::string problem;  ///< Why it is refused; empty: it is not.

  /// Whether there is no such filter, or `value` passes it.
  [[nodiscard]] bool allows(const std::string& filter, const std::string& value) const;
};

/// `filters` are those that the list knows beside page, per_page, order_by, include and
/// label_selector.
[[nodiscard]] ListQuery readListQuery(const ReceivedRequest& request,
                                      const std::set<std::string>& filters);
[[nodiscard]] Reply badQuery(const std::string& detail);
/// The page of `total` items that `query` asks for; `item` gives the one at an index.
[[nodiscard]] Reply listReply(const ListQuery& query, const std::string& listUrl, std::size_t total,
                              const std::function<Json(std::size_t)>& item,
                              const Json::Object& more = {});

[[nodiscard]] Reply v3Error(int status, int code, const std::string& title,
                            const std::string& detail);
[[nodiscard]] Reply unprocessable(const std::string& detail);
[[nodiscard]] Reply notFound(const std::string& what);
[[nodiscard]] Reply notAuthorized();
[[nodiscard]] Reply parseError();

}  // namespace stratos::testing
