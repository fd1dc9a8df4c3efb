#include "stratos/auth/profile.hpp"

#include "auth/json_support.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/password_hash.hpp"

namespace stratos::auth {

namespace {

/// A profile is a few KB.
constexpr std::size_t kAnswerLimitBytes = 1024 * 1024;

ProfileAnswer refused(int status, std::string error) {
  ProfileAnswer answer;
  answer.status = status;
  answer.error = std::move(error);
  return answer;
}

Poco::JSON::Object::Ptr parseBody(const std::string& body) {
  auto object = detail::parseObject(body);
  if (!object) throw Error(ErrorCode::InvalidArgument, "The body must be a JSON object");
  return object;
}

/// A body may repeat the user's id. Another id is somebody else's profile.
bool namesAnother(const Poco::JSON::Object& body, const UserId& user) {
  return body.has("id") && detail::stringMember(body, "id") != user.str();
}

struct Shown {
  std::string id;
  std::string userName;
  std::string givenName;
  std::string familyName;
  std::optional<std::string> email;
  std::string origin;
  std::vector<std::string> groups;
};

std::string toJson(const Shown& profile) {
  JsonWriter json;
  json.beginObject().member("id", profile.id).member("userName", profile.userName);
  json.key("emails").beginArray();
  if (profile.email) json.beginObject().member("value", *profile.email).endObject();
  json.endArray();
  json.key("name")
      .beginObject()
      .member("familyName", profile.familyName)
      .member("givenName", profile.givenName)
      .endObject()
      .member("origin", profile.origin)
      .key("groups")
      .beginArray();
  for (const auto& group : profile.groups) json.beginObject().member("display", group).endObject();
  json.endArray().key("meta").beginObject().member("version", 0).endObject().endObject();
  return json.str();
}

ProfileAnswer shown(const Shown& profile) {
  ProfileAnswer answer;
  answer.json = toJson(profile);
  return answer;
}

/// The one address of `emails`; empty when there are none or several, or it is empty.
std::string onlyEmail(const Poco::JSON::Object& body) {
  const auto emails = body.getArray("emails");
  if (!emails || emails->size() != 1) return {};
  const auto entry = emails->getObject(0);
  return entry ? detail::stringMember(*entry, "value") : std::string{};
}

std::string problemOf(const std::string& password) {
  if (password.size() < kMinPasswordBytes) {
    return "The new password must have at least " + std::to_string(kMinPasswordBytes) +
           " characters";
  }
  if (password.size() > crypto::kMaxPasswordBytes) {
    return "The new password is longer than " + std::to_string(crypto::kMaxPasswordBytes) +
           " bytes";
  }
  if (password.find('\0') != std::string::npos) return "The new password holds a zero byte";
  return {};
}

}  // namespace

LocalProfiles::LocalProfiles(store::LocalUserStore& users, Random& random, int hashCost)
    : users_(users), random_(random), hashCost_(hashCost) {}

ProfileAnswer LocalProfiles::get(const UserId& user, Deadline) {
  const auto found = users_.find(user);
  if (!found) return refused(404, "The user does not exist any more");
  return shown({.id = found->id.str(),
                .userName = found->name,
                .givenName = found->givenName,
                .familyName = found->familyName,
                .email = found->email,
                .origin = "local",
                .groups = {found->scope, "password.write"}});
}

ProfileAnswer LocalProfiles::update(const UserId& user, const ProfileChange& change, Deadline) {
  const auto body = parseBody(change.body);
  if (namesAnother(*body, user)) return refused(403, "This is not your own profile");
  auto found = users_.find(user);
  if (!found) return refused(404, "The user does not exist any more");
  if (const auto name = body->getObject("name")) {
    found->givenName = detail::stringMember(*name, "givenName");
    found->familyName = detail::stringMember(*name, "familyName");
  }
  if (const std::string email = onlyEmail(*body); !email.empty()) found->email = email;
  constexpr std::size_t kNameBytes = 128;
  constexpr std::size_t kEmailBytes = 254;
  if (found->givenName.size() > kNameBytes || found->familyName.size() > kNameBytes) {
    return refused(400, "A name is longer than 128 bytes");
  }
  if (found->email.size() > kEmailBytes) {
    return refused(400, "The e-mail address is longer than 254 bytes");
  }
  users_.updateProfile(*found);
  return {};
}

ProfileAnswer LocalProfiles::changePassword(const UserId& user, const ProfileChange& change,
                                            Deadline) {
  const auto body = parseBody(change.body);
  const Secret oldPassword{detail::stringMember(*body, "oldPassword")};
  const Secret newPassword{detail::stringMember(*body, "password")};
  const auto found = users_.find(user);
  if (!found) return refused(404, "The user does not exist any more");
  if (!crypto::verifyPassword(oldPassword, found->passwordHash)) {
    return refused(400, "The current password is wrong");
  }
  if (const std::string problem = problemOf(newPassword.reveal()); !problem.empty()) {
    return refused(400, problem);
  }
  users_.updatePassword(user, crypto::hashPassword(newPassword, random_, hashCost_));
  ProfileAnswer answer;
  answer.credentialsChanged = true;
  return answer;
}

struct UaaProfiles::Call {
  std::string method;
  UserId user;
  std::string suffix;
  http::Headers fields;
  std::string body;
};

UaaProfiles::UaaProfiles(http::Transport& transport, UaaClient& uaa, UaaTarget target,
                         TokenProvider& provider, std::shared_ptr<UaaLogin> login)
    : transport_(transport),
      uaa_(uaa),
      target_(std::move(target)),
      provider_(provider),
      login_(std::move(login)) {}

ProfileAnswer UaaProfiles::send(const Call& call, Deadline deadline) {
  const Url base = Url::parse(target_.baseUrl).withoutTrailingSlash();
  // The id comes from the session, and is encoded all the same: it is a token's word.
  const Url url =
      base.withPath(base.rawPath() + "/Users/" + percentEncode(call.user.str()) + call.suffix);
  TokenResult token = provider_.getConsole(call.user, target_, deadline);
  for (bool first = true;; first = false) {
    if (!token.ok()) return refused(401, token.reason);
    http::ClientRequest request{call.method,           url,           call.fields,
                                http::Body{call.body}, target_.trust, deadline};
    request.headers.set(
        "Authorization",
        provider_.schemes().of(token.record).credential(token.record).authorization);
    request.headers.set("Accept", "application/json");
    if (!call.body.empty()) request.headers.set("Content-Type", "application/json");
    http::ClientResponse response = transport_.send(std::move(request));
    if (response.failed()) {
      throw Error(ErrorCode::Unavailable, "the UAA cannot be asked: " + response.detail,
                  "The identity server cannot be reached");
    }
    if (response.status == 401 && first) {
      token = provider_.renewConsole(token.record, target_, deadline);
      continue;
    }
    ProfileAnswer answer;
    answer.status = response.status;
    answer.json = response.body.readAll(kAnswerLimitBytes);
    if (response.status >= 400) {
      const auto said = detail::parseObject(answer.json);
      answer.error = said ? detail::stringMember(*said, "error_description") : "";
      if (said && answer.error.empty()) answer.error = detail::stringMember(*said, "message");
      if (answer.error.empty()) {
        answer.error = "The identity server answered " + std::to_string(response.status);
      }
    }
    return answer;
  }
}

ProfileAnswer UaaProfiles::get(const UserId& user, Deadline deadline) {
  return send({.method = "GET", .user = user, .suffix = {}, .fields = {}, .body = {}}, deadline);
}

ProfileAnswer UaaProfiles::change(const UserId& user, const ProfileChange& change,
                                  const std::string& suffix, Deadline deadline) {
  const auto body = parseBody(change.body);
  if (namesAnother(*body, user)) return refused(403, "This is not your own profile");
  std::string userName;
  if (!change.password.empty()) {
    const auto known = login_->findUser(user);
    userName = known ? known->name : std::string{};
    const GrantResult proof = uaa_.passwordGrant(target_, userName, change.password, deadline);
    if (proof.status == GrantStatus::Refused) return refused(400, "The current password is wrong");
    if (proof.status != GrantStatus::Granted) {
      throw Error(ErrorCode::Unavailable, "the UAA cannot be asked: " + proof.detail,
                  "The identity server cannot be asked");
    }
  }
  ProfileAnswer answer = send({.method = "PUT",
                               .user = user,
                               .suffix = suffix,
                               .fields = change.fields,
                               .body = change.body},
                              deadline);
  if (answer.status >= 400 || change.password.empty()) return answer;
  // The UAA has revoked the user's tokens; with these new ones the session goes on.
  const Secret& now = change.newPassword.empty() ? change.password : change.newPassword;
  const LoginResult again = login_->accept(uaa_.passwordGrant(target_, userName, now, deadline));
  if (!again.accepted) {
    return refused(500, "The change was made, but the new sign-in failed: sign in again");
  }
  return answer;
}

ProfileAnswer UaaProfiles::update(const UserId& user, const ProfileChange& change,
                                  Deadline deadline) {
  return this->change(user, change, "", deadline);
}

ProfileAnswer UaaProfiles::changePassword(const UserId& user, const ProfileChange& change,
                                          Deadline deadline) {
  // The body is UTF-8. Header fields, which upstream's front end sends as well, hold Latin-1 at
  // best.
  const auto body = parseBody(change.body);
  ProfileChange full = change;
  if (Secret current{detail::stringMember(*body, "oldPassword")}; !current.empty()) {
    full.password = std::move(current);
  }
  if (Secret next{detail::stringMember(*body, "password")}; !next.empty()) {
    full.newPassword = std::move(next);
  }
  ProfileAnswer answer = this->change(user, full, "/password", deadline);
  answer.credentialsChanged = answer.status < 400;
  return answer;
}

FixedProfiles::FixedProfiles(std::shared_ptr<LoginService> login, std::string origin)
    : login_(std::move(login)), origin_(std::move(origin)) {}

ProfileAnswer FixedProfiles::get(const UserId& user, Deadline) {
  const auto found = login_->findUser(user);
  if (!found) return refused(404, "The user does not exist any more");
  const bool isFixedUser = user.str() == NoLogin::kUserGuid;
  return shown({.id = found->guid,
                .userName = found->name,
                .givenName = isFixedUser ? "Admin" : "",
                .familyName = isFixedUser ? "User" : "",
                .email = std::nullopt,
                .origin = origin_,
                .groups = {}});
}

ProfileAnswer FixedProfiles::update(const UserId&, const ProfileChange&, Deadline) {
  return refused(500, "This profile cannot be changed here");
}

ProfileAnswer FixedProfiles::changePassword(const UserId&, const ProfileChange&, Deadline) {
  return refused(500, "This password cannot be changed here");
}

}  // namespace stratos::auth
