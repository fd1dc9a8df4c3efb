#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stratos/base/deadline.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"
#include "stratos/base/log.hpp"
#include "stratos/endpoint/endpoint_type.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::endpoint {

/// USER_ENDPOINTS_ENABLED: who may have endpoints of their own.
enum class UserEndpoints { Disabled, AdminOnly, Enabled };

/// The wire name: disabled, admin_only, enabled.
[[nodiscard]] STRATOS_EXPORT std::string_view toString(UserEndpoints mode) noexcept;

/// Who asks. `isAdmin` is called only where the role decides, since finding it out may cost a
/// query.
struct Caller {
  UserId user;
  std::function<bool()> isAdmin;
};

/// What a user wants to register. Empty fields take their defaults.
struct Registration {
  std::string type;
  std::string subType;
  std::string name;
  std::string apiUrl;
  bool skipSslValidation = false;
  bool ssoAllowed = false;
  std::string clientId;
  Secret clientSecret;
  std::string caCertificate;
  bool systemEndpoint = true;  ///< Only an administrator's word counts.
};

/// What a user wants to change; absent members stay.
struct EndpointChange {
  std::optional<std::string> name;
  std::optional<bool> skipSslValidation;
  std::optional<bool> ssoAllowed;
  std::optional<std::string> clientId;  ///< Together with clientSecret.
  std::optional<Secret> clientSecret;
  std::optional<std::string> caCertificate;  ///< Empty text removes it.
};

enum class ChangeStatus {
  Done,
  NotFound,
  NotAllowed,
  Invalid,  ///< See message.
  Duplicate,
  TlsFailure,
  ProbeFailed,
};

struct ChangeResult {
  ChangeStatus status = ChangeStatus::Done;
  std::string message;           ///< For the user, unless Done.
  store::EndpointRecord record;  ///< As stored, when Done.
};

struct EndpointRegistryOptions {
  UserEndpoints userEndpoints = UserEndpoints::Disabled;
  /// Client of endpoints that are registered without one (CF_CLIENT, CF_CLIENT_SECRET).
  std::string defaultClientId = "cf";
  Secret defaultClientSecret;
};

/// The endpoints of the console: who sees which, and how they come and go.
///
/// Thread safety: addType() belongs to the set-up; all other members may be called concurrently.
class STRATOS_EXPORT EndpointRegistry {
 public:
  EndpointRegistry(store::EndpointStore& store, LogSink& log, EndpointRegistryOptions options);

  /// Adds a kind of endpoint. Throws Error(AlreadyExists) when its name is taken.
  void addType(std::unique_ptr<EndpointType> type);
  [[nodiscard]] EndpointType* findType(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string> typeNames() const;

  /// What the caller sees, by the list rule of the mode.
  [[nodiscard]] std::vector<store::EndpointRecord> listVisible(const Caller& caller) const;
  /// The endpoint, if it exists and the caller may see it.
  [[nodiscard]] std::optional<store::EndpointRecord> findVisible(const Caller& caller,
                                                                 const EndpointId& id) const;

  /// The other endpoints of the same address that `user` may connect to: the system's and their
  /// own.
  [[nodiscard]] std::vector<store::EndpointRecord> listRivals(
      const UserId& user, const store::EndpointRecord& endpoint) const;

  /// Checks, probes and stores a new endpoint.
  [[nodiscard]] ChangeResult add(const Caller& caller, const Registration& registration,
                                 Deadline deadline);
  /// Changes an endpoint; probes it when verification is switched on.
  [[nodiscard]] ChangeResult update(const Caller& caller, const EndpointId& id,
                                    const EndpointChange& change, Deadline deadline);
  /// Removes an endpoint with every user's tokens and favourites of it.
  [[nodiscard]] ChangeResult remove(const Caller& caller, const EndpointId& id);

  /// Why such an endpoint could not be registered, whatever answers at its address; empty when it
  /// could. Does not look at the type.
  [[nodiscard]] static std::string problemOf(const Registration& registration);

  [[nodiscard]] UserEndpoints mode() const noexcept { return options_.userEndpoints; }

  /// base64url(SHA-1(url [+ user])): the same URL gives the same id on every installation.
  [[nodiscard]] static EndpointId idFor(const std::string& apiUrl, const UserId& creator);

 private:
  [[nodiscard]] bool isVisible(const store::EndpointRecord& record, const Caller& caller) const;
  [[nodiscard]] std::optional<ChangeResult> refuseModification(const store::EndpointRecord& record,
                                                               const Caller& caller) const;

  store::EndpointStore& store_;
  LogSink& log_;
  EndpointRegistryOptions options_;
  std::vector<std::unique_ptr<EndpointType>> types_;
};

}  // namespace stratos::endpoint
