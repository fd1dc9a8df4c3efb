#include "console/setup.hpp"

#include <algorithm>
#include <array>

#include "console/loopback.hpp"
#include "console/pipeline.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::console {

namespace {

constexpr std::chrono::seconds kLookInterval{1};
constexpr const char* kCookieName = "stratos-setup";

bool isOpenBeforeSetup(std::string_view path) {
  constexpr std::array kPaths = {"/pp/v1/setup", "/pp/v1/setup/check", "/pp/v1/setup/save",
                                 "/pp/v1/version", "/pp/v1/ping"};
  return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end();
}

std::string cookieValue(const Secret& code) {
  return toBase64Url(crypto::hmacSha256(code.reveal(), "stratos: set-up, 1"));
}

/// From this very machine. A proxy that runs here, as in the Helm chart, says that it is one, or we
/// were told; and a page whose name was made to point at this machine asks for another host.
bool isFromThisMachine(const ConsoleOptions& options, const http::Request& request) {
  const auto& proxies = options.trustedProxies;
  if (std::any_of(proxies.begin(), proxies.end(), [&](const IpNetwork& network) {
        return network.contains(request.peerAddress);
      })) {
    return false;
  }
  for (const char* name :
       {"x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via"}) {
    if (request.headers.has(name)) return false;
  }
  return isLoopbackAddress(request.peerAddress) && isLoopbackHost(request.headers.get("host"));
}

}  // namespace

bool SetupGate::reload() {
  MutexLock lock(mutex_);
  if (services_.identitySlot.find()) return true;
  auto options = services_.options.setup->load();
  if (!options) return false;
  services_.identitySlot.set(makeIdentity(services_, std::move(*options)));
  log(services_.env.log, LogLevel::Info, "the console is set up");
  return true;
}

bool SetupGate::tryReload() {
  std::string problem;
  bool done = false;
  try {
    done = reload();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  // Once for each reason, not every second.
  if (!problem.empty() && problem != problem_) {
    log(services_.env.log, LogLevel::Error, "the settings of the set-up cannot be read",
        {{"reason", problem}});
  }
  problem_ = std::move(problem);
  return done;
}

/// One request a second looks, and none while another one does: a database that is away holds one
/// request up, not all. The others take what is known.
bool SetupGate::isOpenNow() {
  if (services_.identitySlot.find()) return true;
  const std::int64_t now = services_.env.clock.now().time_since_epoch().count();
  std::int64_t due = nextLook_.load();
  if (now < due || looking_.exchange(true)) return false;
  const bool mine = nextLook_.compare_exchange_strong(
      due, now + std::chrono::milliseconds{kLookInterval}.count());
  const bool done = mine && tryReload();
  looking_.store(false);
  return done;
}

http::Response SetupGate::pass(http::Request& request, const http::HandlerFunction& next) {
  if (!services_.options.setup || isOpenNow()) return next(request);
  const std::string_view path = request.rawPath();
  const bool isApi = isBelow(request, "pp") || isBelow(request, "api");
  if (!isApi || isOpenBeforeSetup(path)) return next(request);
  http::Response response = http::Response::empty(503);
  response.headers.set("Stratos-Setup-Required", "true");
  return response;
}

bool maySetUp(const ConsoleOptions& options, const http::Request& request) {
  const SetupOptions& setup = *options.setup;
  if (setup.openToAll || isFromThisMachine(options, request)) return true;
  const auto cookie = request.cookie(kCookieName);
  return !setup.code.empty() && cookie && constantTimeEquals(*cookie, cookieValue(setup.code));
}

http::SetCookie setupCookie(const Secret& code) {
  http::SetCookie cookie;
  cookie.name = kCookieName;
  cookie.value = cookieValue(code);
  return cookie;
}

}  // namespace stratos::console
