#include "v3_list.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "stratos/base/encoding.hpp"

namespace stratos::testing {
namespace {

constexpr std::size_t kMaxPage = 1'000'000;
constexpr std::size_t kMaxPerPage = 5000;

}  // namespace

std::optional<std::size_t> parseCount(const std::string& text) {
  std::size_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

bool ListQuery::allows(const std::string& filter, const std::string& value) const {
  const auto found = filters.find(filter);
  return found == filters.end() || found->second.contains(value);
}

ListQuery readListQuery(const ReceivedRequest& request, const std::set<std::string>& filters) {
  ListQuery query;
  const auto fields = decodeForm(request.query());
  if (!fields) {
    query.problem = "malformed escape";
    return query;
  }
  for (const auto& [name, value] : *fields) {
    if (name.empty() && value.empty()) continue;
    if (name == "page" || name == "per_page") {
      const auto count = parseCount(value);
      if (!count || *count < 1 || *count > (name == "page" ? kMaxPage : kMaxPerPage)) {
        query.problem = name == "page" ? "Page must be a positive integer"
                                       : "Per page must be between 1 and 5000";
        return query;
      }
      (name == "page" ? query.page : query.perPage) = *count;
      continue;
    }
    if (name == "order_by") {
      query.descending = value.starts_with("-");
      query.order = query.descending ? value.substr(1) : value;
    } else if (filters.contains(name)) {
      for (std::string& item : split(value, ',')) query.filters[name].insert(std::move(item));
    } else if (name != "include" && name != "label_selector") {
      query.problem = "Unknown query parameter(s): '" + name + "'";
      return query;
    }
    query.kept += encodeFormValue(name) + "=" + encodeFormValue(value) + "&";
  }
  if (query.order != "name" && query.order != "created_at" && query.order != "updated_at") {
    query.problem = "Order by can only be: 'created_at', 'updated_at', 'name'";
  }
  return query;
}

Reply listReply(const ListQuery& query, const std::string& listUrl, std::size_t total,
                const std::function<Json(std::size_t)>& item, const Json::Object& more) {
  const std::size_t pages =
      std::max<std::size_t>(1, (total + query.perPage - 1) / query.perPage);
  const auto link = [&](std::size_t number) {
    return Json::object({{"href", listUrl + "?" + query.kept + "page=" + std::to_string(number) +
                                      "&per_page=" + std::to_string(query.perPage)}});
  };
  Json::Array resources;
  const std::size_t begin = std::min(total, (query.page - 1) * query.perPage);
  const std::size_t end = std::min(total, begin + query.perPage);
  for (std::size_t i = begin; i < end; ++i) resources.push_back(item(i));
  Json::Object answer{
      {"pagination",
       Json::object({{"total_results", std::uint64_t{total}},
                     {"total_pages", std::uint64_t{pages}},
                     {"first", link(1)},
                     {"last", link(pages)},
                     {"next", query.page < pages ? link(query.page + 1) : Json{}},
                     {"previous", query.page > 1 ? link(query.page - 1) : Json{}}})},
      {"resources", resources}};
  answer.insert(answer.end(), more.begin(), more.end());
  return jsonReply(200, Json{answer}.dump());
}

Reply v3Error(int status, int code, const std::string& title, const std::string& detail) {
  return jsonReply(
      status,
      Json::object({{"errors", Json{Json::Array{Json::object(
                                   {{"code", code}, {"title", title}, {"detail", detail}})}}}})
          .dump());
}

Reply badQuery(const std::string& detail) {
  return v3Error(400, 10005, "CF-BadQueryParameter", "The query parameter is invalid: " + detail);
}

Reply unprocessable(const std::string& detail) {
  return v3Error(422, 10008, "CF-UnprocessableEntity", detail);
}

Reply notFound(const std::string& what) {
  return v3Error(404, 10010, "CF-ResourceNotFound", what + " not found");
}

Reply notAuthorized() {
  return v3Error(403, 10003, "CF-NotAuthorized",
                 "You are not authorized to perform the requested action");
}

Reply parseError() {
  return v3Error(400, 1001, "CF-MessageParseError", "Request invalid due to parse error");
}

}  // namespace stratos::testing
