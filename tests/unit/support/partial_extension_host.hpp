#pragma once

#include <memory>
#include <string>
#include <utility>

#include "stratos/base/error.hpp"
#include "stratos/console/extension.hpp"

namespace stratos::test {

/// An ExtensionHost whose members fail until a test overrides those that its extension uses.
class PartialExtensionHost : public ExtensionHost {
 public:
  void addEndpointType(std::unique_ptr<endpoint::EndpointType>) override { fail(); }
  void addAuthScheme(std::string, std::unique_ptr<auth::AuthScheme>) override { fail(); }
  void addRoute(RouteAccess, std::string, std::string, http::HandlerFunction) override { fail(); }
  void addInfo(InfoContribution) override { fail(); }
  void addSignInHook(std::function<void(const SignInEvent&, Deadline)>) override { fail(); }
  void addStep(http::Middleware) override { fail(); }
  std::shared_ptr<auth::LoginService> login() override { fail(); }
  std::shared_ptr<auth::ProfileService> profiles() override { fail(); }
  void audit(const http::Request&, const AuditEvent&) override { fail(); }
  std::int64_t endOtherSessions(const http::Request&) override { fail(); }
  auth::LoginThrottle& throttle() override { fail(); }
  db::Database& database() override { fail(); }
  Random& random() override { fail(); }
  void rowsChanged() override { fail(); }
  store::TokenStore& tokens() override { fail(); }
  auth::TokenProvider& tokenProvider() override { fail(); }
  endpoint::EndpointRegistry& endpoints() override { fail(); }
  endpoint::Connector& connector() override { fail(); }
  const std::string& sessionCookieName() override { fail(); }
  http::Transport& transport() override { fail(); }
  auth::UaaClient& uaaClient() override { fail(); }
  const Clock& clock() override { fail(); }
  LogSink& log() override { fail(); }

 private:
  [[noreturn]] static void fail() {
    throw Error(ErrorCode::Internal, "the test's host has no such thing");
  }
};

}  // namespace stratos::test
