#include "cloud_runtime.hpp"

#include <algorithm>
#include <charconv>

#include "json.hpp"
#include "stratos/base/error.hpp"
#include "support.hpp"
#include "v3_list.hpp"

namespace stratos::testing {
namespace {

constexpr std::int64_t kMegabyte = 1024 * 1024;
/// How long the applications that were generated have been running.
constexpr std::int64_t kFirstUptime = 2 * 60 * 60;
/// How long an instance takes to start.
constexpr std::int64_t kStartSeconds = 3;
/// What one application may have.
constexpr std::int64_t kMemoryQuotaMb = 16 * 1024;
constexpr std::size_t kMaxEvents = 1000;

using Path = std::vector<std::string>;

Json href(const std::string& url) { return Json::object({{"href", url}}); }

Json reference(const std::string& guid) {
  return Json::object({{"data", Json::object({{"guid", guid}})}});
}

/// The whole number that a member of the body is; `fallback` when it is absent, empty when it is
/// something else.
std::optional<int> readCount(const std::map<std::string, std::string>& body, const char* name,
                             int fallback) {
  const auto found = body.find(name);
  if (found == body.end()) return fallback;
  int value = 0;
  const auto* end = found->second.data() + found->second.size();
  const auto parsed = std::from_chars(found->second.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

Json toJson(const std::map<std::string, std::string>& variables) {
  Json::Object out;
  for (const auto& [name, value] : variables) out.emplace_back(name, value);
  return Json{out};
}

bool isReading(const ReceivedRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

}  // namespace

CloudRuntime::CloudRuntime(const Clock& clock, std::function<std::string()> apiUrl, FindApp findApp)
    : clock_(clock),
      apiUrl_(std::move(apiUrl)),
      findApp_(std::move(findApp)),
      bornAt_(toUnixSeconds(clock.now()) - kFirstUptime),
      logs_(clock) {}

CloudRuntime::Process CloudRuntime::processOf(const std::string& app) const {
  const auto found = processes_.find(app);
  if (found != processes_.end()) return found->second;
  Process process;
  process.startedAt = bornAt_;
  return process;
}

AppAtWork CloudRuntime::atWork(const CloudApp& app) const {
  const Process process = processOf(app.guid);
  return {.guid = app.guid,
          .name = app.name,
          .running = app.started,
          .instances = process.instances,
          .since = process.startedAt};
}

void CloudRuntime::settle(const CloudApp& app) { logs_.settle(atWork(app)); }

void CloudRuntime::addLog(const CloudApp& app, AppLine line) {
  logs_.add(atWork(app), std::move(line));
}

Reply CloudRuntime::readLogs(const ReceivedRequest& request, const CloudApp& app) {
  return logs_.read(request, atWork(app));
}

void CloudRuntime::note(const CloudApp& app, const std::string& action,
                        const UaaTokenInfo& caller) {
  if (action == "create" || action == "start" || action == "restart") {
    Process process = processOf(app.guid);
    if (action == "create") process.instances = 1;
    process.startedAt = now();
    processes_[app.guid] = process;
  }
  if (action == "start" || action == "restart" || action == "stop") {
    addLog(app, {.source = "API",
                 .text = "Updated app with guid " + app.guid + " ({\"state\"=>\"" +
                         (app.started ? "STARTED" : "STOPPED") + "\"})"});
    addLog(app, {.source = "CELL",
                 .text = app.started ? "Cell is creating a container"
                                     : "Cell is stopping the instances"});
  }
  if (action == "delete-request") {
    processes_.erase(app.guid);
    variables_.erase(app.guid);
  }
  const std::string type = action == "scale" ? "audit.app.process.scale" : "audit.app." + action;
  events_.push_back({.guid = stableGuid("event", randomHex(16)),
                     .at = now(),
                     .type = type,
                     .actorGuid = caller.userId,
                     .actorName = caller.userName,
                     .target = app});
  if (events_.size() > kMaxEvents) events_.pop_front();
}

std::optional<Reply> CloudRuntime::handle(const ReceivedRequest& request, const Path& path,
                                          const UaaTokenInfo& caller) {
  if (path == Path{"v3", "audit_events"} && isReading(request)) return listEvents(request);
  if (path.size() < 3 || path[0] != "v3") return std::nullopt;
  const bool byProcess = path[1] == "processes";
  const bool byApp = path[1] == "apps" && path.size() > 3 &&
                     (path[3] == "processes" || path[3] == "environment_variables" ||
                      path[3] == "env");
  if (!byProcess && !byApp) return std::nullopt;
  const auto app = findApp_(path[2]);
  if (!app) return notFound(byProcess ? "Process" : "App");
  if (byProcess) return handleProcess(request, *app, {path.begin() + 3, path.end()}, caller);
  if (path[3] == "environment_variables" && path.size() == 4) {
    return environment(request, *app, caller);
  }
  if (path[3] == "env" && path.size() == 4 && isReading(request)) return allEnvironment(*app);
  if (path[3] != "processes") return std::nullopt;
  if (path.size() == 4 && isReading(request)) {
    const ListQuery query = readListQuery(request, {"types", "guids"});
    if (!query.problem.empty()) return badQuery(query.problem);
    return listReply(query, apiUrl_() + "/v3/apps/" + app->guid + "/processes", 1,
                     [&](std::size_t) { return toJson(*app); });
  }
  if (path.size() > 4 && path[4] != "web") return notFound("Process");
  if (path.size() > 4) return handleProcess(request, *app, {path.begin() + 5, path.end()}, caller);
  return std::nullopt;
}

std::optional<Reply> CloudRuntime::handleProcess(const ReceivedRequest& request,
                                                 const CloudApp& app, const Path& rest,
                                                 const UaaTokenInfo& caller) {
  if (rest.empty() && isReading(request)) return jsonReply(200, toJson(app).dump());
  if (rest == Path{"stats"} && isReading(request)) {
    return jsonReply(200, Json::object({{"resources", stats(app)}}).dump());
  }
  if (rest == Path{"actions", "scale"} && request.method == "POST") {
    return scale(request, app, caller);
  }
  return std::nullopt;
}

Json CloudRuntime::toJson(const CloudApp& app) const {
  const Process process = processOf(app.guid);
  const std::string self = apiUrl_() + "/v3/processes/" + app.guid;
  return Json::object(
      {{"guid", app.guid},
       {"created_at", toRfc3339(fromUnixSeconds(bornAt_))},
       {"updated_at", toRfc3339(fromUnixSeconds(process.startedAt))},
       {"type", "web"},
       {"command", "./app"},
       {"instances", process.instances},
       {"memory_in_mb", process.memoryMb},
       {"disk_in_mb", process.diskMb},
       {"log_rate_limit_in_bytes_per_second", -1},
       {"health_check", Json::object({{"type", "port"}, {"data", Json::object({})}})},
       {"relationships", Json::object({{"app", reference(app.guid)}, {"revision", nullptr}})},
       {"metadata",
        Json::object({{"labels", Json::object({})}, {"annotations", Json::object({})}})},
       {"links", Json::object({{"self", href(self)},
                               {"scale", Json::object({{"href", self + "/actions/scale"},
                                                       {"method", "POST"}})},
                               {"stats", href(self + "/stats")}})}});
}

Json CloudRuntime::stats(const CloudApp& app) const {
  const Process process = processOf(app.guid);
  const std::int64_t uptime = app.started ? now() - process.startedAt : 0;
  const std::int64_t memory = process.memoryMb * kMegabyte;
  const std::int64_t disk = process.diskMb * kMegabyte;
  Json::Array resources;
  for (int i = 0; i < process.instances; ++i) {
    Json::Object instance{{"type", "web"}, {"index", i}};
    const bool running = app.started && uptime >= kStartSeconds;
    instance.emplace_back("state", running ? "RUNNING" : app.started ? "STARTING" : "DOWN");
    if (running) {
      // Waves, so that something moves.
      const std::int64_t cpu = 20 + (now() + i * 7) % 20 * 9;
      const std::int64_t used = memory / 100 * (45 + (now() / 5 + i * 3) % 10);
      instance.emplace_back("usage",
                            Json::object({{"time", toRfc3339(clock_.now())},
                                          {"cpu", static_cast<double>(cpu) / 1000.0},
                                          {"mem", used},
                                          {"disk", disk / 8},
                                          {"log_rate", 64}}));
      instance.emplace_back("host", "10.0.1." + std::to_string(10 + i % 200));
      instance.emplace_back(
          "instance_ports",
          Json{Json::Array{Json::object({{"external", 61000 + i}, {"internal", 8080}})}});
    } else {
      instance.emplace_back("usage", Json::object({}));
    }
    instance.emplace_back("uptime", uptime);
    instance.emplace_back("mem_quota", memory);
    instance.emplace_back("disk_quota", disk);
    instance.emplace_back("log_rate_limit", -1);
    instance.emplace_back("fds_quota", 16384);
    instance.emplace_back("isolation_segment", nullptr);
    instance.emplace_back("details", nullptr);
    resources.emplace_back(std::move(instance));
  }
  return Json{resources};
}

Reply CloudRuntime::scale(const ReceivedRequest& request, const CloudApp& app,
                          const UaaTokenInfo& caller) {
  std::map<std::string, std::string> body;
  try {
    if (!request.body.empty()) body = parseFlatObject(request.body);
  } catch (const Error&) {
    return parseError();
  }
  Process process = processOf(app.guid);
  const auto instances = readCount(body, "instances", process.instances);
  const auto memory = readCount(body, "memory_in_mb", process.memoryMb);
  const auto disk = readCount(body, "disk_in_mb", process.diskMb);
  if (!instances || *instances < 0) {
    return unprocessable("Instances must be greater than or equal to 0");
  }
  if (!memory || *memory <= 0) return unprocessable("Memory in mb must be greater than 0");
  if (!disk || *disk <= 0) return unprocessable("Disk in mb must be greater than 0");
  if (std::int64_t{*instances} * *memory > kMemoryQuotaMb) {
    return unprocessable("memory quota_exceeded");
  }
  settle(app);
  process.instances = *instances;
  process.memoryMb = *memory;
  process.diskMb = *disk;
  processes_[app.guid] = process;
  note(app, "scale", caller);
  addLog(app, {.source = "API",
               .text = "Updated app with guid " + app.guid + " ({\"instances\"=>" +
                       std::to_string(*instances) + "})"});
  return jsonReply(202, toJson(app).dump());
}

CloudRuntime::Variables CloudRuntime::variablesOf(const std::string& app) const {
  const auto found = variables_.find(app);
  if (found != variables_.end()) return found->second;
  return {{"DATABASE_URL", "postgres://orders:swordfish@db.example.com/orders"},
          {"LOG_LEVEL", "info"}};
}

Reply CloudRuntime::environment(const ReceivedRequest& request, const CloudApp& app,
                                const UaaTokenInfo& caller) {
  constexpr std::string_view kPrefix = "var.";
  if (request.method == "PATCH") {
    try {
      Variables variables = variablesOf(app.guid);
      for (const auto& [name, value] : parseFlatObject(request.body)) {
        if (name.starts_with(kPrefix)) variables[name.substr(kPrefix.size())] = value;
      }
      for (const std::string& name : parseNulls(request.body)) {
        if (name.starts_with(kPrefix)) variables.erase(name.substr(kPrefix.size()));
      }
      variables_[app.guid] = std::move(variables);
    } catch (const Error&) {
      return parseError();
    }
    note(app, "update", caller);
  } else if (!isReading(request)) {
    return v3Error(404, 10000, "CF-NotFound", "Unknown request");
  }
  const std::string self = apiUrl_() + "/v3/apps/" + app.guid;
  return jsonReply(
      200, Json::object(
               {{"var", testing::toJson(variablesOf(app.guid))},
                {"links", Json::object({{"self", href(self + "/environment_variables")},
                                        {"app", href(self)}})}})
               .dump());
}

Reply CloudRuntime::allEnvironment(const CloudApp& app) const {
  const Json application = Json::object({{"application_id", app.guid},
                                         {"application_name", app.name},
                                         {"space_id", app.space},
                                         {"organization_id", app.organization}});
  return jsonReply(
      200,
      Json::object({{"staging_env_json", Json::object({})},
                    {"running_env_json", Json::object({})},
                    {"environment_variables", testing::toJson(variablesOf(app.guid))},
                    {"system_env_json", Json::object({{"VCAP_SERVICES", Json::object({})}})},
                    {"application_env_json", Json::object({{"VCAP_APPLICATION", application}})}})
          .dump());
}

Reply CloudRuntime::listEvents(const ReceivedRequest& request) const {
  const ListQuery query = readListQuery(
      request, {"target_guids", "types", "space_guids", "organization_guids"});
  if (!query.problem.empty()) return badQuery(query.problem);
  std::vector<const Event*> found;
  for (const Event& event : events_) {
    if (query.allows("target_guids", event.target.guid) && query.allows("types", event.type) &&
        query.allows("space_guids", event.target.space) &&
        query.allows("organization_guids", event.target.organization)) {
      found.push_back(&event);
    }
  }
  if (query.descending) std::reverse(found.begin(), found.end());
  return listReply(query, apiUrl_() + "/v3/audit_events", found.size(), [&](std::size_t index) {
    const Event& event = *found[index];
    const std::string at = toRfc3339(fromUnixSeconds(event.at));
    return Json::object(
        {{"guid", event.guid},
         {"created_at", at},
         {"updated_at", at},
         {"type", event.type},
         {"actor", Json::object({{"guid", event.actorGuid},
                                 {"type", "user"},
                                 {"name", event.actorName}})},
         {"target", Json::object({{"guid", event.target.guid},
                                  {"type", "app"},
                                  {"name", event.target.name}})},
         {"data", Json::object({})},
         {"space", Json::object({{"guid", event.target.space}})},
         {"organization", Json::object({{"guid", event.target.organization}})},
         {"links", Json::object(
                       {{"self", href(apiUrl_() + "/v3/audit_events/" + event.guid)}})}});
  });
}

}  // namespace stratos::testing
