#include "ext/cloud_foundry/app_logs.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include <rapidjson/document.h>

#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/endpoint/endpoint_call.hpp"
#include "stratos/http/form.hpp"

namespace stratos::ext {

namespace {

using store::EndpointRecord;

constexpr std::chrono::milliseconds kTimeout{15'000};
/// Where the logs of a foundation are changes with its deployment, if ever.
constexpr std::chrono::minutes kUrlLifetime{10};
constexpr std::size_t kMaxUrls = 1000;
constexpr std::int64_t kDefaultLimit = 100;
constexpr std::int64_t kMaxLimit = 1000;  ///< Log Cache's own.
/// A thousand lines are 100 KB as a rule, and 80 MB when each is as long as it may be.
constexpr std::size_t kAnswerLimitBytes = 4 * 1024 * 1024;
constexpr int kFewer = 10;
constexpr std::size_t kMaxGuidBytes = 100;

struct Refused {
  int status;
  std::string message;
};

struct Answer {
  int status = 0;
  std::string body;
  bool tooLarge = false;
};

/// Calls with the token of one user, which is renewed once when it is refused. For one thread.
class AsUser {
 public:
  AsUser(ExtensionHost& host, const EndpointRecord& endpoint, auth::TokenResult token,
         Deadline deadline)
      : host_(host), endpoint_(endpoint), token_(std::move(token)), deadline_(deadline) {}

  Answer get(const Url& url, const char* who) {
    const store::TokenRecord used = token_.record;
    Answer answer = ask(url, who);
    if (answer.status != 401 || !renew(used)) return answer;
    return ask(url, who);
  }

 private:
  bool renew(const store::TokenRecord& refused) {
    if (isRenewed_) return false;
    isRenewed_ = true;
    auth::TokenResult newer = host_.tokenProvider().renew(endpoint_, refused, deadline_);
    if (!newer.ok()) return false;
    token_ = std::move(newer);
    return true;
  }

  Answer ask(const Url& url, const char* who) {
    const auth::Credential credential =
        host_.tokenProvider().schemes().of(token_.record).credential(token_.record);
    http::ClientRequest request{.method = "GET",
                                .url = url,
                                .headers = {{"Accept", "application/json"}},
                                .body = {},
                                .trust = endpoint::trustOf(endpoint_),
                                .deadline = deadline_};
    request.headers.set("Authorization", credential.authorization);
    // No redirects: the token is meant for this address.
    http::ClientResponse response = host_.transport().send(std::move(request));
    if (response.failed()) {
      const bool isLate = response.failure == http::TransportFailure::TimedOut;
      throw Refused{isLate ? 504 : 502, std::string{who} + (isLate ? " did not answer in time"
                                                                   : " cannot be reached")};
    }
    Answer answer;
    answer.status = response.status;
    try {
      answer.body = response.body.readAll(kAnswerLimitBytes);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::DeadlineExceeded) {
        throw Refused{504, std::string{who} + " did not answer in time"};
      }
      if (error.code() != ErrorCode::InvalidArgument) {
        throw Refused{502, std::string{who} + " broke off its answer"};
      }
      answer.tooLarge = true;
    }
    return answer;
  }

  ExtensionHost& host_;
  const EndpointRecord& endpoint_;
  auth::TokenResult token_;
  Deadline deadline_;
  bool isRenewed_ = false;
};

struct Wish {
  std::optional<std::int64_t> since;
  std::int64_t limit = kDefaultLimit;
};

std::int64_t readNumber(const std::string& text, const char* name, std::int64_t least,
                        std::int64_t most) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value < least || value > most) {
    throw Refused{400, std::string{name} + " must be a whole number from " +
                           std::to_string(least) + " to " + std::to_string(most)};
  }
  return value;
}

Wish readWish(http::Request& request) {
  Wish wish;
  const http::FormParameters query = http::readParameters(request);
  if (const std::string& since = query.get("since"); !since.empty()) {
    // One less than the greatest, as Log Cache is asked for what follows it.
    wish.since = readNumber(since, "since", 0, std::numeric_limits<std::int64_t>::max() - 1);
  }
  if (const std::string& limit = query.get("limit"); !limit.empty()) {
    wish.limit = readNumber(limit, "limit", 1, kMaxLimit);
  }
  return wish;
}

const rapidjson::Value* member(const rapidjson::Value* object, const char* name) {
  if (object == nullptr || !object->IsObject()) return nullptr;
  const auto found = object->FindMember(name);
  return found == object->MemberEnd() ? nullptr : &found->value;
}

std::string text(const rapidjson::Value* value) {
  if (value == nullptr) return {};
  if (value->IsString()) return {value->GetString(), value->GetStringLength()};
  return value->IsInt64() ? std::to_string(value->GetInt64()) : std::string{};
}

bool isNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c >= '0' && c <= '9'; });
}

/// The lines of an answer of Log Cache, oldest first, as JSON and each with a line feed; empty when
/// it is no such answer. What is no log (metrics, events) is left out.
std::optional<std::string> toLines(const std::string& body, bool newestFirst) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (document.HasParseError()) return std::nullopt;
  const rapidjson::Value* envelopes = member(&document, "envelopes");
  if (envelopes == nullptr || !envelopes->IsObject()) return std::nullopt;
  // Protobuf's JSON leaves out a list that is empty.
  const rapidjson::Value* batch = member(envelopes, "batch");
  if (batch == nullptr) return std::string{};
  if (!batch->IsArray()) return std::nullopt;
  std::string lines;
  const auto write = [&lines](const rapidjson::Value& envelope) {
    const rapidjson::Value* log = member(&envelope, "log");
    const std::string timestamp = text(member(&envelope, "timestamp"));
    if (log == nullptr || !isNumber(timestamp)) return;
    const std::string payload = text(member(log, "payload"));
    JsonWriter json;
    json.beginObject()
        .member("timestamp", timestamp)
        .member("instance", text(member(&envelope, "instance_id")))
        .member("source", text(member(member(&envelope, "tags"), "source_type")))
        .member("stream", text(member(log, "type")) == "ERR" ? "err" : "out")
        .member("text", fromBase64(payload).value_or(payload))
        .endObject();
    lines += json.str() + "\n";
  };
  const auto all = batch->GetArray();
  for (rapidjson::SizeType i = 0; i < all.Size(); ++i) {
    write(all[newestFirst ? all.Size() - 1 - i : i]);
  }
  return lines;
}

/// Where the logs of each foundation are. Any thread.
class LogCacheUrls {
 public:
  explicit LogCacheUrls(ExtensionHost& host) : host_(host) {}

  Url get(const EndpointRecord& endpoint, Deadline deadline) {
    const std::string key = endpoint.id.str() + " " + endpoint.apiUrl;
    const TimePoint now = host_.clock().now();
    {
      const MutexLock lock(mutex_);
      const auto found = urls_.find(key);
      if (found != urls_.end() && found->second.until > now) return found->second.url;
    }
    Url url = discover(endpoint, deadline);
    const MutexLock lock(mutex_);
    std::erase_if(urls_, [&](const auto& entry) { return entry.second.until <= now; });
    if (urls_.size() < kMaxUrls) urls_.insert_or_assign(key, Entry{url, now + kUrlLifetime});
    return url;
  }

  void forget(const EndpointRecord& endpoint) {
    const MutexLock lock(mutex_);
    urls_.erase(endpoint.id.str() + " " + endpoint.apiUrl);
  }

 private:
  struct Entry {
    Url url;
    TimePoint until;
  };

  Url discover(const EndpointRecord& endpoint, Deadline deadline) {
    const auto root = endpoint::fetch(host_.transport(), endpoint, "/", {}, deadline);
    if (root.failed()) {
      const bool isLate = root.failure == http::TransportFailure::TimedOut;
      throw Refused{isLate ? 504 : 502, "The endpoint cannot say where its logs are: " +
                                            root.problem};
    }
    const auto link = findJsonText(root.body, "links/log_cache/href");
    const auto url = link ? Url::tryParse(*link) : std::nullopt;
    if (!url || (url->scheme() != "https" && url->scheme() != "http")) {
      throw Refused{502, "The endpoint does not say where its logs are: its root document has no "
                         "usable link log_cache"};
    }
    // The user's token is sent there.
    if (Url::parse(endpoint.apiUrl).isSecure() && !url->isSecure()) {
      throw Refused{502, "The endpoint's Log Cache is not reached over https"};
    }
    return url->withoutTrailingSlash();
  }

  ExtensionHost& host_;
  Mutex mutex_;
  std::map<std::string, Entry> urls_ STRATOS_GUARDED_BY(mutex_);
};

class AppLogs {
 public:
  explicit AppLogs(ExtensionHost& host) : host_(host), urls_(host) {}

  http::Response handle(http::Request& request) {
    try {
      http::Response response = http::Response::text(200, read(request));
      response.headers.set("Content-Type", "application/x-ndjson; charset=utf-8");
      return response;
    } catch (const Refused& refused) {
      JsonWriter json;
      json.beginObject().member("status", "error").member("error", refused.message).endObject();
      return http::Response::json(refused.status, json.str());
    }
  }

 private:
  std::string read(http::Request& request) {
    const std::string app = request.pathParam("app");
    const bool isGuid = !app.empty() && app.size() <= kMaxGuidBytes &&
                        std::all_of(app.begin(), app.end(), [](char c) {
                          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                 (c >= 'A' && c <= 'Z') || c == '-';
                        });
    if (!isGuid) throw Refused{400, "The application must be named by its GUID"};
    const Wish wish = readWish(request);
    const UserId user = request.find<SignedIn>()->user;
    const auto endpoint =
        host_.endpoints().findVisible({.user = user, .isAdmin = [] { return false; }},
                                      EndpointId{request.pathParam("endpoint")});
    if (!endpoint || endpoint->type != "cf") {
      throw Refused{404, "There is no Cloud Foundry endpoint with this id"};
    }
    const Deadline deadline = Deadline::after(kTimeout);
    auth::TokenResult token = host_.tokenProvider().get(user, *endpoint, deadline);
    if (!token.ok()) {
      // Not 401, which is about the console's own session.
      const bool isAway = token.failure == auth::TokenFailure::Unreachable;
      throw Refused{isAway ? 502 : 400, "You are not connected to this endpoint: " + token.reason};
    }
    AsUser caller(host_, *endpoint, std::move(token), deadline);
    try {
      return readFrom(urls_.get(*endpoint, deadline), *endpoint, app, wish, caller);
    } catch (const Refused& refused) {
      if (refused.status >= 500) urls_.forget(*endpoint);
      throw;
    }
  }

  static std::string readFrom(const Url& logCache, const EndpointRecord& endpoint,
                              const std::string& app, Wish wish, AsUser& caller) {
    for (bool isSure = false;;) {
      FormFields query{{"envelope_types", "LOG"}, {"limit", std::to_string(wish.limit)}};
      if (wish.since) {
        query.emplace_back("start_time", std::to_string(*wish.since + 1));
      } else {
        query.emplace_back("descending", "true");
      }
      const Url url =
          logCache.withPath(logCache.rawPath() + "/api/v1/read/" + app, encodeForm(query));
      const Answer answer = caller.get(url, "Log Cache");
      if (answer.tooLarge && wish.limit > 1) {
        wish.limit = std::max<std::int64_t>(1, wish.limit / kFewer);
        continue;
      }
      if (answer.status == 200 && !answer.tooLarge) {
        if (auto lines = toLines(answer.body, !wish.since)) return *std::move(lines);
        throw Refused{502, "The answer of Log Cache cannot be read"};
      }
      // It says 404 to a token that has been revoked, too; the Cloud Controller is more open.
      if (answer.status == 404 && !isSure) {
        isSure = true;
        explainAbsence(endpoint, app, caller);
        continue;
      }
      if (answer.status == 404 || answer.status == 403) {
        throw Refused{403, "Log Cache does not show you the logs of this application"};
      }
      if (answer.status == 429) throw Refused{429, "Log Cache is asked too often"};
      throw Refused{502, answer.tooLarge
                             ? "The answer of Log Cache is too large"
                             : "Log Cache answered " + std::to_string(answer.status)};
    }
  }

  /// Returns when the application is there and the token is good, perhaps another one than before.
  static void explainAbsence(const EndpointRecord& endpoint, const std::string& app,
                             AsUser& caller) {
    const Url api = Url::parse(endpoint.apiUrl).withoutTrailingSlash();
    const Answer answer = caller.get(api.withPath(api.rawPath() + "/v3/apps/" + app),
                                     "The Cloud Controller");
    if (answer.status == 200) return;
    if (answer.status == 401) throw Refused{400, "The endpoint does not accept your token"};
    if (answer.status == 404 || answer.status == 403) {
      throw Refused{404, "There is no such application, or you may not see it"};
    }
    throw Refused{502, "The Cloud Controller answered " + std::to_string(answer.status)};
  }

  ExtensionHost& host_;
  LogCacheUrls urls_;
};

}  // namespace

void attachAppLogs(ExtensionHost& host) {
  host.addRoute(RouteAccess::Session, "GET", "/api/v1/cloudfoundry/:endpoint/apps/:app/logs",
                [logs = std::make_shared<AppLogs>(host)](http::Request& request) {
                  return logs->handle(request);
                });
}

}  // namespace stratos::ext
