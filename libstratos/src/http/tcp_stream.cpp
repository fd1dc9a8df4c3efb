#include "stratos/http/tcp_stream.hpp"

#include "http/connection.hpp"

namespace stratos::http {

class TcpStream::Impl {
 public:
  detail::TlsContexts contexts;
  detail::Connection connection;
  bool secure = false;
};

TcpStream::TcpStream() : impl_(std::make_unique<Impl>()) {}
TcpStream::~TcpStream() = default;

bool TcpStream::open(const std::string& host, std::uint16_t port, Deadline deadline) {
  return impl_->connection.open(host, port, deadline);
}

bool TcpStream::startTls(const std::string& host, const TrustPolicy& trust, Deadline deadline) {
  impl_->secure = impl_->connection.startTls(impl_->contexts.get(trust), host, deadline);
  return impl_->secure;
}

bool TcpStream::isSecure() const noexcept { return impl_->secure; }

std::optional<std::size_t> TcpStream::read(char* buffer, std::size_t capacity, Deadline deadline) {
  std::size_t count = 0;
  switch (impl_->connection.read(buffer, capacity, count, deadline)) {
    case detail::Connection::Status::Done:
      return count;
    case detail::Connection::Status::End:
      return 0;
    default:
      return std::nullopt;
  }
}

bool TcpStream::write(std::string_view data, Deadline deadline) {
  return impl_->connection.write(data, deadline) == detail::Connection::Status::Done;
}

TransportFailure TcpStream::failure() const noexcept { return impl_->connection.failure().kind; }
const std::string& TcpStream::detail() const noexcept { return impl_->connection.failure().detail; }

}  // namespace stratos::http
