#include "stratos/auth/jwt_verifier.hpp"

#include <latch>
#include <thread>

#include <gtest/gtest.h>

#include "signing_key.hpp"
#include "stratos/auth/login_service.hpp"
#include "stratos/auth/uaa_token_check.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/fake_uaa.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/scripted_transport.hpp"
#include "support/sql_stores.hpp"

namespace stratos::auth {
namespace {

using test::keySet;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;
using test::SigningKey;

const Deadline kSoon = Deadline::after(std::chrono::minutes{2});
const JwtKeySource kSource{.url = "https://issuer.x/keys",
                           .trust = {.skipVerification = true, .caCertificatePem = {}}};
constexpr const char* kPayload = R"({"sub":"ann"})";

/// Made once: RSA keys are slow to make.
const SigningKey& rsa() {
  static const SigningKey key("RS256");
  return key;
}

class JwtVerifierTest : public ::testing::Test {
 protected:
  void publish(const std::string& keys) {
    network_.answer([keys](const SentRequest&) { return reply(200, keySet(keys)); });
  }
  JwtStatus statusOf(const std::string& token, const JwtKeySource& source = kSource) {
    return verifier_.verify(Secret{token}, source, kSoon).status;
  }

  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
  ScriptedTransport network_{[](const SentRequest&) { return reply(500, ""); }};
  JwtVerifier verifier_{network_, clock_, log_};
};

TEST_F(JwtVerifierTest, VerifiesEachAlgorithmAndNoAlteredText) {
  for (const char* name :
       {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}) {
    const SigningKey key(name, name);
    publish(key.jwk());
    clock_.advance(std::chrono::hours{2});
    const std::string token = key.token(kPayload);
    const JwtResult result = verifier_.verify(Secret{token}, kSource, kSoon);
    EXPECT_EQ(result.status, JwtStatus::Verified) << name << ": " << result.reason;
    EXPECT_EQ(result.payload, kPayload);
    EXPECT_EQ(result.algorithm, name);
    const auto dot = token.find('.');
    const std::string altered =
        token.substr(0, dot + 1) + toBase64Url(R"({"sub":"bob"})") + token.substr(token.rfind('.'));
    EXPECT_EQ(statusOf(altered), JwtStatus::BadSignature) << name;
    EXPECT_EQ(statusOf(token.substr(0, token.rfind('.') + 1)), JwtStatus::BadSignature) << name;
  }
}

TEST_F(JwtVerifierTest, S9AnUnsignedTokenIsRefused) {
  publish(rsa().jwk());
  for (const char* header : {R"({"alg":"none","kid":"k1"})", R"({"alg":"None"})", R"({"alg":""})",
                             R"({"kid":"k1"})", R"({"alg":["RS256"],"kid":"k1"})"}) {
    EXPECT_EQ(statusOf(toBase64Url(header) + "." + toBase64Url(kPayload) + "."),
              JwtStatus::BadSignature)
        << header;
    EXPECT_EQ(statusOf(rsa().token(kPayload, header)), JwtStatus::BadSignature) << header;
  }
}

TEST_F(JwtVerifierTest, S9APublicKeyIsNoHmacSecret) {
  publish(rsa().jwk());
  const std::string text =
      toBase64Url(R"({"alg":"HS256","kid":"k1"})") + "." + toBase64Url(kPayload);
  JwtKeySource lenient = kSource;
  lenient.allowSymmetric = true;
  for (const std::string& secret : {rsa().jwk(), std::string{}}) {
    const std::string forged = text + "." + toBase64Url(crypto::hmacSha256(secret, text));
    EXPECT_EQ(statusOf(forged), JwtStatus::BadSignature);
    EXPECT_EQ(statusOf(forged, lenient), JwtStatus::BadSignature);
  }
}

TEST_F(JwtVerifierTest, TakesASymmetricKeyOnlyWhereItIsAllowed) {
  const std::string secret = "a secret of more than 32 characters";
  publish(R"({"kid":"k1","kty":"MAC","alg":"HMACSHA256","value":")" + secret + "\"}");
  const std::string text =
      toBase64Url(R"({"alg":"HS256","kid":"k1"})") + "." + toBase64Url(kPayload);
  const std::string token = text + "." + toBase64Url(crypto::hmacSha256(secret, text));
  EXPECT_EQ(statusOf(token), JwtStatus::BadSignature);
  JwtKeySource lenient = kSource;
  lenient.allowSymmetric = true;
  EXPECT_EQ(statusOf(token, lenient), JwtStatus::Verified);
}

TEST_F(JwtVerifierTest, S9AKeyThatIsForSomethingElseIsNotUsed) {
  for (const char* extra : {R"(,"use":"enc")", R"(,"key_ops":["encrypt"])", R"(,"alg":"RS512")"}) {
    publish(rsa().jwk(extra) + "," + SigningKey("EdDSA", "other").jwk());
    clock_.advance(std::chrono::hours{2});
    EXPECT_NE(statusOf(rsa().token(kPayload)), JwtStatus::Verified) << extra;
  }
  publish(rsa().jwk(R"(,"use":"sig","alg":"RS256")"));
  clock_.advance(std::chrono::hours{2});
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::Verified);
  JwtKeySource narrow = kSource;
  narrow.algorithms = {"ES256"};
  EXPECT_EQ(statusOf(rsa().token(kPayload), narrow), JwtStatus::BadSignature);
}

TEST_F(JwtVerifierTest, S9CriticalExtensionsOversizeAndGarbageAreMalformed) {
  publish(rsa().jwk());
  EXPECT_EQ(statusOf(rsa().token(kPayload, R"({"alg":"RS256","kid":"k1","crit":["b64"]})")),
            JwtStatus::Malformed);
  EXPECT_EQ(statusOf(rsa().token(R"({"x":")" + std::string(70'000, 'x') + "\"}")),
            JwtStatus::Malformed);
  for (const char* text : {"", ".", "..", "a.b", "a.b.c.d.e", "e30.e30", "%%.e30.e30"}) {
    EXPECT_EQ(statusOf(text), JwtStatus::Malformed) << text;
  }
  EXPECT_EQ(network_.count(), 0u);
}

TEST_F(JwtVerifierTest, AnUnknownKeyIsLookedForButAFloodAsksOnce) {
  const SigningKey next("ES256", "k2");
  publish(rsa().jwk());
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::Verified);
  clock_.advance(std::chrono::seconds{30});
  publish(rsa().jwk() + "," + next.jwk());
  EXPECT_EQ(statusOf(next.token(kPayload)), JwtStatus::Verified);
  EXPECT_EQ(network_.count(), 2u);
  for (int i = 0; i < 100; ++i) {
    const SigningKey& key = next;
    EXPECT_EQ(statusOf(key.token(kPayload,
                                 R"({"alg":"ES256","kid":"made-up-)" + std::to_string(i) + "\"}")),
              JwtStatus::UnknownKey);
  }
  EXPECT_EQ(network_.count(), 2u);
  clock_.advance(std::chrono::seconds{30});
  EXPECT_EQ(statusOf(next.token(kPayload, R"({"alg":"ES256","kid":"x"})")), JwtStatus::UnknownKey);
  EXPECT_EQ(network_.count(), 3u);
}

TEST_F(JwtVerifierTest, KeepsOldKeysWhileTheIssuerIsAway) {
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::KeysUnavailable);
  clock_.advance(std::chrono::minutes{1});
  publish(rsa().jwk());
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::Verified);
  EXPECT_TRUE(network_.sent().back().trust.skipVerification);
  network_.answer([](const SentRequest&) { return reply(503, ""); });
  clock_.advance(std::chrono::hours{48});
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::Verified);
  network_.answer([](const SentRequest&) { return reply(200, std::string(400'000, ' ')); });
  clock_.advance(std::chrono::hours{1});
  EXPECT_EQ(statusOf(rsa().token(kPayload)), JwtStatus::Verified);
}

TEST_F(JwtVerifierTest, ManyCallersShareOneFetch) {
  publish(rsa().jwk());
  constexpr int kCallers = 8;
  std::latch start{kCallers};
  std::atomic<int> verified{0};
  const std::string token = rsa().token(kPayload);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kCallers; ++i) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        if (statusOf(token) == JwtStatus::Verified) ++verified;
      });
    }
  }
  EXPECT_EQ(verified, kCallers);
  EXPECT_EQ(network_.count(), 1u);
}

TEST(JwtClaimsTest, EachClaimIsHeldAgainstItsRule) {
  const TimePoint now = fromUnixSeconds(1'000'000);
  const JwtClaimRules rules{
      .issuer = "https://i", .audience = "me", .nonce = "n", .requireIssuedAt = true};
  const auto problem = [&](const std::string& text) { return claimProblem(text, rules, now); };
  const std::string tail = R"(,"exp":1000100,"iat":999999})";
  EXPECT_EQ(problem(R"({"iss":"https://i","aud":"me","nonce":"n")" + tail), "");
  EXPECT_EQ(problem(R"({"iss":"https://i","aud":["x","me"],"azp":"me","nonce":"n")" + tail), "");
  for (const char* head :
       {R"({"iss":"https://i/","aud":"me","nonce":"n")", R"({"aud":"me","nonce":"n")",
        R"({"iss":"https://i","aud":"you","nonce":"n")", R"({"iss":"https://i","nonce":"n")",
        R"({"iss":"https://i","aud":"x me","nonce":"n")",
        R"({"iss":"https://i","aud":["x","me"],"nonce":"n")",
        R"({"iss":"https://i","aud":"me","azp":"you","nonce":"n")",
        R"({"iss":"https://i","aud":"me","nonce":"other")", R"({"iss":"https://i","aud":"me")",
        R"({"iss":"https://i","aud":"me","nonce":"n","nbf":1000061)"}) {
    EXPECT_NE(problem(head + tail), "") << head;
  }
  const std::string head = R"({"iss":"https://i","aud":"me","nonce":"n",)";
  EXPECT_NE(problem(head + R"("exp":999940,"iat":999000})"), "");
  EXPECT_EQ(problem(head + R"("exp":999941,"iat":999000})"), "");
  EXPECT_NE(problem(head + R"("iat":999000})"), "");
  EXPECT_NE(problem(head + R"("exp":"1000100","iat":999000})"), "");
  EXPECT_NE(problem(head + R"("exp":1000100})"), "");
  EXPECT_NE(problem(head + R"("exp":1000100,"iat":1000061})"), "");
  EXPECT_NE(problem("[]"), "");
}

class UaaTokenCheckTest : public JwtVerifierTest {
 protected:
  std::string tokenOf(const SigningKey& key, const std::string& header = {}) const {
    return key.token(R"({"user_id":"g1","user_name":"ann","iss":"https://uaa.x/oauth/token",)"
                     R"("scope":["stratos.admin"],"exp":)" +
                         std::to_string(toUnixSeconds(clock_.now()) + 600) + "}",
                     header);
  }
  void serve(const std::string& token, const std::string& keys) {
    network_.answer([=](const SentRequest& request) {
      if (request.url == "https://uaa.x/token_keys") {
        return keys.empty() ? reply(404, "") : reply(200, keySet(keys));
      }
      return reply(200, R"({"access_token":")" + token + R"(","refresh_token":"r"})");
    });
  }
  LoginResult login() { return login_.login("ann", Secret{"pw"}, kSoon); }

  const UaaTarget target_{
      .baseUrl = "https://uaa.x/", .clientId = "c", .clientSecret = {}, .trust = {}};
  test::SqlStores sql_;
  UaaClient uaa_{network_};
  UaaTokenCheck check_{verifier_, clock_, log_};
  TokenProvider provider_{sql_.tokens, nullptr, uaa_, clock_, sql_.random, log_, {}, &check_};
  UaaLogin login_{uaa_, target_, sql_.tokens, provider_, clock_, "stratos.admin", &check_};
};

TEST_F(UaaTokenCheckTest, S9ASignInWithAForgedTokenIsRefused) {
  serve(tokenOf(rsa()), rsa().jwk());
  EXPECT_TRUE(login().accepted);
  const SigningKey forger("RS256");
  for (const std::string& token : {tokenOf(forger), tokenOf(rsa(), R"({"alg":"none"})")}) {
    serve(token, rsa().jwk());
    EXPECT_THROW(login(), Error);
  }
  // Nothing of it was stored.
  EXPECT_EQ(sql_.tokens.findConsoleToken(UserId{"g1"})->authToken.reveal(), tokenOf(rsa()));
}

TEST_F(UaaTokenCheckTest, S9ARenewalWithAForgedTokenIsNotStored) {
  serve(tokenOf(rsa()), rsa().jwk());
  const std::string good = tokenOf(rsa());
  ASSERT_TRUE(login().accepted);
  clock_.advance(std::chrono::minutes{11});
  serve(tokenOf(SigningKey("RS256")), rsa().jwk());
  // The server is broken, the user did nothing: the session goes on.
  EXPECT_TRUE(login_.verify(UserId{"g1"}, 7, kSoon).accepted);
  EXPECT_EQ(sql_.tokens.findConsoleToken(UserId{"g1"})->authToken.reveal(), good);
  serve(tokenOf(rsa()), rsa().jwk());
  EXPECT_TRUE(login_.verify(UserId{"g1"}, 7, kSoon).accepted);
  EXPECT_EQ(sql_.tokens.findConsoleToken(UserId{"g1"})->authToken.reveal(), tokenOf(rsa()));
}

TEST_F(UaaTokenCheckTest, TheRefreshTokenOfAGrantThatCannotBeUsedIsKept) {
  serve(tokenOf(rsa()), rsa().jwk());
  ASSERT_TRUE(login().accepted);
  const std::string late = tokenOf(rsa());
  clock_.advance(std::chrono::hours{1});  // The machine slept between the answer and the check.
  std::vector<std::string> redeemed;
  std::string next = late;
  network_.answer([&](const SentRequest& request) {
    if (request.url == "https://uaa.x/token_keys") return reply(200, keySet(rsa().jwk()));
    redeemed.push_back(request.body);
    return reply(200, R"({"access_token":")" + next + R"(","refresh_token":"r)" +
                          std::to_string(redeemed.size() + 1) + "\"}");
  });
  EXPECT_TRUE(login_.verify(UserId{"g1"}, 7, kSoon).accepted);
  next = tokenOf(rsa());
  EXPECT_TRUE(login_.verify(UserId{"g1"}, 7, kSoon).accepted);
  ASSERT_EQ(redeemed.size(), 2U);
  EXPECT_NE(redeemed[1].find("refresh_token=r2"), std::string::npos) << redeemed[1];
  EXPECT_EQ(sql_.tokens.findConsoleToken(UserId{"g1"})->authToken.reveal(), next);
}

TEST_F(UaaTokenCheckTest, ATokenIsBelievedWhileThereAreNoKeysAndThatIsSaidOnce) {
  serve(tokenOf(rsa()), "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(login().accepted);
    clock_.advance(std::chrono::minutes{1});
    serve(tokenOf(rsa()), "");
  }
  EXPECT_EQ(log_.linesWith("believed without a check").size(), 1u);
}

TEST_F(UaaTokenCheckTest, FollowsTheRotationOfARealUaasKeys) {
  http::PooledTransport transport;
  const SystemClock system;
  testing::FakeUaa uaa(system);
  uaa.addUser({.name = "ann", .password = "pw", .scopes = {"stratos.admin"}});
  uaa.addClient({.id = "c", .secret = "", .grants = {"password", "refresh_token"}});
  JwtVerifier verifier(transport, clock_, log_);
  UaaTokenCheck check(verifier, system, log_);
  UaaClient client(transport);
  const UaaTarget target{.baseUrl = uaa.url(), .clientId = "c", .clientSecret = {}, .trust = {}};
  const auto problem = [&] {
    const GrantResult grant = client.passwordGrant(target, "ann", Secret{"pw"}, kSoon);
    EXPECT_EQ(grant.status, GrantStatus::Granted) << grant.detail;
    return check.problemOf(target, grant.grant.accessToken, kSoon);
  };
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(uaa.counters().keyFetches, 1u);
  uaa.rotateSigningKey();
  clock_.advance(std::chrono::minutes{1});
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(uaa.counters().keyFetches, 2u);
}

}  // namespace
}  // namespace stratos::auth
