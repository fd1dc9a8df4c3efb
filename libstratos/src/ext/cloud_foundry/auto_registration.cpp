#include "ext/cloud_foundry/auto_registration.hpp"

#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/endpoint/connector.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::ext {

namespace {

std::string withoutSlash(const std::string& address) {
  const auto url = Url::tryParse(address);
  return url ? url->withoutTrailingSlash().str() : address;
}

class AutoRegistrar {
 public:
  AutoRegistrar(ExtensionHost& host, AutoRegistration registration)
      : host_(host), registration_(std::move(registration)) {}

  void onSignIn(const SignInEvent& event, Deadline deadline) {
    // Passwords and tokens of other kinds of users are nothing for a foundation.
    if (event.uaaUrl.empty()) return;
    const store::EndpointRecord foundation = findOrRegister(event, deadline);
    if (host_.tokens().wasDisconnected(event.user, foundation.id)) return;
    if (event.password.empty()) {
      link(event, foundation);
    } else {
      connect(event, foundation, deadline);
    }
  }

 private:
  store::EndpointRecord findOrRegister(const SignInEvent& event, Deadline deadline) {
    // The console itself registers, whoever happens to sign in first.
    const endpoint::Caller console{.user = event.user, .isAdmin = [] { return true; }};
    const EndpointId id = endpoint::EndpointRegistry::idFor(registration_.url, {});
    if (auto known = host_.endpoints().findVisible(console, id)) return std::move(*known);
    endpoint::Registration wanted;
    wanted.type = "cf";
    wanted.name = registration_.name;
    wanted.apiUrl = registration_.url;
    wanted.skipSslValidation = registration_.trust.skipVerification;
    wanted.caCertificate = registration_.trust.caCertificatePem;
    wanted.ssoAllowed = event.password.empty();
    endpoint::ChangeResult added = host_.endpoints().add(console, wanted, deadline);
    if (added.status == endpoint::ChangeStatus::Done) {
      log(host_.log(), LogLevel::Info, "foundation registered",
          {{"url", registration_.url}, {"endpoint", added.record.id.str()}});
      return std::move(added.record);
    }
    // Somebody else signed in at the same time.
    if (auto known = host_.endpoints().findVisible(console, id)) return std::move(*known);
    throw Error(ErrorCode::Unavailable, "the foundation " + registration_.url +
                                            " (AUTO_REG_CF_URL, or CF_API_URL on Cloud "
                                            "Foundry) could not be registered: " +
                                            added.message);
  }

  void connect(const SignInEvent& event, const store::EndpointRecord& foundation,
               Deadline deadline) {
    http::FormParameters form;
    form.values = {{"connect_type", "creds"},
                   {"username", event.userName},
                   {"password", event.password.reveal()}};
    const bool isAdmin = event.admin;
    const auto change = host_.connector().connect(
        {.user = event.user, .isAdmin = [isAdmin] { return isAdmin; }}, foundation.id, form,
        /*shared=*/false, deadline);
    if (!change.done) {
      throw Error(ErrorCode::Unavailable, "the user could not be connected to the foundation " +
                                              registration_.url + ": " + change.message);
    }
  }

  /// The login token is the foundation's token.
  void link(const SignInEvent& event, const store::EndpointRecord& foundation) {
    if (withoutSlash(foundation.tokenEndpoint) != withoutSlash(event.uaaUrl)) {
      throw Error(ErrorCode::Unavailable,
                  "after single sign-on a user can be connected to the foundation " +
                      registration_.url + " only if both have the same UAA; it has " +
                      foundation.tokenEndpoint + ", the console " + event.uaaUrl);
    }
    const auto login = host_.tokens().findConsoleToken(event.user);
    if (!login) throw Error(ErrorCode::Unavailable, "the user has no login token any more");
    const auto current = host_.tokens().findForEndpoint(event.user, foundation.id);
    if (current && current->linkedTo == login->id) return;
    store::TokenRecord linked;
    linked.owner = event.user;
    linked.endpoint = foundation.id;
    linked.linkedTo = login->id;
    linked.expiry = login->expiry;
    static_cast<void>(host_.tokens().saveEndpointToken(linked));
  }

  ExtensionHost& host_;
  const AutoRegistration registration_;
};

}  // namespace

void attachAutoRegistration(ExtensionHost& host, AutoRegistration registration) {
  const auto url = Url::tryParse(registration.url);
  if (!url || (url->scheme() != "https" && url->scheme() != "http")) {
    throw Error(ErrorCode::InvalidArgument, "the foundation to register (AUTO_REG_CF_URL) is \"" +
                                                registration.url +
                                                "\", which is no http or https URL");
  }
  registration.url = url->withoutTrailingSlash().str();
  host.connector().rememberDisconnects(endpoint::EndpointRegistry::idFor(registration.url, {}));
  const auto registrar = std::make_shared<AutoRegistrar>(host, std::move(registration));
  host.addSignInHook([registrar](const SignInEvent& event, Deadline deadline) {
    registrar->onSignIn(event, deadline);
  });
}

}  // namespace stratos::ext
