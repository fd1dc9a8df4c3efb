#include "console/pipeline.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

#include "console/error_response.hpp"
#include "console/loopback.hpp"
#include "console/request_id.hpp"
#include "console/setup.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/console/audit.hpp"

namespace stratos::console {

namespace {

using http::HandlerFunction;
using http::Request;
using http::Response;

bool isReading(const Request& request) {
  return request.method == "GET" || request.method == "HEAD";
}

/// `*` and `?` in `pattern` stand for any text and any character. Goes back to the last `*` only,
/// so that a long origin costs neither stack nor time.
bool matches(std::string_view pattern, std::string_view text) {
  constexpr auto kNone = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNone;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != kNone) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == kNone;
}

bool isBareWildcard(const std::string& entry) { return trim(entry) == "*"; }

bool isAllowedOrigin(const std::vector<std::string>& allowed, std::string_view origin) {
  return !origin.empty() &&
         std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
           const std::string_view pattern = trim(entry);
           return !pattern.empty() && matches(pattern, origin);
         });
}

/// Origins whose pages act like our own. A bare "*" opens what is public, not what changes things.
bool isTrustedOrigin(const std::vector<std::string>& allowed, std::string_view origin) {
  std::vector<std::string> named = allowed;
  std::erase_if(named, isBareWildcard);
  return isAllowedOrigin(named, origin);
}

/// Names the request in the log and in the answer, so that a user's report finds its lines.
Response nameRequest(Services& services, Request& request, const HandlerFunction& next) {
  const RequestId id{services.nextRequestId()};
  request.put(id);
  Response response = next(request);
  response.headers.set("X-Request-Id", id.str());
  return response;
}

bool isTrustedProxy(const Services& services, std::string_view address) {
  const auto& trusted = services.options.trustedProxies;
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

/// The last element of a list that each proxy extends at its end.
std::string_view lastOf(std::string_view list) {
  const auto comma = list.rfind(',');
  return trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

/// Believes trusted proxies, and nobody else, about the client and the host that it asked for. Of
/// X-Forwarded-For counts the last address that is no trusted proxy: what stands before it was
/// written by the client.
Response resolveClient(Services& services, Request& request, const HandlerFunction& next) {
  if (!isTrustedProxy(services, request.peerAddress)) {
    if (request.headers.has("x-forwarded-for") && !services.strangeProxySeen.exchange(true)) {
      log(services.env.log, LogLevel::Warning,
          "a proxy names clients but is not trusted; if it is yours, name it in "
          "STRATOS_TRUSTED_PROXIES",
          {{"proxy", request.peerAddress}});
    }
    return next(request);
  }
  std::vector<std::string> hops;
  for (const std::string_view field : request.headers.all("x-forwarded-for")) {
    for (const std::string& hop : split(field, ',')) hops.emplace_back(trim(hop));
  }
  for (auto hop = hops.rbegin(); hop != hops.rend() && isIpAddress(*hop); ++hop) {
    request.forwardedAddress = *hop;
    if (!isTrustedProxy(services, *hop)) break;
  }
  if (lastOf(request.headers.get("x-forwarded-proto")) == "https") request.secure = true;
  if (const std::string host{lastOf(request.headers.get("x-forwarded-host"))}; !host.empty()) {
    request.headers.set("Host", host);
  }
  return next(request);
}

/// One line per request. The path only: a query may hold what nobody should read.
Response logAccess(Services& services, Request& request, const HandlerFunction& next) {
  const auto start = std::chrono::steady_clock::now();
  Response response = next(request);
  LogSink& sink = services.env.log;
  const std::string_view path = request.rawPath();
  if (services.options.logRequests && path != "/pp/v1/ping" && sink.enabled(LogLevel::Info)) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start);
    const auto* id = request.find<RequestId>();
    sink.write(LogLevel::Info, "request",
               {{"id", id ? id->str() : ""},
                {"remote", request.clientAddress()},
                {"method", request.method},
                {"path", path},
                {"status", response.status},
                {"micros", static_cast<std::int64_t>(elapsed.count())}});
  }
  return response;
}

/// The one place where failures become answers.
Response mapErrors(Services& services, Request& request, const HandlerFunction& next) {
  LogSink& sink = services.env.log;
  const auto* id = request.find<RequestId>();
  const auto note = [&](LogLevel level, std::string_view code, std::string_view detail) {
    log(sink, level, "request failed",
        {{"id", id ? id->str() : ""}, {"code", code}, {"reason", detail}});
  };
  try {
    return next(request);
  } catch (const Error& error) {
    const bool ours = error.code() == ErrorCode::Internal || error.code() == ErrorCode::Unavailable;
    note(ours ? LogLevel::Error : LogLevel::Info, toString(error.code()), error.what());
    return responseFor(error);
  } catch (const std::exception& error) {
    note(LogLevel::Error, "exception", error.what());
    return Response::text(500, "Internal Server Error");
  } catch (...) {
    // An extension's handler may throw anything; nothing can be said about such a value.
    note(LogLevel::Error, "exception", "an exception of an unknown type");
    return Response::text(500, "Internal Server Error");
  }
}

/// What browsers need to be told on every answer. A route's own fields win.
Response addSecurityFields(Services& services, Request& request, const HandlerFunction& next) {
  Response response = next(request);
  const auto setDefault = [&](const char* name, const char* value) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  };
  setDefault("X-Frame-Options", "SAMEORIGIN");
  setDefault("X-Content-Type-Options", "nosniff");
  setDefault("Referrer-Policy", "strict-origin-when-cross-origin");
  setDefault("Cross-Origin-Opener-Policy", "same-origin");
  setDefault("Cross-Origin-Resource-Policy", "same-origin");
  if (isBelow(request, "pp") || isBelow(request, "api")) {
    setDefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'self'");
    response.headers.set("Cache-Control", "no-store");
  } else if (!response.headers.has("Cache-Control")) {
    response.headers.set("Cache-Control", "no-cache");
  }
  // The same for caches that only know HTTP/1.0.
  if (response.headers.get("Cache-Control").starts_with("no-")) {
    response.headers.set("Pragma", "no-cache");
  }
  if (services.options.hstsMaxAge && request.secure) {
    response.headers.set("Strict-Transport-Security",
                         "max-age=" + std::to_string(services.options.hstsMaxAge->count()));
  }
  return response;
}

/// CORS (https://fetch.spec.whatwg.org/#http-cors-protocol). OPTIONS never reaches a handler.
Response answerCors(Services& services, Request& request, const HandlerFunction& next) {
  const auto& allowed = services.options.allowedOrigins;
  const std::string origin{request.headers.get("origin")};
  const bool granted = isAllowedOrigin(allowed, origin);
  // A bare "*" never goes together with credentials.
  const bool credentials = std::none_of(allowed.begin(), allowed.end(), isBareWildcard);
  Response response = request.method == "OPTIONS" ? Response::empty(204) : next(request);
  response.headers.add("Vary", "Origin");
  if (!granted) return response;
  response.headers.set("Access-Control-Allow-Origin", credentials ? origin : "*");
  if (credentials) response.headers.set("Access-Control-Allow-Credentials", "true");
  if (request.method == "OPTIONS") {
    response.headers.set("Access-Control-Allow-Methods", "GET,PUT,POST,DELETE");
    const std::string_view wanted = request.headers.get("access-control-request-headers");
    if (!wanted.empty()) {
      response.headers.set("Access-Control-Allow-Headers", std::string{wanted});
    }
    response.headers.add("Vary", "Access-Control-Request-Method");
    response.headers.add("Vary", "Access-Control-Request-Headers");
  }
  return response;
}

/// Somebody was kept from something.
void auditRefusal(Services& services, const Request& request, std::string_view reason) {
  const auto* signedIn = request.find<SignedIn>();
  writeAudit(services.env.log, request,
             {.action = "access",
              .outcome = "refused",
              .user = signedIn ? std::string_view{signedIn->user.str()} : std::string_view{},
              .account = {},
              .target = request.rawPath(),
              .reason = reason});
}

/// Changes are accepted from our own pages only, sign-in and sign-out included: they have no XSRF
/// token. What sends neither field is no browser, or one so old that SameSite does not help it
/// either; the XSRF token guards the rest.
Response refuseCrossSite(Services& services, Request& request, const HandlerFunction& next) {
  if (isReading(request)) return next(request);
  const std::string_view origin = request.headers.get("origin");
  if (isTrustedOrigin(services.options.allowedOrigins, origin)) return next(request);
  const std::string_view site = request.headers.get("sec-fetch-site");
  const bool foreign = site.empty() ? !origin.empty() && !isOwnOrigin(request, origin)
                                    : site == "cross-site" || site == "same-site";
  if (!foreign) return next(request);
  auditRefusal(services, request, "another site's request");
  return jsonError(403, "Cross-site request refused");
}

/// The request came with an API key: it has no session, and no browser could be made to send it.
struct ByApiKey {
  std::string guid;
};

/// The user of the key in the request, if there is one that counts now. A key is worth what its
/// user is: somebody whom the identity server does not know any more has none.
std::optional<auth::ConnectedUser> findKeyUser(Services& services, const store::ApiKey& key) {
  constexpr std::chrono::seconds kVerifyTimeout{30};
  const auto identity = services.identity();
  const auto verified =
      identity->login->verify(key.user, /*tokenExpiry=*/0, Deadline::after(kVerifyTimeout));
  auto user = verified.accepted ? identity->login->findUser(key.user) : std::nullopt;
  if (user && services.options.apiKeysEnabled == "admin_only" && !user->admin) user.reset();
  return user;
}

/// Lets a valid API key stand for a session, for this request alone: no session is read or made
/// and no cookie sent, whatever cookies came with it. What is no valid key is not looked at.
Response acceptApiKey(Services& services, Request& request, const HandlerFunction& next) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view field = request.headers.get("authentication");
  if (services.options.apiKeysEnabled == "disabled" || !field.starts_with(kScheme)) {
    return next(request);
  }
  const TimePoint now = services.env.clock.now();
  std::optional<store::ApiKey> key;
  std::optional<auth::ConnectedUser> user;
  // The user is asked for where they sign in, which may be far away.
  runBlocking(
      [&] {
        const Secret secret{std::string{trim(field.substr(kScheme.size()))}};
        key = services.apiKeys.findBySecret(secret, now);
        if (key) user = findKeyUser(services, *key);
      },
      Waiter::BlocksOn::Network);
  if (!user) {
    writeAudit(services.env.log, request,
               {.action = "api_key.use",
                .outcome = "refused",
                .user = key ? key->user.str() : std::string_view{},
                .account = {},
                .target = key ? std::string_view{key->guid} : std::string_view{},
                .reason = key ? "its user may not use keys" : "no such key"});
    return next(request);
  }
  services.apiKeys.recordUse(*key, now);
  request.put(SignedIn{key->user});
  request.put(ByApiKey{key->guid});
  return next(request);
}

Response requireSession(Services& services, Request& request, const HandlerFunction& next) {
  if (request.find<ByApiKey>()) return next(request);
  std::optional<session::Session> session;
  try {
    session = findSession(services, request);
  } catch (const Error& error) {
    // The cookie stays: an outage of the database signs nobody out.
    log(services.env.log, LogLevel::Error, "the session store cannot be asked",
        {{"reason", error.what()}});
    return jsonError(503, "Service is currently unavailable");
  }
  if (!session) {
    Response response = jsonError(401, "User session could not be found");
    response.headers.add("Set-Cookie", services.sessions.clearingCookie().str());
    return response;
  }
  request.put(SignedIn{session->user});
  request.put(std::move(*session));
  return next(request);
}

Response requireXsrfToken(Services& services, Request& request, const HandlerFunction& next) {
  if (request.find<ByApiKey>()) return next(request);
  // Of two tokens one would have to be chosen, and somebody in front of us may choose the other.
  const auto tokens = request.headers.all("x-xsrf-token");
  const bool matches = tokens.size() == 1 && sessionOf(request).xsrfMatches(tokens.front());
  if (!isReading(request) && !matches) {
    auditRefusal(services, request, "no valid XSRF token");
    return jsonError(401, "XSRF Token could not be validated");
  }
  return next(request);
}

Response requireAdmin(Services& services, Request& request, const HandlerFunction& next) {
  const auto user = services.identity()->login->findUser(userOf(request));
  if (!user || !user->admin) {
    auditRefusal(services, request, "not an administrator");
    return jsonError(401, "You must be a Stratos admin to access this API");
  }
  return next(request);
}

/// Without sign-in everybody who reaches the console is its administrator, and so is every page
/// whose host name was made to point at this machine (DNS rebinding). Such a page cannot choose the
/// Host field.
Response refuseForeignNames(Services& services, Request& request, const HandlerFunction& next) {
  const auto identity = services.identitySlot.find();
  if (identity && identity->options.type == AuthType::None && !identity->options.anyHost &&
      !isLoopbackHost(request.headers.get("host"))) {
    return jsonError(403, "This console has no sign-in and answers under a local name only");
  }
  return next(request);
}

}  // namespace

http::Pipeline commonSteps(Services& services, SetupGate& gate) {
  const auto step = [&services](Response (*function)(Services&, Request&,
                                                     const HandlerFunction&)) -> http::Middleware {
    return [&services, function](Request& request, const HandlerFunction& next) {
      return function(services, request, next);
    };
  };
  http::Pipeline steps{
      step(nameRequest),        // first, so that every line and answer can name the request
      step(resolveClient),      // before anybody asks who the client is
      step(logAccess),          // sees the final status, also of failures
      step(addSecurityFields),  // also on failures
      step(answerCors),         // before anything that could refuse a preflight
      step(mapErrors),          // everything below may throw
      step(refuseCrossSite),    // before sessions are looked up
      step(refuseForeignNames),
      [&gate](Request& request, const HandlerFunction& next) {  // before anything needs a sign-in
        return gate.pass(request, next);
      },
  };
  // Ahead of everything that answers: a hosting platform may want to see all of it.
  const auto afterErrors = std::next(steps.begin(), 6);
  steps.insert(afterErrors, services.extensionSteps.begin(), services.extensionSteps.end());
  return steps;
}

http::Pipeline accessSteps(Services& services, RouteAccess access) {
  http::Pipeline steps;
  if (access == RouteAccess::Public) return steps;
  steps.push_back([&services](Request& request, const HandlerFunction& next) {
    return requireSession(services, request, next);
  });
  steps.push_back([&services](Request& request, const HandlerFunction& next) {
    return requireXsrfToken(services, request, next);
  });
  if (access == RouteAccess::Admin) {
    steps.push_back([&services](Request& request, const HandlerFunction& next) {
      return requireAdmin(services, request, next);
    });
  }
  return steps;
}

http::Pipeline programSteps(Services& services) {
  http::Pipeline steps = accessSteps(services, RouteAccess::Session);
  steps.insert(steps.begin(), [&services](Request& request, const HandlerFunction& next) {
    return acceptApiKey(services, request, next);
  });
  return steps;
}

http::Middleware requireEndpointAdmin(Services& services) {
  return [&services](Request& request, const HandlerFunction& next) {
    if (services.options.endpoints.userEndpoints != endpoint::UserEndpoints::Enabled) {
      return requireAdmin(services, request, next);
    }
    const auto user = services.identity()->login->findUser(userOf(request));
    if (!user || (!user->admin && !user->hasScope(auth::kEndpointAdminScope))) {
      auditRefusal(services, request, "neither administrator nor endpoint administrator");
      return jsonError(401, "You must be a Stratos admin or endpointAdmin to access this API");
    }
    return next(request);
  };
}

const session::Session& sessionOf(const Request& request) {
  const auto* session = request.find<session::Session>();
  if (!session) throw Error(ErrorCode::Internal, "a session route was built without its step");
  return *session;
}

const UserId& userOf(const Request& request) {
  const auto* signedIn = request.find<SignedIn>();
  if (!signedIn) throw Error(ErrorCode::Internal, "a signed-in route was built without its step");
  return signedIn->user;
}

std::int64_t endOtherSessions(Services& services, const Request& request) {
  return services.sessions.endOthers(sessionOf(request));
}

endpoint::Caller callerOf(Services& services, const Request& request) {
  return callerFor(services, userOf(request));
}

endpoint::Caller callerFor(Services& services, const UserId& user) {
  auto known = std::make_shared<std::optional<bool>>();
  return {.user = user, .isAdmin = [&services, user, known] {
            if (!known->has_value()) {
              const auto found =
                  runBlocking([&] { return services.identity()->login->findUser(user); });
              *known = found && found->admin;
            }
            return **known;
          }};
}

bool isOwnOrigin(const Request& request, std::string_view origin) {
  const auto page = Url::tryParse(origin);
  if (!page || (request.secure && !page->isSecure())) return false;
  const auto own = Url::tryParse(page->scheme() + "://" + std::string{request.headers.get("host")});
  return own && own->authority() == page->authority();
}

bool isBelow(const http::Request& request, std::string_view segment) {
  std::string_view path = request.rawPath();
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return path.substr(0, path.find('/')) == segment;
}

std::optional<session::Session> findSession(Services& services, const Request& request) {
  const auto cookie = request.cookie(services.sessions.cookieName());
  return cookie ? services.sessions.find(*cookie) : std::nullopt;
}

}  // namespace stratos::console
