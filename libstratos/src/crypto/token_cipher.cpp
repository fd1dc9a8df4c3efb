#include "stratos/crypto/token_cipher.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::crypto {

namespace {

constexpr std::string_view kHeader{"SG\x01", 3};
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kIvBytes = 16;
constexpr std::size_t kMaxKeys = 1'000;
constexpr std::size_t kPrefixBytes = 3 + kKeyIdBytes + kNonceBytes;
constexpr std::string_view kPublishedKey =
    "B374A26A71490437AA024E4FADD5B497FDFF1A8EA6FF12F6FB65AF2720B59CCF";

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

Context newContext() {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) throw Error(ErrorCode::Internal, "OpenSSL cannot make a cipher context");
  return context;
}

void require(bool ok) {
  if (!ok) throw Error(ErrorCode::Internal, "OpenSSL refused a cipher operation");
}

const unsigned char* in(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* out(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// HKDF-SHA-256 (RFC 5869) without salt; one block is all that a 32 byte key needs.
Secret deriveGcmKey(const EncryptionKey& key) {
  const Secret extracted(hmacSha256(std::string(32, '\0'), key.bytes().reveal()));
  std::string info("stratos token encryption v1");
  info.push_back('\x01');
  return Secret(hmacSha256(extracted.reveal(), info));
}

const EVP_CIPHER* cfbCipher(std::size_t keyBytes) {
  switch (keyBytes) {
    case 16:
      return EVP_aes_128_cfb128();
    case 24:
      return EVP_aes_192_cfb128();
    case 32:
      return EVP_aes_256_cfb128();
    default:
      throw Error(ErrorCode::InvalidArgument, "An AES key has 16, 24 or 32 bytes");
  }
}

std::string runCfb(std::string_view key, std::string_view iv, std::string_view input,
                   bool encrypting) {
  const Context context = newContext();
  require(EVP_CipherInit_ex(context.get(), cfbCipher(key.size()), nullptr, in(key), in(iv),
                            encrypting ? 1 : 0) == 1);
  std::string result(input.size(), '\0');
  int length = 0;
  if (!input.empty()) {
    require(EVP_CipherUpdate(context.get(), out(result), &length, in(input),
                             static_cast<int>(input.size())) == 1);
  }
  return result;
}

std::string encryptGcm(const EncryptionKey& key, const Secret& text, std::string_view identity,
                       std::string_view nonce) {
  const Secret derived = deriveGcmKey(key);
  const Context context = newContext();
  require(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(derived.reveal()),
                             in(nonce)) == 1);
  int length = 0;
  require(EVP_EncryptUpdate(context.get(), nullptr, &length, in(identity),
                            static_cast<int>(identity.size())) == 1);
  const std::string& plain = text.reveal();
  std::string body(plain.size(), '\0');
  if (!plain.empty()) {
    require(EVP_EncryptUpdate(context.get(), out(body), &length, in(plain),
                              static_cast<int>(plain.size())) == 1);
  }
  unsigned char rest[EVP_MAX_BLOCK_LENGTH];
  require(EVP_EncryptFinal_ex(context.get(), rest, &length) == 1);
  std::string tag(kTagBytes, '\0');
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1);

  std::string stored(kHeader);
  stored.append(key.id()).append(nonce).append(body).append(tag);
  return stored;
}

std::optional<Secret> decryptGcm(const EncryptionKey& key, std::string_view stored,
                                 std::string_view identity) {
  const Secret derived = deriveGcmKey(key);
  const std::string_view nonce = stored.substr(3 + kKeyIdBytes, kNonceBytes);
  const std::string_view body =
      stored.substr(kPrefixBytes, stored.size() - kPrefixBytes - kTagBytes);
  std::string tag(stored.substr(stored.size() - kTagBytes));
  const Context context = newContext();
  require(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(derived.reveal()),
                             in(nonce)) == 1);
  int length = 0;
  require(EVP_DecryptUpdate(context.get(), nullptr, &length, in(identity),
                            static_cast<int>(identity.size())) == 1);
  std::string plain(body.size(), '\0');
  if (!body.empty()) {
    require(EVP_DecryptUpdate(context.get(), out(plain), &length, in(body),
                              static_cast<int>(body.size())) == 1);
  }
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1);
  Secret result(std::move(plain));
  unsigned char rest[EVP_MAX_BLOCK_LENGTH];
  if (EVP_DecryptFinal_ex(context.get(), rest, &length) != 1) return std::nullopt;
  return result;
}

// CFB cannot tell a wrong key or a changed value. What is stored are texts, so anything that is not
// text was not decrypted.
bool isPlausibleText(const std::string& text) {
  const auto isControl = [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code < 0x20 && c != '\t' && c != '\n' && c != '\r') || code == 0x7F;
  };
  return isValidUtf8(text) && std::none_of(text.begin(), text.end(), isControl);
}

}  // namespace

EncryptionKey::EncryptionKey(Secret bytes, std::string id)
    : bytes_(std::move(bytes)), id_(std::move(id)) {}

EncryptionKey EncryptionKey::fromHex(std::string_view hex) {
  if (hex.size() != 32 && hex.size() != 48 && hex.size() != 64) {
    throw Error(ErrorCode::InvalidArgument,
                "The encryption key must have 32, 48 or 64 hexadecimal digits, but has " +
                    std::to_string(hex.size()) + " characters");
  }
  auto bytes = stratos::fromHex(hex);
  if (!bytes) {
    throw Error(ErrorCode::InvalidArgument,
                "The encryption key holds a character that is no hexadecimal digit");
  }
  Secret key(std::move(*bytes));
  std::string id = hmacSha256(key.reveal(), "stratos encryption key id").substr(0, kKeyIdBytes);
  return EncryptionKey(std::move(key), std::move(id));
}

bool EncryptionKey::isPubliclyKnown() const {
  return constantTimeEquals(bytes_.reveal(), stratos::fromHex(kPublishedKey).value());
}

std::string EncryptionKey::checkValue() const {
  return toHex(hmacSha256(bytes_.reveal(), "stratos encryption key check"));
}

TokenCipher::TokenCipher(std::vector<EncryptionKey> keys, CipherFormat writeFormat, Random& random)
    : keys_(std::move(keys)), random_(random), rule_(Rule{writeFormat, 0, 0}) {
  if (keys_.empty()) throw Error(ErrorCode::InvalidArgument, "There is no encryption key");
  if (keys_.size() > kMaxKeys) {
    throw Error(ErrorCode::InvalidArgument, "There are too many encryption keys");
  }
}

TokenCipher::TokenCipher(TokenCipher&& other) noexcept
    : keys_(std::move(other.keys_)), random_(other.random_), rule_(other.rule()) {}

bool TokenCipher::follow(CipherFormat writeFormat, std::span<const std::string> checkValues) const {
  if (checkValues.empty()) return false;
  for (const std::string& each : checkValues) {
    if (!findKey(each)) return false;
  }
  rule_.store({writeFormat, *findKey(checkValues.front()), *findKey(checkValues.back())},
              std::memory_order_release);
  return true;
}

std::optional<std::uint16_t> TokenCipher::findKey(std::string_view checkValue) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].checkValue() == checkValue) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

// The key that our own header names; none for a value of the old format, which may begin like that
// header by chance (one in 2^24).
const EncryptionKey* TokenCipher::keyOfHeader(std::string_view stored) const {
  if (!stored.starts_with(kHeader)) return nullptr;
  const std::string_view id = stored.substr(kHeader.size(), kKeyIdBytes);
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [id](const EncryptionKey& k) { return k.id() == id; });
  return key == keys_.end() ? nullptr : &*key;
}

std::string TokenCipher::encrypt(const Secret& text, std::string_view identity) const {
  const Rule now = rule();
  const EncryptionKey& key = keys_[now.writeKey];
  if (now.format == CipherFormat::Gcm) {
    return encryptGcm(key, text, identity, random_.bytes(kNonceBytes));
  }
  std::string iv = random_.bytes(kIvBytes);
  // An initial vector that looks like our own header would make the reader doubt.
  if (iv.starts_with(kHeader)) iv[0] = '\0';
  return encryptLegacy(key.bytes().reveal(), text.reveal(), iv);
}

Secret TokenCipher::decrypt(std::string_view stored, std::string_view identity) const {
  if (stored.empty()) return Secret();
  const auto fail = [identity](const char* why) -> Error {
    return Error(ErrorCode::Internal, "Cannot decrypt " + std::string(identity) + ": " + why);
  };
  if (stored.starts_with(kHeader) && stored.size() < kPrefixBytes + kTagBytes) {
    throw fail("the value is truncated");
  }
  if (const EncryptionKey* key = keyOfHeader(stored)) {
    auto text = decryptGcm(*key, stored, identity);
    if (!text) throw fail("the value was changed or belongs to another row");
    return std::move(*text);
  }
  if (stored.size() < kIvBytes) throw fail("the value is truncated");
  // A short text decrypts to something plausible with many a key, so the likeliest comes first.
  const std::size_t first = rule().legacyKey;
  for (std::size_t i = 0; i <= keys_.size(); ++i) {
    if (i == first + 1) continue;
    const EncryptionKey& key = keys_[i == 0 ? first : i - 1];
    Secret text(decryptLegacy(key.bytes().reveal(), stored));
    if (isPlausibleText(text.reveal())) return text;
  }
  throw fail("the value was changed or was made with another encryption key");
}

bool TokenCipher::isCurrent(std::string_view stored) const {
  const Rule now = rule();
  const EncryptionKey* key = keyOfHeader(stored);
  if (now.format == CipherFormat::Legacy) return key == nullptr && !stored.empty();
  return key == &keys_[now.writeKey];
}

CipherFormat TokenCipher::writeFormat() const noexcept { return rule().format; }

bool TokenCipher::writesWithFirstKey() const noexcept { return rule().writeKey == 0; }

std::string TokenCipher::checkValue() const { return keys_[rule().writeKey].checkValue(); }

std::string encryptLegacy(std::string_view key, std::string_view text, std::string_view iv) {
  if (iv.size() != kIvBytes) {
    throw Error(ErrorCode::InvalidArgument, "An initial vector has 16 bytes");
  }
  return std::string(iv) + runCfb(key, iv, text, true);
}

std::string decryptLegacy(std::string_view key, std::string_view stored) {
  if (stored.size() < kIvBytes) throw Error(ErrorCode::Internal, "The ciphertext is truncated");
  return runCfb(key, stored.substr(0, kIvBytes), stored.substr(kIvBytes), false);
}

}  // namespace stratos::crypto
