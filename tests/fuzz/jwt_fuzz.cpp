#include <string>

#include "auth/jwk_set.hpp"
#include "fuzz.hpp"
#include "stratos/auth/jwt.hpp"
#include "stratos/auth/jwt_verifier.hpp"
#include "stratos/base/encoding.hpp"

// Input: a token, a set of keys in the next line, and claims in the rest.

namespace stratos::fuzz {
namespace {

/// The key of RFC 7517 appendix A.1, whose private half nobody here has, and an Ed25519 one
/// (RFC 8037 appendix A.2).
constexpr const char* kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","kid":"e","use":"sig",)"
    R"("x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",)"
    R"("y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},)"
    R"({"kty":"OKP","crv":"Ed25519","kid":"o","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";

class KeyTransport final : public http::Transport {
 public:
  http::ClientResponse exchange(http::ClientRequest&) override {
    http::ClientResponse response;
    response.status = 200;
    response.body = http::Body(std::string{kKeys});
    return response;
  }
};

bool isSignedByRfc8037(std::string_view token) {
  // The one token of which the whole world knows a valid signature: appendix A.4.
  return token.find(
             "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr"
             "_MuM0KAg") != std::string_view::npos;
}

}  // namespace

void run(std::string_view input) {
  const std::string token{takeLine(input)};
  const std::string keys{takeLine(input)};
  if (const auto claims = auth::decodeJwt(token)) {
    require(token.find('.') != std::string::npos, "a token has parts");
    for (const std::string& scope : claims->scopes) require(isValidUtf8(scope), "scopes are text");
  }
  static KeyTransport transport;
  static SystemClock clock;
  static NullLogSink log;
  static auth::JwtVerifier verifier(transport, clock, log);
  const auto result = verifier.verify(
      Secret{token}, {.url = "https://issuer.example/keys", .trust = {}}, Deadline::never());
  require(result.status != auth::JwtStatus::Verified || isSignedByRfc8037(token),
          "nobody can forge a signature");
  require(result.status == auth::JwtStatus::Verified || result.payload.empty(),
          "what is not verified is not handed out");
  require(result.status == auth::JwtStatus::Verified || !result.reason.empty(),
          "a refusal says why");

  static_cast<void>(auth::detail::parseJwkSet(keys));
  auth::JwtClaimRules rules;
  rules.issuer = "https://issuer.example";
  rules.audience = "console";
  rules.nonce = "n";
  static_cast<void>(auth::claimProblem(std::string{input}, rules, clock.now()));
}

}  // namespace stratos::fuzz
