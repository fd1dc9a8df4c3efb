#include "console/error_response.hpp"
#include "console/parse_bool.hpp"
#include "console/routes.hpp"
#include "console/setup.hpp"
#include "console/sign_in.hpp"
#include "stratos/auth/jwt.hpp"
#include "stratos/auth/profile.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/base/url.hpp"
#include "stratos/console/audit.hpp"
#include "stratos/crypto/password_hash.hpp"
#include "stratos/http/form.hpp"
#include "stratos/store/setup_store.hpp"

namespace stratos::console {

namespace {

using http::Request;
using http::Response;

constexpr std::chrono::seconds kUaaTimeout{30};
constexpr const char* kLocalAdmin = "admin";
constexpr const char* kLocalScope = "stratos.admin";
constexpr int kTooManyRequests = 429;  // RFC 6585 section 4.

/// What the wizard asked for.
struct Wizard {
  Secret localPassword;  ///< Not empty: local users, and nothing else counts.
  auth::UaaTarget uaa;
  bool useSso = false;
  std::string adminScope;
  std::string userName;
  Secret password;
};

/// A refusal that has its answer already.
struct Refused {
  Response response;
};

Wizard readWizard(const Services& services, Request& request) {
  const http::FormParameters form = http::readBodyForm(request);
  Wizard wizard;
  wizard.localPassword = Secret{form.get("local_admin_password")};
  if (!wizard.localPassword.empty()) return wizard;
  const auto skip = parseBool(form.get("skip_ssl_validation"));
  const auto sso = parseBool(form.get("use_sso"));
  if (!skip) throw Refused{Response::text(400, "Invalid value for skip_ssl_validation")};
  if (!sso) throw Refused{Response::text(400, "Invalid value for use_sso")};
  const std::string address{trim(form.get("uaa_endpoint"))};
  const auto url = Url::tryParse(address);
  if (!url || (url->scheme() != "https" && url->scheme() != "http")) {
    throw Refused{jsonError(400, "The UAA's address must be an http or https URL")};
  }
  if (!url->userInfo().empty() || !url->rawQuery().empty()) {
    throw Refused{jsonError(400, "The UAA's address must have neither a user nor a query")};
  }
  wizard.uaa = {.baseUrl = url->withoutTrailingSlash().str(),
                .clientId = form.get("console_client"),
                .clientSecret = Secret{form.get("console_client_secret")},
                .trust = {.skipVerification = *skip, .caCertificatePem = {}}};
  // Whoever has the code is the operator; a stranger must not find out what answers where.
  wizard.uaa.trust.anyAddress = services.options.setup && !services.options.setup->openToAll;
  wizard.useSso = *sso;
  wizard.adminScope = form.get("console_admin_scope");
  wizard.userName = form.get("username");
  wizard.password = Secret{form.get("password")};
  return wizard;
}

/// Says why a grant failed.
void requireGranted(const auth::GrantResult& answer) {
  switch (answer.status) {
    case auth::GrantStatus::Granted:
      return;
    case auth::GrantStatus::Refused:
      throw Refused{jsonError(400, answer.description.empty()
                                       ? "The UAA does not accept the user name and password"
                                       : "The UAA refuses the user: " + answer.description)};
    case auth::GrantStatus::ClientRefused:
      throw Refused{jsonError(400,
                              "The UAA does not accept the client; check its id, its secret and "
                              "its grant types")};
    case auth::GrantStatus::Unavailable:
      throw Refused{jsonError(400, "The UAA cannot be used: " + answer.detail)};
  }
}

/// Proves address and client without a user, by the grant that sign-ins will use: a UAA looks at
/// the client first, and only then finds that nobody has that name or that code.
void tryClient(Services& services, const Wizard& wizard) {
  const Deadline deadline = Deadline::after(kUaaTimeout);
  const auth::GrantResult answer =
      wizard.useSso
          ? services.uaaClient.authorizationCodeGrant(wizard.uaa, Secret{"none"}, {}, {}, deadline)
          : services.uaaClient.passwordGrant(wizard.uaa, {}, {}, deadline);
  if (answer.status != auth::GrantStatus::Refused) requireGranted(answer);
}

/// The user's token at the UAA that the wizard names: proof that address, client and user fit.
auth::JwtClaims tryUser(Services& services, const Wizard& wizard) {
  const auth::GrantResult answer = services.uaaClient.passwordGrant(
      wizard.uaa, wizard.userName, wizard.password, Deadline::after(kUaaTimeout));
  requireGranted(answer);
  auto claims = auth::decodeJwt(answer.grant.accessToken.reveal());
  if (!claims) throw Refused{jsonError(400, "The UAA granted a token that is no JWT")};
  return std::move(*claims);
}

void auditSetup(Services& services, const Request& request, std::string_view action,
                std::string_view outcome, std::string_view target, std::string_view reason = {}) {
  writeAudit(services.env.log, request,
             {.action = action,
              .outcome = outcome,
              .user = {},
              .account = {},
              .target = target,
              .reason = reason});
}

Response check(Services& services, Request& request) {
  const Wizard wizard = readWizard(services, request);
  if (!wizard.localPassword.empty()) {
    throw Refused{jsonError(400, "Local users need no check")};
  }
  const auth::JwtClaims claims = tryUser(services, wizard);
  JsonWriter json;
  json.beginObject()
      .member("user_id", claims.userId)
      .member("user_name", claims.userName)
      .member("exp", claims.expiry)
      .key("scope")
      .beginArray();
  for (const auto& scope : claims.scopes) json.value(scope);
  json.endArray().endObject();
  return Response::json(200, json.str() + "\n");
}

Response alreadyDone() { return Response::empty(503); }

Response saveUaa(Services& services, SetupGate& gate, const Request& request,
                 const Wizard& wizard) {
  if (wizard.adminScope.empty()) {
    throw Refused{jsonError(400, "Choose the scope that makes a user an administrator")};
  }
  // A sign-in that cannot work would lock everybody out. The front end sends the user along.
  if (wizard.userName.empty()) {
    tryClient(services, wizard);
  } else {
    static_cast<void>(tryUser(services, wizard));
  }
  const bool done = store::completeSetup(
      services.env.database,
      {{"AUTH_ENDPOINT_TYPE", "remote"},
       {"UAA_ENDPOINT", wizard.uaa.baseUrl},
       {"AUTHORIZATION_ENDPOINT", wizard.uaa.baseUrl},
       {"CONSOLE_CLIENT", wizard.uaa.clientId},
       {"CONSOLE_CLIENT_SECRET", wizard.uaa.clientSecret.reveal()},
       {"SKIP_SSL_VALIDATION", wizard.uaa.trust.skipVerification ? "true" : "false"},
       {"SSO_LOGIN", wizard.useSso ? "true" : "false"},
       {"CONSOLE_ADMIN_SCOPE", wizard.adminScope}},
      nullptr);
  if (!done) return alreadyDone();
  auditSetup(services, request, "setup.save", "success", wizard.uaa.baseUrl);
  static_cast<void>(gate.reload());
  return Response::empty(200);
}

Response saveLocal(Services& services, SetupGate& gate, Request& request, const Wizard& wizard) {
  auth::LocalLogin local(services.userStore, services.env.clock, services.env.random,
                         services.env.log,
                         {.userScope = kLocalScope,
                          .adminScope = kLocalScope,
                          .hashCost = services.options.passwordHashCost});
  const auto existing = services.userStore.findByName(kLocalAdmin);
  if (existing && !crypto::verifyPassword(wizard.localPassword, existing->passwordHash)) {
    throw Refused{
        jsonError(400, "There is a user admin already, with another password: enter that one")};
  }
  if (existing && existing->scope != kLocalScope) {
    throw Refused{jsonError(
        400, "There is a user admin already, who is no administrator: set LOCAL_USER instead")};
  }
  if (!existing && wizard.localPassword.reveal().size() < auth::kMinPasswordBytes) {
    throw Refused{jsonError(400, "The password must have at least " +
                                     std::to_string(auth::kMinPasswordBytes) + " characters")};
  }
  const store::LocalUser user = local.makeUser(kLocalAdmin, wizard.localPassword);
  const bool done =
      store::completeSetup(services.env.database,
                           {{"AUTH_ENDPOINT_TYPE", "local"},
                            {"CONSOLE_ADMIN_SCOPE", kLocalScope},
                            {"LOCAL_USER", kLocalAdmin},
                            {"LOCAL_USER_SCOPE", kLocalScope},
                            {"LOCAL_USER_PASSWORD", std::string{store::kPasswordPlaceholder}}},
                           &user);
  if (!done) return alreadyDone();
  auditSetup(services, request, "setup.save", "success", "local users");
  if (!gate.reload()) return Response::empty(200);
  return signInWithPassword(services, request, kLocalAdmin, wizard.localPassword);
}

/// Runs `act` for those who may set up a console that is not. Tries that fail have to wait more and
/// more, so that this is no tool for guessing passwords or for looking around in a network. Each
/// address counts for itself: nobody keeps the owner out.
template <class Act>
Response guarded(Services& services, SetupGate& gate, Request& request, std::string_view action,
                 Act&& act) {
  if (!services.options.setup || services.identitySlot.find()) return alreadyDone();
  if (!maySetUp(services.options, request)) {
    auditSetup(services, request, action, "refused", {}, "no set-up code");
    return jsonError(403,
                     "Open the set-up link from the console's log in this browser first: it proves "
                     "that the console is yours");
  }
  const std::string address = request.clientAddress();
  const std::string account = "\nset-up " + address;  // No user has a line break in the name.
  if (const auto wait = services.throttle.attempt(account, address); wait.count() > 0) {
    auditSetup(services, request, action, "refused", {}, "too many attempts");
    Response response = jsonError(kTooManyRequests, "Too many attempts; try again in " +
                                                        std::to_string(wait.count()) + " seconds");
    response.headers.set("Retry-After", std::to_string(wait.count()));
    return response;
  }
  try {
    Response response = act();
    services.throttle.succeeded(account, address);
    return response;
  } catch (Refused& refused) {
    // Perhaps only because another replica has set the console up meanwhile.
    if (gate.reload()) {
      services.throttle.undecided(account, address);
      return alreadyDone();
    }
    auditSetup(services, request, action, "failed", {}, "refused input");
    return std::move(refused.response);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::InvalidArgument) services.throttle.undecided(account, address);
    throw;
  }
}

/// The link in the log: shows the code and goes on to the wizard.
Response open(Services& services, Request& request) {
  if (!services.options.setup || services.identitySlot.find()) {
    return Response::redirect(303, "/");
  }
  const SetupOptions& setup = *services.options.setup;
  const auto query = decodeForm(request.rawQuery()).value_or(FormFields{});
  const bool fits = !setup.code.empty() && query.size() == 1 && query[0].first == "code" &&
                    constantTimeEquals(query[0].second, setup.code.reveal());
  auditSetup(services, request, "setup.open", fits ? "success" : "refused", {},
             fits ? "" : "wrong code");
  if (!fits) return Response::text(403, "This is not the set-up link from the console's log");
  Response response = Response::redirect(303, "/");
  response.headers.add("Set-Cookie", setupCookie(setup.code).str());
  return response;
}

}  // namespace

void addSetupRoutes(http::Router& router, Services& services, SetupGate& gate) {
  router.add("GET", "/pp/v1/setup",
             [&services](Request& request) { return open(services, request); });
  router.add("POST", "/pp/v1/setup/check", [&services, &gate](Request& request) {
    return guarded(services, gate, request, "setup.check",
                   [&] { return check(services, request); });
  });
  router.add("POST", "/pp/v1/setup/save", [&services, &gate](Request& request) {
    return guarded(services, gate, request, "setup.save", [&] {
      const Wizard wizard = readWizard(services, request);
      return wizard.localPassword.empty() ? saveUaa(services, gate, request, wizard)
                                          : saveLocal(services, gate, request, wizard);
    });
  });
}

}  // namespace stratos::console
