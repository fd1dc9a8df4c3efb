#include "stratos/crypto/random.hpp"

#include <openssl/rand.h>

#include <limits>

#include "stratos/base/error.hpp"

namespace stratos::crypto {

std::string SystemRandom::bytes(std::size_t count) {
  std::string out(count, '\0');
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1) {
    throw Error(ErrorCode::Internal, "OpenSSL cannot supply random bytes");
  }
  return out;
}

}  // namespace stratos::crypto
