#include "stratos/crypto/key_derivation.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>

#include "stratos/base/error.hpp"

namespace stratos::crypto {

namespace {

constexpr std::uint64_t kMaxMemory = 256ULL * 1024 * 1024;
/// What OpenSSL allocates besides the table itself.
constexpr std::uint64_t kOverhead = 1024 * 1024;

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const noexcept { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { EVP_KDF_CTX_free(context); }
};

/// OpenSSL only reads what these parameters point to.
OSSL_PARAM octets(const char* name, std::string_view bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

}  // namespace

Secret scrypt(const Secret& password, std::string_view salt, const ScryptCost& cost,
              std::size_t bytes) {
  const bool isPowerOfTwo = cost.n > 1 && (cost.n & (cost.n - 1)) == 0;
  if (!isPowerOfTwo || cost.r == 0 || cost.p == 0 || cost.n > kMaxMemory / 128 / cost.r ||
      cost.p > kMaxMemory / 128 / cost.r) {
    throw Error(ErrorCode::InvalidArgument, "The cost of the key derivation is out of range");
  }
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  std::uint64_t n = cost.n;
  std::uint32_t r = cost.r;
  std::uint32_t p = cost.p;
  std::uint64_t maxMemory = 2 * kMaxMemory + kOverhead;
  const OSSL_PARAM parameters[] = {
      octets(OSSL_KDF_PARAM_PASSWORD, password.reveal()),
      octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &maxMemory),
      OSSL_PARAM_construct_end()};
  std::string key(bytes, '\0');
  if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(key.data()),
                                 key.size(), parameters) != 1) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot derive a key from the password");
  }
  return Secret(std::move(key));
}

}  // namespace stratos::crypto
