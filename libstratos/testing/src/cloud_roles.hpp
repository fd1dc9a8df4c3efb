#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "json.hpp"
#include "stratos/testing/fake_uaa.hpp"

namespace stratos::testing {

/// What the roles ask others. Each gives an empty text for what there is not.
struct CloudDirectory {
  std::function<std::string()> apiUrl;
  std::function<std::string(const std::string& space)> organizationOf;
  std::function<std::string(const std::string& guid)> placeName;
  std::function<std::string(const std::string& guid)> userName;
  std::function<std::string(const std::string& name)> userGuid;
  /// Begins a job: the answer 202 that leads to it.
  std::function<Reply(const std::string& operation, std::function<void()> work)> accept;
};

/// The users of a Cloud Controller and their roles: `/v2/users`, `user_roles` and the associations
/// of v2, `/v3/users` and `/v3/roles`. One thread at a time.
class CloudRoles {
 public:
  explicit CloudRoles(CloudDirectory directory) : directory_(std::move(directory)) {}

  /// The types are those of v3: `organization_user`, `space_developer`, ...
  void add(const std::string& type, const std::string& target, const std::string& user);
  [[nodiscard]] bool has(const std::string& type, const std::string& target,
                         const std::string& user) const;
  [[nodiscard]] bool hasUser(const std::string& user) const { return users_.contains(user); }

  /// Whether `caller` may give others a role in `target`.
  [[nodiscard]] bool manages(const std::string& type, const std::string& target,
                             const UaaTokenInfo& caller) const;
  /// The place is gone, and every role in it.
  void forgetPlace(const std::string& guid);

  /// The answer to a request of `caller`, or empty when the path is none of these.
  [[nodiscard]] std::optional<Reply> handle(const ReceivedRequest& request,
                                            const std::vector<std::string>& path,
                                            const UaaTokenInfo& caller);

 private:
  [[nodiscard]] Reply createUserV2(const ReceivedRequest& request, const UaaTokenInfo& caller);
  [[nodiscard]] Reply createUserV3(const ReceivedRequest& request, const UaaTokenInfo& caller);
  [[nodiscard]] Reply userRoles(const ReceivedRequest& request, const std::string& organization,
                                const UaaTokenInfo& caller) const;
  [[nodiscard]] Reply associate(const std::string& type, const std::string& target,
                                const std::string& user, const UaaTokenInfo& caller);
  [[nodiscard]] Reply createRole(const ReceivedRequest& request, const UaaTokenInfo& caller);
  [[nodiscard]] Reply listRoles(const ReceivedRequest& request) const;
  [[nodiscard]] Reply removeRole(const std::string& guid, const UaaTokenInfo& caller);
  using Role = std::tuple<std::string, std::string, std::string>;  ///< Type, target, user.
  [[nodiscard]] static std::string guidOf(const Role& role);
  [[nodiscard]] Json userJson(const std::string& guid) const;

  CloudDirectory directory_;
  std::set<std::string> users_;
  std::set<Role> roles_;
};

}  // namespace stratos::testing
