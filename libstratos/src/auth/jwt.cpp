#include "stratos/auth/jwt.hpp"

#include "auth/json_support.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::auth {

std::optional<JwtClaims> decodeJwt(std::string_view token) {
  constexpr std::string_view kScheme = "bearer ";
  if (token.size() > kScheme.size() && equalsIgnoreCase(token.substr(0, kScheme.size()), kScheme)) {
    token.remove_prefix(kScheme.size());
  }
  const auto first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;

  const auto payload = fromBase64(token.substr(first + 1, second - first - 1));
  if (!payload) return std::nullopt;
  const auto claims = detail::parseObject(*payload);
  if (!claims) return std::nullopt;

  JwtClaims result;
  result.userId = detail::stringMember(*claims, "user_id");
  result.userName = detail::stringMember(*claims, "user_name");
  result.issuer = detail::stringMember(*claims, "iss");
  result.clientId = detail::stringMember(*claims, "client_id");
  result.expiry = detail::integerMember(*claims, "exp");
  result.scopes = detail::listMember(*claims, "scope");
  return result;
}

}  // namespace stratos::auth
