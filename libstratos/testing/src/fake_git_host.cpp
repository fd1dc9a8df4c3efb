#include "stratos/testing/fake_git_host.hpp"

#include <map>
#include <optional>

#include "json.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::testing {

namespace {

Reply message(int status, const std::string& text) {
  return jsonReply(status, Json::object({{"message", text}}).dump());
}

}  // namespace

class FakeGitHost::Impl {
 public:
  explicit Impl(FakeGitHostOptions options)
      : options_(std::move(options)),
        server_(options_.server),
        apiUrl_(server_.url() + options_.basePath) {
    server_.handle("/", [](const ReceivedRequest&) { return message(404, "Not Found"); });
    server_.handle(options_.basePath + "/user",
                   [this](const ReceivedRequest& request) { return profile(request); });
    server_.handle(options_.basePath + (isGitHub() ? "/repos/" : "/projects/"),
                   [this](const ReceivedRequest& request) { return repository(request); });
  }

  FakeUpstream& server() { return server_; }
  const std::string& apiUrl() const { return apiUrl_; }

  void set(const std::string& token, std::optional<std::string> user) {
    MutexLock lock(mutex_);
    users_[token] = std::move(user);
  }
  void remove(const std::string& token) {
    MutexLock lock(mutex_);
    users_.erase(token);
  }

 private:
  struct Visitor {
    bool refused = false;
    bool known = false;
    std::optional<std::string> user;
  };

  bool isGitHub() const { return options_.kind == GitHostKind::GitHub; }

  Visitor visitorOf(const ReceivedRequest& request) {
    const std::string field = request.header("Authorization");
    if (field.empty()) return {};
    const auto blank = field.find(' ');
    const std::string scheme = toLower(field.substr(0, blank));
    const bool takes = scheme == "bearer" || (isGitHub() && scheme == "token");
    MutexLock lock(mutex_);
    const auto found =
        blank == std::string::npos ? users_.end() : users_.find(field.substr(blank + 1));
    if (!takes || found == users_.end()) return {.refused = true, .known = false, .user = {}};
    return {.refused = false, .known = true, .user = found->second};
  }

  std::optional<Reply> refusal(const ReceivedRequest& request, const Visitor& visitor) const {
    if (isGitHub() && request.header("User-Agent").empty()) {
      return message(403, "Request forbidden by administrative rules: no User-Agent");
    }
    if (!visitor.refused) return std::nullopt;
    return message(401, isGitHub() ? "Bad credentials" : "401 Unauthorized");
  }

  Reply profile(const ReceivedRequest& request) {
    const Visitor visitor = visitorOf(request);
    if (auto reply = refusal(request, visitor)) return *reply;
    if (!visitor.known) return message(401, "Requires authentication");
    if (!visitor.user) return message(403, "insufficient_scope");
    return jsonReply(
        200, Json::object({{isGitHub() ? "login" : "username", *visitor.user}, {"id", 7}}).dump());
  }

  Reply repository(const ReceivedRequest& request) {
    const Visitor visitor = visitorOf(request);
    if (auto reply = refusal(request, visitor)) return *reply;
    const bool isPrivate = request.path().find("/private") != std::string::npos;
    if (isPrivate && !visitor.known) return message(404, "Not Found");
    return jsonReply(200, Json::object({{"full_name", request.path()}}).dump());
  }

  const FakeGitHostOptions options_;
  Mutex mutex_;
  std::map<std::string, std::optional<std::string>> users_ STRATOS_GUARDED_BY(mutex_);
  FakeUpstream server_;
  const std::string apiUrl_;
};

FakeGitHost::FakeGitHost(FakeGitHostOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
FakeGitHost::~FakeGitHost() = default;

FakeUpstream& FakeGitHost::server() noexcept { return impl_->server(); }
const std::string& FakeGitHost::apiUrl() const noexcept { return impl_->apiUrl(); }
void FakeGitHost::addToken(const std::string& token, const std::string& userName) {
  impl_->set(token, userName);
}
void FakeGitHost::addTokenWithoutProfile(const std::string& token) {
  impl_->set(token, std::nullopt);
}
void FakeGitHost::revokeToken(const std::string& token) { impl_->remove(token); }

}  // namespace stratos::testing
