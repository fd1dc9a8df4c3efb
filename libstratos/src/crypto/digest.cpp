#include "stratos/crypto/digest.hpp"

#include <algorithm>
#include <array>

#include <openssl/crypto.h>
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

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using DigestPtr = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

DigestPtr newDigest() {
  DigestPtr context(EVP_MD_CTX_new());
  if (!context) throw Error(ErrorCode::Internal, "OpenSSL has no memory for a digest");
  return context;
}

/// One for every digest of this thread: making one costs more than the digest of a short text.
EVP_MD_CTX* threadContext() {
  static thread_local const DigestPtr kContext = newDigest();
  return kContext.get();
}

}  // namespace

std::string sha1(std::string_view data) { return digest(EVP_sha1(), data); }

std::string sha256(std::string_view data) {
  EVP_MD_CTX* const context = threadContext();
  std::string out(32, '\0');
  if (EVP_DigestInit_ex(context, fetchedSha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context, data.data(), data.size()) != 1 ||
      EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot compute a digest");
  }
  return out;
}

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

namespace {

constexpr std::size_t kBlockBytes = 64;

void require(bool worked) {
  if (!worked) throw Error(ErrorCode::Internal, "OpenSSL cannot compute an HMAC");
}

/// A digest that has seen the key, mixed with `pad` (RFC 2104 section 2).
DigestPtr begin(std::string_view key, unsigned char pad) {
  std::array<unsigned char, kBlockBytes> block{};
  std::copy(key.begin(), key.end(), block.begin());
  for (unsigned char& byte : block) byte ^= pad;
  DigestPtr context = newDigest();
  const bool worked = EVP_DigestInit_ex(context.get(), fetchedSha256(), nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1;
  OPENSSL_cleanse(block.data(), block.size());
  require(worked);
  return context;
}

}  // namespace

struct HmacSha256::State {
  DigestPtr inner;
  DigestPtr outer;
};

HmacSha256::HmacSha256(std::string_view key) {
  const std::string shortened = key.size() > kBlockBytes ? sha256(key) : std::string();
  if (!shortened.empty()) key = shortened;
  state_ = std::make_unique<const State>(State{begin(key, 0x36), begin(key, 0x5c)});
}

HmacSha256::~HmacSha256() = default;

std::string HmacSha256::of(std::string_view data, std::string_view more) const {
  EVP_MD_CTX* const context = threadContext();
  std::string out(32, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
  require(EVP_MD_CTX_copy_ex(context, state_->inner.get()) == 1 &&
          EVP_DigestUpdate(context, data.data(), data.size()) == 1 &&
          EVP_DigestUpdate(context, more.data(), more.size()) == 1 &&
          EVP_DigestFinal_ex(context, bytes, nullptr) == 1 &&
          EVP_MD_CTX_copy_ex(context, state_->outer.get()) == 1 &&
          EVP_DigestUpdate(context, out.data(), out.size()) == 1 &&
          EVP_DigestFinal_ex(context, bytes, nullptr) == 1);
  return out;
}

}  // namespace stratos::crypto
