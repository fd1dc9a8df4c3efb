#include "stratos/crypto/password_hash.hpp"

#include <crypt.h>
#include <openssl/crypto.h>

#include <array>
#include <memory>

#include "stratos/base/error.hpp"

namespace stratos::crypto {

namespace {

constexpr std::size_t kHashLength = 60;
constexpr std::size_t kPrefixLength = 4;
constexpr std::size_t kSettingLength = 29;  // "$2b$", two digits, '$' and 22 characters of salt.
constexpr std::size_t kSaltBytes = 16;

struct WipeAndFree {
  void operator()(crypt_data* data) const noexcept {
    OPENSSL_cleanse(data, sizeof(*data));
    delete data;
  }
};

// libxcrypt changes some eight-bit passwords under the name "$2a$", as a counter-measure against a
// bug of an older library. Go knows the plain algorithm only, which libxcrypt calls "$2b$"; so that
// one does the work under all three names.
std::string asPlainVariant(std::string hash) {
  hash.replace(0, kPrefixLength, "$2b$");
  return hash;
}

std::string runBcrypt(const Secret& password, const std::string& setting) {
  const std::unique_ptr<crypt_data, WipeAndFree> work(new crypt_data{});
  const char* hash = crypt_r(password.reveal().c_str(), setting.c_str(), work.get());
  return hash == nullptr ? std::string() : std::string(hash);
}

bool hasKnownPrefix(const std::string& hash) {
  return hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$");
}

void checkCost(int cost) {
  if (cost < 4 || cost > 31) {
    throw Error(ErrorCode::InvalidArgument, "The bcrypt cost must be between 4 and 31");
  }
}

}  // namespace

std::string hashPassword(const Secret& password, Random& random, int cost) {
  checkCost(cost);
  const std::string& text = password.reveal();
  if (text.empty()) throw Error(ErrorCode::InvalidArgument, "The password is empty");
  if (text.size() > kMaxPasswordBytes) {
    throw Error(ErrorCode::InvalidArgument, "The password is longer than 72 bytes");
  }
  if (text.find('\0') != std::string::npos) {
    throw Error(ErrorCode::InvalidArgument, "The password holds a NUL character");
  }
  const std::string salt = random.bytes(kSaltBytes);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$2b$", static_cast<unsigned long>(cost), salt.data(),
                       static_cast<int>(salt.size()), setting.data(),
                       static_cast<int>(setting.size())) == nullptr) {
    throw Error(ErrorCode::Internal, "The system's crypt library cannot make a bcrypt salt");
  }
  std::string hash = runBcrypt(password, setting.data());
  if (hash.size() != kHashLength) {
    throw Error(ErrorCode::Internal, "The system's crypt library cannot compute bcrypt");
  }
  return hash.replace(0, kPrefixLength, "$2a$");
}

bool verifyPassword(const Secret& password, const std::string& hash) {
  if (hash.size() != kHashLength || !hasKnownPrefix(hash)) return false;
  if (password.reveal().size() > kMaxPasswordBytes) return false;
  if (password.reveal().find('\0') != std::string::npos) return false;
  const std::string expected = asPlainVariant(hash);
  const std::string actual = runBcrypt(password, expected.substr(0, kSettingLength));
  return actual.size() == kHashLength && constantTimeEquals(actual, expected);
}

}  // namespace stratos::crypto
