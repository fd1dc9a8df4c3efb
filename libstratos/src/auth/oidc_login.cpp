#include "stratos/auth/oidc_login.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "auth/json_support.hpp"
#include "stratos/auth/oidc_client.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::auth {

namespace {

using Poco::JSON::Object;

constexpr const char* kAuthType = "OIDC";
constexpr const char* kMisunderstood = "The identity provider sent an answer that cannot be used";
constexpr std::int64_t kMarginSeconds = 30;
constexpr std::int64_t kAssumedLifeSeconds = 600;
constexpr std::int64_t kLongestLifeSeconds = 10LL * 365 * 24 * 3600;
/// A provider that is away is asked again after this time, whoever wants to know.
constexpr std::int64_t kOutagePauseSeconds = 5;
constexpr std::chrono::milliseconds kLeaseLife{45'000};  // Token, keys and userinfo, 15 s each.
constexpr std::chrono::milliseconds kLeasePoll{50};
constexpr std::size_t kMaxGroups = 2'000;
constexpr std::size_t kMaxIdTokenBytes = 16 * 1024;

/// What is kept of a sign-in beside the access token.
struct Account {
  std::string issuer;
  std::string subject;
  std::string name;
  std::string email;
  bool isEmailVerified = false;
  std::vector<std::string> groups;
  Secret refreshToken;
  Secret idToken;
  bool ended = false;  ///< The provider has refused to renew it.
};

Secret encode(const Account& account) {
  JsonWriter json;
  json.beginObject()
      .member("issuer", account.issuer)
      .member("subject", account.subject)
      .member("name", account.name)
      .member("email", account.email)
      .member("email_verified", account.isEmailVerified)
      .key("groups")
      .beginArray();
  for (const std::string& group : account.groups) json.value(group);
  json.endArray()
      .member("refresh_token", account.refreshToken.reveal())
      .member("id_token", account.idToken.reveal())
      .member("ended", account.ended)
      .endObject();
  return Secret{json.str()};
}

bool flagMember(const Object& json, const std::string& name) {
  const auto value = json.get(name);
  if (value.isBoolean()) return value.extract<bool>();
  return value.isString() && value.extract<std::string>() == "true";  // As some providers write it.
}

std::optional<Account> decode(const store::TokenRecord& row) {
  if (row.authType != kAuthType) return std::nullopt;
  const auto json = detail::parseObject(row.refreshToken.reveal());
  if (!json) return std::nullopt;
  Account account;
  account.issuer = detail::stringMember(*json, "issuer");
  account.subject = detail::stringMember(*json, "subject");
  account.name = detail::stringMember(*json, "name");
  account.email = detail::stringMember(*json, "email");
  account.isEmailVerified = flagMember(*json, "email_verified");
  account.groups = detail::listMember(*json, "groups");
  account.refreshToken = Secret{detail::stringMember(*json, "refresh_token")};
  account.idToken = Secret{detail::stringMember(*json, "id_token")};
  account.ended = flagMember(*json, "ended");
  return account;
}

/// The claim itself, or what its dots lead to. Empty when there is none.
Poco::Dynamic::Var findClaim(const Object& claims, const std::string& path) {
  if (claims.has(path)) return claims.get(path);
  const auto dot = path.find('.');
  if (dot == std::string::npos) return {};
  const auto inner = claims.getObject(path.substr(0, dot));
  return inner ? findClaim(*inner, path.substr(dot + 1)) : Poco::Dynamic::Var{};
}

/// One string is one group: names of groups may have blanks.
std::vector<std::string> groupsIn(const Poco::Dynamic::Var& claim) {
  std::vector<std::string> groups;
  if (claim.isEmpty()) return groups;
  if (claim.isString()) {
    groups.push_back(claim.extract<std::string>());
  } else if (claim.type() == typeid(Poco::JSON::Array::Ptr)) {
    for (const auto& item : *claim.extract<Poco::JSON::Array::Ptr>()) {
      if (item.isString()) groups.push_back(item.extract<std::string>());
      if (groups.size() >= kMaxGroups) break;
    }
  }
  return groups;
}

bool intersects(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& item) {
    return !item.empty() && std::find(b.begin(), b.end(), item) != b.end();
  });
}

}  // namespace

UserId oidcUserId(const std::string& issuer, const std::string& subject) {
  std::string hash = crypto::sha256(issuer + '\0' + subject).substr(0, 16);
  const auto set = [&](std::size_t at, unsigned keep, unsigned bits) {
    hash[at] = static_cast<char>((static_cast<unsigned char>(hash[at]) & keep) | bits);
  };
  set(6, 0x0f, 0x80);
  set(8, 0x3f, 0x80);
  const std::string hex = toHex(hash);
  return UserId{hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
                hex.substr(16, 4) + "-" + hex.substr(20)};
}

class OidcLogin::Impl {
 public:
  Impl(OidcCollaborators with, OidcOptions options, std::string adminScope)
      : with_(with),
        client_(with.transport, with.clock, std::move(options)),
        adminScope_(std::move(adminScope)) {
    if (adminScope_.empty()) {
      throw Error(
          ErrorCode::InvalidArgument,
          "CONSOLE_ADMIN_SCOPE is empty; set it to the scope of the console's administrators");
    }
  }

  OidcClient& client() { return client_; }

  LoginResult redeem(const Secret& code, const std::string& issuer, const SsoFlow& flow,
                     Deadline deadline) {
    const auto provider = client_.metadata(deadline);
    // RFC 9207 section 2.4: an answer of another provider must not reach this token endpoint.
    if (issuer.empty() ? provider->sendsIssuer : issuer != provider->issuer) {
      return refusal("the answer came from another issuer");
    }
    const OidcGrant grant = client_.redeem(code, flow, deadline);
    switch (grant.status) {
      case GrantStatus::Granted:
        break;
      case GrantStatus::Refused:
        return refusal(grant.detail, "The identity provider did not accept the sign-in; try again");
      case GrantStatus::ClientRefused:
        throw Error(ErrorCode::Unavailable,
                    "the OpenID Connect provider refuses the console's client: " + grant.detail +
                        "; check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET",
                    "The identity provider does not accept this console");
      case GrantStatus::Unavailable:
        throw Error(ErrorCode::Unavailable,
                    "the OpenID Connect provider cannot be asked: " + grant.detail,
                    "The identity provider cannot be reached");
    }
    Account account;
    const std::string problem =
        readIdToken(*provider, grant.tokens, &flow.nonce, account, deadline);
    if (!problem.empty()) return refusal(problem);
    account.refreshToken = grant.tokens.refreshToken;
    if (!isAllowed(account)) {
      return refusal("the user's groups or e-mail address do not allow it",
                     "You are not allowed to sign in to this console");
    }
    return store(account, grant.tokens);
  }

  std::optional<ConnectedUser> findUser(const UserId& user) {
    const auto row = with_.tokens.findConsoleToken(user);
    const auto account = row ? accountOf(*row) : std::nullopt;
    if (!account || isOver(*row, *account)) return std::nullopt;
    return userOf(user, *account);
  }

  VerifyResult verify(const UserId& user, std::int64_t tokenExpiry, Deadline deadline) {
    const OnlyOne turn(*this, user, deadline);
    auto row = with_.tokens.findConsoleToken(user);
    const auto account = row ? accountOf(*row) : std::nullopt;
    if (!account) return over("the sign-in is not known any more");
    if (isOver(*row, *account)) return over("the sign-in has expired");
    if (row->expiry > now() + kMarginSeconds || account->refreshToken.empty()) {
      return goesOn(row->expiry);
    }
    if (now() - awaySince_ >= 0 && now() - awaySince_ < kOutagePauseSeconds) {
      return goesOn(tokenExpiry);
    }
    Lease lease(with_, *row);
    while (!lease.tryAcquire()) {
      // Another process is renewing the row; what it stores serves us, too.
      row = with_.tokens.findConsoleToken(user);
      if (!row) return over("the sign-in is not known any more");
      if (row->expiry > now() + kMarginSeconds) return goesOn(row->expiry);
      if (deadline.hasPassed()) return goesOn(tokenExpiry);
      std::this_thread::sleep_for(std::min(kLeasePoll, deadline.remaining()));
    }
    return renew(user, tokenExpiry, deadline);
  }

  Secret idTokenOf(const UserId& user) {
    const auto row = with_.tokens.findConsoleToken(user);
    const auto account = row ? accountOf(*row) : std::nullopt;
    return account ? account->idToken : Secret{};
  }

 private:
  /// One renewal of a user at a time in this process; waits until `deadline` at most.
  class OnlyOne {
   public:
    OnlyOne(Impl& login, const UserId& user, Deadline deadline) : login_(login), user_(user) {
      MutexLock lock(login_.mutex_);
      while (login_.busy_.contains(user_)) {
        if (deadline.isNever()) {
          login_.idle_.wait(lock);
        } else if (login_.idle_.wait_until(lock, deadline.at()) == std::cv_status::timeout &&
                   login_.busy_.contains(user_)) {
          throw Error(ErrorCode::DeadlineExceeded, "waited too long for the renewal of a sign-in");
        }
      }
      login_.busy_.insert(user_);
    }
    ~OnlyOne() {
      {
        const MutexLock lock(login_.mutex_);
        login_.busy_.erase(user_);
      }
      login_.idle_.notify_all();
    }
    OnlyOne(const OnlyOne&) = delete;
    OnlyOne& operator=(const OnlyOne&) = delete;

   private:
    Impl& login_;
    UserId user_;
  };

  /// The right to redeem the row's refresh token, among all processes.
  class Lease {
   public:
    Lease(const OidcCollaborators& with, const store::TokenRecord& row)
        : with_(with), owner_(row.owner), token_(row.id) {
      if (with_.leases) holder_ = toHex(with_.random.bytes(16));
    }
    ~Lease() {
      if (!held_) return;
      try {
        with_.leases->release(owner_, token_, holder_);
      } catch (const std::exception& error) {
        log(with_.log, LogLevel::Warning, "a sign-in's lease could not be given back",
            {{"reason", error.what()}});
      }
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    bool tryAcquire() {
      if (!with_.leases) return true;
      held_ = with_.leases->tryAcquire(owner_, token_, holder_, kLeaseLife);
      return held_;
    }

   private:
    const OidcCollaborators& with_;
    UserId owner_;
    TokenId token_;
    std::string holder_;
    bool held_ = false;
  };

  std::int64_t now() const { return toUnixSeconds(with_.clock.now()); }

  static VerifyResult over(std::string reason) {
    return {.accepted = false, .tokenExpiry = 0, .refusal = std::move(reason)};
  }
  static VerifyResult goesOn(std::int64_t expiry) {
    return {.accepted = true, .tokenExpiry = expiry, .refusal = {}};
  }

  LoginResult refusal(const std::string& reason, const char* shown = kMisunderstood) const {
    log(with_.log, LogLevel::Warning, "a sign-in by OpenID Connect is refused",
        {{"reason", reason}});
    LoginResult result;
    result.refusal = shown;
    return result;
  }

  /// The account of a row of this provider; empty for another one's.
  std::optional<Account> accountOf(const store::TokenRecord& row) const {
    auto account = decode(row);
    if (account && account->issuer != client_.options().issuer) account.reset();
    return account;
  }

  bool isOver(const store::TokenRecord& row, const Account& account) const {
    return account.ended || !isAllowed(account) ||
           (account.refreshToken.empty() && row.expiry <= now());
  }

  bool isAdmin(const Account& account) const {
    return intersects(client_.options().adminGroups, account.groups);
  }

  bool isAllowed(const Account& account) const {
    const OidcOptions& options = client_.options();
    if (!options.requiredGroups.empty() && !intersects(options.requiredGroups, account.groups) &&
        !isAdmin(account)) {
      return false;
    }
    if (options.emailDomains.empty()) return true;
    const auto at = account.email.rfind('@');
    return account.isEmailVerified && at != std::string::npos &&
           std::any_of(options.emailDomains.begin(), options.emailDomains.end(),
                       [&](const std::string& domain) {
                         return !domain.empty() &&
                                equalsIgnoreCase(account.email.substr(at + 1), domain);
                       });
  }

  ConnectedUser userOf(const UserId& user, const Account& account) const {
    ConnectedUser result{.guid = user.str(),
                         .name = account.name,
                         .admin = isAdmin(account),
                         .scopes = std::vector<std::string>{}};
    if (result.admin) result.scopes->push_back(adminScope_);
    return result;
  }

  std::int64_t expiryOfTokens(const OidcTokens& tokens) const {
    const std::int64_t life = tokens.expiresIn > 0 ? tokens.expiresIn : kAssumedLifeSeconds;
    return now() + std::min(life, kLongestLifeSeconds);
  }

  LoginResult store(const Account& account, const OidcTokens& tokens) {
    store::TokenRecord row;
    row.owner = oidcUserId(account.issuer, account.subject);
    row.endpoint = EndpointId{std::string{store::kConsoleEndpointGuid}};
    row.authType = kAuthType;
    row.authToken = tokens.accessToken;
    row.refreshToken = encode(account);
    row.expiry = expiryOfTokens(tokens);
    with_.tokens.saveConsoleToken(row);
    LoginResult result;
    result.accepted = true;
    result.user = row.owner;
    result.account = account.name;
    result.tokenExpiry = row.expiry;
    result.admin = isAdmin(account);
    return result;
  }

  /// Verifies the ID token (OpenID Connect Core 1.0 section 3.1.3.7) and reads the account from it
  /// and from what UserInfo adds. `nonce` is null at a renewal (section 12.2). Returns why it
  /// cannot be used. Throws Error(Unavailable) when the keys or needed claims cannot be had.
  std::string readIdToken(const OidcMetadata& provider, const OidcTokens& tokens,
                          const std::string* nonce, Account& account, Deadline deadline) {
    if (tokens.idToken.empty()) return "there is no ID token; OIDC_SCOPES must hold openid";
    const JwtResult verified = with_.verifier.verify(tokens.idToken,
                                                     {.url = provider.keysUrl,
                                                      .trust = client_.options().trust,
                                                      .algorithms = provider.signatureAlgorithms},
                                                     deadline);
    if (verified.status == JwtStatus::KeysUnavailable) {
      throw Error(ErrorCode::Unavailable,
                  "the OpenID Connect provider's keys cannot be had: " + verified.reason,
                  "The identity provider cannot be reached");
    }
    if (verified.status != JwtStatus::Verified) return verified.reason;
    JwtClaimRules rules{.issuer = provider.issuer, .audience = client_.options().clientId};
    if (nonce) rules.nonce = *nonce;
    rules.requireIssuedAt = true;
    if (auto problem = claimProblem(verified.payload, rules, with_.clock.now()); !problem.empty()) {
      return problem;
    }
    const auto claims = detail::parseObject(verified.payload);
    const std::string hash = detail::stringMember(*claims, "at_hash");
    if (!hash.empty() && hash != accessTokenHash(verified.algorithm, tokens.accessToken)) {
      return "at_hash names another access token";
    }
    account.issuer = provider.issuer;
    const std::string subject = detail::stringMember(*claims, "sub");
    if (subject.empty()) return "sub is missing";
    if (!account.subject.empty() && account.subject != subject) return "sub names another user";
    account.subject = subject;
    if (tokens.idToken.reveal().size() <= kMaxIdTokenBytes) account.idToken = tokens.idToken;
    return readClaims(provider, *claims, tokens.accessToken, account, deadline);
  }

  /// True when the claims say everything that is wanted of a user.
  bool isComplete(const Object& claims) const {
    const OidcOptions& options = client_.options();
    const bool wantsGroups = !options.adminGroups.empty() || !options.requiredGroups.empty();
    return (!wantsGroups || !findClaim(claims, options.groupsClaim).isEmpty()) &&
           !findClaim(claims, options.userNameClaim).isEmpty() &&
           (options.emailDomains.empty() || claims.has("email"));
  }

  std::string readClaims(const OidcMetadata& provider, const Object& claims,
                         const Secret& accessToken, Account& account, Deadline deadline) {
    Object::Ptr more;
    if (!isComplete(claims) && !provider.userInfoEndpoint.empty()) {
      const auto text = client_.userInfo(accessToken, deadline);
      if (!text) {
        throw Error(ErrorCode::Unavailable, "the provider's UserInfo endpoint cannot be asked",
                    "The identity provider cannot be reached");
      }
      more = detail::parseObject(*text);
      // Core 1.0 section 5.3.2: otherwise these are another user's claims.
      if (!more || detail::stringMember(*more, "sub") != account.subject) {
        return "UserInfo speaks of another user";
      }
    }
    const auto claim = [&](const std::string& path) {
      auto value = findClaim(claims, path);
      return value.isEmpty() && more ? findClaim(*more, path) : value;
    };
    account.groups = groupsIn(claim(client_.options().groupsClaim));
    // Both parts of an address come from one place, or its proof would be another's.
    const Object& address = claims.has("email") || !more ? claims : *more;
    account.email = detail::stringMember(address, "email");
    account.isEmailVerified = flagMember(address, "email_verified");
    account.name = account.subject;
    for (const std::string& name : {client_.options().userNameClaim,
                                    std::string{"preferred_username"}, std::string{"email"}}) {
      const auto value = claim(name);
      if (!value.isString() || value.extract<std::string>().empty()) continue;
      account.name = value.extract<std::string>();
      break;
    }
    return {};
  }

  VerifyResult renew(const UserId& user, std::int64_t tokenExpiry, Deadline deadline) {
    auto row = with_.tokens.findConsoleToken(user);
    auto account = row ? accountOf(*row) : std::nullopt;
    if (!account || isOver(*row, *account)) return over("the sign-in is not known any more");
    if (row->expiry > now() + kMarginSeconds || account->refreshToken.empty()) {
      return goesOn(row->expiry);
    }
    const OidcGrant grant = client_.refresh(account->refreshToken, deadline);
    switch (grant.status) {
      case GrantStatus::Granted:
        break;
      case GrantStatus::Refused:
        return end(std::move(*row), std::move(*account), grant.detail);
      case GrantStatus::ClientRefused:
      case GrantStatus::Unavailable:
        awaySince_ = now();
        log(with_.log, LogLevel::Warning, "a sign-in cannot be renewed for now",
            {{"user", user.str()}, {"reason", grant.detail}});
        return goesOn(tokenExpiry);
    }
    row->authToken = grant.tokens.accessToken;
    row->expiry = expiryOfTokens(grant.tokens);
    if (!grant.tokens.refreshToken.empty()) account->refreshToken = grant.tokens.refreshToken;
    Account renewed = *account;
    std::string problem = refreshClaims(grant.tokens, renewed, deadline);
    if (!problem.empty()) return end(std::move(*row), std::move(*account), problem);
    return keep(std::move(*row), renewed);
  }

  /// Reads roles anew. While that is not possible the known ones stay: the token is renewed anyway.
  std::string refreshClaims(const OidcTokens& tokens, Account& account, Deadline deadline) {
    try {
      const auto provider = client_.metadata(deadline);
      if (!tokens.idToken.empty()) {
        return readIdToken(*provider, tokens, nullptr, account, deadline);
      }
      if (provider->userInfoEndpoint.empty()) return {};
      Account fresh = account;
      const auto text = client_.userInfo(tokens.accessToken, deadline);
      const auto claims = text ? detail::parseObject(*text) : nullptr;
      if (!claims) return {};
      if (detail::stringMember(*claims, "sub") != account.subject) {
        return "UserInfo speaks of another user";
      }
      // Without the claim this provider keeps groups in the ID token, which did not come.
      if (findClaim(*claims, client_.options().groupsClaim).isEmpty()) return {};
      const OidcMetadata noMore;
      std::string problem = readClaims(noMore, *claims, tokens.accessToken, fresh, deadline);
      if (problem.empty()) account = std::move(fresh);
      return problem;
    } catch (const Error& error) {
      log(with_.log, LogLevel::Warning, "the claims of a user cannot be read anew for now",
          {{"reason", error.what()}});
      return {};
    }
  }

  VerifyResult keep(store::TokenRecord row, const Account& account) {
    row.refreshToken = encode(account);
    auto stored = with_.tokens.replaceIfUnchanged(row);
    if (!stored) {
      // The user has signed in anew meanwhile, or the row was re-encrypted.
      auto newer = with_.tokens.findConsoleToken(row.owner);
      const auto other = newer ? accountOf(*newer) : std::nullopt;
      if (!other) return over("the sign-in is not known any more");
      if (newer->expiry > now() + kMarginSeconds) return goesOn(newer->expiry);
      row.version = newer->version;
      stored = with_.tokens.replaceIfUnchanged(row);
      if (!stored) throw Error(ErrorCode::Unavailable, "a renewed sign-in could not be stored");
    }
    if (!isAllowed(account)) return over("the user is not allowed to sign in any more");
    return goesOn(stored->expiry);
  }

  /// The provider's definite no. Marks the row, so that API keys end with it on every replica.
  VerifyResult end(store::TokenRecord row, Account account, const std::string& reason) {
    log(with_.log, LogLevel::Warning, "the provider has ended a sign-in",
        {{"user", row.owner.str()}, {"reason", reason}});
    const Secret refused = decode(row)->refreshToken;
    account.ended = true;
    account.refreshToken = Secret{};
    account.idToken = Secret{};
    row.refreshToken = encode(account);
    if (!with_.tokens.replaceIfUnchanged(row)) {
      // Only the sign-in that was refused ends, not one that has replaced it.
      const auto newer = with_.tokens.findConsoleToken(row.owner);
      const auto other = newer ? accountOf(*newer) : std::nullopt;
      if (other && !isOver(*newer, *other) && !(other->refreshToken == refused)) {
        return goesOn(newer->expiry);
      }
    }
    return over("the identity provider has ended the sign-in");
  }

  const OidcCollaborators with_;
  OidcClient client_;
  const std::string adminScope_;
  std::atomic<std::int64_t> awaySince_{-kOutagePauseSeconds};
  Mutex mutex_;
  std::condition_variable_any idle_;
  std::set<UserId> busy_ STRATOS_GUARDED_BY(mutex_);
};

OidcLogin::OidcLogin(OidcCollaborators collaborators, OidcOptions options, std::string adminScope)
    : impl_(std::make_unique<Impl>(collaborators, std::move(options), std::move(adminScope))) {}

OidcLogin::~OidcLogin() = default;

LoginResult OidcLogin::login(const std::string&, const Secret&, Deadline) {
  LoginResult result;
  result.refusal = "This console signs in at an identity provider; passwords are not accepted here";
  return result;
}

std::optional<ConnectedUser> OidcLogin::findUser(const UserId& user) {
  return impl_->findUser(user);
}

VerifyResult OidcLogin::verify(const UserId& user, std::int64_t tokenExpiry, Deadline deadline) {
  return impl_->verify(user, tokenExpiry, deadline);
}

std::string OidcLogin::authorizeUrl(const SsoFlow& flow, Deadline deadline) {
  return impl_->client().authorizeUrl(flow, deadline);
}

LoginResult OidcLogin::redeem(const Secret& code, const std::string& issuer, const SsoFlow& flow,
                              Deadline deadline) {
  return impl_->redeem(code, issuer, flow, deadline);
}

std::string OidcLogin::logoutUrl(const std::string& returnTo, const UserId* user,
                                 Deadline deadline) {
  return impl_->client().endSessionUrl(returnTo, user ? impl_->idTokenOf(*user) : Secret{},
                                       deadline);
}

}  // namespace stratos::auth
