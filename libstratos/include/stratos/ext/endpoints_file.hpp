#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"

namespace stratos::ext {

/// An endpoint that an endpoints file wants to be there.
struct DeclaredEndpoint {
  endpoint::Registration registration;
  int line = 0;  ///< Where it begins in the file.
};

/// What an endpoints file says. A value.
struct EndpointsFile {
  std::filesystem::path path;
  /// Unregister what the file once brought and no longer names.
  bool prune = false;
  std::vector<DeclaredEndpoint> endpoints;
};

/// The value of an environment variable; empty when it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Reads an endpoints file, YAML 1.2 or JSON; libstratos/doc/endpoints-file.md describes it. Throws
/// Error(InvalidArgument) that names file, line and what to change, and never holds a secret.
/// Secrets and certificates that it refers to are read, too.
[[nodiscard]] STRATOS_EXPORT EndpointsFile readEndpointsFile(const std::filesystem::path& path,
                                                             const EnvironmentLookup& environment);

/// What one pass over the file found and did.
struct ReconcileReport {
  std::size_t registered = 0;
  std::size_t changed = 0;
  std::size_t unchanged = 0;
  std::size_t removed = 0;
  std::size_t refused = 0;  ///< Will not work without a change of the file or of the endpoint.
  std::size_t pending = 0;  ///< Could not be reached; worth another try.
};

struct DeclaredEndpointsOptions {
  /// How long a pass may wait for one endpoint.
  std::chrono::milliseconds probeTimeout{10'000};
  /// The wait before the second pass; doubles with each further one up to the longest.
  std::chrono::milliseconds firstWait{5'000};
  std::chrono::milliseconds longestWait{300'000};
};

/// Registers and keeps the endpoints of a file. Any number of replicas may do so with the same file
/// at the same time.
///
/// Endpoints are recognised by their address. What a user registered at such an address is changed
/// to what the file says, but never pruned.
///
/// Thread safety: reconcile() and run() belong to one thread, which may be another one than the
/// console's. Call them once the console is complete and while it lives.
class STRATOS_EXPORT DeclaredEndpoints final : public Extension {
 public:
  explicit DeclaredEndpoints(EndpointsFile file, DeclaredEndpointsOptions options = {});

  [[nodiscard]] std::string_view name() const noexcept override { return "endpointsfile"; }
  void attach(ExtensionHost& host) override { host_ = &host; }

  /// One pass over all that is not settled yet. Throws Error when the database cannot be asked.
  ReconcileReport reconcile(const std::stop_token& stop = {});
  /// Passes until nothing is pending or a stop is requested. Failures are logged when they begin
  /// and when their reason changes.
  void run(const std::stop_token& stop) noexcept;

 private:
  enum class State { Open, Settled, Refused };
  struct Entry {
    DeclaredEndpoint declared;
    State state = State::Open;
    std::string lastReason;
  };

  void apply(Entry& entry, std::vector<store::EndpointRecord>& present, ReconcileReport& report);
  void prune(const std::vector<store::EndpointRecord>& present, ReconcileReport& report);
  void settle(Entry& entry, const endpoint::ChangeResult& result, std::string_view action,
              ReconcileReport& report);
  void audit(std::string_view action, std::string_view outcome, std::string_view target,
             std::string_view reason);
  [[nodiscard]] std::vector<store::EndpointRecord> listPresent();

  const std::filesystem::path path_;
  const bool prune_;
  const DeclaredEndpointsOptions options_;
  std::vector<Entry> entries_;
  bool pruned_ = false;
  ExtensionHost* host_ = nullptr;
};

}  // namespace stratos::ext
