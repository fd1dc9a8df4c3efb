#include "stratos/base/random.hpp"

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos {

std::string makeUuid(Random& random) {
  std::string bytes = random.bytes(16);
  if (bytes.size() != 16) {
    throw Error(ErrorCode::Internal, "the random generator returned too few bytes");
  }
  // Version and variant bits of RFC 9562 section 5.4.
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = toHex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
  return text;
}

}  // namespace stratos
