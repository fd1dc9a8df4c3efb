#pragma once

#include <filesystem>
#include <optional>

#include "stratos/http/message.hpp"

namespace stratos::server {

/// Answers 503 with Retry-After while the upgrade lock exists, which makes the front end show its
/// upgrade page; passes everything on otherwise. Thread safety: safe from any thread.
class UpgradeGate final : public http::Handler {
 public:
  /// `inner` must outlive the gate. Without it there is nothing but the 503.
  UpgradeGate(std::optional<std::filesystem::path> lock, http::Handler* inner);

  [[nodiscard]] bool isLocked() const;
  [[nodiscard]] http::Response handle(http::Request& request) override;

 private:
  const std::optional<std::filesystem::path> lock_;
  http::Handler* const inner_;
};

}  // namespace stratos::server
