#include "upgrade_gate.hpp"

#include <utility>

namespace stratos::server {

UpgradeGate::UpgradeGate(std::optional<std::filesystem::path> lock, http::Handler* inner)
    : lock_(std::move(lock)), inner_(inner) {}

bool UpgradeGate::isLocked() const {
  std::error_code error;
  return lock_ && std::filesystem::exists(*lock_, error);
}

http::Response UpgradeGate::handle(http::Request& request) {
  if (inner_ != nullptr && !isLocked()) return inner_->handle(request);
  http::Response response = http::Response::empty(503);
  response.headers.set("Retry-After", "10");
  return response;
}

}  // namespace stratos::server
