#include "stratos/crypto/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "stratos/base/error.hpp"

namespace stratos::crypto {

namespace {

std::string digest(const EVP_MD* algorithm, std::string_view data) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(algorithm)), '\0');
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
                 algorithm, nullptr) != 1) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot compute a digest");
  }
  return out;
}

/// EVP_sha256() would look the implementation up at each call.
const EVP_MD* fetchedSha256() {
  static EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (kAlgorithm == nullptr) throw Error(ErrorCode::Internal, "OpenSSL has no SHA-256");
  return kAlgorithm;
}

}  // namespace

std::string sha1(std::string_view data) { return digest(EVP_sha1(), data); }

std::string sha256(std::string_view data) { return digest(fetchedSha256(), data); }

std::string hmacSha256(std::string_view key, std::string_view data) {
  std::string out(32, '\0');
  unsigned int length = 0;
  // HMAC() takes a null key as "the one of the last call", hence the pointer to an empty string.
  const char* keyData = key.empty() ? "" : key.data();
  if (HMAC(fetchedSha256(), keyData, static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(),
           reinterpret_cast<unsigned char*>(out.data()), &length) == nullptr ||
      length != out.size()) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot compute an HMAC");
  }
  return out;
}

}  // namespace stratos::crypto
