#include "stratos/session/session_manager.hpp"

#include <algorithm>
#include <charconv>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::session {

namespace {

constexpr std::size_t kIdBytes = 32;
constexpr std::size_t kXsrfBytes = 32;
constexpr std::size_t kMaxAddress = 64;
constexpr std::size_t kMaxUserAgent = 200;
/// 43 characters of id, a dot, 43 of signature.
constexpr std::size_t kCookieLength = 87;

/// The Domain attribute for a configured domain: without its leading dot (RFC 6265 section 5.2.3),
/// and none at all when a browser would not take it.
std::string attributeOf(std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  const bool isName = std::all_of(domain.begin(), domain.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
  return isName ? std::string{domain} : std::string{};
}

std::string hashOf(std::string_view id) { return toHex(crypto::sha256(id)); }

}  // namespace

bool Session::xsrfMatches(std::string_view presented) const noexcept {
  return !xsrfToken.empty() && constantTimeEquals(xsrfToken.reveal(), presented);
}

SessionManager::SessionManager(store::SessionStore& store, const Clock& clock, Random& random,
                               SessionOptions options)
    : store_(store),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      hmac_(options_.secret.reveal()),
      cookieName_("console-session"),
      cookieDomain_(options_.cookieDomain == "-" ? "" : options_.cookieDomain) {
  if (options_.secret.empty()) {
    throw Error(ErrorCode::InvalidArgument,
                "the session secret is empty; set SESSION_STORE_SECRET");
  }
  if (options_.lifetime < std::chrono::minutes{1}) {
    throw Error(ErrorCode::InvalidArgument,
                "the session lifetime is below a minute; set SESSION_STORE_EXPIRY to 1 or more");
  }
  if (!cookieDomain_.empty()) {
    cookieName_ += "-" + toHex(crypto::sha1(cookieDomain_)).substr(0, 10);
  }
  signedPrefix_ = cookieName_ + "|";
}

std::string SessionManager::sign(std::string_view id) const {
  return hmac_.of(signedPrefix_, id);
}

std::optional<std::string> SessionManager::idHashOf(std::string_view cookieValue) const {
  if (cookieValue.size() != kCookieLength) return std::nullopt;
  const auto dot = cookieValue.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto id = fromBase64(cookieValue.substr(0, dot));
  const auto signature = fromBase64(cookieValue.substr(dot + 1));
  if (!id || !signature || id->size() != kIdBytes) return std::nullopt;
  if (!constantTimeEquals(*signature, sign(*id))) return std::nullopt;
  return hashOf(*id);
}

TimePoint SessionManager::expiryFor(TimePoint createdAt) const {
  const TimePoint idle = clock_.now() + options_.lifetime;
  return options_.maxAge.count() > 0 ? std::min(idle, createdAt + options_.maxAge) : idle;
}

Session SessionManager::create(const UserId& user, std::int64_t tokenExpiry,
                               const SessionOrigin& origin) {
  const std::string id = random_.bytes(kIdBytes);
  const TimePoint now = clock_.now();
  Session session{.user = user,
                  .tokenExpiry = tokenExpiry,
                  .xsrfToken = Secret{toBase64(random_.bytes(kXsrfBytes))},
                  .createdAt = now,
                  .expiresAt = expiryFor(now),
                  .publicId = makeUuid(random_),
                  .cookieValue = Secret{toBase64Url(id) + "." + toBase64Url(sign(id))}};
  store_.insert({.idHash = hashOf(id),
                 .user = session.user,
                 .tokenExpiry = session.tokenExpiry,
                 .xsrfToken = session.xsrfToken,
                 .createdAt = now,
                 .expiresAt = session.expiresAt,
                 .publicId = session.publicId,
                 .lastSeenAt = now,
                 .address = origin.address.substr(0, kMaxAddress),
                 .userAgent = toValidUtf8(origin.userAgent.substr(0, kMaxUserAgent))});
  return session;
}

std::optional<Session> SessionManager::find(std::string_view cookieValue) {
  const auto idHash = idHashOf(cookieValue);
  if (!idHash) return std::nullopt;
  auto record = store_.find(*idHash);
  if (!record || record->expiresAt <= clock_.now()) return std::nullopt;
  return Session{.user = std::move(record->user),
                 .tokenExpiry = record->tokenExpiry,
                 .xsrfToken = std::move(record->xsrfToken),
                 .createdAt = record->createdAt,
                 .expiresAt = record->expiresAt,
                 .publicId = std::move(record->publicId),
                 .cookieValue = Secret{std::string{cookieValue}}};
}

bool SessionManager::renew(Session& session) {
  const auto idHash = idHashOf(session.cookieValue.reveal());
  if (!idHash || session.expiresAt <= clock_.now()) return false;
  session.expiresAt = expiryFor(session.createdAt);
  store::SessionRecord record;
  record.idHash = *idHash;
  record.user = session.user;
  record.tokenExpiry = session.tokenExpiry;
  record.expiresAt = session.expiresAt;
  record.lastSeenAt = clock_.now();
  return store_.update(record);
}

std::vector<SessionSummary> SessionManager::list(const UserId& user) {
  std::vector<SessionSummary> sessions;
  for (auto& record : store_.listForUser(user)) {
    if (record.expiresAt <= clock_.now() || record.publicId.empty()) continue;
    sessions.push_back({.publicId = std::move(record.publicId),
                        .createdAt = record.createdAt,
                        .lastSeenAt = record.lastSeenAt,
                        .expiresAt = record.expiresAt,
                        .origin = {.address = std::move(record.address),
                                   .userAgent = std::move(record.userAgent)}});
  }
  return sessions;
}

bool SessionManager::end(const UserId& user, const std::string& publicId) {
  return store_.removeByPublicId(user, publicId);
}

std::int64_t SessionManager::endAll(const UserId& user) { return store_.removeForUser(user); }

void SessionManager::end(std::string_view cookieValue) {
  if (const auto idHash = idHashOf(cookieValue)) store_.remove(*idHash);
}

std::int64_t SessionManager::endOthers(const Session& current) {
  const auto idHash = idHashOf(current.cookieValue.reveal());
  return idHash ? store_.removeOthers(current.user, *idHash) : 0;
}

std::int64_t SessionManager::sweep() { return store_.removeExpired(clock_.now()); }

http::SetCookie SessionManager::cookieFor(const Session& session) const {
  http::SetCookie cookie;
  cookie.name = cookieName_;
  cookie.value = session.cookieValue.reveal();
  cookie.domain = attributeOf(cookieDomain_);
  cookie.expires = session.expiresAt;
  cookie.maxAge = std::chrono::floor<std::chrono::seconds>(session.expiresAt - clock_.now());
  return cookie;
}

http::SetCookie SessionManager::clearingCookie() const {
  http::SetCookie cookie;
  cookie.name = cookieName_;
  cookie.domain = attributeOf(cookieDomain_);
  cookie.expires = clock_.now() - std::chrono::hours{24};
  return cookie;
}

std::int64_t SessionManager::announcedExpiry(const Session& session,
                                             std::string_view requestDate) const {
  const std::int64_t expiry = toUnixSeconds(session.expiresAt);
  std::int64_t browserNow = 0;
  const auto [end, error] =
      std::from_chars(requestDate.data(), requestDate.data() + requestDate.size(), browserNow);
  // Outside these bounds it is no time of day, and the sum below could overflow.
  constexpr std::int64_t kLatest = 253'402'300'799;
  if (requestDate.empty() || error != std::errc{} ||
      end != requestDate.data() + requestDate.size() || browserNow < 0 || browserNow > kLatest) {
    return expiry;
  }
  const auto left = std::chrono::floor<std::chrono::seconds>(session.expiresAt - clock_.now());
  return browserNow + left.count();
}

}  // namespace stratos::session
