#include "stratos/crypto/token_cipher.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::crypto {
namespace {

constexpr const char* kPublished =
    "B374A26A71490437AA024E4FADD5B497FDFF1A8EA6FF12F6FB65AF2720B59CCF";
constexpr const char* kOther = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
constexpr const char* kPlain = "The quick brown fox jumps over the lazy dog";
constexpr const char* kVector =
    "000102030405060708090a0b0c0d0e0f317fab10a8f8cc16ec6ac2a702716309581df25c9fc6fb188e1e15e0288308"
    "8eedf7fd98d41c9d96925968";

// Bytes that differ from call to call, the same in every run.
class CountingRandom final : public Random {
 public:
  std::string bytes(std::size_t count) override {
    std::string out;
    while (out.size() < count) out.push_back(static_cast<char>(++next_ * 37));
    return out;
  }

 private:
  unsigned char next_ = 0;
};

Secret secret(std::string text) { return Secret(std::move(text)); }

TokenCipher makeCipher(std::vector<std::string> keys, CipherFormat format) {
  static CountingRandom random;
  std::vector<EncryptionKey> ring;
  for (const std::string& key : keys) ring.push_back(EncryptionKey::fromHex(key));
  return TokenCipher(std::move(ring), format, random);
}

TEST(EncryptionKeyTest, AcceptsUpstreamsLengthsOnly) {
  EXPECT_EQ(EncryptionKey::fromHex(std::string(32, 'a')).bytes().reveal().size(), 16u);
  EXPECT_EQ(EncryptionKey::fromHex(std::string(48, 'A')).bytes().reveal().size(), 24u);
  EXPECT_THROW((void)EncryptionKey::fromHex(std::string(40, 'a')), Error);
  EXPECT_THROW((void)EncryptionKey::fromHex(""), Error);
  EXPECT_THROW((void)EncryptionKey::fromHex(std::string(63, 'a') + "g"), Error);
}

TEST(EncryptionKeyTest, KnowsThePublishedKey) {
  EXPECT_TRUE(EncryptionKey::fromHex(kPublished).isPubliclyKnown());
  EXPECT_FALSE(EncryptionKey::fromHex(kOther).isPubliclyKnown());
  EXPECT_NE(EncryptionKey::fromHex(kPublished).id(), EncryptionKey::fromHex(kOther).id());
}

TEST(TokenCipherTest, LegacyMatchesUpstreamsVectors) {
  const std::string key = fromHex(kPublished).value();
  const std::string iv = fromHex("000102030405060708090a0b0c0d0e0f").value();
  EXPECT_EQ(toHex(encryptLegacy(key, kPlain, iv)), kVector);
  EXPECT_EQ(toHex(encryptLegacy(key, "", iv)), "000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(decryptLegacy(key, fromHex(kVector).value()), kPlain);
  EXPECT_THROW((void)decryptLegacy(key, "short"), Error);
}

TEST(TokenCipherTest, ReadsBothFormatsWhateverItWrites) {
  const auto gcm = makeCipher({kPublished}, CipherFormat::Gcm);
  const auto legacy = makeCipher({kPublished}, CipherFormat::Legacy);
  for (const std::string text : {"", "x", kPlain}) {
    EXPECT_EQ(legacy.decrypt(gcm.encrypt(secret(text), "a"), "a").reveal(), text);
    EXPECT_EQ(gcm.decrypt(legacy.encrypt(secret(text), "a"), "a").reveal(), text);
  }
  EXPECT_EQ(gcm.decrypt(fromHex(kVector).value(), "any").reveal(), kPlain);
  EXPECT_EQ(legacy.encrypt(secret(""), "a").size(), 16u);
  EXPECT_TRUE(gcm.decrypt("", "a").empty());
}

TEST(TokenCipherTest, NeverEncryptsTheSameTwice) {
  const auto cipher = makeCipher({kOther}, CipherFormat::Gcm);
  EXPECT_NE(cipher.encrypt(secret("same"), "a"), cipher.encrypt(secret("same"), "a"));
}

TEST(TokenCipherTest, GcmValueOfAnotherRowDoesNotDecrypt) {
  const auto cipher = makeCipher({kOther}, CipherFormat::Gcm);
  const std::string stored = cipher.encrypt(secret("token"), "tokens.auth_token:1");
  EXPECT_THROW((void)cipher.decrypt(stored, "tokens.auth_token:2"), Error);
  EXPECT_THROW((void)cipher.decrypt(stored, "tokens.refresh_token:1"), Error);
}

TEST(TokenCipherTest, GcmFindsEveryFlippedByteAndEveryTruncation) {
  const auto cipher = makeCipher({kOther}, CipherFormat::Gcm);
  const std::string stored = cipher.encrypt(secret("a token of some length"), "id");
  for (std::size_t i = 0; i < stored.size(); ++i) {
    std::string changed = stored;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    EXPECT_THROW((void)cipher.decrypt(changed, "id"), Error) << "byte " << i;
  }
  for (std::size_t length = 1; length < stored.size(); ++length) {
    EXPECT_THROW((void)cipher.decrypt(stored.substr(0, length), "id"), Error) << length;
  }
}

TEST(TokenCipherTest, TruncatedLegacyValueFails) {
  const auto cipher = makeCipher({kPublished}, CipherFormat::Legacy);
  const std::string stored = fromHex(kVector).value();
  EXPECT_THROW((void)cipher.decrypt(stored.substr(0, 15), "id"), Error);
}

TEST(TokenCipherTest, WrongKeyFailsInBothFormats) {
  const auto other = makeCipher({kOther}, CipherFormat::Gcm);
  const auto published = makeCipher({kPublished}, CipherFormat::Gcm);
  EXPECT_THROW((void)other.decrypt(fromHex(kVector).value(), "id"), Error);
  EXPECT_THROW((void)other.decrypt(published.encrypt(secret("text"), "id"), "id"), Error);
}

TEST(TokenCipherTest, EarlierKeysStillDecrypt) {
  const auto before = makeCipher({kPublished}, CipherFormat::Gcm);
  const auto ring = makeCipher({kOther, kPublished}, CipherFormat::Gcm);
  EXPECT_EQ(ring.decrypt(before.encrypt(secret("text"), "id"), "id").reveal(), "text");
  EXPECT_EQ(ring.decrypt(fromHex(kVector).value(), "id").reveal(), kPlain);
  EXPECT_THROW((void)before.decrypt(ring.encrypt(secret("text"), "id"), "id"), Error);
  EXPECT_NE(ring.checkValue(), before.checkValue());
}

TEST(TokenCipherTest, FollowsTheDatabaseWhileThreadsEncrypt) {
  // Not the bytes of makeCipher(), which are not for several threads.
  class FixedRandom final : public Random {
   public:
    std::string bytes(std::size_t count) override { return std::string(count, 'r'); }
  } random;
  const std::vector<EncryptionKey> ring{EncryptionKey::fromHex(kOther),
                                        EncryptionKey::fromHex(kPublished)};
  const TokenCipher cipher(ring, CipherFormat::Gcm, random);
  const std::vector<std::string> both{ring[1].checkValue(), ring[0].checkValue()};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        const std::string stored = cipher.encrypt(secret(kPlain), "id");
        if (cipher.decrypt(stored, "id").reveal() != kPlain) ++wrong;
      }
    });
  }
  for (int n = 0; n < 100; ++n) {
    EXPECT_TRUE(cipher.follow(n % 2 == 0 ? CipherFormat::Legacy : CipherFormat::Gcm, both));
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cipher.checkValue(), ring[1].checkValue());
  EXPECT_FALSE(cipher.writesWithFirstKey());
  EXPECT_FALSE(cipher.follow(CipherFormat::Legacy, std::vector<std::string>{"unknown"}));
  EXPECT_EQ(cipher.writeFormat(), CipherFormat::Gcm);
}

TEST(TokenCipherTest, ErrorNamesTheRowAndNothingElse) {
  const auto cipher = makeCipher({kOther}, CipherFormat::Gcm);
  std::string stored = cipher.encrypt(secret("hush"), "tokens.auth_token:7");
  stored.back() = static_cast<char>(stored.back() ^ 1);
  try {
    (void)cipher.decrypt(stored, "tokens.auth_token:7");
    FAIL() << "a changed value was decrypted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::Internal);
    EXPECT_NE(std::string(e.what()).find("tokens.auth_token:7"), std::string::npos);
    EXPECT_EQ(std::string(e.what()).find("hush"), std::string::npos);
  }
}

}  // namespace
}  // namespace stratos::crypto
