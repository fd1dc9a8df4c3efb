#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "stratos/testing/fake_uaa.hpp"

namespace stratos::testing {

/// The users of a Cloud Controller and their roles: `/v2/users`, `user_roles` and the associations
/// of v2, `/v3/users` and `/v3/roles`. One thread at a time.
class CloudRoles {
 public:
  /// The organization of a space; empty when there is no such space.
  using OrganizationOfSpace = std::function<std::string(const std::string& space)>;

  explicit CloudRoles(OrganizationOfSpace organizationOf)
      : organizationOf_(std::move(organizationOf)) {}

  /// The types are those of v3: `organization_user`, `space_developer`, ...
  void add(const std::string& type, const std::string& target, const std::string& user);
  [[nodiscard]] bool has(const std::string& type, const std::string& target,
                         const std::string& user) const;
  [[nodiscard]] bool hasUser(const std::string& user) const { return users_.contains(user); }

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
  /// Whether `caller` may give others a role in `target`.
  [[nodiscard]] bool manages(const std::string& type, const std::string& target,
                             const UaaTokenInfo& caller) const;

  OrganizationOfSpace organizationOf_;
  std::set<std::string> users_;
  std::set<std::tuple<std::string, std::string, std::string>> roles_;
};

}  // namespace stratos::testing
