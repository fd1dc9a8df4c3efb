#include "stratos/console/console.hpp"

#include <algorithm>
#include <cstring>

#include "console/error_response.hpp"
#include "console/pipeline.hpp"
#include "console/routes.hpp"
#include "console/services.hpp"
#include "console/setup.hpp"
#include "stratos/store/rekey.hpp"

namespace stratos {

namespace console {

Services::Services(ConsoleOptions consoleOptions, ConsoleEnvironment environment)
    : options(std::move(consoleOptions)),
      env(environment),
      sqlEndpoints(env.database, env.cipher),
      sqlTokens(env.database, env.cipher, env.random),
      sqlSessions(env.database),
      caches(sqlSessions, sqlEndpoints, sqlTokens, env.clock, options.caches),
      endpointStore(caches.endpoints()),
      tokenStore(caches.tokens()),
      sessionStore(caches.sessions()),
      userStore(env.database),
      apiKeys(env.database, env.cipher),
      signInFailures(env.database),
      throttle(signInFailures, env.clock, options.throttle),
      uaaClient(env.transport),
      jwtVerifier(env.transport, env.clock, env.log),
      uaaTokenCheck(jwtVerifier, env.clock, env.log),
      tokenLeases(env.database),
      tokenProvider(tokenStore, &tokenLeases, uaaClient, env.clock, env.random, env.log,
                    options.tokens, &uaaTokenCheck),
      sessions(sessionStore, env.clock, env.random, options.session),
      registry(endpointStore, env.log, options.endpoints),
      connector(registry, tokenStore, env.log),
      breaker(env.clock, options.breaker),
      forwarder(env.transport, tokenProvider, env.log, options.forwarder, &breaker),
      workers(std::make_unique<WorkerPool>(options.workerThreads)),
      proxy(registry, forwarder, *workers, options.proxy) {
  const std::string seed = env.random.bytes(sizeof(std::uint64_t));
  std::uint64_t state = 0;
  std::memcpy(&state, seed.data(), sizeof state);
  requestIdState = state;
  if (options.caches.listen && options.caches.staleness.count() > 0) {
    changeListener = std::make_unique<store::ChangeListener>(env.database, caches, env.log);
  }
  if (!options.setup) identitySlot.set(makeIdentity(*this, options.signIn));
}

Services::~Services() {
  workers.reset();  // Calls that outlived their request still use the proxy and all below it.
}

// SplitMix64 (Steele, Lea, Flood 2014): a counter, mixed by a bijection.
std::uint64_t Services::nextRequestId() noexcept {
  constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15U;
  std::uint64_t z = requestIdState.fetch_add(kGamma, std::memory_order_relaxed) + kGamma;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

std::shared_ptr<const Identity> Services::identity() const {
  auto identity = identitySlot.find();
  if (!identity) throw Error(ErrorCode::Unavailable, "the console has not been set up yet");
  return identity;
}

}  // namespace console

namespace {

/// Hands an extension the services, and its additions to the console.
class Host final : public ExtensionHost {
 public:
  Host(console::Services& services, http::Router& router) : services_(services), router_(router) {}

  void addEndpointType(std::unique_ptr<endpoint::EndpointType> type) override {
    services_.registry.addType(std::move(type));
  }
  void addAuthScheme(std::string authType, std::unique_ptr<auth::AuthScheme> scheme) override {
    services_.tokenProvider.schemes().add(std::move(authType), std::move(scheme));
  }
  void addRoute(RouteAccess access, std::string method, std::string pattern,
                http::HandlerFunction handler) override {
    if (!pattern.starts_with("/pp/v1/") && !pattern.starts_with("/api/v1/")) {
      throw Error(ErrorCode::InvalidArgument,
                  "an extension's route must be below /pp/v1 or /api/v1: " + pattern);
    }
    router_.add(std::move(method), std::move(pattern),
                http::wrap(console::accessSteps(services_, access), std::move(handler)));
  }
  void addInfo(InfoContribution contribution) override {
    services_.contributions.push_back(std::move(contribution));
  }
  void addSignInHook(std::function<void(const SignInEvent&, Deadline)> hook) override {
    services_.signInHooks.push_back(std::move(hook));
  }
  void addStep(http::Middleware step) override {
    services_.extensionSteps.push_back(std::move(step));
  }
  [[nodiscard]] std::shared_ptr<auth::LoginService> login() override {
    return services_.identity()->login;
  }
  [[nodiscard]] std::shared_ptr<auth::ProfileService> profiles() override {
    return services_.identity()->profiles;
  }
  [[nodiscard]] auth::LoginThrottle& throttle() override { return services_.throttle; }
  [[nodiscard]] db::Database& database() override { return services_.env.database; }
  [[nodiscard]] Random& random() override { return services_.env.random; }
  void rowsChanged() override { services_.caches.clear(); }
  [[nodiscard]] store::TokenStore& tokens() override { return services_.tokenStore; }
  [[nodiscard]] auth::TokenProvider& tokenProvider() override { return services_.tokenProvider; }
  [[nodiscard]] endpoint::EndpointRegistry& endpoints() override { return services_.registry; }
  [[nodiscard]] endpoint::Connector& connector() override { return services_.connector; }
  [[nodiscard]] const std::string& sessionCookieName() override {
    return services_.sessions.cookieName();
  }
  void audit(const http::Request& request, const AuditEvent& event) override {
    writeAudit(services_.env.log, request, event);
  }
  std::int64_t endOtherSessions(const http::Request& request) override {
    return console::endOtherSessions(services_, request);
  }
  [[nodiscard]] http::Transport& transport() override { return services_.env.transport; }
  [[nodiscard]] auth::UaaClient& uaaClient() override { return services_.uaaClient; }
  [[nodiscard]] const Clock& clock() override { return services_.env.clock; }
  [[nodiscard]] LogSink& log() override { return services_.env.log; }

 private:
  console::Services& services_;
  http::Router& router_;
};

}  // namespace

class Console::Impl {
 public:
  Impl(ConsoleOptions options, ConsoleEnvironment environment,
       std::vector<std::unique_ptr<Extension>> extensions, std::unique_ptr<http::Handler> frontEnd)
      : services_(std::move(options), environment),
        extensions_(std::move(extensions)),
        frontEnd_(std::move(frontEnd)),
        host_(services_, router_) {
    console::addSessionRoutes(router_, services_);
    console::addSessionListRoutes(router_, services_);
    console::addSetupRoutes(router_, services_, gate_);
    console::addSsoRoutes(router_, services_);
    console::addApiKeyRoutes(router_, services_);
    console::addEndpointRoutes(router_, services_);
    console::addTokenRoutes(router_, services_);
    console::addProxyRoutes(router_, services_);
    for (const auto& extension : extensions_) {
      extension->attach(host_);
      services_.plugins.emplace_back(extension->name());
    }
    auto& plugins = services_.plugins;
    std::sort(plugins.begin(), plugins.end());
    if (const auto twice = std::adjacent_find(plugins.begin(), plugins.end());
        twice != plugins.end()) {
      throw Error(ErrorCode::AlreadyExists, "the extension " + *twice + " was given twice");
    }
    console::addFallbacks(router_, services_, frontEnd_.get());
    entry_ = http::wrap(console::commonSteps(services_, gate_),
                        [this](http::Request& request) { return router_.handle(request); });
  }

  http::Response handle(http::Request& request) { return entry_(request); }
  void sweep() {
    const std::int64_t ended = services_.sessions.sweep();
    if (ended > 0) {
      stratos::log(services_.env.log, LogLevel::Debug, "expired sessions removed",
                   {{"count", ended}});
    }
    services_.throttle.sweep();
    services_.caches.prune();
    static_cast<void>(services_.tokenLeases.removeExpired());
    store::refreshCipher(services_.env.database, services_.env.cipher);
  }
  LogSink& log() { return services_.env.log; }
  [[nodiscard]] const http::Router& router() const noexcept { return router_; }

 private:
  console::Services services_;
  console::SetupGate gate_{services_};
  std::vector<std::unique_ptr<Extension>> extensions_;
  std::unique_ptr<http::Handler> frontEnd_;
  http::Router router_;
  Host host_;
  http::HandlerFunction entry_;
};

Console::Console(ConsoleOptions options, ConsoleEnvironment environment,
                 std::vector<std::unique_ptr<Extension>> extensions,
                 std::unique_ptr<http::Handler> frontEnd)
    : impl_(std::make_unique<Impl>(std::move(options), environment, std::move(extensions),
                                   std::move(frontEnd))) {}

Console::~Console() = default;

http::Response Console::handle(http::Request& request) {
  try {
    return impl_->handle(request);
  } catch (const std::exception& error) {
    // Only the outermost steps can still throw: without memory nothing works.
    stratos::log(impl_->log(), LogLevel::Error, "request failed", {{"reason", error.what()}});
  } catch (...) {
    stratos::log(impl_->log(), LogLevel::Error, "request failed",
                 {{"reason", "an exception of an unknown type"}});
  }
  return http::Response::text(500, "Internal Server Error");
}

const std::vector<http::RouteName>& Console::routes() const noexcept {
  return impl_->router().list();
}

void Console::sweep() { impl_->sweep(); }

}  // namespace stratos
