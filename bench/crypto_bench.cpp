#include <benchmark/benchmark.h>

#include <string>

#include "stratos/crypto/digest.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/crypto/token_cipher.hpp"

namespace stratos::crypto {

namespace {

/// About the length of an access token.
constexpr std::size_t kTokenBytes = 1300;
constexpr const char* kIdentity = "tokens.auth_token:9d2f7a5e-0000-4000-8000-000000000000";

void decryptToken(benchmark::State& state, CipherFormat format) {
  SystemRandom random;
  const TokenCipher cipher({EncryptionKey::fromHex(std::string(64, 'a'))}, format, random);
  const std::string stored = cipher.encrypt(Secret{std::string(kTokenBytes, 't')}, kIdentity);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cipher.decrypt(stored, kIdentity));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kTokenBytes));
}

void BM_DecryptLegacyToken(benchmark::State& state) { decryptToken(state, CipherFormat::Legacy); }
BENCHMARK(BM_DecryptLegacyToken);

void BM_DecryptGcmToken(benchmark::State& state) { decryptToken(state, CipherFormat::Gcm); }
BENCHMARK(BM_DecryptGcmToken);

/// What the signature of a session cookie costs by itself.
void BM_HmacSha256(benchmark::State& state) {
  const std::string key(64, 'k');
  const std::string message(48, 'm');
  for (auto _ : state) {
    benchmark::DoNotOptimize(hmacSha256(key, message));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_HmacSha256);

}  // namespace

}  // namespace stratos::crypto
