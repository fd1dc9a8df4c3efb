#include "auth/jwk_set.hpp"

#include <algorithm>
#include <array>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/json_support.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::auth::detail {

namespace {

using Kind = SignatureAlgorithm::Kind;

constexpr std::array kAlgorithms = {
    SignatureAlgorithm{"RS256", Kind::RsaPkcs1, "RSA", "", "SHA256", 0},
    SignatureAlgorithm{"RS384", Kind::RsaPkcs1, "RSA", "", "SHA384", 0},
    SignatureAlgorithm{"RS512", Kind::RsaPkcs1, "RSA", "", "SHA512", 0},
    SignatureAlgorithm{"PS256", Kind::RsaPss, "RSA", "", "SHA256", 0},
    SignatureAlgorithm{"PS384", Kind::RsaPss, "RSA", "", "SHA384", 0},
    SignatureAlgorithm{"PS512", Kind::RsaPss, "RSA", "", "SHA512", 0},
    SignatureAlgorithm{"ES256", Kind::Ecdsa, "EC", "P-256", "SHA256", 32},
    SignatureAlgorithm{"ES384", Kind::Ecdsa, "EC", "P-384", "SHA384", 48},
    SignatureAlgorithm{"ES512", Kind::Ecdsa, "EC", "P-521", "SHA512", 66},
    SignatureAlgorithm{"EdDSA", Kind::EdDsa, "OKP", "Ed25519", nullptr, 0},
    SignatureAlgorithm{"HS256", Kind::Hmac, "oct", "", "SHA256", 0},
};

/// A set is a handful of keys, some more while they are rotated.
constexpr std::size_t kMaxKeys = 64;
/// RFC 7518 section 3.3. The upper bound keeps a check cheap.
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr std::size_t kMinSecretBytes = 32;  // RFC 7518 section 3.2.

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;
using BigNumber = Owned<BIGNUM, &BN_free>;
using KeyContext = Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;
using ParameterBuilder = Owned<OSSL_PARAM_BLD, &OSSL_PARAM_BLD_free>;
using Parameters = Owned<OSSL_PARAM, &OSSL_PARAM_free>;
using DigestContext = Owned<EVP_MD_CTX, &EVP_MD_CTX_free>;
using Signature = Owned<ECDSA_SIG, &ECDSA_SIG_free>;
using Memory = Owned<BIO, &BIO_free>;

std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key) {
  return key ? std::shared_ptr<EVP_PKEY>(key, &EVP_PKEY_free) : nullptr;
}

const unsigned char* bytesOf(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

BigNumber numberOf(std::string_view bytes) {
  return BigNumber(BN_bin2bn(bytesOf(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::shared_ptr<EVP_PKEY> makeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return own(key);
}

std::shared_ptr<EVP_PKEY> checkedRsa(std::shared_ptr<EVP_PKEY> key) {
  if (!key || EVP_PKEY_is_a(key.get(), "RSA") != 1) return nullptr;
  const int bits = EVP_PKEY_get_bits(key.get());
  return bits >= kMinRsaBits && bits <= kMaxRsaBits ? std::move(key) : nullptr;
}

std::shared_ptr<EVP_PKEY> rsaKey(const std::string& modulus, const std::string& exponent) {
  const auto n = fromBase64(modulus);
  const auto e = fromBase64(exponent);
  if (!n || !e || n->empty() || e->empty() || n->size() > kMaxRsaBits / 8 + 1 || e->size() > 8) {
    return nullptr;
  }
  const BigNumber modulusNumber = numberOf(*n);
  const BigNumber exponentNumber = numberOf(*e);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!modulusNumber || !exponentNumber || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulusNumber.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponentNumber.get()) != 1) {
    return nullptr;
  }
  return checkedRsa(makeKey("RSA", builder.get()));
}

std::shared_ptr<EVP_PKEY> pemKey(const std::string& pem) {
  const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!memory) return nullptr;
  return checkedRsa(own(PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr)));
}

std::shared_ptr<EVP_PKEY> ecKey(const std::string& curve, const std::string& x,
                                const std::string& y) {
  const auto algorithm = std::find_if(
      kAlgorithms.begin(), kAlgorithms.end(),
      [&](const SignatureAlgorithm& a) { return a.kind == Kind::Ecdsa && a.curve == curve; });
  const auto xBytes = fromBase64(x);
  const auto yBytes = fromBase64(y);
  // Coordinates have their full length (RFC 7518 section 6.2.1.2).
  if (algorithm == kAlgorithms.end() || !xBytes || !yBytes ||
      xBytes->size() != algorithm->coordinateBytes || yBytes->size() != xBytes->size()) {
    return nullptr;
  }
  const std::string point = "\x04" + *xBytes + *yBytes;
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.c_str(),
                                      0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return makeKey("EC", builder.get());  // Refuses a point that is not on the curve.
}

std::shared_ptr<EVP_PKEY> edKey(const std::string& curve, const std::string& x) {
  const auto bytes = fromBase64(x);
  if (curve != "Ed25519" || !bytes || bytes->size() != 32) return nullptr;
  return own(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytesOf(*bytes), bytes->size()));
}

/// The UAA of older days wrote Java's names.
std::string standardName(std::string algorithm) {
  if (algorithm == "SHA256withRSA") return "RS256";
  if (algorithm == "HMACSHA256") return "HS256";
  return algorithm;
}

bool mayVerify(const Poco::JSON::Object& json) {
  const std::string use = stringMember(json, "use");
  if (!use.empty() && use != "sig") return false;
  if (!json.has("key_ops")) return true;
  const auto operations = listMember(json, "key_ops");
  return std::find(operations.begin(), operations.end(), "verify") != operations.end();
}

std::optional<Jwk> parseKey(const Poco::JSON::Object& json) {
  if (!mayVerify(json)) return std::nullopt;
  Jwk key;
  key.id = stringMember(json, "kid");
  key.type = stringMember(json, "kty");
  key.curve = stringMember(json, "crv");
  key.algorithm = standardName(stringMember(json, "alg"));
  if (key.type == "RSA") {
    key.curve.clear();
    key.key = json.has("n") ? rsaKey(stringMember(json, "n"), stringMember(json, "e"))
                            : pemKey(stringMember(json, "value"));
  } else if (key.type == "EC") {
    key.key = ecKey(key.curve, stringMember(json, "x"), stringMember(json, "y"));
  } else if (key.type == "OKP") {
    key.key = edKey(key.curve, stringMember(json, "x"));
  } else if (key.type == "oct" || key.type == "MAC") {
    key.secret = key.type == "MAC" ? stringMember(json, "value")
                                   : fromBase64(stringMember(json, "k")).value_or("");
    key.type = "oct";
    key.curve.clear();
    if (key.secret.size() < kMinSecretBytes) return std::nullopt;
    return key;
  }
  ERR_clear_error();  // What a bad key leaves must not look like an error of the next TLS call.
  if (!key.key) return std::nullopt;
  return key;
}

/// JWS carries the two numbers side by side (RFC 7518 section 3.4), OpenSSL wants DER.
std::string derSignature(const SignatureAlgorithm& by, std::string_view raw) {
  if (raw.size() != 2 * by.coordinateBytes) return {};
  BigNumber r = numberOf(raw.substr(0, by.coordinateBytes));
  BigNumber s = numberOf(raw.substr(by.coordinateBytes));
  const Signature signature(ECDSA_SIG_new());
  if (!r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();  // The signature owns them now.
  (void)s.release();
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  return i2d_ECDSA_SIG(signature.get(), &out) == size ? der : std::string{};
}

}  // namespace

const SignatureAlgorithm* findAlgorithm(std::string_view name) {
  const auto it = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                               [&](const SignatureAlgorithm& a) { return a.name == name; });
  return it == kAlgorithms.end() ? nullptr : &*it;
}

bool Jwk::fits(const SignatureAlgorithm& wanted) const {
  return type == wanted.keyType && curve == wanted.curve &&
         (algorithm.empty() || algorithm == wanted.name);
}

bool Jwk::verify(const SignatureAlgorithm& by, std::string_view text,
                 std::string_view signature) const {
  if (!fits(by)) return false;
  if (by.kind == Kind::Hmac) {
    return constantTimeEquals(crypto::hmacSha256(secret, text), signature);
  }
  const std::string der =
      by.kind == Kind::Ecdsa ? derSignature(by, signature) : std::string{signature};
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* keyContext = nullptr;
  bool isGood = !der.empty() && context &&
                EVP_DigestVerifyInit_ex(context.get(), &keyContext, by.digest, nullptr, nullptr,
                                        key.get(), nullptr) == 1;
  if (isGood && by.kind == Kind::RsaPss) {
    // The salt is as long as the digest (RFC 7518 section 3.5).
    isGood = EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  isGood = isGood && EVP_DigestVerify(context.get(), bytesOf(der), der.size(), bytesOf(text),
                                      text.size()) == 1;
  if (!isGood) ERR_clear_error();
  return isGood;
}

std::optional<JwkSet> parseJwkSet(const std::string& text) {
  const auto json = parseObject(text);
  const auto list = json ? json->getArray("keys") : nullptr;
  if (!list) return std::nullopt;
  JwkSet set;
  for (std::size_t i = 0; i < list->size() && set.keys.size() < kMaxKeys; ++i) {
    const auto item = list->getObject(static_cast<unsigned int>(i));
    if (!item) continue;
    if (auto key = parseKey(*item)) set.keys.push_back(std::move(*key));
  }
  return set;
}

}  // namespace stratos::auth::detail
