#include "stratos/testing/fake_cloud_controller.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <set>

#include "cloud_roles.hpp"
#include "cloud_runtime.hpp"
#include "json.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "support.hpp"
#include "v3_list.hpp"

namespace stratos::testing {
namespace {

constexpr std::size_t kOrganizations = 10;
constexpr std::size_t kSpaces = 40;
constexpr std::size_t kDomains = 3;
constexpr std::size_t kServiceInstances = 60;
/// 2024-01-01T00:00:00Z, when the first generated object was made; the others follow by the minute.
constexpr std::int64_t kEpoch = 1'704'067'200;

enum class Kind { App, Organization, Space, Route, ServiceInstance, Domain };

struct Record {
  std::string guid;
  std::string name;
  std::int64_t createdAt = 0;
  std::int64_t updatedAt = 0;
  std::string organization;
  std::string space;
  std::string parent;  ///< A route's domain.
  std::set<std::string> apps = {};  ///< A route's destinations.
  bool started = true;
};

/// That an application has the credentials of a service instance.
struct Binding {
  std::string guid;
  std::string app;
  std::string service;
  bool isReady = false;
  std::int64_t createdAt = 0;
};

/// Work that is done when somebody has looked at it twice, so that callers must poll, or a while
/// after it was begun.
struct Job {
  std::string operation;
  std::function<void()> work = {};
  std::int64_t begunAt = 0;
  int looks = 0;
  std::string failure = {};  ///< Why it fails; empty: it does not.
  bool isOver = false;
};

constexpr std::int64_t kJobSeconds = 5;
constexpr std::size_t kMaxJobs = 1000;
constexpr std::size_t kMaxNameBytes = 255;

struct KindInfo {
  Kind kind;
  std::string_view v3;
  std::string_view v2;
  std::string_view title;  ///< As in the not-found texts.
  int v2NotFoundCode;
  std::string_view v2NotFound;
};

constexpr std::array<KindInfo, 6> kKinds{{
    {Kind::App, "apps", "apps", "App", 100004, "CF-AppNotFound"},
    {Kind::Organization, "organizations", "organizations", "Organization", 30003,
     "CF-OrganizationNotFound"},
    {Kind::Space, "spaces", "spaces", "Space", 40004, "CF-SpaceNotFound"},
    {Kind::Route, "routes", "routes", "Route", 210002, "CF-RouteNotFound"},
    {Kind::ServiceInstance, "service_instances", "service_instances", "Service instance", 60004,
     "CF-ServiceInstanceNotFound"},
    {Kind::Domain, "domains", "domains", "Domain", 130002, "CF-DomainNotFound"},
}};

std::string toTimestamp(std::int64_t seconds) { return toRfc3339(fromUnixSeconds(seconds)); }

Json reference(const std::string& guid) {
  return Json::object({{"data", Json::object({{"guid", guid}})}});
}

/// Whether a filter by applications lets a route pass.
bool isForApps(const ListQuery& query, const Record& route) {
  if (!query.filters.contains("app_guids")) return true;
  return std::any_of(route.apps.begin(), route.apps.end(),
                     [&](const std::string& app) { return query.allows("app_guids", app); });
}

Json href(const std::string& url) { return Json::object({{"href", url}}); }

Reply v2Error(int status, int code, const std::string& title, const std::string& description) {
  return jsonReply(
      status,
      Json::object({{"description", description}, {"error_code", title}, {"code", code}}).dump());
}

CloudApp toCloudApp(const Record& app) {
  return {.guid = app.guid,
          .name = app.name,
          .space = app.space,
          .organization = app.organization,
          .started = app.started};
}

struct Page {
  std::size_t number = 1;
  std::size_t size = 50;
};

}  // namespace

class FakeCloudController::Impl {
 public:
  Impl(const Clock& clock, const FakeUaa& uaa, FakeCloudControllerOptions options)
      : clock_(clock),
        uaa_(uaa),
        v2_(options.v2),
        rootDocument_(options.rootDocument),
        server_(options.server) {
    generate(options.apps);
    server_.handle("/", [this](const ReceivedRequest& r) { return dispatch(r); });
    server_.setUnauthorizedReply([](const ReceivedRequest& r) { return invalidToken(r); });
  }
  ~Impl() { server_.stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void generate(std::size_t apps);
  Reply dispatch(const ReceivedRequest& request);
  Reply v3(const ReceivedRequest& request, const std::vector<std::string>& parts,
           const UaaTokenInfo& caller) STRATOS_REQUIRES(mutex_);
  Reply v2(const ReceivedRequest& request, const std::vector<std::string>& parts)
      STRATOS_REQUIRES(mutex_);
  Reply v3List(const ReceivedRequest& request, const KindInfo& kind) STRATOS_REQUIRES(mutex_);
  Reply v2List(const ReceivedRequest& request, const KindInfo& kind) STRATOS_REQUIRES(mutex_);
  Reply createApp(const ReceivedRequest& request, const UaaTokenInfo& caller)
      STRATOS_REQUIRES(mutex_);
  Reply changeApp(const ReceivedRequest& request, Record& app,
                  const std::vector<std::string>& parts, const UaaTokenInfo& caller)
      STRATOS_REQUIRES(mutex_);
  Reply logCache(const ReceivedRequest& request, const std::vector<std::string>& parts);
  Reply createV2(const ReceivedRequest& request, const KindInfo& kind) STRATOS_REQUIRES(mutex_);
  Reply root() STRATOS_REQUIRES(mutex_);
  Reply v2Info();
  Reply echo(const ReceivedRequest& request);
  Reply job(const std::string& guid) STRATOS_REQUIRES(mutex_);
  Json toV3(Kind kind, const Record& record) STRATOS_REQUIRES(mutex_);
  std::string routeUrl(const Record& route) STRATOS_REQUIRES(mutex_) {
    const Record* domain = find(Kind::Domain, route.parent);
    const std::string suffix = domain == nullptr ? std::string{} : domain->name;
    return route.name.empty() ? suffix : route.name + "." + suffix;
  }
  static Json destinations(const Record& route);
  Reply createRoute(const ReceivedRequest& request) STRATOS_REQUIRES(mutex_);
  Reply changeRoute(const ReceivedRequest& request, Record& route,
                    const std::vector<std::string>& parts) STRATOS_REQUIRES(mutex_);
  Reply changeService(const ReceivedRequest& request, const Record& service,
                      const std::vector<std::string>& parts) STRATOS_REQUIRES(mutex_);
  Reply bindings(const ReceivedRequest& request, const std::vector<std::string>& parts)
      STRATOS_REQUIRES(mutex_);
  Json toJson(const Binding& binding) STRATOS_REQUIRES(mutex_);
  Json toV2(const KindInfo& kind, const Record& record) const STRATOS_REQUIRES(mutex_);
  Record* find(Kind kind, const std::string& guid) STRATOS_REQUIRES(mutex_);
  std::string organizationOf(const std::string& space) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    const Record* found = find(Kind::Space, space);
    return found == nullptr ? std::string{} : found->organization;
  }
  std::string placeName(const std::string& guid) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    const Record* space = find(Kind::Space, guid);
    const Record* found = space == nullptr ? find(Kind::Organization, guid) : space;
    return found == nullptr ? std::string{} : found->name;
  }
  /// The answer 202 that leads to a new job.
  Reply accept(const std::string& operation, std::function<void()> work)
      STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    const std::string guid = stableGuid("job", randomHex(16));
    if (jobs_.size() >= kMaxJobs) {
      std::erase_if(jobs_, [](const auto& entry) { return entry.second.isOver; });
    }
    Job job{.operation = operation, .work = std::move(work)};
    job.begunAt = toUnixSeconds(clock_.now());
    std::swap(job.failure, nextJobFailure_);
    jobs_[guid] = std::move(job);
    Reply reply;
    reply.status = 202;
    reply.headers = {{"Location", url() + "/v3/jobs/" + guid}};
    return reply;
  }
  void finish(Job& job) STRATOS_REQUIRES(mutex_) {
    if (job.isOver) return;
    job.isOver = true;
    if (job.failure.empty() && job.work) job.work();
    job.work = {};
  }
  void finishOldJobs() STRATOS_REQUIRES(mutex_) {
    for (auto& [guid, job] : jobs_) {
      if (toUnixSeconds(clock_.now()) - job.begunAt >= kJobSeconds) finish(job);
    }
  }
  Reply createPlace(const ReceivedRequest& request, Kind kind, const UaaTokenInfo& caller)
      STRATOS_REQUIRES(mutex_);
  Reply changePlace(const ReceivedRequest& request, Kind kind, Record& place,
                    const UaaTokenInfo& caller) STRATOS_REQUIRES(mutex_);
  /// Why a place cannot have that name; empty: it can.
  std::string problemWithName(Kind kind, const std::string& name, const std::string& organization,
                              const std::string& self) STRATOS_REQUIRES(mutex_);
  void erasePlace(Kind kind, const std::string& guid) STRATOS_NO_THREAD_SAFETY_ANALYSIS;
  void eraseApp(const std::string& guid) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    std::erase_if(records_[Kind::App], [&](const Record& r) { return r.guid == guid; });
    for (Record& route : records_[Kind::Route]) route.apps.erase(guid);
    std::erase_if(bindings_, [&](const Binding& binding) { return binding.app == guid; });
  }
  void erase(Kind kind, const std::string& guid) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    std::erase_if(records_[kind], [&](const Record& r) { return r.guid == guid; });
    std::erase_if(bindings_, [&](const Binding& binding) { return binding.service == guid; });
  }
  /// The refusal, when the request's token is not good enough.
  std::optional<Reply> authorize(const ReceivedRequest& request, bool mayBeAbsent);

  static Reply invalidToken(const ReceivedRequest& request) {
    return request.path().starts_with("/v2")
               ? v2Error(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")
               : v3Error(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token");
  }

  [[nodiscard]] const std::string& url() const noexcept { return server_.url(); }
  [[nodiscard]] std::string webSocketUrl() const {
    return (url().starts_with("https") ? "wss" : "ws") + url().substr(url().find(':'));
  }

  const Clock& clock_;
  const FakeUaa& uaa_;
  mutable Mutex mutex_;
  bool v2_ STRATOS_GUARDED_BY(mutex_);
  bool rootDocument_ STRATOS_GUARDED_BY(mutex_);
  std::map<Kind, std::vector<Record>> records_ STRATOS_GUARDED_BY(mutex_);
  std::vector<Binding> bindings_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, Job> jobs_ STRATOS_GUARDED_BY(mutex_);
  std::string nextJobFailure_ STRATOS_GUARDED_BY(mutex_);
  std::uint64_t unauthorized_ STRATOS_GUARDED_BY(mutex_) = 0;
  // The functions are called while the mutex is held by the request that is answered.
  CloudRoles roles_ STRATOS_GUARDED_BY(mutex_){
      {.apiUrl = [this] { return url(); },
       .organizationOf = [this](const std::string& space) { return organizationOf(space); },
       .placeName = [this](const std::string& guid) { return placeName(guid); },
       .userName = [this](const std::string& guid) { return uaa_.findUserName(guid).value_or(""); },
       .userGuid = [this](const std::string& name) { return uaa_.findUserGuid(name).value_or(""); },
       .accept =
           [this](const std::string& operation, std::function<void()> work) {
             return accept(operation, std::move(work));
           }}};
  CloudRuntime runtime_ STRATOS_GUARDED_BY(mutex_){
      clock_, [this] { return url(); },
      [this](const std::string& guid) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
        const Record* app = find(Kind::App, guid);
        return app == nullptr ? std::optional<CloudApp>{} : toCloudApp(*app);
      }};
  FakeUpstream server_;
};

Reply FakeCloudController::Impl::logCache(const ReceivedRequest& request,
                                          const std::vector<std::string>& parts) {
  using Path = std::vector<std::string>;
  Reply absent;
  absent.status = 404;
  if (parts == Path{"api", "v1", "info"}) {
    return jsonReply(200, Json::object({{"version", "3.0.11"}, {"vm_uptime", "86400"}}).dump());
  }
  if (parts.size() != 4 || parts[1] != "v1" || parts[2] != "read") return absent;
  // Log Cache does not tell what is not there from what one may not see, a bad token included.
  const auto token = bearerToken(request);
  const auto caller = token ? uaa_.findAccessToken(*token) : std::nullopt;
  const MutexLock lock(mutex_);
  if (!caller) {
    ++unauthorized_;
    return absent;
  }
  const bool all = caller->hasScope("doppler.firehose") || caller->hasScope("logs.admin");
  if (!all && !caller->hasScope("cloud_controller.read")) return absent;
  const Record* app = find(Kind::App, parts[3]);
  if (app == nullptr && !all) return absent;
  return runtime_.readLogs(request, app == nullptr ? CloudApp{.guid = parts[3]} : toCloudApp(*app));
}

void FakeCloudController::Impl::generate(std::size_t apps) {
  const MutexLock lock(mutex_);
  const auto add = [this](Kind kind, const std::string& name, std::size_t index)
                       STRATOS_REQUIRES(mutex_) -> Record& {
    Record record;
    record.guid = stableGuid(std::to_string(static_cast<int>(kind)), name);
    record.name = name;
    record.createdAt = kEpoch + static_cast<std::int64_t>(index) * 60;
    record.updatedAt = record.createdAt;
    return records_[kind].emplace_back(std::move(record));
  };
  const auto numbered = [](const char* stem, std::size_t index) {
    std::array<char, 32> digits{};
    const int size = std::snprintf(digits.data(), digits.size(), "-%05zu", index);
    return stem + std::string{digits.data(), static_cast<std::size_t>(size)};
  };
  for (std::size_t i = 0; i < kOrganizations; ++i) add(Kind::Organization, numbered("org", i), i);
  for (std::size_t i = 0; i < kSpaces; ++i) {
    Record& space = add(Kind::Space, numbered("space", i), i);
    space.organization = records_[Kind::Organization][i % kOrganizations].guid;
  }
  for (std::size_t i = 0; i < kDomains; ++i) {
    add(Kind::Domain, "apps" + std::to_string(i) + ".example.com", i);
  }
  const auto place = [this](Record& record, std::size_t index) STRATOS_REQUIRES(mutex_) {
    const Record& space = records_[Kind::Space][index % kSpaces];
    record.space = space.guid;
    record.organization = space.organization;
  };
  for (std::size_t i = 0; i < apps; ++i) {
    Record& app = add(Kind::App, numbered("app", i), i);
    app.started = i % 3 != 2;
    place(app, i);
    const std::string guid = app.guid;
    Record& route = add(Kind::Route, numbered("route", i), i);
    route.parent = records_[Kind::Domain][i % kDomains].guid;
    route.apps.insert(guid);
    place(route, i);
  }
  for (std::size_t i = 0; i < kServiceInstances; ++i) {
    place(add(Kind::ServiceInstance, numbered("service", i), i), i);
  }
}

Record* FakeCloudController::Impl::find(Kind kind, const std::string& guid) {
  std::vector<Record>& all = records_[kind];
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Record& r) { return r.guid == guid; });
  return found == all.end() ? nullptr : &*found;
}

std::optional<Reply> FakeCloudController::Impl::authorize(const ReceivedRequest& request,
                                                          bool mayBeAbsent) {
  const bool absent = request.headerCount("Authorization") == 0;
  if (absent && mayBeAbsent) return std::nullopt;
  const bool isV2 = request.path().starts_with("/v2");
  const auto token = bearerToken(request);
  const auto info = token ? uaa_.findAccessToken(*token) : std::nullopt;
  if (!info) {
    const MutexLock lock(mutex_);
    ++unauthorized_;
    if (!absent) return invalidToken(request);
    return isV2 ? v2Error(401, 10002, "CF-NotAuthenticated", "Authentication error")
                : v3Error(401, 10002, "CF-NotAuthenticated", "Authentication error");
  }
  if (mayBeAbsent) return std::nullopt;
  const bool reading = request.method == "GET" || request.method == "HEAD";
  const bool admin = info->hasScope("cloud_controller.admin");
  if (!admin && !info->hasScope(reading ? "cloud_controller.read" : "cloud_controller.write")) {
    const char* text = "You are not authorized to perform the requested action";
    return isV2 ? v2Error(403, 10003, "CF-NotAuthorized", text)
                : v3Error(403, 10003, "CF-NotAuthorized", text);
  }
  return std::nullopt;
}

Reply FakeCloudController::Impl::dispatch(const ReceivedRequest& request) {
  const std::string path = request.path();
  if (path == "/v3/echo" || path.starts_with("/v3/echo/") || path == "/base" ||
      path.starts_with("/base/")) {
    if (auto refusal = authorize(request, true)) return *std::move(refusal);
    return echo(request);
  }
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  {
    const MutexLock lock(mutex_);
    if (parts.empty() && rootDocument_) return root();
    if (parts.empty()) return v3Error(404, 10000, "CF-NotFound", "Unknown request");
    if (parts[0] == "v2" && !v2_) return v2Error(404, 10000, "CF-NotFound", "Unknown request");
    if (parts == std::vector<std::string>{"v2", "info"}) return v2Info();
    if (parts == std::vector<std::string>{"v3"} ||
        parts == std::vector<std::string>{"v3", "info"}) {
      return v3(request, parts, {});
    }
  }
  if (parts[0] == "api") return logCache(request, parts);
  if (auto refusal = authorize(request, false)) return *std::move(refusal);
  const auto caller = uaa_.findAccessToken(bearerToken(request).value_or(""));
  const MutexLock lock(mutex_);
  finishOldJobs();
  if (auto answer = caller ? roles_.handle(request, parts, *caller) : std::nullopt) {
    return *std::move(answer);
  }
  if (auto answer = caller ? runtime_.handle(request, parts, *caller) : std::nullopt) {
    return *std::move(answer);
  }
  Reply reply = parts[0] == "v2"   ? v2(request, parts)
                : parts[0] == "v3" ? v3(request, parts, caller.value_or(UaaTokenInfo{}))
                                   : v3Error(404, 10000, "CF-NotFound", "Unknown request");
  reply.headers.emplace_back("X-VCAP-Request-ID", randomHex(16));
  return reply;
}

Reply FakeCloudController::Impl::root() {
  const auto versioned = [](const std::string& link, const char* version) {
    return Json::object({{"href", link}, {"meta", Json::object({{"version", version}})}});
  };
  Json::Object links{{"self", href(url())}};
  links.emplace_back("cloud_controller_v2", v2_ ? versioned(url() + "/v2", "2.236.0") : Json{});
  links.emplace_back("cloud_controller_v3", versioned(url() + "/v3", "3.171.0"));
  links.emplace_back("network_policy_v0", href(url() + "/networking/v0/external"));
  links.emplace_back("network_policy_v1", href(url() + "/networking/v1/external"));
  links.emplace_back("login", href(uaa_.url()));
  links.emplace_back("uaa", href(uaa_.url()));
  links.emplace_back("credhub", nullptr);
  links.emplace_back("routing", href(url() + "/routing"));
  links.emplace_back("logging", href(webSocketUrl()));
  links.emplace_back("log_cache", href(url()));
  links.emplace_back("log_stream", href(url()));
  links.emplace_back(
      "app_ssh",
      Json::object({{"href", "127.0.0.1:2222"},
                    {"meta", Json::object({{"host_key_fingerprint",
                                            "SHA256:c2ltdWxhdGVkLWhvc3Qta2V5LWZpbmdlcnByaW50"},
                                           {"oauth_client", "ssh-proxy"}})}}));
  return jsonReply(200, Json::object({{"links", links}}).dump());
}

Reply FakeCloudController::Impl::v2Info() {
  return jsonReply(200, Json::object({{"name", "stratos-sim"},
                                      {"build", ""},
                                      {"support", ""},
                                      {"version", 0},
                                      {"description", "Simulated foundation"},
                                      {"authorization_endpoint", uaa_.url()},
                                      {"token_endpoint", uaa_.url()},
                                      {"min_cli_version", nullptr},
                                      {"min_recommended_cli_version", nullptr},
                                      {"app_ssh_endpoint", "127.0.0.1:2222"},
                                      {"app_ssh_host_key_fingerprint",
                                       "SHA256:c2ltdWxhdGVkLWhvc3Qta2V5LWZpbmdlcnByaW50"},
                                      {"app_ssh_oauth_client", "ssh-proxy"},
                                      {"doppler_logging_endpoint", webSocketUrl()},
                                      {"routing_endpoint", url() + "/routing"},
                                      {"api_version", "2.236.0"},
                                      {"osbapi_version", "2.15"}})
                            .dump());
}

Reply FakeCloudController::Impl::echo(const ReceivedRequest& request) {
  Json::Array headers;
  for (const auto& [name, value] : request.headers) {
    headers.emplace_back(Json::Array{Json{name}, Json{value}});
  }
  Reply reply = jsonReply(200, Json::object({{"method", request.method},
                                             {"target", request.target},
                                             {"version", request.version},
                                             {"headers", headers},
                                             {"bodyLength", request.bodySize},
                                             {"bodySha256", toHex(sha256(request.body))},
                                             {"connection", request.connection},
                                             {"secure", request.secure}})
                                   .dump());
  reply.headers.emplace_back("X-Echo", "yes");
  return reply;
}

Json FakeCloudController::Impl::toV3(Kind kind, const Record& record) {
  Json::Object out{{"guid", record.guid},
                   {"created_at", toTimestamp(record.createdAt)},
                   {"updated_at", toTimestamp(record.updatedAt)},
                   {"name", record.name}};
  const Json metadata =
      Json::object({{"labels", Json::object({})}, {"annotations", Json::object({})}});
  const std::string_view collection =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const KindInfo& k) {
        return k.kind == kind;
      })->v3;
  Json::Object links{{"self", href(url() + "/v3/" + std::string{collection} + "/" + record.guid)}};
  switch (kind) {
    case Kind::App: {
      out.emplace_back("state", record.started ? "STARTED" : "STOPPED");
      out.emplace_back(
          "lifecycle",
          Json::object({{"type", "buildpack"},
                        {"data", Json::object({{"buildpacks", Json::strings({"go_buildpack"})},
                                               {"stack", "cflinuxfs4"}})}}));
      out.emplace_back("relationships", Json::object({{"space", reference(record.space)}}));
      links.emplace_back("space", href(url() + "/v3/spaces/" + record.space));
      for (const char* action : {"start", "stop"}) {
        links.emplace_back(
            action,
            Json::object({{"href", url() + "/v3/apps/" + record.guid + "/actions/" + action},
                          {"method", "POST"}}));
      }
      break;
    }
    case Kind::Organization:
      out.emplace_back("suspended", false);
      break;
    case Kind::Space:
      out.emplace_back("relationships",
                       Json::object({{"organization", reference(record.organization)}}));
      break;
    case Kind::Route:
      out.emplace_back("protocol", "http");
      out.emplace_back("host", record.name);
      out.emplace_back("path", "");
      out.emplace_back("url", routeUrl(record));
      out.emplace_back("destinations", destinations(record));
      out.emplace_back("relationships", Json::object({{"space", reference(record.space)},
                                                      {"domain", reference(record.parent)}}));
      break;
    case Kind::ServiceInstance:
      out.emplace_back("type", "managed");
      out.emplace_back("tags", Json::Array{});
      out.emplace_back(
          "last_operation",
          Json::object({{"type", "create"}, {"state", "succeeded"}, {"description", ""}}));
      out.emplace_back("relationships", Json::object({{"space", reference(record.space)}}));
      break;
    case Kind::Domain:
      out.emplace_back("internal", false);
      out.emplace_back("supported_protocols", Json::strings({"http"}));
      break;
  }
  out.emplace_back("metadata", metadata);
  out.emplace_back("links", links);
  return Json{out};
}

Json FakeCloudController::Impl::toV2(const KindInfo& kind, const Record& record) const {
  const std::string self = "/v2/" + std::string{kind.v2} + "/" + record.guid;
  Json::Object entity{{"name", record.name}};
  if (!record.space.empty()) {
    entity.emplace_back("space_guid", record.space);
    entity.emplace_back("space_url", "/v2/spaces/" + record.space);
  } else if (!record.organization.empty()) {
    entity.emplace_back("organization_guid", record.organization);
    entity.emplace_back("organization_url", "/v2/organizations/" + record.organization);
  }
  if (kind.kind == Kind::App) {
    entity.emplace_back("state", record.started ? "STARTED" : "STOPPED");
    entity.emplace_back("memory", 256);
    entity.emplace_back("instances", runtime_.instancesOf(record.guid));
    entity.emplace_back("disk_quota", 1024);
    entity.emplace_back("package_state", "STAGED");
    entity.emplace_back("detected_buildpack", "go");
    entity.emplace_back("routes_url", self + "/routes");
  } else if (kind.kind == Kind::Organization) {
    entity.emplace_back("status", "active");
    entity.emplace_back("spaces_url", self + "/spaces");
  } else if (kind.kind == Kind::Route) {
    entity.emplace_back("host", record.name);
    entity.emplace_back("domain_guid", record.parent);
  }
  return Json::object({{"metadata", Json::object({{"guid", record.guid},
                                                  {"url", self},
                                                  {"created_at", toTimestamp(record.createdAt)},
                                                  {"updated_at", toTimestamp(record.updatedAt)}})},
                       {"entity", entity}});
}

Reply FakeCloudController::Impl::v3List(const ReceivedRequest& request, const KindInfo& kind) {
  const ListQuery query = readListQuery(
      request, {"names", "guids", "space_guids", "organization_guids", "app_guids", "hosts",
                "domain_guids"});
  if (!query.problem.empty()) return badQuery(query.problem);
  std::vector<const Record*> matches;
  for (const Record& record : records_[kind.kind]) {
    if (query.allows("guids", record.guid) && query.allows("names", record.name) &&
        query.allows("hosts", record.name) && query.allows("space_guids", record.space) &&
        query.allows("organization_guids", record.organization) &&
        query.allows("domain_guids", record.parent) && isForApps(query, record)) {
      matches.push_back(&record);
    }
  }
  std::stable_sort(matches.begin(), matches.end(), [&](const Record* a, const Record* b) {
    if (query.descending) std::swap(a, b);
    if (query.order == "name") return a->name < b->name;
    return query.order == "created_at" ? a->createdAt < b->createdAt : a->updatedAt < b->updatedAt;
  });
  return listReply(query, url() + "/v3/" + std::string{kind.v3}, matches.size(),
                   [&](std::size_t index) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
                     return toV3(kind.kind, *matches[index]);
                   });
}

Reply FakeCloudController::Impl::v3(const ReceivedRequest& request,
                                    const std::vector<std::string>& parts,
                                    const UaaTokenInfo& caller) {
  if (parts.size() == 1) {
    Json::Object links{{"self", href(url() + "/v3")}};
    for (const KindInfo& kind : kKinds) {
      links.emplace_back(std::string{kind.v3}, href(url() + "/v3/" + std::string{kind.v3}));
    }
    return jsonReply(200, Json::object({{"links", links}}).dump());
  }
  if (parts[1] == "info" && parts.size() == 2) {
    return jsonReply(
        200,
        Json::object(
            {{"build", ""},
             {"cli_version", Json::object({{"minimum", ""}, {"recommended", ""}})},
             {"custom", Json::object({})},
             {"description", "Simulated foundation"},
             {"name", "stratos-sim"},
             {"version", 0},
             {"links", Json::object({{"self", href(url() + "/v3/info")}, {"support", href("")}})}})
            .dump());
  }
  if (parts[1] == "jobs" && parts.size() == 3) return job(parts[2]);
  if (parts[1] == "service_credential_bindings") return bindings(request, parts);
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const KindInfo& k) { return k.v3 == parts[1]; });
  const auto unknown = [] { return v3Error(404, 10000, "CF-NotFound", "Unknown request"); };
  if (kind == kKinds.end()) return unknown();
  const bool reading = request.method == "GET" || request.method == "HEAD";
  if (parts.size() == 2) {
    if (reading) return v3List(request, *kind);
    if (kind->kind == Kind::App && request.method == "POST") return createApp(request, caller);
    if (kind->kind == Kind::Route && request.method == "POST") return createRoute(request);
    const bool isPlace = kind->kind == Kind::Organization || kind->kind == Kind::Space;
    if (isPlace && request.method == "POST") return createPlace(request, kind->kind, caller);
    return unknown();
  }
  Record* record = find(kind->kind, parts[2]);
  if (record == nullptr) {
    return notFound(std::string{kind->title});
  }
  if (parts.size() == 3 && reading) return jsonReply(200, toV3(kind->kind, *record).dump());
  if (kind->kind == Kind::App) return changeApp(request, *record, parts, caller);
  if (kind->kind == Kind::Route) return changeRoute(request, *record, parts);
  if (kind->kind == Kind::ServiceInstance) return changeService(request, *record, parts);
  const bool isPlace = kind->kind == Kind::Organization || kind->kind == Kind::Space;
  if (isPlace && parts.size() == 3) return changePlace(request, kind->kind, *record, caller);
  return unknown();
}

Reply FakeCloudController::Impl::createApp(const ReceivedRequest& request,
                                           const UaaTokenInfo& caller) {
  std::map<std::string, std::string> body;
  try {
    body = parseFlatObject(request.body);
  } catch (const Error&) {
    return parseError();
  }
  const std::string name = body["name"];
  const Record* space = find(Kind::Space, body["relationships.space.data.guid"]);
  if (name.empty()) return unprocessable("Name must be a string");
  if (space == nullptr) {
    return unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
  }
  for (const Record& app : records_[Kind::App]) {
    if (app.name == name && app.space == space->guid) {
      return unprocessable("App with the name '" + name + "' already exists.");
    }
  }
  Record app;
  const std::string id = randomHex(16);
  app.guid = stableGuid("created", id);
  app.name = name;
  app.createdAt = app.updatedAt = toUnixSeconds(clock_.now());
  app.space = space->guid;
  app.organization = space->organization;
  app.started = false;
  records_[Kind::App].push_back(app);
  runtime_.note(toCloudApp(app), "create", caller);
  return jsonReply(201, toV3(Kind::App, app).dump());
}

Reply FakeCloudController::Impl::changeApp(const ReceivedRequest& request, Record& app,
                                           const std::vector<std::string>& parts,
                                           const UaaTokenInfo& caller) {
  if (request.method == "PATCH" && parts.size() == 3) {
    try {
      const auto body = parseFlatObject(request.body);
      if (const auto name = body.find("name"); name != body.end()) app.name = name->second;
    } catch (const Error&) {
      return parseError();
    }
    app.updatedAt = toUnixSeconds(clock_.now());
    runtime_.note(toCloudApp(app), "update", caller);
    return jsonReply(200, toV3(Kind::App, app).dump());
  }
  if (request.method == "POST" && parts.size() == 5 && parts[3] == "actions" &&
      (parts[4] == "start" || parts[4] == "stop" || parts[4] == "restart")) {
    runtime_.settle(toCloudApp(app));
    app.started = parts[4] != "stop";
    app.updatedAt = toUnixSeconds(clock_.now());
    runtime_.note(toCloudApp(app), parts[4], caller);
    return jsonReply(200, toV3(Kind::App, app).dump());
  }
  if (request.method == "DELETE" && parts.size() == 3) {
    const std::string guid = app.guid;
    runtime_.note(toCloudApp(app), "delete-request", caller);
    return accept("app.delete", [this, guid] { eraseApp(guid); });
  }
  return v3Error(404, 10000, "CF-NotFound", "Unknown request");
}

Reply FakeCloudController::Impl::job(const std::string& guid) {
  const auto found = jobs_.find(guid);
  if (found == jobs_.end()) return notFound("Job");
  Job& job = found->second;
  if (job.looks++ > 0) finish(job);
  const std::string time = toTimestamp(toUnixSeconds(clock_.now()));
  const bool failed = job.isOver && !job.failure.empty();
  Json::Array errors;
  if (failed) {
    errors.push_back(Json::object(
        {{"code", 10008}, {"title", "CF-UnprocessableEntity"}, {"detail", job.failure}}));
  }
  return jsonReply(
      200,
      Json::object({{"guid", guid},
                    {"created_at", time},
                    {"updated_at", time},
                    {"operation", job.operation},
                    {"state", failed ? "FAILED" : job.isOver ? "COMPLETE" : "PROCESSING"},
                    {"errors", errors},
                    {"warnings", Json::Array{}},
                    {"links", Json::object({{"self", href(url() + "/v3/jobs/" + guid)}})}})
          .dump());
}

std::string FakeCloudController::Impl::problemWithName(Kind kind, const std::string& name,
                                                       const std::string& organization,
                                                       const std::string& self) {
  if (name.empty()) return "Name can't be blank";
  if (name.size() > kMaxNameBytes) return "Name is too long (maximum is 255 characters)";
  for (const Record& other : records_[kind]) {
    if (other.guid == self || toLower(other.name) != toLower(name)) continue;
    if (kind == Kind::Organization) return "Organization '" + name + "' already exists.";
    if (other.organization == organization) return "Name must be unique per organization";
  }
  return {};
}

Reply FakeCloudController::Impl::createPlace(const ReceivedRequest& request, Kind kind,
                                             const UaaTokenInfo& caller) {
  std::map<std::string, std::string> body;
  try {
    body = parseFlatObject(request.body);
  } catch (const Error&) {
    return parseError();
  }
  Record place;
  if (kind == Kind::Space) {
    place.organization = body["relationships.organization.data.guid"];
    if (find(Kind::Organization, place.organization) == nullptr) {
      return unprocessable(
          "Invalid organization. Ensure the organization exists and you have access to it.");
    }
    if (!roles_.manages("organization_manager", place.organization, caller)) {
      return notAuthorized();
    }
  } else if (!caller.hasScope("cloud_controller.admin")) {
    return notAuthorized();
  }
  place.name = body["name"];
  if (auto problem = problemWithName(kind, place.name, place.organization, ""); !problem.empty()) {
    return unprocessable(problem);
  }
  place.guid = stableGuid("created", randomHex(16));
  place.createdAt = place.updatedAt = toUnixSeconds(clock_.now());
  records_[kind].push_back(place);
  return jsonReply(201, toV3(kind, place).dump());
}

Reply FakeCloudController::Impl::changePlace(const ReceivedRequest& request, Kind kind,
                                             Record& place, const UaaTokenInfo& caller) {
  const bool isOrganization = kind == Kind::Organization;
  const bool mayRename = roles_.manages(isOrganization ? "organization_manager" : "space_manager",
                                        place.guid, caller);
  if (request.method == "PATCH") {
    if (!mayRename) return notAuthorized();
    try {
      const auto body = parseFlatObject(request.body);
      if (const auto name = body.find("name"); name != body.end()) {
        auto problem = problemWithName(kind, name->second, place.organization, place.guid);
        if (!problem.empty()) return unprocessable(problem);
        place.name = name->second;
      }
    } catch (const Error&) {
      return parseError();
    }
    place.updatedAt = toUnixSeconds(clock_.now());
    return jsonReply(200, toV3(kind, place).dump());
  }
  if (request.method != "DELETE") return v3Error(404, 10000, "CF-NotFound", "Unknown request");
  const bool mayDelete =
      isOrganization ? caller.hasScope("cloud_controller.admin")
                     : roles_.manages("organization_manager", place.organization, caller);
  if (!mayDelete) return notAuthorized();
  return accept(isOrganization ? "organization.delete" : "space.delete",
                [this, kind, guid = place.guid] { erasePlace(kind, guid); });
}

void FakeCloudController::Impl::erasePlace(Kind kind, const std::string& guid) {
  const bool isOrganization = kind == Kind::Organization;
  for (auto& [otherKind, all] : records_) {
    std::erase_if(all, [&](const Record& record) {
      return record.guid == guid || (isOrganization ? record.organization : record.space) == guid;
    });
  }
  std::erase_if(bindings_, [this](const Binding& binding) STRATOS_NO_THREAD_SAFETY_ANALYSIS {
    return find(Kind::App, binding.app) == nullptr ||
           find(Kind::ServiceInstance, binding.service) == nullptr;
  });
  roles_.forgetPlace(guid);
}

Json FakeCloudController::Impl::destinations(const Record& route) {
  Json::Array all;
  for (const std::string& app : route.apps) {
    all.push_back(Json::object({{"guid", stableGuid("destination", route.guid + "/" + app)},
                                {"app", Json::object({{"guid", app}})},
                                {"port", 8080},
                                {"protocol", "http1"}}));
  }
  return Json{all};
}

Reply FakeCloudController::Impl::createRoute(const ReceivedRequest& request) {
  std::map<std::string, std::string> body;
  try {
    body = parseFlatObject(request.body);
  } catch (const Error&) {
    return parseError();
  }
  Record route;
  route.name = body["host"];
  route.space = body["relationships.space.data.guid"];
  route.parent = body["relationships.domain.data.guid"];
  const Record* domain = find(Kind::Domain, route.parent);
  if (domain == nullptr) {
    return unprocessable(
        "Invalid domain. Ensure that the domain exists and you have access to it.");
  }
  if (find(Kind::Space, route.space) == nullptr) {
    return unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
  }
  const bool isHost = std::all_of(route.name.begin(), route.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '*';
  });
  if (!isHost || route.name.size() > 63) {
    return unprocessable(
        "Host must be either \"*\" or contain only alphanumeric characters, \"_\", or \"-\"");
  }
  for (const Record& other : records_[Kind::Route]) {
    if (other.name == route.name && other.parent == route.parent) {
      return unprocessable("Route already exists with host '" + route.name + "' for domain '" +
                           domain->name + "'.");
    }
  }
  route.organization = organizationOf(route.space);
  route.guid = stableGuid("created", randomHex(16));
  route.createdAt = route.updatedAt = toUnixSeconds(clock_.now());
  records_[Kind::Route].push_back(route);
  return jsonReply(201, toV3(Kind::Route, route).dump());
}

Reply FakeCloudController::Impl::changeRoute(const ReceivedRequest& request, Record& route,
                                             const std::vector<std::string>& parts) {
  const bool isList = parts.size() == 4 && parts[3] == "destinations";
  const auto answer = [&] {
    return jsonReply(200, Json::object({{"destinations", destinations(route)}}).dump());
  };
  if (isList && request.method == "GET") return answer();
  if (isList && request.method == "POST") {
    try {
      for (auto& destination : parseObjects(request.body, "destinations")) {
        const Record* app = find(Kind::App, destination["app.guid"]);
        if (app == nullptr) return unprocessable("App(s) with guid(s) do not exist or you do not "
                                                 "have access.");
        if (app->space != route.space) {
          return unprocessable("Routes cannot be mapped to destinations in different spaces.");
        }
        route.apps.insert(app->guid);
      }
    } catch (const Error&) {
      return parseError();
    }
    return answer();
  }
  if (parts.size() == 5 && parts[3] == "destinations" && request.method == "DELETE") {
    const std::size_t gone = std::erase_if(route.apps, [&](const std::string& app) {
      return stableGuid("destination", route.guid + "/" + app) == parts[4];
    });
    if (gone == 0) return unprocessable("Unable to unmap route from destination. Ensure the route "
                                        "has a destination with this guid.");
    Reply reply;
    reply.status = 204;
    return reply;
  }
  if (parts.size() == 3 && request.method == "DELETE") {
    return accept("route.delete", [this, guid = route.guid] { erase(Kind::Route, guid); });
  }
  return v3Error(404, 10000, "CF-NotFound", "Unknown request");
}

Reply FakeCloudController::Impl::changeService(const ReceivedRequest& request,
                                               const Record& service,
                                               const std::vector<std::string>& parts) {
  if (parts.size() != 3 || request.method != "DELETE") {
    return v3Error(404, 10000, "CF-NotFound", "Unknown request");
  }
  return accept("service_instance.delete",
                [this, guid = service.guid] { erase(Kind::ServiceInstance, guid); });
}

Json FakeCloudController::Impl::toJson(const Binding& binding) {
  const std::string at = toTimestamp(binding.createdAt);
  return Json::object(
      {{"guid", binding.guid},
       {"created_at", at},
       {"updated_at", at},
       {"type", "app"},
       {"name", nullptr},
       {"last_operation",
        Json::object({{"type", "create"},
                      {"state", binding.isReady ? "succeeded" : "in progress"},
                      {"description", ""}})},
       {"relationships", Json::object({{"app", reference(binding.app)},
                                       {"service_instance", reference(binding.service)}})}});
}

Reply FakeCloudController::Impl::bindings(const ReceivedRequest& request,
                                          const std::vector<std::string>& parts) {
  if (parts.size() == 2 && request.method == "GET") {
    const ListQuery query =
        readListQuery(request, {"guids", "app_guids", "service_instance_guids", "type"});
    if (!query.problem.empty()) return badQuery(query.problem);
    std::vector<const Binding*> found;
    for (const Binding& binding : bindings_) {
      if (query.allows("guids", binding.guid) && query.allows("app_guids", binding.app) &&
          query.allows("service_instance_guids", binding.service)) {
        found.push_back(&binding);
      }
    }
    Json::Array services;
    std::set<std::string> seen;
    for (const Binding* binding : found) {
      const Record* service = find(Kind::ServiceInstance, binding->service);
      if (service != nullptr && seen.insert(service->guid).second) {
        services.push_back(toV3(Kind::ServiceInstance, *service));
      }
    }
    Json::Object more;
    if (request.queryValue("include").value_or("") == "service_instance") {
      more.emplace_back("included", Json::object({{"service_instances", services}}));
    }
    return listReply(
        query, url() + "/v3/service_credential_bindings", found.size(),
        [&](std::size_t index)
            STRATOS_NO_THREAD_SAFETY_ANALYSIS { return toJson(*found[index]); },
        more);
  }
  if (parts.size() == 2 && request.method == "POST") {
    std::map<std::string, std::string> body;
    try {
      body = parseFlatObject(request.body);
    } catch (const Error&) {
      return parseError();
    }
    const Record* app = find(Kind::App, body["relationships.app.data.guid"]);
    const Record* service =
        find(Kind::ServiceInstance, body["relationships.service_instance.data.guid"]);
    if (body["type"] != "app") return unprocessable("Type must be one of 'app', 'key'");
    if (app == nullptr) {
      return unprocessable("The app could not be found: '" +
                           body["relationships.app.data.guid"] + "'");
    }
    if (service == nullptr || service->space != app->space) {
      return unprocessable("The service instance could not be found: '" +
                           body["relationships.service_instance.data.guid"] + "'");
    }
    for (const Binding& other : bindings_) {
      if (other.app == app->guid && other.service == service->guid) {
        return unprocessable("The app is already bound to the service instance");
      }
    }
    Binding binding{.guid = stableGuid("binding", randomHex(16)),
                    .app = app->guid,
                    .service = service->guid,
                    .createdAt = toUnixSeconds(clock_.now())};
    bindings_.push_back(binding);
    return accept("service_bindings.create",
                  [this, guid = binding.guid]() STRATOS_NO_THREAD_SAFETY_ANALYSIS {
                    for (Binding& each : bindings_) {
                      if (each.guid == guid) each.isReady = true;
                    }
                  });
  }
  const auto found = std::find_if(bindings_.begin(), bindings_.end(), [&](const Binding& each) {
    return parts.size() == 3 && each.guid == parts[2];
  });
  if (found == bindings_.end()) return notFound("Service credential binding");
  if (request.method == "GET") return jsonReply(200, toJson(*found).dump());
  if (request.method != "DELETE") return v3Error(404, 10000, "CF-NotFound", "Unknown request");
  return accept("service_bindings.delete",
                [this, guid = found->guid]() STRATOS_NO_THREAD_SAFETY_ANALYSIS {
                  std::erase_if(bindings_, [&](const Binding& each) { return each.guid == guid; });
                });
}

Reply FakeCloudController::Impl::v2List(const ReceivedRequest& request, const KindInfo& kind) {
  const auto fields = decodeForm(request.query());
  Page page;
  std::string kept;
  bool descending = false;
  std::vector<std::pair<std::string, std::string>> filters;
  for (const auto& [name, value] : fields.value_or(FormFields{})) {
    if (name == "page" || name == "results-per-page") {
      const auto count = parseCount(value);
      if (!count || *count < 1 || (name != "page" && *count > 100)) {
        return v2Error(400, 10005, "CF-BadQueryParameter",
                       "The query parameter is invalid: " + name);
      }
      (name == "page" ? page.number : page.size) = *count;
      continue;
    }
    if (name == "order-direction") descending = value == "desc";
    if (name == "q") {
      const auto colon = value.find(':');
      if (colon == std::string::npos) {
        return v2Error(400, 10005, "CF-BadQueryParameter", "The query parameter is invalid");
      }
      filters.emplace_back(value.substr(0, colon), value.substr(colon + 1));
    }
    kept += "&" + encodeFormValue(name) + "=" + encodeFormValue(value);
  }
  std::vector<const Record*> matches;
  for (const Record& record : records_[kind.kind]) {
    const bool all = std::all_of(filters.begin(), filters.end(), [&](const auto& filter) {
      const std::string& value = filter.first == "space_guid"          ? record.space
                                 : filter.first == "organization_guid" ? record.organization
                                                                       : record.name;
      return value == filter.second;
    });
    if (all) matches.push_back(&record);
  }
  if (descending) std::reverse(matches.begin(), matches.end());
  const std::size_t pages = (matches.size() + page.size - 1) / page.size;
  const auto link = [&](std::size_t number) {
    return Json{"/v2/" + std::string{kind.v2} + "?page=" + std::to_string(number) +
                "&results-per-page=" + std::to_string(page.size) + kept};
  };
  Json::Array resources;
  const std::size_t begin = std::min(matches.size(), (page.number - 1) * page.size);
  const std::size_t end = std::min(matches.size(), begin + page.size);
  for (std::size_t i = begin; i < end; ++i) resources.push_back(toV2(kind, *matches[i]));
  return jsonReply(200,
                   Json::object({{"total_results", std::uint64_t{matches.size()}},
                                 {"total_pages", std::uint64_t{pages}},
                                 {"prev_url", page.number > 1 ? link(page.number - 1) : Json{}},
                                 {"next_url", page.number < pages ? link(page.number + 1) : Json{}},
                                 {"resources", resources}})
                       .dump());
}

Reply FakeCloudController::Impl::createV2(const ReceivedRequest& request, const KindInfo& kind) {
  std::map<std::string, std::string> body;
  try {
    body = parseFlatObject(request.body);
  } catch (const Error&) {
    return v2Error(400, 1001, "CF-MessageParseError", "Request invalid due to parse error");
  }
  Record made;
  made.guid = stableGuid("created", randomHex(16));
  made.name = body["name"];
  made.createdAt = made.updatedAt = toUnixSeconds(clock_.now());
  made.space = body["space_guid"];
  const Record* space = find(Kind::Space, made.space);
  if (made.name.empty() || space == nullptr) {
    return v2Error(400, 10001, "CF-InvalidRelation", "name and space_guid are needed");
  }
  made.organization = space->organization;
  records_[kind.kind].push_back(made);
  return jsonReply(201, toV2(kind, made).dump());
}

Reply FakeCloudController::Impl::v2(const ReceivedRequest& request,
                                    const std::vector<std::string>& parts) {
  const auto unknown = [] { return v2Error(404, 10000, "CF-NotFound", "Unknown request"); };
  if (parts.size() < 2) return unknown();
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [&](const KindInfo& k) { return k.v2 == parts[1]; });
  if (kind == kKinds.end()) return unknown();
  const bool reading = request.method == "GET" || request.method == "HEAD";
  if (parts.size() == 2) {
    if (reading) return v2List(request, *kind);
    const bool creatable = kind->kind == Kind::App || kind->kind == Kind::ServiceInstance;
    return creatable && request.method == "POST" ? createV2(request, *kind) : unknown();
  }
  const Record* record = find(kind->kind, parts[2]);
  if (record == nullptr) {
    return v2Error(404, kind->v2NotFoundCode, std::string{kind->v2NotFound},
                   "The " + toLower(kind->title) + " could not be found: " + parts[2]);
  }
  if (parts.size() != 3) return unknown();
  if (reading) return jsonReply(200, toV2(*kind, *record).dump());
  if (request.method == "DELETE") {
    const std::string guid = record->guid;
    std::erase_if(records_[kind->kind], [&](const Record& r) { return r.guid == guid; });
    Reply reply;
    reply.status = 204;
    return reply;
  }
  return unknown();
}

FakeCloudController::FakeCloudController(const Clock& clock, const FakeUaa& uaa,
                                         FakeCloudControllerOptions options)
    : impl_(std::make_unique<Impl>(clock, uaa, std::move(options))) {}
FakeCloudController::~FakeCloudController() = default;

FakeUpstream& FakeCloudController::server() noexcept { return impl_->server_; }
const std::string& FakeCloudController::url() const noexcept { return impl_->url(); }

void FakeCloudController::setV2(bool on) {
  const MutexLock lock(impl_->mutex_);
  impl_->v2_ = on;
}

void FakeCloudController::setRootDocument(bool on) {
  const MutexLock lock(impl_->mutex_);
  impl_->rootDocument_ = on;
}

std::uint64_t FakeCloudController::unauthorizedCount() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->unauthorized_;
}

std::size_t FakeCloudController::appCount() const {
  const MutexLock lock(impl_->mutex_);
  const auto apps = impl_->records_.find(Kind::App);
  return apps == impl_->records_.end() ? 0 : apps->second.size();
}

std::string FakeCloudController::organizationGuid(std::size_t index) const {
  const MutexLock lock(impl_->mutex_);
  return impl_->records_.at(Kind::Organization).at(index).guid;
}

std::string FakeCloudController::spaceGuid(std::size_t index) const {
  const MutexLock lock(impl_->mutex_);
  return impl_->records_.at(Kind::Space).at(index).guid;
}

void FakeCloudController::addRole(const std::string& type, const std::string& target,
                                  const std::string& user) {
  const MutexLock lock(impl_->mutex_);
  impl_->roles_.add(type, target, user);
}

bool FakeCloudController::hasRole(const std::string& type, const std::string& target,
                                  const std::string& user) const {
  const MutexLock lock(impl_->mutex_);
  return impl_->roles_.has(type, target, user);
}

bool FakeCloudController::hasUser(const std::string& user) const {
  const MutexLock lock(impl_->mutex_);
  return impl_->roles_.hasUser(user);
}

void FakeCloudController::failNextJob(const std::string& detail) {
  const MutexLock lock(impl_->mutex_);
  impl_->nextJobFailure_ = detail;
}

void FakeCloudController::addLog(const std::string& app, const std::string& text, bool isError,
                                 int instance) {
  const MutexLock lock(impl_->mutex_);
  const Record* found = impl_->find(Kind::App, app);
  if (found == nullptr) throw Error(ErrorCode::NotFound, "no app '" + app + "'");
  AppLine line;
  line.instance = instance;
  line.isError = isError;
  line.text = text;
  impl_->runtime_.addLog(toCloudApp(*found), std::move(line));
}

std::string FakeCloudController::appGuid(std::size_t index) const {
  const MutexLock lock(impl_->mutex_);
  return impl_->records_.at(Kind::App).at(index).guid;
}

}  // namespace stratos::testing
