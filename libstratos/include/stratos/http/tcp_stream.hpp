#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::http {

/// A TCP connection that may go over to TLS, for protocols other than HTTP that start in the clear
/// (STARTTLS of RFC 3207). What the peer does is a value: after a false or empty result failure()
/// and detail() say why, and the stream is of no more use. One thread at a time.
class STRATOS_EXPORT TcpStream {
 public:
  TcpStream();
  ~TcpStream();
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  /// Connects to one of the host's addresses. Once per stream.
  [[nodiscard]] bool open(const std::string& host, std::uint16_t port, Deadline deadline);
  /// Shakes hands (TLS 1.2 or newer) and checks the certificate for `host`. Throws
  /// Error(InvalidArgument) when the policy's PEM text holds no certificate.
  [[nodiscard]] bool startTls(const std::string& host, const TrustPolicy& trust, Deadline deadline);
  [[nodiscard]] bool isSecure() const noexcept;

  /// Reads at least one byte; 0 at the end of the stream; empty when reading failed.
  [[nodiscard]] std::optional<std::size_t> read(char* buffer, std::size_t capacity,
                                                Deadline deadline);
  /// Writes all of `data`.
  [[nodiscard]] bool write(std::string_view data, Deadline deadline);

  [[nodiscard]] TransportFailure failure() const noexcept;
  [[nodiscard]] const std::string& detail() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::http
