#include <algorithm>
#include <charconv>

#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/http/form.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

constexpr std::ptrdiff_t kMaxCommentCharacters = 255;
constexpr int kMaxDays = 3650;

void writeKey(JsonWriter& json, const store::ApiKey& key, const Secret& secret) {
  json.beginObject()
      .member("guid", key.guid)
      .member("secret", secret.reveal())
      .member("user_guid", key.user.str())
      .member("comment", key.comment)
      .key("last_used");
  if (key.lastUsed) {
    json.value(toRfc3339(*key.lastUsed));
  } else {
    json.null();
  }
  if (key.expiresAt) json.member("expires_at", toRfc3339(*key.expiresAt));
  json.endObject();
}

/// Whether the caller may have keys; a key cannot manage keys, as these routes need a session.
bool mayHaveKeys(Services& services, const Request& request) {
  const std::string& policy = services.options.apiKeysEnabled;
  if (policy == "all_users") return true;
  if (policy != "admin_only") return false;
  const auto user = services.identity()->login->findUser(userOf(request));
  return user && user->admin;
}

Response refuse(Services& services, const Request& request, std::string_view action) {
  writeAudit(services.env.log, request,
             {.action = action,
              .outcome = "refused",
              .user = userOf(request).str(),
              .account = {},
              .target = {},
              .reason = "API_KEYS_ENABLED does not allow it"});
  return Response::text(403, "API keys are not available to this user");
}

/// What is wrong with the comment; empty when nothing is.
std::string problemOf(const std::string& comment) {
  if (comment.empty()) return "Comment can't be empty";
  if (!isValidUtf8(comment)) return "Comment is not valid UTF-8";
  const auto characters = std::count_if(comment.begin(), comment.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  if (characters > kMaxCommentCharacters) return "Comment is longer than 255 characters";
  return {};
}

Response create(Services& services, Request& request) {
  const http::FormParameters form = http::readParameters(request);
  store::ApiKey key{.guid = makeUuid(services.env.random),
                    .user = userOf(request),
                    .comment = form.get("comment")};
  if (const std::string problem = problemOf(key.comment); !problem.empty()) {
    return Response::text(400, problem);
  }
  const TimePoint now = services.env.clock.now();
  if (const std::string& text = form.get("expires_in_days"); !text.empty()) {
    int days = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (error != std::errc{} || end != text.data() + text.size() || days < 1 || days > kMaxDays) {
      return Response::text(400, "expires_in_days must be a whole number from 1 to 3650");
    }
    key.expiresAt = now + std::chrono::days{days};
  }
  if (!mayHaveKeys(services, request)) return refuse(services, request, "api_key.create");

  const Secret secret = store::makeApiKeySecret(services.env.random);
  services.apiKeys.insert(key, secret, now);
  writeAudit(services.env.log, request,
             {.action = "api_key.create",
              .outcome = "success",
              .user = key.user.str(),
              .account = {},
              .target = key.guid,
              .reason = {}});
  JsonWriter json;
  writeKey(json, key, secret);
  return Response::json(200, json.str() + "\n");
}

Response list(Services& services, Request& request) {
  if (!mayHaveKeys(services, request)) return refuse(services, request, "api_key.list");
  JsonWriter json;
  json.beginArray();
  for (const auto& key : services.apiKeys.listForUser(userOf(request))) {
    writeKey(json, key, Secret{});
  }
  json.endArray();
  return Response::json(200, json.str() + "\n");
}

Response remove(Services& services, Request& request) {
  const auto query = decodeForm(request.rawQuery()).value_or(FormFields{});
  const auto found = std::find_if(query.begin(), query.end(),
                                  [](const auto& field) { return field.first == "guid"; });
  if (found == query.end() || found->second.empty()) {
    return Response::text(400, "API key guid can't be empty");
  }
  if (!mayHaveKeys(services, request)) return refuse(services, request, "api_key.delete");
  const bool removed = services.apiKeys.remove(userOf(request), found->second);
  writeAudit(services.env.log, request,
             {.action = "api_key.delete",
              .outcome = removed ? "success" : "failed",
              .user = userOf(request).str(),
              .account = {},
              .target = found->second,
              .reason = removed ? "" : "no such key"});
  return removed ? Response::empty(200) : Response::text(404, "There is no such API key");
}

}  // namespace

void addApiKeyRoutes(http::Router& router, Services& services) {
  const auto session = accessSteps(services, RouteAccess::Session);
  router.add("POST", "/pp/v1/api_keys", http::wrap(session, [&services](Request& request) {
               return create(services, request);
             }));
  router.add("GET", "/pp/v1/api_keys", http::wrap(session, [&services](Request& request) {
               return list(services, request);
             }));
  router.add("DELETE", "/pp/v1/api_keys", http::wrap(session, [&services](Request& request) {
               return remove(services, request);
             }));
}

}  // namespace stratos::console
