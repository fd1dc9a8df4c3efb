#include "stratos/testing/fake_kubernetes.hpp"

#include <map>
#include <set>

#include "aws_iam.hpp"
#include "json.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::testing {

namespace {

Reply statusReply(int code, const std::string& reason) {
  return jsonReply(code, Json::object({{"kind", "Status"},
                                       {"apiVersion", "v1"},
                                       {"status", "Failure"},
                                       {"reason", reason},
                                       {"code", code}})
                             .dump());
}

}  // namespace

class FakeKubernetes::Impl {
 public:
  Impl(const Clock& clock, FakeUpstreamOptions options)
      : clock_(clock), server_(std::move(options)) {
    server_.handle("/", [this](const ReceivedRequest& request) { return answer(request); });
  }

  FakeUpstream& server() { return server_; }

  void addToken(const std::string& token, const std::string& user) {
    MutexLock lock(mutex_);
    tokens_[token] = user;
  }
  void removeToken(const std::string& token) {
    MutexLock lock(mutex_);
    tokens_.erase(token);
  }
  void addBasic(const std::string& user, const std::string& password) {
    MutexLock lock(mutex_);
    passwords_[user] = password;
  }
  void addCertificate(const std::string& commonName) {
    MutexLock lock(mutex_);
    certificates_.insert(commonName);
  }
  void addAws(AwsUser user) {
    MutexLock lock(mutex_);
    awsUsers_.push_back(std::move(user));
  }
  void confine(const std::string& user) {
    MutexLock lock(mutex_);
    confined_.insert(user);
  }

 private:
  Reply answer(const ReceivedRequest& request) {
    MutexLock lock(mutex_);
    const std::string user = userOf(request);
    if (user.empty()) return statusReply(401, "Unauthorized");
    if (request.path() == "/api") {
      return jsonReply(
          200, Json::object({{"kind", "APIVersions"}, {"versions", Json::strings({"v1"})}}).dump());
    }
    if (request.path() == "/api/v1/pods") {
      if (confined_.contains(user)) return statusReply(403, "Forbidden");
      return jsonReply(200,
                       Json::object({{"kind", "PodList"}, {"items", Json{Json::Array{}}}}).dump());
    }
    return jsonReply(
        200, Json::object({{"kind", "Echo"}, {"user", user}, {"path", request.target}}).dump());
  }

  /// Any one that is good counts, and a bad one counts for nothing, as with a real API server.
  std::string userOf(const ReceivedRequest& request) const STRATOS_REQUIRES(mutex_) {
    if (certificates_.contains(request.clientCommonName)) return request.clientCommonName;
    const std::string field = request.header("Authorization");
    const auto blank = field.find(' ');
    if (blank == std::string::npos) return {};
    const std::string scheme = toLower(field.substr(0, blank));
    const std::string value = field.substr(blank + 1);
    if (scheme == "basic") return basicUser(fromBase64(value).value_or(""));
    if (scheme != "bearer") return {};
    const auto token = tokens_.find(value);
    if (token != tokens_.end()) return token->second;
    return findAwsUser(value, awsUsers_, clock_.now());
  }

  std::string basicUser(const std::string& pair) const STRATOS_REQUIRES(mutex_) {
    const auto colon = pair.find(':');
    if (colon == std::string::npos) return {};
    const auto found = passwords_.find(pair.substr(0, colon));
    return found != passwords_.end() && found->second == pair.substr(colon + 1) ? found->first
                                                                                : std::string{};
  }

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, std::string> tokens_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, std::string> passwords_ STRATOS_GUARDED_BY(mutex_);
  std::set<std::string> certificates_ STRATOS_GUARDED_BY(mutex_);
  std::vector<AwsUser> awsUsers_ STRATOS_GUARDED_BY(mutex_);
  std::set<std::string> confined_ STRATOS_GUARDED_BY(mutex_);
  FakeUpstream server_;
};

FakeKubernetes::FakeKubernetes(const Clock& clock, FakeUpstreamOptions options)
    : impl_(std::make_unique<Impl>(clock, std::move(options))) {}
FakeKubernetes::~FakeKubernetes() = default;

FakeUpstream& FakeKubernetes::server() noexcept { return impl_->server(); }
const std::string& FakeKubernetes::url() const noexcept { return impl_->server().url(); }
void FakeKubernetes::addToken(const std::string& token, const std::string& user) {
  impl_->addToken(token, user);
}
void FakeKubernetes::revokeToken(const std::string& token) { impl_->removeToken(token); }
void FakeKubernetes::addBasicUser(const std::string& user, const std::string& password) {
  impl_->addBasic(user, password);
}
void FakeKubernetes::addCertificateUser(const std::string& commonName) {
  impl_->addCertificate(commonName);
}
void FakeKubernetes::addAwsUser(const std::string& cluster, const std::string& accessKey,
                                const std::string& secretKey) {
  impl_->addAws({cluster, accessKey, secretKey});
}
void FakeKubernetes::confineToNamespace(const std::string& user) { impl_->confine(user); }

}  // namespace stratos::testing
