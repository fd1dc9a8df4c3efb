#include "cloud_roles.hpp"

#include <algorithm>

#include "json.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "support.hpp"
#include "v3_list.hpp"

namespace stratos::testing {
namespace {

Reply v2Error(int status, int code, const std::string& title, const std::string& description) {
  return jsonReply(
      status,
      Json::object({{"description", description}, {"error_code", title}, {"code", code}}).dump());
}

constexpr const char* kNotAuthorized = "You are not authorized to perform the requested action";

std::map<std::string, std::string> bodyOf(const ReceivedRequest& request) {
  try {
    return parseFlatObject(request.body);
  } catch (const Error&) {
    return {};
  }
}

/// The v3 role that a v2 association stands for; empty when there is none.
std::string roleOf(const std::string& collection, const std::string& association) {
  static const std::map<std::pair<std::string, std::string>, std::string> kRoles{
      {{"organizations", "users"}, "organization_user"},
      {{"organizations", "managers"}, "organization_manager"},
      {{"spaces", "auditors"}, "space_auditor"},
      {{"spaces", "managers"}, "space_manager"},
      {{"spaces", "developers"}, "space_developer"}};
  const auto found = kRoles.find({collection, association});
  return found == kRoles.end() ? std::string{} : found->second;
}

bool isSpaceRole(const std::string& type) { return type.starts_with("space_"); }

}  // namespace

void CloudRoles::add(const std::string& type, const std::string& target, const std::string& user) {
  users_.insert(user);
  roles_.emplace(type, target, user);
}

bool CloudRoles::has(const std::string& type, const std::string& target,
                     const std::string& user) const {
  return roles_.contains({type, target, user});
}

bool CloudRoles::manages(const std::string& type, const std::string& target,
                         const UaaTokenInfo& caller) const {
  if (caller.hasScope("cloud_controller.admin")) return true;
  if (!isSpaceRole(type)) return has("organization_manager", target, caller.userId);
  return has("space_manager", target, caller.userId) ||
         has("organization_manager", directory_.organizationOf(target), caller.userId);
}

void CloudRoles::forgetPlace(const std::string& guid) {
  std::erase_if(roles_, [&](const Role& role) {
    const std::string& target = std::get<1>(role);
    // Its spaces are gone by then, too.
    return target == guid ||
           (isSpaceRole(std::get<0>(role)) && directory_.organizationOf(target).empty());
  });
}

std::optional<Reply> CloudRoles::handle(const ReceivedRequest& request,
                                        const std::vector<std::string>& path,
                                        const UaaTokenInfo& caller) {
  using Path = std::vector<std::string>;
  const bool isPost = request.method == "POST";
  if (path == Path{"v2", "users"} && isPost) return createUserV2(request, caller);
  if (path == Path{"v3", "users"} && isPost) return createUserV3(request, caller);
  if (path.size() == 3 && path[0] == "v3" && path[1] == "roles" && request.method == "DELETE") {
    return removeRole(path[2], caller);
  }
  if (path == Path{"v3", "roles"}) return isPost ? createRole(request, caller) : listRoles(request);
  if (path.size() == 4 && path[0] == "v2" && path[1] == "organizations" &&
      path[3] == "user_roles" && request.method == "GET") {
    return userRoles(request, path[2], caller);
  }
  if (path.size() == 5 && path[0] == "v2" && request.method == "PUT") {
    const std::string type = roleOf(path[1], path[3]);
    if (!type.empty()) return associate(type, path[2], path[4], caller);
  }
  return std::nullopt;
}

Reply CloudRoles::createUserV2(const ReceivedRequest& request, const UaaTokenInfo& caller) {
  if (!caller.hasScope("cloud_controller.admin")) {
    return v2Error(403, 10003, "CF-NotAuthorized", kNotAuthorized);
  }
  const std::string guid = bodyOf(request)["guid"];
  if (guid.empty()) return v2Error(400, 1001, "CF-MessageParseError", "Missing field name: guid");
  if (!users_.insert(guid).second) {
    return v2Error(400, 20002, "CF-UaaIdTaken", "The UAA ID is taken: " + guid);
  }
  return jsonReply(201, Json::object({{"metadata", Json::object({{"guid", guid}})},
                                      {"entity", Json::object({{"admin", false}})}})
                            .dump());
}

Reply CloudRoles::createUserV3(const ReceivedRequest& request, const UaaTokenInfo& caller) {
  if (!caller.hasScope("cloud_controller.admin")) {
    return notAuthorized();
  }
  const std::string guid = bodyOf(request)["guid"];
  if (guid.empty() || !users_.insert(guid).second) {
    return v3Error(422, 10008, "CF-UnprocessableEntity",
                   "User with guid '" + guid + "' already exists.");
  }
  return jsonReply(201, Json::object({{"guid", guid}, {"username", nullptr}}).dump());
}

Reply CloudRoles::userRoles(const ReceivedRequest& request, const std::string& organization,
                            const UaaTokenInfo& caller) const {
  const std::string filter = request.queryValue("q").value_or("");
  constexpr std::string_view kByUser = "user_guid:";
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& [type, target, user] : roles_) {
    if (target != organization || isSpaceRole(type)) continue;
    if (filter.starts_with(kByUser) && filter.substr(kByUser.size()) != user) continue;
    // v2 calls organization_manager org_manager.
    found[user].push_back("org_" + type.substr(type.find('_') + 1));
  }
  const bool isMember = found.contains(caller.userId);
  if (!isMember && !caller.hasScope("cloud_controller.admin")) {
    return v2Error(403, 10003, "CF-NotAuthorized", kNotAuthorized);
  }
  Json::Array resources;
  for (const auto& [user, roles] : found) {
    resources.push_back(
        Json::object({{"metadata", Json::object({{"guid", user}, {"url", "/v2/users/" + user}})},
                      {"entity", Json::object({{"organization_roles", Json::strings(roles)}})}}));
  }
  return jsonReply(200, Json::object({{"total_results", std::uint64_t{resources.size()}},
                                      {"total_pages", 1},
                                      {"prev_url", nullptr},
                                      {"next_url", nullptr},
                                      {"resources", resources}})
                            .dump());
}

Reply CloudRoles::associate(const std::string& type, const std::string& target,
                            const std::string& user, const UaaTokenInfo& caller) {
  if (isSpaceRole(type) && directory_.organizationOf(target).empty()) {
    return v2Error(404, 40004, "CF-SpaceNotFound", "The app space could not be found: " + target);
  }
  if (!manages(type, target, caller)) {
    return v2Error(403, 10003, "CF-NotAuthorized", kNotAuthorized);
  }
  if (!users_.contains(user)) {
    return v2Error(404, 20003, "CF-UserNotFound", "The user could not be found: " + user);
  }
  if (isSpaceRole(type) && !has("organization_user", directory_.organizationOf(target), user)) {
    return v2Error(400, 1002, "CF-InvalidRelation",
                   "Could not find users in the organization of the space");
  }
  roles_.emplace(type, target, user);
  return jsonReply(201, Json::object({{"metadata", Json::object({{"guid", target}})},
                                      {"entity", Json::object({})}})
                            .dump());
}

Reply CloudRoles::createRole(const ReceivedRequest& request, const UaaTokenInfo& caller) {
  auto body = bodyOf(request);
  const std::string type = body["type"];
  const std::string userName = body["relationships.user.data.username"];
  const std::string user =
      userName.empty() ? body["relationships.user.data.guid"] : directory_.userGuid(userName);
  if (!userName.empty() && user.empty()) {
    return unprocessable("No user exists with the username '" + userName + "'.");
  }
  // Whom it names, the Cloud Controller takes over from the UAA.
  if (!userName.empty()) users_.insert(user);
  const std::string target = body[isSpaceRole(type) ? "relationships.space.data.guid"
                                                    : "relationships.organization.data.guid"];
  if (type.empty() || target.empty()) return unprocessable("Type must be one of the allowed types");
  if (isSpaceRole(type) && directory_.organizationOf(target).empty()) {
    return unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
  }
  if (!manages(type, target, caller)) return notAuthorized();
  if (!users_.contains(user)) {
    return unprocessable("Invalid user. Ensure that the user exists and you have access to it.");
  }
  if (isSpaceRole(type) && !has("organization_user", directory_.organizationOf(target), user)) {
    return unprocessable(
        "Users cannot be assigned roles in a space if they do not have a role in "
        "that space's organization.");
  }
  const Role role{type, target, user};
  if (!roles_.insert(role).second) {
    return unprocessable("User '" + user + "' already has '" + type + "' role in '" + target +
                         "'.");
  }
  return jsonReply(201, Json::object({{"guid", guidOf(role)}, {"type", type}}).dump());
}

std::string CloudRoles::guidOf(const Role& role) {
  const auto& [type, target, user] = role;
  return stableGuid("role", type + "/" + target + "/" + user);
}

Json CloudRoles::userJson(const std::string& guid) const {
  const std::string name = directory_.userName(guid);
  return Json::object({{"guid", guid},
                       {"username", name.empty() ? Json{} : Json{name}},
                       {"presentation_name", name.empty() ? guid : name},
                       {"origin", "uaa"}});
}

Reply CloudRoles::listRoles(const ReceivedRequest& request) const {
  const ListQuery query = readListQuery(
      request, {"guids", "types", "user_guids", "space_guids", "organization_guids"});
  if (!query.problem.empty()) return badQuery(query.problem);
  std::vector<const Role*> found;
  for (const Role& role : roles_) {
    const auto& [type, target, user] = role;
    const bool isSpace = isSpaceRole(type);
    if (query.allows("types", type) && query.allows("user_guids", user) &&
        query.allows("guids", guidOf(role)) &&
        query.allows(isSpace ? "space_guids" : "organization_guids", target) &&
        // As the Cloud Controller has it, a filter by the one kind of place leaves out the other.
        (isSpace || !query.filters.contains("space_guids")) &&
        (!isSpace || !query.filters.contains("organization_guids"))) {
      found.push_back(&role);
    }
  }
  const auto include = split(request.queryValue("include").value_or(""), ',');
  const auto isIncluded = [&](const char* what) {
    return std::find(include.begin(), include.end(), what) != include.end();
  };
  Json::Array users;
  Json::Array spaces;
  Json::Array organizations;
  std::set<std::string> seen;
  const auto place = [&](const std::string& guid) {
    return Json::object({{"guid", guid}, {"name", directory_.placeName(guid)}});
  };
  const std::size_t begin = std::min(found.size(), (query.page - 1) * query.perPage);
  const std::size_t end = std::min(found.size(), begin + query.perPage);
  for (std::size_t i = begin; i < end; ++i) {
    const auto& [type, target, user] = *found[i];
    if (isIncluded("user") && seen.insert(user).second) users.push_back(userJson(user));
    const bool isSpace = isSpaceRole(type);
    if (isIncluded(isSpace ? "space" : "organization") && seen.insert(target).second) {
      (isSpace ? spaces : organizations).push_back(place(target));
    }
  }
  Json::Object more;
  if (!include.empty() && !include.front().empty()) {
    more.emplace_back("included", Json::object({{"users", users},
                                                {"spaces", spaces},
                                                {"organizations", organizations}}));
  }
  return listReply(
      query, directory_.apiUrl() + "/v3/roles", found.size(),
      [&](std::size_t index) {
        const auto& [type, target, user] = *found[index];
        const auto reference = [](const std::string& guid) {
          return Json::object({{"data", guid.empty() ? Json{} : Json::object({{"guid", guid}})}});
        };
        const bool isSpace = isSpaceRole(type);
        return Json::object(
            {{"guid", guidOf(*found[index])},
             {"type", type},
             {"relationships",
              Json::object({{"user", reference(user)},
                            {"space", reference(isSpace ? target : "")},
                            {"organization", reference(isSpace ? "" : target)}})}});
      },
      more);
}

Reply CloudRoles::removeRole(const std::string& guid, const UaaTokenInfo& caller) {
  const auto role = std::find_if(roles_.begin(), roles_.end(),
                                 [&](const Role& each) { return guidOf(each) == guid; });
  if (role == roles_.end()) return notFound("Role");
  const auto [type, target, user] = *role;
  if (!manages(type, target, caller)) return notAuthorized();
  if (type == "organization_user") {
    for (const auto& [otherType, otherTarget, otherUser] : roles_) {
      if (otherUser == user && isSpaceRole(otherType) &&
          directory_.organizationOf(otherTarget) == target) {
        return unprocessable("Cannot delete organization_user role while user has roles in spaces "
                             "in that organization.");
      }
    }
  }
  return directory_.accept("role.delete", [this, gone = Role{type, target, user}] {
    roles_.erase(gone);
  });
}

}  // namespace stratos::testing
