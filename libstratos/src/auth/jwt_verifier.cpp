#include "stratos/auth/jwt_verifier.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "auth/cached_document.hpp"
#include "auth/json_support.hpp"
#include "auth/jwk_set.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::auth {

namespace {

using detail::JwkSet;
using detail::SignatureAlgorithm;

constexpr std::size_t kMaxTokenBytes = 64 * 1024;
constexpr std::size_t kMaxKeySetBytes = 256 * 1024;
/// Sources come from the configuration; the bound only limits memory.
constexpr std::size_t kMaxSources = 64;

struct Jws {
  const SignatureAlgorithm* algorithm = nullptr;
  std::string keyId;
  std::string_view signedText;
  std::string payload;
  std::string signature;
};

JwtResult failed(JwtStatus status, std::string reason) {
  return {.status = status, .reason = std::move(reason), .payload = {}, .algorithm = {}};
}

/// Base64url without padding and nothing else (RFC 7515 section 2).
std::optional<std::string> strictBase64Url(std::string_view text) {
  const bool isClean = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  return isClean ? fromBase64(text) : std::nullopt;
}

bool isAccepted(const SignatureAlgorithm& algorithm, const JwtKeySource& source) {
  if (algorithm.kind == SignatureAlgorithm::Kind::Hmac) return source.allowSymmetric;
  return source.algorithms.empty() || std::find(source.algorithms.begin(), source.algorithms.end(),
                                                algorithm.name) != source.algorithms.end();
}

/// Takes the token apart; a result when that is all there is to say.
std::optional<JwtResult> parse(std::string_view token, const JwtKeySource& source, Jws& jws) {
  if (token.size() > kMaxTokenBytes) return failed(JwtStatus::Malformed, "the token is too large");
  const auto first = token.find('.');
  const auto second =
      first == std::string_view::npos ? std::string_view::npos : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return failed(JwtStatus::Malformed, "the token is no signed JWT");
  }
  const auto head = strictBase64Url(token.substr(0, first));
  auto payload = strictBase64Url(token.substr(first + 1, second - first - 1));
  auto signature = strictBase64Url(token.substr(second + 1));
  const auto header = head ? detail::parseObject(*head) : nullptr;
  if (!header || !payload || !signature || !detail::parseObject(*payload)) {
    return failed(JwtStatus::Malformed, "the token cannot be decoded");
  }
  // No extension is understood here, so each must lead to refusal (RFC 7515 section 4.1.11).
  if (header->has("crit")) {
    return failed(JwtStatus::Malformed, "the token has critical header extensions");
  }
  jws.algorithm = detail::findAlgorithm(detail::stringMember(*header, "alg"));
  if (jws.algorithm == nullptr || !isAccepted(*jws.algorithm, source)) {
    return failed(JwtStatus::BadSignature, "the token's signature algorithm is not accepted");
  }
  jws.keyId = detail::stringMember(*header, "kid");
  jws.signedText = token.substr(0, second);
  jws.payload = std::move(*payload);
  jws.signature = std::move(*signature);
  return std::nullopt;
}

JwtResult check(const Jws& jws, const JwkSet& set) {
  bool isKnown = false;
  for (const auto& key : set.keys) {
    if (!jws.keyId.empty() && !key.id.empty() && key.id != jws.keyId) continue;
    isKnown = isKnown || (!jws.keyId.empty() && key.id == jws.keyId);
    if (key.verify(*jws.algorithm, jws.signedText, jws.signature)) {
      return {.status = JwtStatus::Verified,
              .reason = {},
              .payload = jws.payload,
              .algorithm = std::string{jws.algorithm->name}};
    }
  }
  if (isKnown) return failed(JwtStatus::BadSignature, "the token's signature is wrong");
  return failed(JwtStatus::UnknownKey, "the token is signed with a key that is not published");
}

}  // namespace

class JwtVerifier::Impl {
 public:
  Impl(http::Transport& transport, const Clock& clock, LogSink& log, JwtVerifierOptions options)
      : transport_(transport), clock_(clock), log_(log), options_(options) {}

  JwtResult verify(const Secret& token, const JwtKeySource& source, Deadline deadline) {
    Jws jws;
    if (auto refused = parse(token.reveal(), source, jws)) return std::move(*refused);
    const std::shared_ptr<Cache> cache = cacheOf(source);
    const auto fetch = [&] { return fetchKeys(source, deadline); };
    const auto keys = cache->get(deadline, fetch);
    if (!keys) return failed(JwtStatus::KeysUnavailable, unavailableReason(*cache));
    JwtResult result = check(jws, *keys);
    if (result.status != JwtStatus::UnknownKey) return result;
    const auto newer = cache->getNewer(keys, deadline, fetch);
    return newer && newer != keys ? check(jws, *newer) : result;
  }

 private:
  using Cache = detail::CachedDocument<JwkSet>;

  std::shared_ptr<Cache> cacheOf(const JwtKeySource& source) {
    const MutexLock lock(mutex_);
    if (caches_.size() >= kMaxSources) caches_.clear();
    auto& cache = caches_[{source.url, source.trust}];
    if (!cache) {
      cache = std::make_shared<Cache>(
          clock_, detail::DocumentLimits{options_.keyLifetime, options_.refetchPause});
    }
    return cache;
  }

  static std::string unavailableReason(const Cache& cache) {
    const std::string problem = cache.problem();
    return problem.empty() ? "the issuer's keys cannot be had in time" : problem;
  }

  Cache::Fetched fetchKeys(const JwtKeySource& source, Deadline deadline) {
    Cache::Fetched result = tryFetch(source, deadline);
    if (!result.value) {
      log(log_, LogLevel::Warning, "signing keys cannot be fetched",
          {{"url", source.url}, {"reason", result.problem}});
    }
    return result;
  }

  Cache::Fetched tryFetch(const JwtKeySource& source, Deadline deadline) {
    const auto url = Url::tryParse(source.url);
    if (!url) return {nullptr, "the address of the issuer's keys is no URL"};
    http::ClientRequest request{
        .method = "GET",
        .url = *url,
        .headers = {{"Accept", "application/json"}},
        .body = {},
        .trust = source.trust,
        .deadline = earliest(deadline, Deadline::after(options_.fetchTimeout))};
    http::ClientResponse response = transport_.send(std::move(request));
    if (response.failed()) return {nullptr, response.detail};
    if (response.status != 200) {
      return {nullptr, "the issuer answered " + std::to_string(response.status)};
    }
    std::string text;
    try {
      text = response.body.readAll(kMaxKeySetBytes);
    } catch (const Error& error) {
      return {nullptr, error.what()};
    }
    auto set = detail::parseJwkSet(text);
    if (!set) return {nullptr, "the issuer's answer is no set of keys"};
    if (set->keys.empty()) return {nullptr, "the issuer publishes no key that can be used"};
    return {std::make_shared<const JwkSet>(std::move(*set)), {}};
  }

  http::Transport& transport_;
  const Clock& clock_;
  LogSink& log_;
  const JwtVerifierOptions options_;
  Mutex mutex_;
  std::map<std::pair<std::string, http::TrustPolicy>, std::shared_ptr<Cache>> caches_
      STRATOS_GUARDED_BY(mutex_);
};

JwtVerifier::JwtVerifier(http::Transport& transport, const Clock& clock, LogSink& log,
                         JwtVerifierOptions options)
    : impl_(std::make_unique<Impl>(transport, clock, log, options)) {}

JwtVerifier::~JwtVerifier() = default;

JwtResult JwtVerifier::verify(const Secret& token, const JwtKeySource& keys, Deadline deadline) {
  return impl_->verify(token, keys, deadline);
}

std::string claimProblem(const std::string& claims, const JwtClaimRules& rules, TimePoint now) {
  const auto json = detail::parseObject(claims);
  if (!json) return "the claims are no JSON object";
  if (!rules.issuer.empty() && detail::stringMember(*json, "iss") != rules.issuer) {
    return "iss names another issuer";
  }
  if (!rules.audience.empty()) {
    // A single audience may be written without the list (RFC 7519 section 4.1.3).
    const std::string single = detail::stringMember(*json, "aud");
    const auto audiences =
        single.empty() ? detail::listMember(*json, "aud") : std::vector<std::string>{single};
    if (std::find(audiences.begin(), audiences.end(), rules.audience) == audiences.end()) {
      return "aud names another client";
    }
    const std::string party = detail::stringMember(*json, "azp");
    if ((json->has("azp") || audiences.size() > 1) && party != rules.audience) {
      return "azp names another client";
    }
  }
  const std::int64_t seconds = toUnixSeconds(now);
  const std::int64_t leeway = rules.leeway.count();
  const std::int64_t expiry = detail::integerMember(*json, "exp");
  if (expiry <= 0) return "exp is missing";
  if (seconds - leeway >= expiry) return "the token has expired";
  if (detail::integerMember(*json, "nbf") > seconds + leeway) return "the token is not valid yet";
  const std::int64_t issuedAt = detail::integerMember(*json, "iat");
  if (issuedAt > seconds + leeway) return "the token was issued in the future";
  if (rules.requireIssuedAt && issuedAt <= 0) return "iat is missing";
  if (rules.nonce && !constantTimeEquals(detail::stringMember(*json, "nonce"), *rules.nonce)) {
    return "the nonce is not the one of this sign-in";
  }
  return {};
}

std::string accessTokenHash(std::string_view algorithm, const Secret& accessToken) {
  const SignatureAlgorithm* const found = detail::findAlgorithm(algorithm);
  if (found == nullptr) return {};
  const char* const digest = found->digest ? found->digest : "SHA512";
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, digest, nullptr, accessToken.reveal().data(),
                   accessToken.reveal().size(), hash.data(), &size) != 1) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot compute a digest");
  }
  return toBase64Url(std::string_view{reinterpret_cast<const char*>(hash.data()), size / 2});
}

}  // namespace stratos::auth
