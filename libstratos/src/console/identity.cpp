#include "console/identity.hpp"

#include "console/services.hpp"
#include "stratos/auth/oidc_login.hpp"
#include "stratos/auth/uaa_single_sign_on.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/setup_store.hpp"

namespace stratos::console {

namespace {

bool createFirstUser(auth::LocalLogin& local, const SignInOptions& options) {
  try {
    return local.createInitialUser(options.localUser, options.localUserPassword);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::InvalidArgument) throw;
    throw Error(ErrorCode::InvalidArgument,
                "LOCAL_USER " + options.localUser +
                    " cannot be made with LOCAL_USER_PASSWORD: " + error.what());
  }
}

std::shared_ptr<auth::LoginService> makeLocal(Services& services, const SignInOptions& options) {
  auto local = std::make_shared<auth::LocalLogin>(
      services.userStore, services.env.clock, services.env.random, services.env.log,
      auth::LocalLoginOptions{.userScope = options.localUserScope,
                              .adminScope = options.adminScope,
                              .hashCost = services.options.passwordHashCost});
  const bool isStored = options.localUserPassword.reveal() == store::kPasswordPlaceholder;
  if (!options.localUser.empty() && !isStored && createFirstUser(*local, options)) {
    log(services.env.log, LogLevel::Info, "local user created", {{"name", options.localUser}});
  }
  return local;
}

std::shared_ptr<auth::UaaLogin> makeUaa(Services& services, const SignInOptions& options) {
  return std::make_shared<auth::UaaLogin>(services.uaaClient, options.uaa, services.tokenStore,
                                          services.tokenProvider, services.env.clock,
                                          options.adminScope, &services.uaaTokenCheck);
}

std::shared_ptr<auth::OidcLogin> makeOidc(Services& services, const SignInOptions& options) {
  return std::make_shared<auth::OidcLogin>(
      auth::OidcCollaborators{.transport = services.env.transport,
                              .verifier = services.jwtVerifier,
                              .tokens = services.tokenStore,
                              .leases = &services.tokenLeases,
                              .clock = services.env.clock,
                              .random = services.env.random,
                              .log = services.env.log},
      options.oidc, options.adminScope);
}

}  // namespace

std::shared_ptr<const Identity> makeIdentity(Services& services, SignInOptions options) {
  // The operator names these, so they may stand anywhere.
  options.uaa.trust.anyAddress = true;
  options.oidc.trust.anyAddress = true;
  auto identity = std::make_shared<Identity>();
  switch (options.type) {
    case AuthType::Local:
      identity->login = makeLocal(services, options);
      identity->profiles = std::make_shared<auth::LocalProfiles>(
          services.userStore, services.env.random, services.options.passwordHashCost);
      break;
    case AuthType::Remote: {
      auto uaa = makeUaa(services, options);
      if (options.sso.enabled) {
        identity->sso = std::make_shared<auth::UaaSingleSignOn>(services.uaaClient, options.uaa,
                                                                options.authorizationEndpoint, uaa);
      }
      identity->profiles = std::make_shared<auth::UaaProfiles>(
          services.env.transport, services.uaaClient, options.uaa, services.tokenProvider, uaa);
      identity->login = std::move(uaa);
      break;
    }
    case AuthType::Oidc: {
      auto oidc = makeOidc(services, options);
      identity->sso = oidc;
      identity->profiles = std::make_shared<auth::FixedProfiles>(oidc, "oidc");
      identity->login = std::move(oidc);
      options.sso.enabled = true;
      options.sso.passwordLogin = false;
      break;
    }
    case AuthType::None:
      identity->login = std::make_shared<auth::NoLogin>();
      identity->profiles = std::make_shared<auth::FixedProfiles>(identity->login, "noauth");
      break;
  }
  identity->options = std::move(options);
  return identity;
}

}  // namespace stratos::console
