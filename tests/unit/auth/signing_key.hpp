#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "stratos/base/encoding.hpp"

namespace stratos::test {

/// A key that signs JSON Web Tokens as an issuer does.
class SigningKey {
 public:
  /// `algorithm` as in the header of a token.
  explicit SigningKey(std::string algorithm, std::string id = "k1")
      : algorithm_(std::move(algorithm)),
        id_(std::move(id)),
        key_(make(algorithm_), EVP_PKEY_free) {
    if (!key_) throw std::runtime_error("no key");
  }

  [[nodiscard]] const std::string& id() const { return id_; }

  [[nodiscard]] std::string jwk(const std::string& extra = {}) const {
    const std::string head = R"({"kid":")" + id_ + "\"" + extra;
    if (isRsa()) {
      return head + R"(,"kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
             number(OSSL_PKEY_PARAM_RSA_E, 0) + "\"}";
    }
    if (algorithm_ == "EdDSA") {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
      return head + R"(,"kty":"OKP","crv":"Ed25519","x":")" + toBase64Url(raw) + "\"}";
    }
    return head + R"(,"kty":"EC","crv":")" + curve() + R"(","x":")" +
           number(OSSL_PKEY_PARAM_EC_PUB_X, bytes()) + R"(","y":")" +
           number(OSSL_PKEY_PARAM_EC_PUB_Y, bytes()) + "\"}";
  }

  /// A token with that payload; `header` replaces the usual one.
  [[nodiscard]] std::string token(const std::string& payload, std::string header = {}) const {
    if (header.empty()) header = R"({"alg":")" + algorithm_ + R"(","kid":")" + id_ + "\"}";
    const std::string text = toBase64Url(header) + "." + toBase64Url(payload);
    return text + "." + toBase64Url(sign(text));
  }

 private:
  using Free = void (*)(EVP_PKEY*);

  bool isRsa() const { return algorithm_[0] == 'R' || algorithm_[0] == 'P'; }
  const char* curve() const {
    return algorithm_ == "ES256" ? "P-256" : algorithm_ == "ES384" ? "P-384" : "P-521";
  }
  std::size_t bytes() const { return algorithm_ == "ES256" ? 32 : algorithm_ == "ES384" ? 48 : 66; }

  static EVP_PKEY* make(const std::string& algorithm) {
    if (algorithm == "ES256") return EVP_EC_gen("P-256");
    if (algorithm == "ES384") return EVP_EC_gen("P-384");
    if (algorithm == "ES512") return EVP_EC_gen("P-521");
    if (algorithm == "EdDSA") return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    return EVP_RSA_gen(2048);
  }

  std::string number(const char* name, std::size_t size) const {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), name, &raw) != 1) throw std::runtime_error(name);
    const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> owned(raw, BN_free);
    std::string text(size ? size : static_cast<std::size_t>(BN_num_bytes(raw)), '\0');
    BN_bn2binpad(raw, reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(text.size()));
    return toBase64Url(text);
  }

  std::string sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    EVP_PKEY_CTX* keyContext = nullptr;
    const std::string digest = "SHA" + algorithm_.substr(2);
    EVP_DigestSignInit_ex(context.get(), &keyContext,
                          algorithm_ == "EdDSA" ? nullptr : digest.c_str(), nullptr, nullptr,
                          key_.get(), nullptr);
    if (algorithm_[0] == 'P') {
      EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, data, text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                   text.size());
    signature.resize(size);
    return algorithm_.starts_with("ES") ? sideBySide(signature) : signature;
  }

  std::string sideBySide(const std::string& der) const {
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> signature(
        d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())), ECDSA_SIG_free);
    std::string raw(2 * bytes(), '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, static_cast<int>(bytes()));
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + bytes(), static_cast<int>(bytes()));
    return raw;
  }

  std::string algorithm_;
  std::string id_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

inline std::string keySet(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }

}  // namespace stratos::test
