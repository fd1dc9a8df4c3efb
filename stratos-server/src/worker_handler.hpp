#pragma once

#include "stratos/http/message.hpp"

namespace stratos::server {

/// Has requests answered by a handler that may block its thread: it runs on a worker, while the
/// calling fiber reads small bodies for it, and writes the response, so that a client holds a
/// worker no longer than its handler needs.
///
/// Thread safety: as the handler's. It must outlive this.
class WorkerHandler final : public http::Handler {
 public:
  explicit WorkerHandler(http::Handler& inner) : inner_(inner) {}

  /// On a fiber whose loop has workers. Throws Error(Unavailable) when their queue is full.
  [[nodiscard]] http::Response handle(http::Request& request) override;

 private:
  http::Handler& inner_;
};

/// A client that has gone must be an error of the write, not a signal to the process.
void blockSigpipe() noexcept;

}  // namespace stratos::server
