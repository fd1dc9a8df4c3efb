#include "console/sso_flow.hpp"

#include <algorithm>
#include <charconv>

#include "stratos/base/encoding.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::console {

namespace {

constexpr std::chrono::minutes kLife{10};
constexpr std::size_t kRandomBytes = 32;
/// A state is 43 characters; the start of it tells two flows of a browser apart.
constexpr std::size_t kSuffix = 12;
constexpr std::size_t kMaxUrl = 1024;

std::string cookieName(std::string_view state) {
  return "stratos-sso-" + std::string{state.substr(0, kSuffix)};
}

http::SetCookie emptyCookie(std::string_view state) {
  http::SetCookie cookie;
  cookie.name = cookieName(state);
  cookie.path = "/pp/v1/auth";
  return cookie;
}

const std::string* find(const FormFields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

/// Nothing that a browser and we could read in different ways.
bool isPlainUrl(std::string_view text) {
  return text.size() <= kMaxUrl && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
                  c == '#' || c == '\\' || c == '@' || c == '"' || c == '<' || c == '>';
         });
}

bool isPlainHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           c == ':';
  });
}

std::string_view pathOf(const Url& url) {
  return url.rawPath().empty() ? std::string_view{"/"} : std::string_view{url.rawPath()};
}

bool isListed(const Url& url, const std::string& allowList) {
  for (const std::string& entry : split(allowList, ',')) {
    const auto allowed = Url::tryParse(trim(entry));
    if (!allowed || allowed->origin() != url.origin()) continue;
    if (allowed->rawPath() == "/*" || pathOf(*allowed) == pathOf(url)) return true;
  }
  return false;
}

}  // namespace

SsoTickets::SsoTickets(const Secret& sessionSecret, const Clock& clock, Random& random)
    : key_(crypto::hmacSha256(sessionSecret.reveal(), "stratos: tickets of single sign-on, 1")),
      clock_(clock),
      random_(random) {}

SsoTicket SsoTickets::begin(const std::string& returnTo, const std::string& redirectUri) {
  return {.returnTo = returnTo,
          .endpoint = {},
          .user = {},
          .flow = {.redirectUri = redirectUri,
                   .state = toBase64Url(random_.bytes(kRandomBytes)),
                   .nonce = toBase64Url(random_.bytes(kRandomBytes)),
                   .codeVerifier = Secret{toBase64Url(random_.bytes(kRandomBytes))}},
          .expiresAt = clock_.now() + kLife};
}

http::SetCookie SsoTickets::cookieFor(const SsoTicket& ticket) const {
  const std::string payload =
      toBase64Url(encodeForm({{"return", ticket.returnTo},
                              {"endpoint", ticket.endpoint.str()},
                              {"user", ticket.user.str()},
                              {"redirect", ticket.flow.redirectUri},
                              {"state", ticket.flow.state},
                              {"nonce", ticket.flow.nonce},
                              {"verifier", ticket.flow.codeVerifier.reveal()},
                              {"until", std::to_string(toUnixSeconds(ticket.expiresAt))}}));
  http::SetCookie cookie = emptyCookie(ticket.flow.state);
  cookie.value = payload + "." + toBase64Url(crypto::hmacSha256(key_, payload));
  cookie.maxAge = kLife;
  return cookie;
}

std::optional<SsoTicket> SsoTickets::find(const http::Request& request,
                                          std::string_view state) const {
  const auto value = request.cookie(cookieName(state));
  if (!value) return std::nullopt;
  const auto dot = value->find('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::string payload = value->substr(0, dot);
  const auto signature = fromBase64(std::string_view{*value}.substr(dot + 1));
  if (!signature || !constantTimeEquals(*signature, crypto::hmacSha256(key_, payload))) {
    return std::nullopt;
  }
  const auto text = fromBase64(payload);
  const auto fields = text ? decodeForm(*text) : std::nullopt;
  if (!fields) return std::nullopt;
  const auto field = [&](std::string_view name) {
    const std::string* found = console::find(*fields, name);
    return found ? *found : std::string{};
  };
  std::int64_t until = 0;
  const std::string untilText = field("until");
  (void)std::from_chars(untilText.data(), untilText.data() + untilText.size(), until);
  SsoTicket ticket{.returnTo = field("return"),
                   .endpoint = EndpointId{field("endpoint")},
                   .user = UserId{field("user")},
                   .flow = {.redirectUri = field("redirect"),
                            .state = field("state"),
                            .nonce = field("nonce"),
                            .codeVerifier = Secret{field("verifier")}},
                   .expiresAt = fromUnixSeconds(until)};
  if (ticket.expiresAt <= clock_.now()) return std::nullopt;
  if (!constantTimeEquals(ticket.flow.state, state)) return std::nullopt;
  return ticket;
}

http::SetCookie SsoTickets::clearingCookie(std::string_view state) const {
  http::SetCookie cookie = emptyCookie(state);
  cookie.maxAge = std::chrono::seconds{0};
  return cookie;
}

std::optional<Url> allowedReturnUrl(std::string_view text, const std::string& allowList,
                                    bool (*isOwnOrigin)(const http::Request&, std::string_view),
                                    const http::Request& request) {
  if (!isPlainUrl(text)) return std::nullopt;
  auto url = Url::tryParse(text);
  if (!url || (url->scheme() != "https" && url->scheme() != "http") || !url->userInfo().empty() ||
      !isPlainHost(url->host())) {
    return std::nullopt;
  }
  const bool isAllowed =
      trim(allowList).empty() ? isOwnOrigin(request, url->origin()) : isListed(*url, allowList);
  return isAllowed ? url : std::nullopt;
}

bool hasSsoOption(const SsoOptions& options, std::string_view option) {
  const auto words = split(options.options, ',');
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return trim(word) == option; });
}

}  // namespace stratos::console
