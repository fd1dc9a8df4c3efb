#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "stratos/http/message.hpp"

namespace stratos::server {

/// The Content-Security-Policy (https://www.w3.org/TR/CSP3/) that the page `html` asks for in a
/// meta element of its head; empty when there is none.
[[nodiscard]] std::string policyOfPage(std::string_view html);

/// What a page has to put up with that says nothing itself. It lets through what builders of front
/// ends depend on, such as styles in the page; no plug-ins, no foreign scripts, no foreign frames
/// around it. packaging/helm/console/files/content-security-policy.
[[nodiscard]] std::string commonPolicy();

/// The policy for the front end in `folder`: `setting` if it is not empty (`off` for none), else
/// that of its index.html, framing by strangers refused, else commonPolicy().
[[nodiscard]] std::string policyFor(const std::filesystem::path& folder,
                                    const std::string& setting);

/// Adds a Content-Security-Policy to what another handler answers. Thread safety: as that one.
class PolicyHandler final : public http::Handler {
 public:
  /// An empty `policy` adds nothing.
  PolicyHandler(std::unique_ptr<http::Handler> inner, std::string policy)
      : inner_(std::move(inner)), policy_(std::move(policy)) {}

  [[nodiscard]] http::Response handle(http::Request& request) override;

 private:
  const std::unique_ptr<http::Handler> inner_;
  const std::string policy_;
};

}  // namespace stratos::server
