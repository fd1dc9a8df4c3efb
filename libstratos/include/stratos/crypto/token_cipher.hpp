#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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
  /// A value that tells later whether the key is still the same (hex of an HMAC).
  [[nodiscard]] std::string checkValue() const;

 private:
  EncryptionKey(Secret bytes, std::string id);
  Secret bytes_;
  std::string id_;
};

/// Encrypts with one key of a ring, the first unless follow() says otherwise, and decrypts with
/// any.
///
/// Thread safety: safe from any thread. Every encryption sees either all of a change by follow() or
/// nothing of it.
class STRATOS_EXPORT TokenCipher {
 public:
  /// `keys`: the current one first, then earlier ones; at least one.
  TokenCipher(std::vector<EncryptionKey> keys, CipherFormat writeFormat, Random& random);
  TokenCipher(TokenCipher&& other) noexcept;
  TokenCipher& operator=(TokenCipher&&) = delete;

  /// Takes over what the database prescribes: the format to write, and the check values of all keys
  /// that its values were made with. The first of them is the key to write with, the last the one
  /// of all Legacy values, which carry no key id. Returns false, changing nothing, when one of the
  /// keys is not in the ring. It is const because it never changes what can be read.
  [[nodiscard]] bool follow(CipherFormat writeFormat,
                            std::span<const std::string> checkValues) const;

  /// `identity` binds the value to its row and column, for example "tokens.auth_token:<guid>"; the
  /// Legacy format ignores it.
  [[nodiscard]] std::string encrypt(const Secret& text, std::string_view identity) const;
  /// Either format, told apart by the header. A zero-length value gives an empty secret. Throws
  /// Error(Internal) when the value is truncated, was changed, belongs to another row, or was made
  /// with a key that is not in the ring; the text names `identity` only.
  [[nodiscard]] Secret decrypt(std::string_view stored, std::string_view identity) const;

  /// Whether `stored` has the format that is written now and, where the format tells (Gcm), was
  /// made with the key that is written with now. Does not prove that it can be decrypted.
  [[nodiscard]] bool isCurrent(std::string_view stored) const;

  [[nodiscard]] CipherFormat writeFormat() const noexcept;
  /// False while the database still prescribes another key of the ring than the first.
  [[nodiscard]] bool writesWithFirstKey() const noexcept;
  /// EncryptionKey::checkValue() of the key that is written with.
  [[nodiscard]] std::string checkValue() const;

 private:
  /// Aligned to its size, so that every compiler loads and stores it in one instruction.
  struct alignas(8) Rule {
    CipherFormat format;
    std::uint16_t writeKey;   ///< Index into the ring.
    std::uint16_t legacyKey;  ///< Index of the key to try first for Legacy values.
  };
  [[nodiscard]] Rule rule() const noexcept { return rule_.load(std::memory_order_acquire); }
  [[nodiscard]] std::optional<std::uint16_t> findKey(std::string_view checkValue) const;
  [[nodiscard]] const EncryptionKey* keyOfHeader(std::string_view stored) const;

  std::vector<EncryptionKey> keys_;
  Random& random_;
  mutable std::atomic<Rule> rule_;
  static_assert(std::atomic<Rule>::is_always_lock_free);
};

/// Upstream's scheme on its own (AES-CFB128 with a random IV in front), for backups and vectors.
[[nodiscard]] STRATOS_EXPORT std::string encryptLegacy(std::string_view key, std::string_view text,
                                                       std::string_view iv);
[[nodiscard]] STRATOS_EXPORT std::string decryptLegacy(std::string_view key,
                                                       std::string_view stored);

}  // namespace stratos::crypto
