#include "stratos/ext/user_info.hpp"

#include <string>

#include "stratos/auth/profile.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"

namespace stratos::ext {

namespace {

using auth::ProfileAnswer;
using auth::ProfileChange;
using http::Request;
using http::Response;

constexpr std::size_t kBodyLimitBytes = 256 * 1024;
constexpr std::chrono::seconds kTimeout{60};

const UserId& userOf(const Request& request) { return request.find<SignedIn>()->user; }

ProfileChange readChange(Request& request) {
  ProfileChange change;
  change.body = request.body.readAll(kBodyLimitBytes);
  for (const char* name : {"If-Match", "X-Identity-Zone-Id", "X-Identity-Zone-Subdomain"}) {
    if (const auto value = request.headers.find(name)) change.fields.set(name, std::string{*value});
  }
  change.password = Secret{std::string{request.headers.get("x-stratos-password")}};
  change.newPassword = Secret{std::string{request.headers.get("x-stratos-password-new")}};
  return change;
}

Response answerTo(const ProfileAnswer& answer) {
  if (answer.error.empty()) {
    return answer.json.empty() ? Response::empty(answer.status)
                               : Response::json(answer.status, answer.json);
  }
  JsonWriter json;
  json.beginObject().member("status", "error").member("error", answer.error).endObject();
  return Response::text(answer.status, json.str());
}

class UserInfo final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "userinfo"; }

  void attach(ExtensionHost& host) override {
    host_ = &host;
    host.addRoute(RouteAccess::Session, "GET", "/pp/v1/users/:id", [this](Request& request) {
      return guarded(request, [&](auth::ProfileService& profiles) {
        return answerTo(profiles.get(userOf(request), Deadline::after(kTimeout)));
      });
    });
    host.addRoute(RouteAccess::Session, "PUT", "/pp/v1/users/:id", [this](Request& request) {
      return guarded(request, [&](auth::ProfileService& profiles) {
        ProfileAnswer answer =
            profiles.update(userOf(request), readChange(request), Deadline::after(kTimeout));
        audit(request, "user.update", answer);
        answer.json.clear();
        return answerTo(answer);
      });
    });
    host.addRoute(RouteAccess::Session, "PUT", "/pp/v1/users/:id/password",
                  [this](Request& request) {
                    return guarded(request, [&](auth::ProfileService& profiles) {
                      return changePassword(request, profiles);
                    });
                  });
  }

 private:
  /// Runs `act` for the user whose profile the path names.
  template <class Act>
  Response guarded(Request& request, Act&& act) {
    if (request.pathParam("id") != userOf(request).str()) {
      return Response::text(403, "This is not your own profile");
    }
    const auto profiles = host_->profiles();
    if (!profiles) return Response::text(404, "This sign-in has no profiles");
    return act(*profiles);
  }

  Response changePassword(Request& request, auth::ProfileService& profiles) {
    // A stolen session must not be a way to guess the password.
    const std::string account = "password of " + userOf(request).str();
    const std::string& address = request.clientAddress();
    ProfileAnswer answer;
    if (const auto wait = host_->throttle().attempt(account, address); wait.count() > 0) {
      answer.status = 400;
      answer.error = "Too many attempts; try again in " + std::to_string(wait.count()) + " seconds";
    } else {
      answer =
          profiles.changePassword(userOf(request), readChange(request), Deadline::after(kTimeout));
    }
    audit(request, "user.password", answer);
    if (answer.credentialsChanged) {
      host_->throttle().succeeded(account, address);
      host_->endOtherSessions(request);
    }
    answer.json.clear();
    return answerTo(answer);
  }

  void audit(const Request& request, std::string_view action, const ProfileAnswer& answer) {
    host_->audit(request, {.action = action,
                           .outcome = answer.error.empty() ? "success" : "refused",
                           .user = userOf(request).str(),
                           .account = {},
                           .target = userOf(request).str(),
                           .reason = answer.error});
  }

  ExtensionHost* host_ = nullptr;
};

}  // namespace

std::unique_ptr<Extension> makeUserInfo() { return std::make_unique<UserInfo>(); }

}  // namespace stratos::ext
