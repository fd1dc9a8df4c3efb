#include "stratos/endpoint/endpoint_call.hpp"

#include <algorithm>

#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"

namespace stratos::endpoint {

namespace {

/// Discovery documents and profiles are a few KB.
constexpr std::size_t kAnswerLimitBytes = 256 * 1024;

EndpointAnswer failedWith(http::TransportFailure failure, std::string problem) {
  EndpointAnswer answer;
  answer.failure = failure;
  answer.problem = std::move(problem);
  return answer;
}

EndpointAnswer failedTo(const http::ClientResponse& response) {
  switch (response.failure) {
    case http::TransportFailure::Tls:
    case http::TransportFailure::Forbidden:
      return failedWith(response.failure, response.detail);
    case http::TransportFailure::TimedOut:
      return failedWith(response.failure, "it did not answer in time");
    case http::TransportFailure::Refused:
    case http::TransportFailure::Broken:
    case http::TransportFailure::Cancelled:
    case http::TransportFailure::None:
      break;
  }
  return failedWith(response.failure, "it cannot be reached");
}

void readBody(http::Body& body, EndpointAnswer& answer) {
  char buffer[16 * 1024];
  while (const std::size_t count = body.read(buffer, sizeof buffer)) {
    const std::size_t room = kAnswerLimitBytes - answer.body.size();
    answer.body.append(buffer, std::min(count, room));
    if (count > room) {
      answer.truncated = true;
      return;
    }
  }
}

}  // namespace

http::TrustPolicy trustOf(const store::EndpointRecord& endpoint) {
  return {.skipVerification = endpoint.skipSslValidation,
          .caCertificatePem = endpoint.caCertificate};
}

EndpointAnswer fetch(http::Transport& transport, const store::EndpointRecord& endpoint,
                     std::string_view target, const auth::Credential& credential,
                     Deadline deadline) {
  const auto base = Url::tryParse(endpoint.apiUrl);
  if (!base) return failedWith(http::TransportFailure::Refused, "its address is no URL");
  const auto question = target.find('?');
  std::string query{question == std::string_view::npos ? "" : target.substr(question + 1)};
  http::ClientRequest request{
      .method = "GET",
      .url = base->withPath(
          base->withoutTrailingSlash().rawPath() + std::string{target.substr(0, question)},
          std::move(query)),
      // GitHub refuses clients that do not name themselves.
      .headers = {{"Accept", "application/json, */*"}, {"User-Agent", "stratos"}},
      .body = {},
      .trust = trustOf(endpoint),
      .deadline = deadline};
  request.trust.identity = credential.clientIdentity;
  if (!credential.authorization.empty()) {
    request.headers.set("Authorization", credential.authorization);
  }
  try {
    http::ClientResponse response = http::followRedirects(transport, std::move(request));
    if (response.failed()) return failedTo(response);
    EndpointAnswer answer;
    answer.status = response.status;
    answer.contentType = std::string{response.headers.get("Content-Type")};
    readBody(response.body, answer);
    return answer;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::DeadlineExceeded) {
      return failedWith(http::TransportFailure::TimedOut, "it did not answer in time");
    }
    if (error.code() == ErrorCode::Unavailable) {
      return failedWith(http::TransportFailure::Broken, "it broke off its answer");
    }
    if (error.code() != ErrorCode::InvalidArgument) throw;
    return failedWith(http::TransportFailure::Forbidden,
                      credential.clientIdentity.empty()
                          ? "the call cannot be sent"
                          : "the client certificate and its key cannot be used together");
  }
}

ProbeResult accepted(const store::EndpointRecord& candidate) {
  ProbeResult result;
  result.status = ProbeStatus::Accepted;
  result.authorizationEndpoint = candidate.apiUrl;
  result.tokenEndpoint = candidate.apiUrl;
  return result;
}

ProbeResult notThatKind(std::string detail) {
  ProbeResult result;
  result.status = ProbeStatus::NotThatKind;
  result.detail = std::move(detail);
  return result;
}

ProbeResult unreachable(const EndpointAnswer& answer) {
  ProbeResult result;
  result.status = answer.failure == http::TransportFailure::Tls ? ProbeStatus::TlsFailure
                                                                : ProbeStatus::Unreachable;
  result.detail = answer.problem;
  return result;
}

ConnectResult notConnected(const std::string& why, int status) {
  ConnectResult result;
  result.status = status;
  result.message = "Could not connect to the endpoint: " + why;
  return result;
}

ConnectResult connected(store::TokenRecord token) {
  ConnectResult result;
  result.connected = true;
  result.token = std::move(token);
  return result;
}

}  // namespace stratos::endpoint
