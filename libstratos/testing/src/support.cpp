#include "support.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {

std::string sha256(std::string_view text) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorCode::Internal, "SHA-256 failed");
  }
  return digest;
}

std::string randomHex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) != 1) {
    throw Error(ErrorCode::Internal, "no random bytes");
  }
  return toHex(raw);
}

std::string stableGuid(std::string_view kind, std::string_view name) {
  std::string hex = toHex(sha256(std::string{kind} + "/" + std::string{name}));
  hex[12] = '4';
  hex[16] = 'a';
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20, 12);
}

std::optional<std::string> bearerToken(const ReceivedRequest& request) {
  const std::string value = request.header("Authorization");
  if (value.size() < 8 || !equalsIgnoreCase(value.substr(0, 7), "bearer ")) return std::nullopt;
  return value.substr(7);
}

Reply notFoundPage() {
  Reply reply;
  reply.status = 404;
  reply.headers = {{"Content-Type", "text/html;charset=UTF-8"}};
  reply.body = "<!DOCTYPE html><html><body><h1>404</h1></body></html>";
  return reply;
}

}  // namespace stratos::testing
