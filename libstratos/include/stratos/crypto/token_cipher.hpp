#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/export.hpp"
#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::crypto {

/// How values are encrypted at rest.
enum class CipherFormat {
  /// Upstream's: 16 random IV bytes, then AES-CFB128 ciphertext of the same length as the text. No
  /// authentication; kept for databases that may go back to upstream.
  Legacy,
  /// Ours: "SG" 0x01, 4 bytes key id, 12 bytes nonce, AES-256-GCM ciphertext, 16 bytes tag. The
  /// row's identity is associated data, so a value moved to another row does not decrypt.
  Gcm,
};

/// One encryption key of 16, 24 or 32 bytes (Gcm derives its own key with HKDF-SHA-256 from it).
class STRATOS_EXPORT EncryptionKey {
 public:
  /// Parses 32, 48 or 64 hexadecimal digits. Throws Error(InvalidArgument) saying what is wrong.
  [[nodiscard]] static EncryptionKey fromHex(std::string_view hex);

  [[nodiscard]] const Secret& bytes() const noexcept { return bytes_; }
  /// Four bytes that name the key without giving it away (from HMAC-SHA-256 of a constant).
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  /// True for the key that upstream's own packages publish.
  [[nodiscard]] bool isPubliclyKnown() const;

 private:
  EncryptionKey(Secret bytes, std::string id);
  Secret bytes_;
  std::string id_;
};

/// Encrypts with the first key and decrypts with any. Thread safety: safe from any thread.
class STRATOS_EXPORT TokenCipher {
 public:
  /// `keys`: the current one first, then earlier ones; at least one.
  TokenCipher(std::vector<EncryptionKey> keys, CipherFormat writeFormat, Random& random);

  /// `identity` binds the value to its row and column, for example "tokens.auth_token:<guid>"; the
  /// Legacy format ignores it.
  [[nodiscard]] std::string encrypt(const Secret& text, std::string_view identity) const;
  /// Either format, told apart by the header. A zero-length value gives an empty secret. Throws
  /// Error(Internal) when the value is truncated, was changed, belongs to another row, or was made
  /// with a key that is not in the ring; the text names `identity` only.
  [[nodiscard]] Secret decrypt(std::string_view stored, std::string_view identity) const;

  [[nodiscard]] CipherFormat writeFormat() const noexcept { return writeFormat_; }
  /// A value that tells later whether the key is still the same (hex of an HMAC).
  [[nodiscard]] std::string checkValue() const;

 private:
  std::vector<EncryptionKey> keys_;
  CipherFormat writeFormat_;
  Random& random_;
};

/// Upstream's scheme on its own (AES-CFB128 with a random IV in front), for backups and vectors.
[[nodiscard]] STRATOS_EXPORT std::string encryptLegacy(std::string_view key, std::string_view text,
                                                       std::string_view iv);
[[nodiscard]] STRATOS_EXPORT std::string decryptLegacy(std::string_view key,
                                                       std::string_view stored);

}  // namespace stratos::crypto
