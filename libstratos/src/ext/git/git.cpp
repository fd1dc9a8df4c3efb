#include "stratos/ext/git.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/base/json_text.hpp"
#include "stratos/endpoint/connect_form.hpp"
#include "stratos/endpoint/endpoint_call.hpp"

namespace stratos::ext {

namespace {

using endpoint::ConnectResult;
using endpoint::ProbeResult;
using store::EndpointRecord;

/// What the profile of a token's user is asked with, on all hosts.
constexpr const char* kProfile = "/user";
/// The name of a user whose profile the token may not read.
constexpr const char* kNameless = "**token**";

struct Host {
  std::string_view subType;
  std::string_view connectType;
  std::string_view authType;
  std::string_view nameMember;  ///< Of the profile.
  std::string_view addresses;
};

constexpr Host kHosts[] = {
    {"github", "token", "Token", "login",
     "https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise"},
    {"gitlab", "bearer", "Bearer", "username",
     "https://gitlab.com/api/v4, or https://HOST/api/v4 for a server of your own"},
};

const Host* hostOf(const EndpointRecord& endpoint) {
  const auto* found = std::find_if(std::begin(kHosts), std::end(kHosts), [&](const Host& host) {
    return host.subType == endpoint.subType;
  });
  return found == std::end(kHosts) ? nullptr : found;
}

class GitType final : public endpoint::EndpointType {
 public:
  GitType(http::Transport& transport, const auth::AuthSchemes& schemes)
      : transport_(transport), schemes_(schemes) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "git"; }

  /// Every API of such a host knows the profile and wants a token for it.
  [[nodiscard]] ProbeResult probe(const EndpointRecord& candidate, Deadline deadline) override {
    const Host* host = hostOf(candidate);
    if (!host) return endpoint::notThatKind("sub_type must be github or gitlab");
    const auto answer = endpoint::fetch(transport_, candidate, kProfile, {}, deadline);
    if (answer.failed()) return endpoint::unreachable(answer);
    constexpr int kTooManyRequests = 429;
    const bool refusesStrangers =
        answer.status == 401 || answer.status == 403 || answer.status == kTooManyRequests;
    if (refusesStrangers || (answer.status == 200 && isJsonObject(answer.body))) {
      return endpoint::accepted(candidate);
    }
    return endpoint::notThatKind(
        "it answered " + std::to_string(answer.status) + " to " + kProfile +
        "; api_endpoint must be the address of the API: " + std::string{host->addresses});
  }

  [[nodiscard]] ConnectResult connect(const EndpointRecord& record,
                                      const http::FormParameters& form,
                                      Deadline deadline) override {
    const Host* host = hostOf(record);
    if (!host) {
      return endpoint::notConnected(
          "it was registered without sub_type github or gitlab; register it again");
    }
    if (form.get("connect_type") != host->connectType) {
      return endpoint::notConnected("connect_type must be " + std::string{host->connectType} +
                                    " for " + std::string{host->subType});
    }
    if (const std::string problem = endpoint::problemOfFields(form, {"token"}); !problem.empty()) {
      return endpoint::notConnected(problem);
    }
    auto token = endpoint::namedToken(std::string{host->authType},
                                      toBase64(endpoint::trimmedField(form, "token")), kNameless);
    const auto answer = endpoint::fetch(transport_, record, kProfile,
                                        schemes_.of(token).credential(token), deadline);
    if (answer.failed()) return endpoint::notConnected(answer.problem, 502);
    if (answer.status == 401) {
      return endpoint::notConnected("it does not accept the token; make a new one there");
    }
    // A token without the scope of the profile is good all the same.
    if (answer.status != 200 && answer.status != 403) {
      return endpoint::notConnected(
          "it answered " + std::to_string(answer.status) + " to the token; try again later", 502);
    }
    const auto name = findJsonText(answer.body, host->nameMember);
    if (answer.status == 200 && name && !name->empty()) token.refreshToken = Secret{*name};
    return endpoint::connected(std::move(token));
  }

 private:
  http::Transport& transport_;
  const auth::AuthSchemes& schemes_;
};

class Git final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "git"; }
  void attach(ExtensionHost& host) override {
    host.addEndpointType(
        std::make_unique<GitType>(host.transport(), host.tokenProvider().schemes()));
  }
};

}  // namespace

std::unique_ptr<Extension> makeGit() { return std::make_unique<Git>(); }

}  // namespace stratos::ext
