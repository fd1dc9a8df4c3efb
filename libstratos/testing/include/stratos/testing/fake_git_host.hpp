#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "stratos/base/export.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

enum class GitHostKind { GitHub, GitLab };

struct FakeGitHostOptions {
  GitHostKind kind = GitHostKind::GitHub;
  /// "" for api.github.com, "/api/v3" for GitHub Enterprise, "/api/v4" for GitLab.
  std::string basePath = {};
  FakeUpstreamOptions server = {};
};

/// The API of a Git host: the profile at `/user`, repositories below `/repos/` (GitHub) or
/// `/projects/` (GitLab). Strangers see what is public, no profile; a wrong token is refused
/// everywhere, as is, by GitHub, a client that does not name itself. Below another path: 404.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT FakeGitHost {
 public:
  explicit FakeGitHost(FakeGitHostOptions options = {});
  ~FakeGitHost();
  FakeGitHost(const FakeGitHost&) = delete;
  FakeGitHost& operator=(const FakeGitHost&) = delete;

  [[nodiscard]] FakeUpstream& server() noexcept;
  /// What an endpoint is registered with.
  [[nodiscard]] const std::string& apiUrl() const noexcept;

  void addToken(const std::string& token, const std::string& userName);
  /// A token that may read repositories, but not the profile.
  void addTokenWithoutProfile(const std::string& token);
  void revokeToken(const std::string& token);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
