#include "stratos/proxy/forwarder.hpp"

#include <algorithm>
#include <cstring>

#include "stratos/base/error.hpp"

namespace stratos::proxy {

namespace {

/// What is read of an answer that is thrown away, so that its connection can be used again.
constexpr std::size_t kDrainLimitBytes = 64 * 1024;

/// Bytes that were read ahead, followed by the rest of their stream.
class PrefixedSource final : public http::BodySource {
 public:
  PrefixedSource(std::string prefix, http::Body rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    if (position_ == prefix_.size()) return rest_.read(buffer, capacity);
    const std::size_t count = std::min(capacity, prefix_.size() - position_);
    std::memcpy(buffer, prefix_.data() + position_, count);
    position_ += count;
    return count;
  }

 private:
  std::string prefix_;
  std::size_t position_ = 0;
  http::Body rest_;
};

/// Brings a body into memory when it is small enough to be sent twice. Returns whether it is.
bool makeReplayable(http::Body& body, std::size_t limitBytes) {
  if (!body.isStream()) return body.bytes().size() <= limitBytes;
  const auto length = body.length();
  if (length && *length > limitBytes) return false;

  std::string prefix;
  char buffer[16 * 1024];
  while (prefix.size() <= limitBytes) {
    const std::size_t count = body.read(buffer, sizeof buffer);
    if (count == 0) {
      body = http::Body{std::move(prefix)};
      return true;
    }
    prefix.append(buffer, count);
  }
  body = http::Body{std::make_unique<PrefixedSource>(std::move(prefix), std::move(body)), length};
  return false;
}

void drain(http::Body& body) {
  char buffer[4 * 1024];
  std::size_t total = 0;
  try {
    while (total < kDrainLimitBytes) {
      const std::size_t count = body.read(buffer, sizeof buffer);
      if (count == 0) return;
      total += count;
    }
  } catch (const Error&) {
    // Only this connection is lost by it; the call itself goes on with another one.
    return;
  }
}

/// Whether a failure says that the endpoint is not there.
bool isOutage(http::TransportFailure failure) {
  return failure == http::TransportFailure::Refused || failure == http::TransportFailure::Tls ||
         failure == http::TransportFailure::TimedOut || failure == http::TransportFailure::Broken;
}

std::string describe(http::TransportFailure failure) {
  switch (failure) {
    case http::TransportFailure::Refused:
      return "the endpoint cannot be reached";
    case http::TransportFailure::Tls:
      return "the endpoint's certificate is not accepted";
    case http::TransportFailure::TimedOut:
      return "the endpoint did not answer in time";
    case http::TransportFailure::Forbidden:
      return "the endpoint's address is not allowed";
    case http::TransportFailure::Cancelled:
      return "nobody waits for the answer any more";
    case http::TransportFailure::Broken:
    case http::TransportFailure::None:
      break;
  }
  return "the endpoint broke off the connection";
}

}  // namespace

Forwarder::Forwarder(http::Transport& transport, auth::TokenProvider& tokens, LogSink& log,
                     ForwarderOptions options, CircuitBreaker* breaker)
    : transport_(transport), tokens_(tokens), log_(log), options_(options), breaker_(breaker) {}

ForwardResult Forwarder::forward(ForwardRequest request) {
  ForwardResult result;
  const auto tokenFailure = [&](const auth::TokenResult& token) {
    result.status = token.failure == auth::TokenFailure::NotConnected ? ForwardStatus::NotConnected
                                                                      : ForwardStatus::TokenFailed;
    result.reason = token.reason;
  };

  // What is wrong with one token is an outcome of this call only; a database that cannot be asked
  // ends the whole request.
  const auto guarded = [&](const auto& getToken) -> auth::TokenResult {
    try {
      return getToken();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::DeadlineExceeded && error.code() != ErrorCode::Internal &&
          error.code() != ErrorCode::InvalidArgument) {
        throw;
      }
      log(log_, LogLevel::Warning, "the token of a proxied call cannot be used",
          {{"endpoint", request.endpoint.id.str()}, {"reason", error.what()}});
      auth::TokenResult unusable;
      unusable.failure = auth::TokenFailure::Unreachable;
      unusable.reason = error.code() == ErrorCode::DeadlineExceeded
                            ? "the token could not be renewed in time"
                            : "the stored token cannot be used; connect again";
      return unusable;
    }
  };

  auth::TokenResult token;
  auth::Credential credential;
  if (!request.withoutToken) {
    token = guarded([&] {
      auto found = tokens_.get(request.user, request.endpoint, request.deadline);
      if (found.ok()) credential = tokens_.schemes().of(found.record).credential(found.record);
      return found;
    });
    if (!token.ok()) {
      tokenFailure(token);
      return result;
    }
  }
  const bool renewable = token.ok() && tokens_.schemes().of(token.record).isRenewable(token.record);
  const bool replayable = renewable && makeReplayable(request.body, options_.replayLimitBytes);

  http::ClientRequest outgoing{.method = std::move(request.method),
                               .url = std::move(request.url),
                               .headers = std::move(request.headers),
                               .body = std::move(request.body),
                               .trust = {.skipVerification = request.endpoint.skipSslValidation,
                                         .caCertificatePem = request.endpoint.caCertificate},
                               .deadline = request.deadline};
  const auto send = [&] {
    std::string refusal;
    auto call = breaker_ ? breaker_->tryBegin(request.endpoint.id, refusal) : std::nullopt;
    if (breaker_ && !call) {
      result.status = ForwardStatus::HeldBack;
      result.reason = refusal;
      return;
    }
    outgoing.trust.identity = credential.clientIdentity;
    if (!credential.authorization.empty()) {
      outgoing.headers.set("Authorization", credential.authorization);
    } else if (token.ok()) {
      outgoing.headers.remove("Authorization");
    }
    const bool inMemory = !outgoing.body.isStream();
    try {
      result.response = http::followRedirects(transport_, outgoing);
    } catch (const Error& error) {
      // With a stream it may be the browser's fault, which is not for this call to judge.
      if (!inMemory || error.code() != ErrorCode::InvalidArgument) throw;
      result.response = {};
      result.response.failure = http::TransportFailure::Forbidden;
      result.response.detail = error.what();
      result.failure = result.response.failure;
      result.status = ForwardStatus::TransportFailed;
      result.reason = "the call cannot be sent to the endpoint";
      log(log_, LogLevel::Warning, "proxied call cannot be sent",
          {{"endpoint", request.endpoint.id.str()}, {"reason", error.what()}});
      return;
    }
    result.failure = result.response.failure;
    if (result.response.failed()) {
      result.status = ForwardStatus::TransportFailed;
      result.reason = describe(result.failure);
      if (call && isOutage(result.failure)) call->failed(result.reason);
      const bool isOrdinary = result.failure == http::TransportFailure::Cancelled;
      log(log_, isOrdinary ? LogLevel::Debug : LogLevel::Warning, "proxied call failed",
          {{"endpoint", request.endpoint.id.str()}, {"reason", result.response.detail}});
    } else {
      result.status = ForwardStatus::Answered;
      if (call) call->answered();
    }
  };

  send();
  if (result.status != ForwardStatus::Answered || result.response.status != 401 || !replayable) {
    return result;
  }
  drain(result.response.body);
  token = guarded([&] {
    auto renewed = tokens_.renew(request.endpoint, token.record, request.deadline);
    if (renewed.ok()) {
      credential = tokens_.schemes().of(renewed.record).credential(renewed.record);
    }
    return renewed;
  });
  if (!token.ok()) {
    tokenFailure(token);
    return result;
  }
  send();
  if (result.status == ForwardStatus::Answered && result.response.status == 401) {
    drain(result.response.body);
    result.status = ForwardStatus::TokenFailed;
    result.reason = "failed to authorize";
  }
  return result;
}

}  // namespace stratos::proxy
