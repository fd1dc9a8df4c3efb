#include "stratos/auth/login_service.hpp"

#include <algorithm>
#include "stratos/base/error.hpp"
#include "stratos/crypto/password_hash.hpp"

namespace stratos::auth {

namespace {
// One text for all refusals: it tells nobody which names exist.
constexpr const char* kRefusal = "Access Denied - Invalid username/password credentials";
}  // namespace

LocalLogin::LocalLogin(store::LocalUserStore& users, const Clock& clock, Random& random,
                       LogSink& log, LocalLoginOptions options)
    : users_(users),
      clock_(clock),
      random_(random),
      log_(log),
      options_(std::move(options)),
      passwords_(options_.passwords) {
  if (options_.userScope.empty()) options_.userScope = options_.adminScope;
  if (options_.adminScope.empty()) {
    throw Error(ErrorCode::InvalidArgument,
                "the administrator's scope is empty; set CONSOLE_ADMIN_SCOPE, for example to "
                "stratos.admin");
  }
}

store::LocalUser LocalLogin::makeUser(const std::string& name, const Secret& password) {
  return {.id = UserId{makeUuid(random_)},
          .name = name,
          .passwordHash = crypto::hashPassword(password, random_, options_.hashCost),
          .email = "",
          .scope = options_.userScope,
          .givenName = "Admin",
          .familyName = "User"};
}

bool LocalLogin::createInitialUser(const std::string& name, const Secret& password) {
  return !users_.findByName(name) && users_.insertIfAbsent(makeUser(name, password));
}

/// Users that upstream made have hashes of a greater cost than ours.
int LocalLogin::greatestCost(const std::string& hash) {
  // A typing error in the database must not stop every sign-in for hours.
  constexpr int kMost = 16;
  int greatest = greatestCost_.load();
  if (greatest == 0) {
    greatest = options_.hashCost;
    for (const std::string& kind : users_.listHashKinds()) {
      greatest = std::max(greatest, PasswordChecker::costOf(kind + std::string(53, '.')));
    }
  }
  greatest = std::min(std::max(greatest, PasswordChecker::costOf(hash)), kMost);
  greatestCost_.store(greatest);
  return greatest;
}

LoginResult LocalLogin::login(const std::string& userName, const Secret& password,
                              Deadline deadline) {
  LoginResult result;
  const auto user = users_.findByName(userName);
  const std::string hash = user ? user->passwordHash : std::string{};
  // First of all, and for everybody, so that the time tells nothing.
  const bool matches = passwords_.matches(password, hash, greatestCost(hash), deadline);
  if (!user || !matches) {
    result.refusal = kRefusal;
    return result;
  }
  if (user->scope != options_.userScope && user->scope != options_.adminScope) {
    result.refusal = kRefusal;
    return result;
  }
  try {
    users_.recordLogin(user->id, clock_.now());
  } catch (const Error& error) {
    log(log_, LogLevel::Warning, "the time of a sign-in could not be recorded",
        {{"user", user->id.str()}, {"reason", error.what()}});
  }
  result.accepted = true;
  result.user = user->id;
  result.account = user->name;
  result.tokenExpiry = kNeverExpires;
  result.admin = user->scope == options_.adminScope;
  return result;
}

std::optional<ConnectedUser> LocalLogin::findUser(const UserId& id) {
  const auto user = users_.find(id);
  if (!user) return std::nullopt;
  return ConnectedUser{
      .guid = user->id.str(),
      .name = user->name,
      .admin = user->scope == options_.adminScope,
      // What the front end asks for before it offers profile and password changes.
      .scopes = std::vector<std::string>{user->scope, "password.write", "scim.write"}};
}

VerifyResult LocalLogin::verify(const UserId& id, std::int64_t tokenExpiry, Deadline) {
  if (!users_.find(id)) {
    return {.accepted = false, .tokenExpiry = 0, .refusal = "the user does not exist any more"};
  }
  return {.accepted = true, .tokenExpiry = tokenExpiry, .refusal = {}};
}

}  // namespace stratos::auth
