#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::test {

/// A request as the peer saw it.
struct SentRequest {
  std::string method;
  std::string url;
  http::Headers headers;
  std::string body;
  bool streamed = false;
  http::TrustPolicy trust;
  Deadline deadline = Deadline::never();

  /// A field of an urlencoded body, or "(absent)".
  [[nodiscard]] std::string field(const std::string& name) const {
    for (const auto& [key, value] : decodeForm(body).value_or(FormFields{})) {
      if (key == name) return value;
    }
    return "(absent)";
  }
};

/// A network whose peers are functions: reads each request to its end, keeps it, and answers with
/// what the script says. The script runs on the caller's thread, so it may block to hold a call.
class ScriptedTransport final : public http::Transport {
 public:
  using Script = std::function<http::ClientResponse(const SentRequest&)>;

  explicit ScriptedTransport(Script script) : script_(std::move(script)) {}

  void answer(Script script) {
    const MutexLock lock(mutex_);
    script_ = std::move(script);
  }

  [[nodiscard]] http::ClientResponse exchange(http::ClientRequest& request) override {
    SentRequest sent{.method = request.method,
                     .url = request.url.str(),
                     .headers = request.headers,
                     .body = {},
                     .streamed = request.body.isStream(),
                     .trust = request.trust,
                     .deadline = request.deadline};
    sent.body = request.body.isStream() ? request.body.readAll(64 * 1024 * 1024)
                                        : request.body.bytes();
    Script script;
    {
      const MutexLock lock(mutex_);
      sent_.push_back(sent);
      script = script_;
    }
    return script(sent);
  }

  [[nodiscard]] std::vector<SentRequest> sent() const {
    const MutexLock lock(mutex_);
    return sent_;
  }
  [[nodiscard]] std::size_t count() const { return sent().size(); }

 private:
  mutable Mutex mutex_;
  Script script_ STRATOS_GUARDED_BY(mutex_);
  std::vector<SentRequest> sent_ STRATOS_GUARDED_BY(mutex_);
};

inline http::ClientResponse reply(int status, std::string body, http::Headers headers = {},
                                  std::string reason = {}) {
  http::ClientResponse response;
  response.status = status;
  response.reason = std::move(reason);
  response.headers = std::move(headers);
  response.body = http::Body{std::move(body)};
  return response;
}

inline http::ClientResponse transportFailure(http::TransportFailure kind, std::string detail) {
  http::ClientResponse response;
  response.failure = kind;
  response.detail = std::move(detail);
  return response;
}

/// An unsigned JWT with that payload.
inline std::string jwt(const std::string& payload) {
  return toBase64Url(R"({"alg":"none"})") + "." + toBase64Url(payload) + ".signature";
}

/// A body that gives `text` in pieces and then ends, or fails with `error` if there is one.
class PiecewiseSource final : public http::BodySource {
 public:
  PiecewiseSource(std::string text, std::size_t piece, std::exception_ptr error = nullptr)
      : text_(std::move(text)), piece_(piece), error_(std::move(error)) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    const std::size_t count = std::min({capacity, piece_, text_.size() - position_});
    if (count == 0 && error_) std::rethrow_exception(error_);
    text_.copy(buffer, count, position_);
    position_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t position_ = 0;
  std::size_t piece_;
  std::exception_ptr error_;
};

}  // namespace stratos::test
