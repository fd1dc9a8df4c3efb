#include "stratos/ext/user_invite.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <rapidjson/document.h>

#include "ext/user_invite/foundation_calls.hpp"
#include "ext/user_invite/mail.hpp"
#include "ext/user_invite/mail_template.hpp"
#include "ext/user_invite/smtp_client.hpp"
#include "stratos/auth/jwt.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/http/form.hpp"

namespace stratos::ext {

namespace {

using http::Request;
using http::Response;
using invite::CallProblem;
using invite::FoundationCalls;
using invite::Invitee;
using invite::MailFormat;
using invite::MailTemplate;
using store::EndpointRecord;
using store::TokenRecord;

/// The user that the clients of the endpoints belong to, in upstream's databases too.
constexpr const char* kInviteUserGuid = "00000000-1111-2222-3333-444444444455";
constexpr const char* kClientAuthType = "uaa-client";
constexpr const char* kInviteScope = "scim.invite";
constexpr const char* kOk = R"({"status": "ok"})";

constexpr std::size_t kBodyLimitBytes = 256 * 1024;
constexpr std::size_t kMaxAddresses = 100;
constexpr std::size_t kMaxGuidBytes = 255;
constexpr std::chrono::seconds kConfigureTimeout{30};
constexpr std::chrono::seconds kSendTimeout{120};

/// The answer to a request that is not carried out.
struct Refused {
  int status = 400;
  std::string message;
};

Response errorAnswer(int status, std::string_view message) {
  JsonWriter json;
  json.beginObject().member("status", "error").member("error", message).endObject();
  return Response::json(status, json.str());
}

/// `id:secret`; a secret may hold colons.
std::pair<std::string, Secret> splitClient(const TokenRecord& token) {
  const std::string& both = token.refreshToken.reveal();
  const auto colon = both.find(':');
  if (colon == std::string::npos) return {both, Secret{}};
  return {both.substr(0, colon), Secret{both.substr(colon + 1)}};
}

auth::UaaTarget targetOf(const EndpointRecord& endpoint, std::string clientId, Secret secret) {
  auth::UaaTarget target = auth::uaaOf(endpoint);
  target.clientId = std::move(clientId);
  target.clientSecret = std::move(secret);
  return target;
}

/// The tokens of a client: client credentials again, as there is no refresh token.
class ClientScheme final : public auth::AuthScheme {
 public:
  explicit ClientScheme(auth::UaaClient& uaa) : uaa_(uaa) {}

  [[nodiscard]] auth::Credential credential(const TokenRecord& token) const override {
    return {auth::authorizationValue("bearer", token.authToken.reveal(), token), {}};
  }
  [[nodiscard]] bool isRenewable(const TokenRecord&) const override { return true; }
  [[nodiscard]] auth::GrantResult renew(const EndpointRecord& endpoint, const TokenRecord& token,
                                        Deadline deadline) const override {
    auto [id, secret] = splitClient(token);
    auth::GrantResult result =
        uaa_.clientCredentialsGrant(targetOf(endpoint, std::move(id), std::move(secret)), deadline);
    // What is stored in its place is the client.
    result.grant.refreshToken = Secret{};
    return result;
  }

 private:
  auth::UaaClient& uaa_;
};

/// What the front end asks for.
struct Wish {
  std::string organization;
  std::string space;                    ///< Empty: none.
  std::vector<std::string> spaceRoles;  ///< Types of v3.
  std::vector<std::string> emails;      ///< Each once.
};

class WishReader {
 public:
  explicit WishReader(const std::string& body) {
    document_.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
        body.data(), body.size());
    if (document_.HasParseError() || !document_.IsObject()) {
      throw Refused{400, "The body must be a JSON object"};
    }
  }

  Wish read() {
    Wish wish;
    wish.organization = guid("org");
    if (wish.organization.empty()) throw Refused{400, "Invalid request - no organization: set org"};
    wish.space = guid("space");
    if (!wish.space.empty()) readRoles(wish);
    readEmails(wish);
    return wish;
  }

 private:
  std::string guid(const char* name) {
    const auto found = document_.FindMember(name);
    if (found == document_.MemberEnd() || found->value.IsNull()) return {};
    if (!found->value.IsString() || found->value.GetStringLength() > kMaxGuidBytes) {
      throw Refused{400, std::string{name} + " must be a GUID"};
    }
    return {found->value.GetString(), found->value.GetStringLength()};
  }

  void readRoles(Wish& wish) {
    const auto found = document_.FindMember("spaceRoles");
    if (found == document_.MemberEnd() || found->value.IsNull()) return;
    if (!found->value.IsObject()) throw Refused{400, "spaceRoles must be an object"};
    for (const char* role : {"auditor", "manager", "developer"}) {
      const auto flag = found->value.FindMember(role);
      if (flag == found->value.MemberEnd()) continue;
      if (!flag->value.IsBool()) {
        throw Refused{400, std::string{"spaceRoles."} + role + " must be true or false"};
      }
      if (flag->value.GetBool()) wish.spaceRoles.push_back(std::string{"space_"} + role);
    }
  }

  void readEmails(Wish& wish) {
    const auto found = document_.FindMember("emails");
    if (found == document_.MemberEnd() || !found->value.IsArray() || found->value.Empty()) {
      throw Refused{400, "Invalid request - no email addresses provided"};
    }
    if (found->value.Size() > kMaxAddresses) {
      throw Refused{
          400, "At most " + std::to_string(kMaxAddresses) + " addresses can be invited at a time"};
    }
    for (const auto& entry : found->value.GetArray()) {
      if (!entry.IsString()) throw Refused{400, "emails must be a list of strings"};
      std::string email{entry.GetString(), entry.GetStringLength()};
      if (std::find(wish.emails.begin(), wish.emails.end(), email) == wish.emails.end()) {
        wish.emails.push_back(std::move(email));
      }
    }
  }

  rapidjson::Document document_;
};

/// Where the UAA sends an invited user in the end: to the page that invites.
std::string pageOf(const Request& request) {
  if (const auto origin = request.headers.find("origin")) return std::string{*origin};
  return (request.secure ? "https://" : "http://") + std::string{request.headers.get("host")};
}

void writeInvitees(JsonWriter& json, const char* list, const std::vector<Invitee>& invitees,
                   bool failed) {
  json.key(list).beginArray();
  for (const Invitee& invitee : invitees) {
    if (invitee.failed() != failed) continue;
    json.beginObject()
        .member("email", invitee.email)
        .member("userid", invitee.userId)
        .member("success", !failed)
        .member("errorCode", invitee.errorCode)
        .member("errorMessage", invitee.errorMessage)
        // Whoever has the link becomes that user, so only the mail has it.
        .member("inviteLink", "")
        .endObject();
  }
  json.endArray();
}

class UserInvite final : public Extension {
 public:
  explicit UserInvite(UserInviteOptions options)
      : options_(std::move(options)),
        subject_("subject", orDefault(options_.subject, invite::kDefaultSubject), MailFormat::Text),
        text_("text", orDefault(options_.textTemplate, invite::kDefaultText), MailFormat::Text) {
    if (!options_.htmlTemplate.empty() || options_.textTemplate.empty()) {
      html_.emplace("html", orDefault(options_.htmlTemplate, invite::kDefaultHtml),
                    MailFormat::Html);
    }
    if (options_.smtp.host.empty() || options_.from.empty()) return;
    from_ = invite::Mailbox::tryParse(options_.from);
    if (!from_) {
      throw Error(ErrorCode::InvalidArgument,
                  "the sender of invitations, \"" + options_.from +
                      "\", is neither an address nor \"Name <address>\"");
    }
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "userinvite"; }

  void attach(ExtensionHost& host) override {
    host_ = &host;
    host.addAuthScheme(kClientAuthType, std::make_unique<ClientScheme>(host.uaaClient()));
    addInfo(host);
    if (!from_) return;
    const auto route = [&](RouteAccess access, const char* method, const char* pattern,
                           Response (UserInvite::*act)(Request&), std::string_view action) {
      host.addRoute(access, method, pattern, [this, act, action](Request& request) {
        return guarded(request, act, action);
      });
    };
    route(RouteAccess::Admin, "GET", "/pp/v1/invite/:id", &UserInvite::show, {});
    route(RouteAccess::Admin, "POST", "/pp/v1/invite/:id", &UserInvite::configure,
          "invite.configure");
    route(RouteAccess::Admin, "DELETE", "/pp/v1/invite/:id", &UserInvite::forget, "invite.remove");
    route(RouteAccess::Session, "POST", "/pp/v1/invite/send/:id", &UserInvite::send, "invite.send");
  }

 private:
  static std::string_view orDefault(const std::string& text, std::string_view fallback) {
    return text.empty() ? fallback : std::string_view{text};
  }

  void addInfo(ExtensionHost& host) {
    InfoContribution info;
    info.pluginConfig = [enabled = from_.has_value()] {
      return std::map<std::string, std::string>{
          {"userInvitationsEnabled", enabled ? "true" : "false"}};
    };
    if (from_) {
      info.endpointMetadata = [this](const EndpointRecord& endpoint, const auth::ConnectedUser&) {
        std::map<std::string, std::string> metadata;
        if (endpoint.type == "cf") {
          metadata["userInviteAllowed"] = isConfigured(endpoint.id) ? "true" : "false";
        }
        return metadata;
      };
    }
    host.addInfo(std::move(info));
  }

  Response guarded(Request& request, Response (UserInvite::*act)(Request&),
                   std::string_view action) {
    std::string reason;
    int status = 200;
    try {
      Response response = (this->*act)(request);
      audit(request, action, "success", {});
      return response;
    } catch (const Refused& refused) {
      status = refused.status;
      reason = refused.message;
    }
    audit(request, action, status == 401 ? "refused" : "failed", reason);
    return errorAnswer(status, reason);
  }

  void audit(const Request& request, std::string_view action, std::string_view outcome,
             std::string_view reason) {
    if (action.empty()) return;
    host_->audit(request, {.action = action,
                           .outcome = outcome,
                           .user = userOf(request).str(),
                           .account = {},
                           .target = request.pathParam("id"),
                           .reason = reason});
  }

  static const UserId& userOf(const Request& request) { return request.find<SignedIn>()->user; }

  /// The Cloud Foundry endpoint that the path names, as its caller may see it.
  EndpointRecord endpointOf(const Request& request, bool isAdmin, int statusWhenAbsent) {
    const endpoint::Caller caller{.user = userOf(request),
                                  .isAdmin = [isAdmin] { return isAdmin; }};
    auto found = host_->endpoints().findVisible(caller, EndpointId{request.pathParam("id")});
    if (!found || found->type != "cf") {
      throw Refused{statusWhenAbsent, "There is no Cloud Foundry endpoint with this id"};
    }
    return *std::move(found);
  }

  /// The client's row. One of the shared user is somebody's token and no client.
  std::optional<TokenRecord> findClient(const EndpointId& endpoint) {
    auto token = host_->tokens().findForEndpoint(UserId{kInviteUserGuid}, endpoint);
    if (!token || token->isShared() || token->authType != kClientAuthType) return std::nullopt;
    return token;
  }

  bool isConfigured(const EndpointId& endpoint) {
    try {
      return findClient(endpoint).has_value();
    } catch (const Error& error) {
      // A row that cannot be decrypted must not cost everybody the info document.
      if (error.code() != ErrorCode::Internal) throw;
      log(host_->log(), LogLevel::Error, "the client for invitations cannot be read",
          {{"endpoint", endpoint.str()}});
      return false;
    }
  }

  Response show(Request& request) {
    const EndpointRecord endpoint = endpointOf(request, true, 400);
    const auto client = findClient(endpoint.id);
    JsonWriter json;
    json.beginObject()
        .member("endpoint_guid", endpoint.id.str())
        .member("enabled", client.has_value())
        .member("client_id", client ? splitClient(*client).first : std::string{})
        .endObject();
    return Response::json(200, json.str());
  }

  Response configure(Request& request) {
    const http::FormParameters form = http::readBodyForm(request);
    const std::string& id = form.get("client_id");
    const std::string& secret = form.get("client_secret");
    if (id.empty() || secret.empty()) {
      throw Refused{400, "Invalid request - must provide client_id and client_secret"};
    }
    if (id.find(':') != std::string::npos) {
      throw Refused{400, "client_id must not contain a colon"};
    }
    const EndpointRecord endpoint = endpointOf(request, true, 400);
    auth::GrantResult answer = host_->uaaClient().clientCredentialsGrant(
        targetOf(endpoint, id, Secret{secret}), Deadline::after(kConfigureTimeout));
    requireGranted(answer);
    const std::vector<std::string> scopes = scopesOf(answer.grant);
    for (const std::string_view needed :
         {std::string_view{kInviteScope}, auth::kCloudFoundryAdminScope}) {
      if (std::find(scopes.begin(), scopes.end(), needed) == scopes.end()) {
        throw Refused{400,
                      "The client must have the authorities scim.invite and "
                      "cloud_controller.admin; it has not " +
                          std::string{needed}};
      }
    }
    TokenRecord token;
    token.owner = UserId{kInviteUserGuid};
    token.endpoint = endpoint.id;
    token.authType = kClientAuthType;
    token.expiry = auth::expiryOf(answer.grant, host_->clock().now());
    token.authToken = std::move(answer.grant.accessToken);
    token.refreshToken = Secret{id + ":" + secret};
    host_->tokens().saveEndpointToken(token);
    return Response::json(200, kOk);
  }

  static void requireGranted(const auth::GrantResult& answer) {
    if (answer.status == auth::GrantStatus::Granted) return;
    if (answer.status == auth::GrantStatus::Unavailable) {
      throw Refused{502, "The endpoint's UAA cannot be used: " + answer.detail};
    }
    throw Refused{answer.httpStatus,
                  "The endpoint's UAA does not accept the client" +
                      (answer.description.empty() ? std::string{} : ": " + answer.description)};
  }

  static std::vector<std::string> scopesOf(const auth::TokenGrant& grant) {
    if (!grant.scopes.empty()) return grant.scopes;
    const auto claims = auth::decodeJwt(grant.accessToken.reveal());
    return claims ? claims->scopes : std::vector<std::string>{};
  }

  Response forget(Request& request) {
    host_->tokens().removeForEndpoint(UserId{kInviteUserGuid}, EndpointId{request.pathParam("id")});
    return Response::json(200, kOk);
  }

  auth::TokenResult tokenOf(const UserId& user, const EndpointRecord& endpoint, Deadline deadline,
                            int statusWhenAbsent, const std::string& who) {
    auth::TokenResult token = host_->tokenProvider().get(user, endpoint, deadline);
    if (token.ok()) return token;
    if (token.failure == auth::TokenFailure::NotConnected) {
      throw Refused{statusWhenAbsent, who + " not connected to this endpoint"};
    }
    throw Refused{503, "The token for this endpoint cannot be used: " + token.reason};
  }

  Response send(Request& request) {
    const Deadline deadline = Deadline::after(kSendTimeout);
    const EndpointRecord endpoint = endpointOf(request, false, 503);
    const Wish wish = WishReader(request.body.readAll(kBodyLimitBytes)).read();

    const auth::TokenResult callerToken =
        tokenOf(userOf(request), endpoint, deadline, 401, "You are");
    FoundationCalls asCaller(host_->transport(), host_->tokenProvider(), endpoint, callerToken,
                             deadline);
    requireManager(asCaller, callerToken.record, wish.organization);

    const auto client = findClient(endpoint.id);
    if (!client) {
      throw Refused{503,
                    "Invitations are not configured for this endpoint; an administrator can "
                    "do that on its page"};
    }
    FoundationCalls asClient(
        host_->transport(), host_->tokenProvider(), endpoint,
        tokenOf(UserId{kInviteUserGuid}, endpoint, deadline, 503, "The client for invitations is"),
        deadline);

    std::vector<Invitee> invitees =
        inviteValid(asClient, wish.emails, splitClient(*client).first, pageOf(request));
    for (Invitee& invitee : invitees) {
      if (!invitee.failed()) addRoles(asClient, asCaller, wish, invitee);
    }
    sendMails(endpoint, invitees);

    JsonWriter json;
    json.beginObject();
    writeInvitees(json, "new_invites", invitees, false);
    writeInvitees(json, "failed_invites", invitees, true);
    json.endObject();
    return Response::json(200, json.str());
  }

  /// Administrators of the foundation and managers of the organization.
  void requireManager(FoundationCalls& asCaller, const TokenRecord& token,
                      const std::string& organization) {
    const auth::ConnectedUser user = host_->tokenProvider().schemes().userOf(token, "cf");
    if (user.hasScope(auth::kCloudFoundryAdminScope)) return;
    CallProblem problem;
    if (asCaller.hasOrganizationRole("organization_manager", organization, user.guid, problem)) {
      return;
    }
    if (!problem.message.empty() && (problem.status == 0 || problem.status >= 500)) {
      throw Refused{
          502, "The endpoint cannot say whether you manage the organization: " + problem.message};
    }
    throw Refused{401,
                  "You must be an administrator or a manager of this organization to invite "
                  "users"};
  }

  /// Addresses that cannot stand in a mail never leave the console.
  static std::vector<Invitee> inviteValid(FoundationCalls& asClient,
                                          const std::vector<std::string>& emails,
                                          const std::string& clientId, const std::string& page) {
    std::vector<std::string> valid;
    std::vector<Invitee> refused;
    for (const std::string& email : emails) {
      if (invite::isMailAddress(email)) {
        valid.push_back(email);
        continue;
      }
      Invitee invitee;
      invitee.email = email;
      invitee.errorCode = "Stratos-InvalidAddress";
      invitee.errorMessage = "This is no mail address";
      refused.push_back(std::move(invitee));
    }
    std::vector<Invitee> invitees;
    if (!valid.empty()) {
      CallProblem problem;
      invitees = asClient.invite(valid, clientId, page, problem);
      if (!problem.message.empty()) {
        throw Refused{502, "The endpoint's UAA did not invite anybody: " + problem.message};
      }
    }
    std::move(refused.begin(), refused.end(), std::back_inserter(invitees));
    return invitees;
  }

  static void addRoles(FoundationCalls& asClient, FoundationCalls& asCaller, const Wish& wish,
                       Invitee& invitee) {
    const auto failed = [&](const CallProblem& problem) {
      if (problem.message.empty()) return false;
      invitee.errorCode = problem.code;
      invitee.errorMessage = problem.message;
      return true;
    };
    if (failed(asClient.addUser(invitee.userId))) return;
    if (failed(asCaller.addRole("organization_user", wish.organization, invitee.userId))) return;
    for (const std::string& role : wish.spaceRoles) {
      if (failed(asCaller.addRole(role, wish.space, invitee.userId))) return;
    }
  }

  void sendMails(const EndpointRecord& endpoint, std::vector<Invitee>& invitees) {
    invite::SmtpSession session(options_.smtp);
    for (Invitee& invitee : invitees) {
      if (invitee.failed()) continue;
      const invite::MailValues values{.inviteLink = invitee.link,
                                      .emailAddress = invitee.email,
                                      .endpointName = endpoint.name,
                                      .endpointUrl = endpoint.apiUrl};
      const invite::Mail mail{.from = *from_,
                              .to = invitee.email,
                              .subject = subject_.render(values),
                              .text = text_.render(values),
                              .html = html_ ? html_->render(values) : std::string{}};
      const invite::SmtpResult result =
          session.send(from_->address, invitee.email,
                       invite::toMessage(mail, host_->clock().now(), host_->random()));
      if (result.sent) continue;
      log(host_->log(), LogLevel::Warning, "an invitation could not be mailed",
          {{"endpoint", endpoint.id.str()}, {"reason", result.detail}});
      invitee.errorCode = "Stratos-EmailSendFailure";
      invitee.errorMessage = "The invitation could not be mailed";
    }
  }

  UserInviteOptions options_;
  MailTemplate subject_;
  MailTemplate text_;
  std::optional<MailTemplate> html_;
  std::optional<invite::Mailbox> from_;  ///< Empty: there are no invitations.
  ExtensionHost* host_ = nullptr;
};

}  // namespace

std::unique_ptr<Extension> makeUserInvite(UserInviteOptions options) {
  return std::make_unique<UserInvite>(std::move(options));
}

}  // namespace stratos::ext
