#include "log_cache.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "json.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::testing {
namespace {

constexpr std::size_t kMaxLines = 1000;
constexpr std::size_t kMaxSources = 64;
/// How much of the past an application has when it is looked at for the first time.
constexpr std::int64_t kFirstLines = 60;
constexpr std::int64_t kNanosecond = 1'000'000'000;
constexpr std::int64_t kPerMillisecond = 1'000'000;
constexpr std::int64_t kDefaultLimit = 100;
constexpr std::int64_t kMaxLimit = 1000;

std::optional<std::int64_t> readNumber(const ReceivedRequest& request, const char* name,
                                       std::int64_t fallback) {
  const auto text = request.queryValue(name);
  if (!text || text->empty()) return fallback;
  std::int64_t value = 0;
  const auto* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

Reply invalid(const std::string& message) {
  return jsonReply(
      400, Json::object({{"code", 3}, {"message", message}, {"details", Json::Array{}}}).dump());
}

bool wantsLogs(const ReceivedRequest& request) {
  bool asked = false;
  for (const auto& [name, value] : decodeForm(request.query()).value_or(FormFields{})) {
    if (name != "envelope_types") continue;
    if (value == "LOG" || value == "ANY") return true;
    asked = true;
  }
  return !asked;
}

/// What an application says in a given second.
AppLine lineOf(std::int64_t second, int instances) {
  AppLine line;
  line.instance = static_cast<int>(second % instances);
  line.at = second * kNanosecond;
  const std::string order = "/orders/" + std::to_string(1000 + second * 7 % 9000);
  line.isError = second % 10 == 9;
  line.text = line.isError
                  ? "WARN GET " + order + " took " + std::to_string(600 + second % 400) + " ms"
                  : "INFO GET " + order + " 200 in " + std::to_string(2 + second % 30) + " ms";
  return line;
}

}  // namespace

LogCache::Source& LogCache::sourceOf(const AppAtWork& app) {
  const auto found = sources_.find(app.guid);
  if (found == sources_.end()) {
    if (sources_.size() >= kMaxSources) {
      sources_.erase(
          std::min_element(sources_.begin(), sources_.end(), [](const auto& a, const auto& b) {
            return a.second.used < b.second.used;
          }));
    }
    sources_[app.guid].until =
        std::max(toUnixSeconds(clock_.now()) - kFirstLines, app.since);
  }
  Source& source = sources_[app.guid];
  source.used = ++uses_;
  return source;
}

void LogCache::append(Source& source, AppLine line) {
  // Clients go on after the time of the last line that they have, so no two have the same.
  if (!source.lines.empty()) line.at = std::max(line.at, source.lines.back().at + 1);
  source.lines.push_back(std::move(line));
  if (source.lines.size() > kMaxLines) source.lines.pop_front();
}

void LogCache::settle(const AppAtWork& app) {
  Source& source = sourceOf(app);
  const std::int64_t now = toUnixSeconds(clock_.now());
  if (app.running && app.instances > 0) {
    const std::int64_t begin =
        std::max(source.until, now - static_cast<std::int64_t>(kMaxLines)) + 1;
    for (std::int64_t second = begin; second <= now; ++second) {
      append(source, lineOf(second, app.instances));
    }
  }
  source.until = std::max(source.until, now);
}

void LogCache::add(const AppAtWork& app, AppLine line) {
  settle(app);
  line.at = clock_.now().time_since_epoch().count() * kPerMillisecond;
  append(sourceOf(app), std::move(line));
}

Reply LogCache::read(const ReceivedRequest& request, const AppAtWork& app) {
  settle(app);
  const Source& source = sourceOf(app);
  // As Log Cache has it: from start_time on, before end_time.
  const auto from = readNumber(request, "start_time", 0);
  const std::int64_t now = clock_.now().time_since_epoch().count() * kPerMillisecond;
  const auto to = readNumber(request, "end_time", now + kNanosecond);
  const auto limit = readNumber(request, "limit", kDefaultLimit);
  if (!from || !to || !limit) return invalid("start_time, end_time and limit are whole numbers");
  if (*limit < 0 || *limit > kMaxLimit) return invalid("limit must be 1000 or less");
  const bool descending = request.queryValue("descending").value_or("") == "true";
  std::vector<const AppLine*> found;
  if (wantsLogs(request)) {
    for (const AppLine& line : source.lines) {
      if (line.at >= *from && line.at < *to) found.push_back(&line);
    }
  }
  if (descending) std::reverse(found.begin(), found.end());
  found.resize(std::min(found.size(), static_cast<std::size_t>(*limit)));
  Json::Array batch;
  for (const AppLine* line : found) {
    batch.push_back(Json::object(
        {{"timestamp", std::to_string(line->at)},
         {"source_id", app.guid},
         {"instance_id", std::to_string(line->instance)},
         {"deprecated_tags", Json::object({})},
         {"tags", Json::object({{"app_id", app.guid},
                                {"app_name", app.name},
                                {"instance_id", std::to_string(line->instance)},
                                {"source_type", line->source}})},
         {"log", Json::object({{"payload", toBase64(line->text)},
                               {"type", line->isError ? "ERR" : "OUT"}})}}));
  }
  return jsonReply(200,
                   Json::object({{"envelopes", Json::object({{"batch", batch}})}}).dump());
}

}  // namespace stratos::testing
