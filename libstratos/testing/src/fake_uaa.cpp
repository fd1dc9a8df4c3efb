#include "stratos/testing/fake_uaa.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <map>
#include <set>

#include "json.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "support.hpp"

namespace stratos::testing {
namespace {

/// One RSA key that signs tokens.
class SigningKey {
 public:
  explicit SigningKey(std::string id)
      : id_(std::move(id)), key_(EVP_RSA_gen(2048), &EVP_PKEY_free) {
    if (!key_) throw Error(ErrorCode::Internal, "cannot make a signing key");
  }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }

  [[nodiscard]] std::string sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, data, text.size()) != 1) {
      throw Error(ErrorCode::Internal, "cannot sign");
    }
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       data, text.size()) != 1) {
      throw Error(ErrorCode::Internal, "cannot sign");
    }
    signature.resize(size);
    return signature;
  }

  [[nodiscard]] Json toJson() const {
    return Json::object({{"kty", "RSA"},
                         {"e", number(OSSL_PKEY_PARAM_RSA_E)},
                         {"use", "sig"},
                         {"kid", id_},
                         {"alg", "RS256"},
                         {"value", pem()},
                         {"n", number(OSSL_PKEY_PARAM_RSA_N)}});
  }

 private:
  [[nodiscard]] std::string number(const char* name) const {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), name, &raw) != 1) {
      throw Error(ErrorCode::Internal, "cannot read the public key");
    }
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> value(raw, &BN_free);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(raw)), '\0');
    BN_bn2bin(raw, reinterpret_cast<unsigned char*>(bytes.data()));
    return toBase64Url(bytes);
  }

  [[nodiscard]] std::string pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

  std::string id_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

struct RefreshRecord {
  std::string userName;
  std::string clientId;
  std::vector<std::string> scopes;
  std::int64_t expiresAt = 0;
  bool revoked = false;
};

struct AccessRecord {
  UaaTokenInfo info;
  std::string claims;  ///< JSON
  bool revoked = false;
};

struct CodeRecord {
  std::string userName;
  std::string clientId;
  std::string redirectUri;
  std::string challenge;
  std::string challengeMethod;
  std::string nonce;
  std::int64_t expiresAt = 0;
};

Reply errorReply(int status, const std::string& error, const std::string& description) {
  Reply reply = jsonReply(
      status, Json::object({{"error", error}, {"error_description", description}}).dump());
  reply.headers.emplace_back("Cache-Control", "no-store");
  reply.headers.emplace_back("Pragma", "no-cache");
  return reply;
}

Reply redirectTo(const std::string& location) {
  Reply reply;
  reply.status = 302;
  reply.headers = {{"Location", location}, {"Content-Language", "en-US"}};
  return reply;
}

std::string joinScopes(const std::vector<std::string>& scopes) {
  std::string out;
  for (const std::string& scope : scopes) out += (out.empty() ? "" : " ") + scope;
  return out;
}

std::string escapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class Form {
 public:
  explicit Form(std::string_view text) {
    auto fields = decodeForm(text);
    if (fields) fields_ = std::move(*fields);
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::string get(std::string_view name) const {
    const std::string* value = find(name);
    return value != nullptr ? *value : std::string{};
  }

 private:
  [[nodiscard]] const std::string* find(std::string_view name) const {
    for (const auto& [key, value] : fields_) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  FormFields fields_;
};

}  // namespace

bool UaaTokenInfo::hasScope(std::string_view scope) const {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

class FakeUaa::Impl {
 public:
  Impl(const Clock& clock, FakeUaaOptions options)
      : clock_(clock), options_(std::move(options)), server_(options_.server) {
    keys_.push_back(std::make_unique<SigningKey>("key-1"));
    const auto route = [this](const char* prefix, Reply (Impl::*member)(const ReceivedRequest&)) {
      server_.handle(prefix,
                     [this, member](const ReceivedRequest& r) { return (this->*member)(r); });
    };
    route("/", &Impl::rootOrNothing);
    route("/oauth/token", &Impl::token);
    route("/oauth/token/revoke/", &Impl::revoke);
    route("/oauth/authorize", &Impl::authorize);
    route("/login", &Impl::login);
    route("/logout.do", &Impl::logout);
    route("/token_keys", &Impl::tokenKeys);
    route("/token_key", &Impl::tokenKeys);
    route("/.well-known/openid-configuration", &Impl::discovery);
    route("/oauth/token/.well-known/openid-configuration", &Impl::discovery);
    route("/introspect", &Impl::introspect);
    route("/check_token", &Impl::introspect);
    route("/userinfo", &Impl::userInfo);
    route("/Users/", &Impl::scimUser);
    route("/invite_users", &Impl::inviteUsers);
    route("/info", &Impl::info);
    server_.setUnauthorizedReply([](const ReceivedRequest&) {
      return errorReply(401, "invalid_token", "The token expired, was revoked, or is unknown");
    });
  }
  ~Impl() { server_.stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::int64_t now() const { return toUnixSeconds(clock_.now()); }

  Reply token(const ReceivedRequest& request);
  Reply revoke(const ReceivedRequest& request);
  Reply authorize(const ReceivedRequest& request);
  Reply login(const ReceivedRequest& request);
  Reply logout(const ReceivedRequest& request);
  Reply tokenKeys(const ReceivedRequest& request);
  Reply discovery(const ReceivedRequest& request);
  Reply introspect(const ReceivedRequest& request);
  Reply userInfo(const ReceivedRequest& request);
  Reply scimUser(const ReceivedRequest& request);
  Reply inviteUsers(const ReceivedRequest& request);
  Reply changeScimUser(const ReceivedRequest& request, UaaUser& user) STRATOS_REQUIRES(mutex_);
  Reply changePassword(const ReceivedRequest& request, UaaUser& user) STRATOS_REQUIRES(mutex_);
  void revokeTokensOf(const UaaUser& user) STRATOS_REQUIRES(mutex_);
  Reply info(const ReceivedRequest& request);
  Reply rootOrNothing(const ReceivedRequest& request);

  /// The client that the request names with the right secret; null otherwise.
  const UaaClientRegistration* authenticateClient(const ReceivedRequest& request, const Form& form)
      STRATOS_REQUIRES(mutex_);
  Reply passwordGrant(const UaaClientRegistration& client, const Form& form)
      STRATOS_REQUIRES(mutex_);
  Reply codeGrant(const UaaClientRegistration& client, const Form& form) STRATOS_REQUIRES(mutex_);
  Reply refreshGrant(const UaaClientRegistration& client, const Form& form)
      STRATOS_REQUIRES(mutex_);
  Reply clientGrant(const UaaClientRegistration& client) STRATOS_REQUIRES(mutex_);
  /// Tokens for a user; with `refreshToken` empty a new one is made.
  Reply grantTo(const UaaUser& user, const UaaClientRegistration& client,
                const std::vector<std::string>& scopes, std::optional<std::string> refreshToken,
                const std::string& nonce = {}) STRATOS_REQUIRES(mutex_);
  std::string issueAccess(const UaaUser* user, const UaaClientRegistration& client,
                          const std::vector<std::string>& scopes, std::string& jti)
      STRATOS_REQUIRES(mutex_);
  std::string issueRefresh(const UaaUser& user, const UaaClientRegistration& client,
                           const std::vector<std::string>& scopes) STRATOS_REQUIRES(mutex_);
  std::string makeJwt(const Json& claims) const STRATOS_REQUIRES(mutex_);
  const AccessRecord* findActive(const std::string& token) const STRATOS_REQUIRES(mutex_);
  const AccessRecord* findBearer(const ReceivedRequest& request) const STRATOS_REQUIRES(mutex_);
  static std::vector<std::string> grantable(const UaaUser& user,
                                            const UaaClientRegistration& client);
  [[nodiscard]] std::string issuer() const { return server_.url() + "/oauth/token"; }

  const Clock& clock_;
  FakeUaaOptions options_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<SigningKey>> keys_ STRATOS_GUARDED_BY(mutex_);
  int keyCount_ STRATOS_GUARDED_BY(mutex_) = 1;
  std::map<std::string, UaaUser> users_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, UaaClientRegistration> clients_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, AccessRecord> access_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, RefreshRecord> refresh_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, CodeRecord> codes_ STRATOS_GUARDED_BY(mutex_);
  std::map<std::string, std::string> passcodes_ STRATOS_GUARDED_BY(mutex_);
  UaaCounters counters_ STRATOS_GUARDED_BY(mutex_);
  FakeUpstream server_;
};

std::string FakeUaa::Impl::makeJwt(const Json& claims) const {
  const SigningKey& key = *keys_.back();
  const Json head = Json::object({{"alg", "RS256"},
                                  {"jku", server_.url() + "/token_keys"},
                                  {"kid", key.id()},
                                  {"typ", "JWT"}});
  const std::string text = toBase64Url(head.dump()) + "." + toBase64Url(claims.dump());
  return text + "." + toBase64Url(key.sign(text));
}

const UaaClientRegistration* FakeUaa::Impl::authenticateClient(const ReceivedRequest& request,
                                                               const Form& form) {
  std::string id = form.get("client_id");
  std::string secret = form.get("client_secret");
  const std::string authorization = request.header("Authorization");
  if (authorization.size() > 6 && equalsIgnoreCase(authorization.substr(0, 6), "basic ")) {
    const std::string pair = fromBase64(authorization.substr(6)).value_or("");
    const auto colon = pair.find(':');
    if (colon == std::string::npos) return nullptr;
    // RFC 6749 section 2.3.1: both halves are form-encoded before the base64 step.
    const auto decode = [](std::string_view text) {
      const auto fields = decodeForm("v=" + std::string{text});
      return fields && fields->size() == 1 ? fields->front().second : std::string{};
    };
    id = decode(std::string_view{pair}.substr(0, colon));
    secret = decode(std::string_view{pair}.substr(colon + 1));
  }
  const auto found = clients_.find(id);
  return found != clients_.end() && found->second.secret == secret ? &found->second : nullptr;
}

std::vector<std::string> FakeUaa::Impl::grantable(const UaaUser& user,
                                                  const UaaClientRegistration& client) {
  if (client.scopes.empty()) return user.scopes;
  std::vector<std::string> out;
  for (const std::string& scope : user.scopes) {
    if (std::find(client.scopes.begin(), client.scopes.end(), scope) != client.scopes.end()) {
      out.push_back(scope);
    }
  }
  return out;
}

std::string FakeUaa::Impl::issueAccess(const UaaUser* user, const UaaClientRegistration& client,
                                       const std::vector<std::string>& scopes, std::string& jti) {
  AccessRecord record;
  jti = randomHex(16);
  record.info = {jti,
                 user != nullptr ? user->guid : "",
                 user != nullptr ? user->name : "",
                 client.id,
                 scopes,
                 now() + options_.accessTokenValidity.count()};
  std::set<std::string> audience{client.id};
  for (const std::string& scope : scopes) {
    const auto dot = scope.rfind('.');
    if (dot != std::string::npos) audience.insert(scope.substr(0, dot));
  }
  Json::Object claims{{"jti", jti}, {"sub", user != nullptr ? user->guid : client.id}};
  if (user != nullptr) {
    claims.emplace_back("scope", Json::strings(scopes));
  } else {
    claims.emplace_back("authorities", Json::strings(scopes));
    claims.emplace_back("scope", Json::strings(scopes));
  }
  claims.emplace_back("client_id", client.id);
  claims.emplace_back("cid", client.id);
  claims.emplace_back("azp", client.id);
  claims.emplace_back("grant_type", user != nullptr ? "password" : "client_credentials");
  if (user != nullptr) {
    claims.emplace_back("user_id", user->guid);
    claims.emplace_back("origin", "uaa");
    claims.emplace_back("user_name", user->name);
    claims.emplace_back("email", user->email);
    claims.emplace_back("auth_time", now());
  }
  claims.emplace_back("iat", now());
  claims.emplace_back("exp", record.info.expiresAt);
  claims.emplace_back("iss", issuer());
  claims.emplace_back("zid", "uaa");
  claims.emplace_back("aud", Json::strings({audience.begin(), audience.end()}));
  const Json json{claims};
  record.claims = json.dump();
  std::string token = options_.opaqueAccessTokens ? jti : makeJwt(json);
  access_[token] = std::move(record);
  return token;
}

std::string FakeUaa::Impl::issueRefresh(const UaaUser& user, const UaaClientRegistration& client,
                                        const std::vector<std::string>& scopes) {
  const std::string jti = randomHex(16) + "-r";
  const RefreshRecord record{user.name, client.id, scopes,
                             now() + options_.refreshTokenValidity.count(), false};
  std::string token = jti;
  if (!options_.opaqueRefreshTokens) {
    token = makeJwt(Json::object({{"jti", jti},
                                  {"sub", user.guid},
                                  {"iat", now()},
                                  {"exp", record.expiresAt},
                                  {"cid", client.id},
                                  {"client_id", client.id},
                                  {"iss", issuer()},
                                  {"zid", "uaa"},
                                  {"user_name", user.name},
                                  {"origin", "uaa"},
                                  {"user_id", user.guid}}));
  }
  refresh_[token] = record;
  return token;
}

Reply FakeUaa::Impl::grantTo(const UaaUser& user, const UaaClientRegistration& client,
                             const std::vector<std::string>& scopes,
                             std::optional<std::string> refreshToken, const std::string& nonce) {
  std::string jti;
  const std::string accessToken = issueAccess(&user, client, scopes, jti);
  Json::Object body{{"access_token", accessToken}, {"token_type", "bearer"}};
  if (std::find(scopes.begin(), scopes.end(), "openid") != scopes.end()) {
    Json::Object claims{{"sub", user.guid},
                        {"aud", Json::strings({client.id})},
                        {"iss", issuer()},
                        {"iat", now()},
                        {"exp", now() + options_.accessTokenValidity.count()},
                        {"user_name", user.name},
                        {"user_id", user.guid},
                        {"email", user.email},
                        {"origin", "uaa"}};
    if (!nonce.empty()) claims.emplace_back("nonce", nonce);
    body.emplace_back("id_token", makeJwt(Json{std::move(claims)}));
  }
  const bool mayRefresh =
      std::find(client.grants.begin(), client.grants.end(), "refresh_token") != client.grants.end();
  if (!refreshToken && mayRefresh) refreshToken = issueRefresh(user, client, scopes);
  if (refreshToken && !refreshToken->empty()) body.emplace_back("refresh_token", *refreshToken);
  body.emplace_back("expires_in", std::int64_t{options_.accessTokenValidity.count()});
  body.emplace_back("scope", joinScopes(scopes));
  body.emplace_back("jti", jti);
  Reply reply = jsonReply(200, Json{body}.dump());
  reply.headers.front().second = "application/json;charset=UTF-8";
  reply.headers.emplace_back("Cache-Control", "no-store");
  reply.headers.emplace_back("Pragma", "no-cache");
  reply.headers.emplace_back("X-Frame-Options", "DENY");
  return reply;
}

Reply FakeUaa::Impl::token(const ReceivedRequest& request) {
  if (request.path() != "/oauth/token") return notFoundPage();
  if (request.method != "POST") {
    return errorReply(405, "method_not_allowed",
                      "Request method '" + request.method + "' not supported");
  }
  const std::string type = request.header("Content-Type");
  if (!toLower(type).starts_with("application/x-www-form-urlencoded")) {
    return errorReply(415, "unsupported_media_type", "Content type not supported");
  }
  const Form form(request.body);
  const std::string grant = form.get("grant_type");
  const MutexLock lock(mutex_);
  const UaaClientRegistration* client = authenticateClient(request, form);
  if (client == nullptr) {
    ++counters_.refusedClients;
    Reply reply = errorReply(401, "invalid_client", "Bad credentials");
    reply.headers.emplace_back("WWW-Authenticate",
                               R"(Basic realm="UAA/client", error="unauthorized", )"
                               R"(error_description="Bad credentials")");
    return reply;
  }
  static const std::set<std::string> kGrants{"password", "refresh_token", "authorization_code",
                                             "client_credentials"};
  if (grant.empty()) return errorReply(400, "invalid_request", "Missing grant type");
  if (!kGrants.contains(grant)) {
    return errorReply(400, "unsupported_grant_type", "Unsupported grant type: " + grant);
  }
  if (std::find(client->grants.begin(), client->grants.end(), grant) == client->grants.end()) {
    return errorReply(401, "invalid_client", "Unauthorized grant type: " + grant);
  }
  if (grant == "password") return passwordGrant(*client, form);
  if (grant == "refresh_token") return refreshGrant(*client, form);
  if (grant == "authorization_code") return codeGrant(*client, form);
  return clientGrant(*client);
}

Reply FakeUaa::Impl::passwordGrant(const UaaClientRegistration& client, const Form& form) {
  const UaaUser* user = nullptr;
  if (form.has("passcode")) {
    const auto found = passcodes_.find(form.get("passcode"));
    if (found != passcodes_.end()) {
      user = &users_.at(found->second);
      passcodes_.erase(found);
    }
  } else {
    const auto found = users_.find(form.get("username"));
    if (found != users_.end() && found->second.password == form.get("password")) {
      user = &found->second;
    }
  }
  if (user == nullptr) {
    ++counters_.refusedLogins;
    return errorReply(401, "unauthorized",
                      form.has("passcode") ? "Invalid passcode" : "Bad credentials");
  }
  std::vector<std::string> scopes = grantable(*user, client);
  if (const std::string wanted = form.get("scope"); !wanted.empty()) {
    std::vector<std::string> granted;
    for (const std::string& scope : split(wanted, ' ')) {
      if (std::find(scopes.begin(), scopes.end(), scope) != scopes.end()) granted.push_back(scope);
    }
    if (granted.empty()) {
      return errorReply(400, "invalid_scope",
                        "[" + wanted +
                            "] is invalid. This user is not allowed any of the "
                            "requested scopes");
    }
    scopes = std::move(granted);
  }
  ++counters_.logins;
  return grantTo(*user, client, scopes, std::nullopt);
}

Reply FakeUaa::Impl::codeGrant(const UaaClientRegistration& client, const Form& form) {
  const auto found = codes_.find(form.get("code"));
  if (found == codes_.end() || found->second.clientId != client.id) {
    ++counters_.refusedLogins;
    return errorReply(400, "invalid_grant", "Invalid authorization code: " + form.get("code"));
  }
  const CodeRecord code = found->second;
  // A code is good for one attempt (RFC 6749 section 4.1.2).
  codes_.erase(found);
  std::string problem;
  if (code.expiresAt <= now()) {
    problem = "Authorization code expired";
  } else if (code.redirectUri != form.get("redirect_uri")) {
    problem = "Redirect URI mismatch.";
  } else if (!code.challenge.empty()) {
    const std::string verifier = form.get("code_verifier");
    const std::string computed =
        code.challengeMethod == "S256" ? toBase64Url(sha256(verifier)) : verifier;
    if (verifier.empty() || computed != code.challenge) problem = "Invalid code verifier";
  }
  if (!problem.empty()) {
    ++counters_.refusedLogins;
    return errorReply(400, "invalid_grant", problem);
  }
  ++counters_.logins;
  const UaaUser& user = users_.at(code.userName);
  return grantTo(user, client, grantable(user, client), std::nullopt, code.nonce);
}

Reply FakeUaa::Impl::refreshGrant(const UaaClientRegistration& client, const Form& form) {
  const std::string value = form.get("refresh_token");
  const auto refuse = [this](const std::string& text) STRATOS_REQUIRES(mutex_) {
    ++counters_.refusedRefreshes;
    return errorReply(401, "invalid_token", text);
  };
  const auto found = refresh_.find(value);
  if (found == refresh_.end()) return refuse("The token is not a valid refresh token");
  RefreshRecord& record = found->second;
  if (record.revoked) return refuse("The token expired, was revoked, or the token ID is incorrect");
  if (record.expiresAt <= now()) return refuse("Invalid refresh token (expired)");
  if (record.clientId != client.id) {
    ++counters_.refusedRefreshes;
    return errorReply(400, "invalid_grant",
                      "Wrong client for this refresh token: " + record.clientId);
  }
  const UaaUser& user = users_.at(record.userName);
  const std::vector<std::string> scopes = record.scopes;
  std::string next = value;
  switch (options_.refreshMode) {
    case RefreshMode::Keep:
      break;
    case RefreshMode::Omit:
      next.clear();
      break;
    case RefreshMode::RotateOnce:
      record.revoked = true;
      next = issueRefresh(user, client, scopes);
      break;
    case RefreshMode::Rotate:
      next = issueRefresh(user, client, scopes);
      break;
  }
  ++counters_.refreshes;
  return grantTo(user, client, scopes, next);
}

Reply FakeUaa::Impl::clientGrant(const UaaClientRegistration& client) {
  std::string jti;
  const std::string token = issueAccess(nullptr, client, client.scopes, jti);
  ++counters_.clientCredentials;
  return jsonReply(200,
                   Json::object({{"access_token", token},
                                 {"token_type", "bearer"},
                                 {"expires_in", std::int64_t{options_.accessTokenValidity.count()}},
                                 {"scope", joinScopes(client.scopes)},
                                 {"jti", jti}})
                       .dump());
}

const AccessRecord* FakeUaa::Impl::findActive(const std::string& token) const {
  const auto found = access_.find(token);
  if (found == access_.end() || found->second.revoked || found->second.info.expiresAt <= now()) {
    return nullptr;
  }
  return &found->second;
}

const AccessRecord* FakeUaa::Impl::findBearer(const ReceivedRequest& request) const {
  const auto token = bearerToken(request);
  return token ? findActive(*token) : nullptr;
}

Reply FakeUaa::Impl::revoke(const ReceivedRequest& request) {
  const MutexLock lock(mutex_);
  const AccessRecord* caller = findBearer(request);
  if (caller == nullptr) return errorReply(401, "invalid_token", "Bearer token required");
  const UaaTokenInfo who = caller->info;
  const std::string rest = request.path().substr(std::string_view{"/oauth/token/revoke/"}.size());
  const bool ofUser = rest.starts_with("user/");
  const bool ofClient = rest.starts_with("client/");
  const std::string subject = rest.substr(rest.rfind('/') + 1);
  std::size_t count = 0;
  for (auto& [token, record] : access_) {
    const bool matches = ofUser     ? record.info.userId == subject
                         : ofClient ? record.info.clientId == subject
                                    : record.info.jti == subject;
    if (!matches) continue;
    record.revoked = true;
    ++count;
  }
  for (auto& [token, record] : refresh_) {
    const auto user = users_.find(record.userName);
    if ((ofUser && user != users_.end() && user->second.guid == subject) ||
        (ofClient && record.clientId == subject)) {
      record.revoked = true;
      ++count;
    }
  }
  if (count == 0 && !ofUser && !ofClient) {
    return errorReply(404, "token_not_found", "No token with this id for " + who.userName);
  }
  return jsonReply(200, "");
}

Reply FakeUaa::Impl::authorize(const ReceivedRequest& request) {
  const Form form(request.query());
  const std::string redirect = form.get("redirect_uri");
  const MutexLock lock(mutex_);
  const auto client = clients_.find(form.get("client_id"));
  if (client == clients_.end()) {
    return errorReply(401, "invalid_client", "No client with requested id");
  }
  const auto& allowed = client->second.redirectUris;
  const bool known = allowed.empty() ||
                     std::any_of(allowed.begin(), allowed.end(),
                                 [&](const std::string& uri) { return redirect.starts_with(uri); });
  if (redirect.empty() || !known) {
    return errorReply(400, "invalid_request", "Invalid redirect " + redirect);
  }
  const std::string glue = redirect.find('?') == std::string::npos ? "?" : "&";
  const std::string state = form.has("state") ? "&state=" + percentEncode(form.get("state")) : "";
  if (form.get("response_type") != "code") {
    return redirectTo(redirect + glue + "error=unsupported_response_type" + state);
  }
  const auto user = users_.find(form.get("test_user"));
  if (user == users_.end()) return redirectTo(server_.url() + "/login?" + request.query());
  const std::string code = randomHex(16);
  codes_[code] = {user->first,
                  client->first,
                  redirect,
                  form.get("code_challenge"),
                  form.get("code_challenge_method"),
                  form.get("nonce"),
                  now() + options_.codeValidity.count()};
  return redirectTo(redirect + glue + "code=" + code + state);
}

Reply FakeUaa::Impl::login(const ReceivedRequest& request) {
  std::string html = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>";
  const MutexLock lock(mutex_);
  for (const auto& [name, user] : users_) {
    html += "<p><a href=\"/oauth/authorize?" + escapeHtml(request.query()) +
            "&amp;test_user=" + percentEncode(name) + "\">Sign in as " + escapeHtml(name) +
            "</a></p>";
  }
  Reply reply;
  reply.headers = {{"Content-Type", "text/html;charset=UTF-8"}};
  reply.body = html + "</body></html>";
  return reply;
}

Reply FakeUaa::Impl::logout(const ReceivedRequest& request) {
  return redirectTo(request.queryValue("redirect").value_or(server_.url() + "/login"));
}

Reply FakeUaa::Impl::tokenKeys(const ReceivedRequest& request) {
  const MutexLock lock(mutex_);
  ++counters_.keyFetches;
  if (request.path() == "/token_key") return jsonReply(200, keys_.back()->toJson().dump());
  Json::Array keys;
  for (const auto& key : keys_) keys.push_back(key->toJson());
  return jsonReply(200, Json::object({{"keys", keys}}).dump());
}

Reply FakeUaa::Impl::discovery(const ReceivedRequest&) {
  const std::string& base = server_.url();
  return jsonReply(
      200, Json::object({{"issuer", issuer()},
                         {"authorization_endpoint", base + "/oauth/authorize"},
                         {"token_endpoint", base + "/oauth/token"},
                         {"token_endpoint_auth_methods_supported",
                          Json::strings({"client_secret_basic", "client_secret_post"})},
                         {"userinfo_endpoint", base + "/userinfo"},
                         {"jwks_uri", base + "/token_keys"},
                         {"end_session_endpoint", base + "/logout.do"},
                         {"scopes_supported", Json::strings({"openid", "profile", "email"})},
                         {"response_types_supported", Json::strings({"code"})},
                         {"subject_types_supported", Json::strings({"public"})},
                         {"id_token_signing_alg_values_supported", Json::strings({"RS256"})},
                         {"code_challenge_methods_supported", Json::strings({"S256", "plain"})}})
               .dump());
}

Reply FakeUaa::Impl::introspect(const ReceivedRequest& request) {
  const Form form(request.body);
  const MutexLock lock(mutex_);
  if (authenticateClient(request, form) == nullptr) {
    ++counters_.refusedClients;
    return errorReply(401, "unauthorized", "Bad credentials");
  }
  ++counters_.introspections;
  const AccessRecord* record = findActive(form.get("token"));
  if (request.path() == "/check_token") {
    return record != nullptr ? jsonReply(200, record->claims)
                             : errorReply(400, "invalid_token", "Token has expired");
  }
  if (record == nullptr) return jsonReply(200, R"({"active":false})");
  return jsonReply(200, R"({"active":true,)" + record->claims.substr(1));
}

void FakeUaa::Impl::revokeTokensOf(const UaaUser& user) {
  for (auto& [token, record] : access_) {
    if (record.info.userId == user.guid) record.revoked = true;
  }
  for (auto& [token, record] : refresh_) {
    if (record.userName == user.name) record.revoked = true;
  }
}

Reply FakeUaa::Impl::scimUser(const ReceivedRequest& request) {
  std::string id = request.path().substr(std::string_view{"/Users/"}.size());
  constexpr std::string_view kPassword = "/password";
  const bool isPassword = id.ends_with(kPassword);
  if (isPassword) id.resize(id.size() - kPassword.size());
  const MutexLock lock(mutex_);
  const AccessRecord* caller = findBearer(request);
  if (caller == nullptr) return errorReply(401, "invalid_token", "Bearer token required");
  const auto found = std::find_if(users_.begin(), users_.end(),
                                  [&](const auto& user) { return user.second.guid == id; });
  if (found == users_.end()) {
    return errorReply(404, "scim_resource_not_found", "User " + id + " does not exist");
  }
  const std::string_view needed = request.method == "GET" ? "openid"
                                  : isPassword            ? "password.write"
                                                          : "scim.write";
  if (caller->info.userId != id || !caller->info.hasScope(needed)) {
    return errorReply(403, "insufficient_scope", "Insufficient scope for this resource");
  }
  if (isPassword) return changePassword(request, found->second);
  if (request.method == "PUT") return changeScimUser(request, found->second);
  const UaaUser& user = found->second;
  Json::Array groups;
  for (const std::string& scope : user.scopes) groups.push_back(Json::object({{"display", scope}}));
  Reply reply =
      jsonReply(200, Json::object({{"id", user.guid},
                                   {"meta", Json::object({{"version", user.version}})},
                                   {"userName", user.name},
                                   {"name", Json::object({{"familyName", user.familyName},
                                                          {"givenName", user.givenName}})},
                                   {"emails", Json::Array{Json::object({{"value", user.email}})}},
                                   {"groups", groups},
                                   {"origin", "uaa"}})
                         .dump());
  reply.headers.emplace_back("ETag", "\"" + std::to_string(user.version) + "\"");
  reply.headers.emplace_back("Set-Cookie", "JSESSIONID=of-the-uaa");
  return reply;
}

Reply FakeUaa::Impl::changeScimUser(const ReceivedRequest& request, UaaUser& user) {
  const auto body = parseFlatObject(request.body);
  const auto text = [&](const char* name) {
    const auto it = body.find(name);
    return it == body.end() ? std::string{} : it->second;
  };
  const std::string match = request.header("If-Match");
  if (match != "*" && match != std::to_string(user.version)) {
    return errorReply(match.empty() ? 400 : 412, "scim", "Missing or wrong If-Match");
  }
  user.givenName = text("name.givenName");
  user.familyName = text("name.familyName");
  ++user.version;
  return jsonReply(200, Json::object({{"id", user.guid}}).dump());
}

Reply FakeUaa::Impl::changePassword(const ReceivedRequest& request, UaaUser& user) {
  const auto body = parseFlatObject(request.body);
  if (!body.contains("oldPassword") || body.at("oldPassword") != user.password) {
    return errorReply(401, "unauthorized", "Old password is incorrect");
  }
  user.password = body.contains("password") ? body.at("password") : "";
  revokeTokensOf(user);
  return jsonReply(200, Json::object({{"status", "ok"}, {"message", "password updated"}}).dump());
}

Reply FakeUaa::Impl::inviteUsers(const ReceivedRequest& request) {
  const MutexLock lock(mutex_);
  const AccessRecord* caller = findBearer(request);
  if (caller == nullptr) return errorReply(401, "invalid_token", "Bearer token required");
  if (!caller->info.hasScope("scim.invite")) {
    return errorReply(403, "insufficient_scope", "Insufficient scope for this resource");
  }
  const std::string redirect = request.queryValue("redirect_uri").value_or("");
  if (request.method != "POST" || redirect.empty()) {
    return errorReply(400, "invalid_request", "Required parameter 'redirect_uri' is not present");
  }
  std::vector<std::string> emails;
  try {
    emails = parseStrings(request.body, "emails");
  } catch (const Error&) {
    return errorReply(400, "invalid_request", "The request body is not readable");
  }
  Json::Array invited;
  Json::Array failed;
  for (const std::string& email : emails) {
    const bool isValid = std::count(email.begin(), email.end(), '@') == 1;
    if (isValid && !users_.contains(email)) {
      // The real one mails nothing here either: the link is the answer.
      users_[email] = UaaUser{.name = email,
                              .password = randomHex(16),
                              .scopes = {},
                              .guid = stableGuid("user", email),
                              .email = email};
    }
    const std::string link = server_.url() + "/invitations/accept?code=" + randomHex(8) +
                             "&redirect_uri=" + percentEncode(redirect);
    (isValid ? invited : failed)
        .push_back(
            Json::object({{"email", email},
                          {"userid", isValid ? Json{users_[email].guid} : Json{}},
                          {"origin", isValid ? Json{"uaa"} : Json{}},
                          {"success", isValid},
                          {"errorCode", isValid ? Json{} : Json{"email.invalid"}},
                          {"errorMessage", isValid ? Json{} : Json{email + " is invalid email."}},
                          {"inviteLink", isValid ? Json{link} : Json{}}}));
  }
  return jsonReply(200,
                   Json::object({{"new_invites", invited}, {"failed_invites", failed}}).dump());
}

Reply FakeUaa::Impl::userInfo(const ReceivedRequest& request) {
  const MutexLock lock(mutex_);
  const AccessRecord* record = findBearer(request);
  if (record == nullptr) {
    return errorReply(401, "invalid_token", "The token expired, was revoked, or is unknown");
  }
  if (!record->info.hasScope("openid")) {
    Reply reply = errorReply(403, "insufficient_scope", "Insufficient scope for this resource");
    return reply;
  }
  const UaaUser& user = users_.at(record->info.userName);
  return jsonReply(200, Json::object({{"user_id", user.guid},
                                      {"sub", user.guid},
                                      {"user_name", user.name},
                                      {"given_name", user.name},
                                      {"family_name", "Example"},
                                      {"email", user.email},
                                      {"email_verified", true},
                                      {"name", user.name + " Example"}})
                            .dump());
}

Reply FakeUaa::Impl::info(const ReceivedRequest&) {
  const std::string& base = server_.url();
  return jsonReply(
      200,
      Json::object(
          {{"app", Json::object({{"version", "77.20.0"}})},
           {"links", Json::object({{"uaa", base},
                                   {"login", base},
                                   {"passwd", "/forgot_password"},
                                   {"register", "/create_account"}})},
           {"zone_name", "uaa"},
           {"entityID", "stratos-sim"},
           {"commit_id", "0000000"},
           {"idpDefinitions", Json::object({})},
           {"prompts", Json::object({{"username", Json::strings({"text", "Email"})},
                                     {"password", Json::strings({"password", "Password"})},
                                     {"passcode", Json::strings({"password",
                                                                 "Temporary Authentication Code ( "
                                                                 "Get one at " +
                                                                     base + "/passcode )"})}})},
           {"timestamp", "2026-01-01T00:00:00+0000"}})
          .dump());
}

Reply FakeUaa::Impl::rootOrNothing(const ReceivedRequest& request) {
  return request.path() == "/" ? info(request) : notFoundPage();
}

FakeUaa::FakeUaa(const Clock& clock, FakeUaaOptions options)
    : impl_(std::make_unique<Impl>(clock, std::move(options))) {}
FakeUaa::~FakeUaa() = default;

FakeUpstream& FakeUaa::server() noexcept { return impl_->server_; }
const std::string& FakeUaa::url() const noexcept { return impl_->server_.url(); }

void FakeUaa::addUser(UaaUser user) {
  if (user.guid.empty()) user.guid = stableGuid("user", user.name);
  if (user.email.empty()) user.email = user.name + "@example.com";
  const MutexLock lock(impl_->mutex_);
  std::string name = user.name;
  impl_->users_[std::move(name)] = std::move(user);
}

void FakeUaa::addClient(UaaClientRegistration client) {
  const MutexLock lock(impl_->mutex_);
  std::string id = client.id;
  impl_->clients_[std::move(id)] = std::move(client);
}

void FakeUaa::setRefreshMode(RefreshMode mode) {
  const MutexLock lock(impl_->mutex_);
  impl_->options_.refreshMode = mode;
}

void FakeUaa::setOpaqueAccessTokens(bool on) {
  const MutexLock lock(impl_->mutex_);
  impl_->options_.opaqueAccessTokens = on;
}

void FakeUaa::setAccessTokenValidity(std::chrono::seconds validity) {
  const MutexLock lock(impl_->mutex_);
  impl_->options_.accessTokenValidity = validity;
}

void FakeUaa::rotateSigningKey(bool keepOld) {
  const MutexLock lock(impl_->mutex_);
  if (!keepOld) impl_->keys_.clear();
  impl_->keys_.push_back(std::make_unique<SigningKey>("key-" + std::to_string(++impl_->keyCount_)));
}

std::string FakeUaa::issuePasscode(const std::string& userName) {
  const MutexLock lock(impl_->mutex_);
  if (!impl_->users_.contains(userName)) throw Error(ErrorCode::NotFound, "no user " + userName);
  std::string code = randomHex(5);
  impl_->passcodes_[code] = userName;
  return code;
}

std::optional<UaaTokenInfo> FakeUaa::findAccessToken(const std::string& token) const {
  const MutexLock lock(impl_->mutex_);
  const AccessRecord* record = impl_->findActive(token);
  if (record == nullptr) return std::nullopt;
  return record->info;
}

void FakeUaa::revokeAccessTokens() {
  const MutexLock lock(impl_->mutex_);
  for (auto& [token, record] : impl_->access_) record.revoked = true;
}

void FakeUaa::revokeRefreshTokens() {
  const MutexLock lock(impl_->mutex_);
  for (auto& [token, record] : impl_->refresh_) record.revoked = true;
}

void FakeUaa::expireAccessTokens() {
  const MutexLock lock(impl_->mutex_);
  for (auto& [token, record] : impl_->access_) record.info.expiresAt = impl_->now();
}

UaaCounters FakeUaa::counters() const {
  const MutexLock lock(impl_->mutex_);
  return impl_->counters_;
}

std::optional<std::string> FakeUaa::findUserName(const std::string& guid) const {
  const MutexLock lock(impl_->mutex_);
  for (const auto& [name, user] : impl_->users_) {
    if (user.guid == guid) return name;
  }
  return std::nullopt;
}

std::optional<std::string> FakeUaa::findUserGuid(const std::string& userName) const {
  const MutexLock lock(impl_->mutex_);
  const auto found = impl_->users_.find(userName);
  if (found == impl_->users_.end()) return std::nullopt;
  return found->second.guid;
}

std::string FakeUaa::userGuid(const std::string& userName) const {
  const auto guid = findUserGuid(userName);
  if (!guid) throw Error(ErrorCode::NotFound, "no user " + userName);
  return *guid;
}

}  // namespace stratos::testing
