#include "stratos/http/body.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "stratos/base/error.hpp"

namespace stratos::http {

std::size_t Body::read(char* buffer, std::size_t capacity) {
  if (source_) return source_->read(buffer, capacity);
  const std::size_t count = std::min(capacity, bytes_.size() - position_);
  if (count > 0) std::memcpy(buffer, bytes_.data() + position_, count);
  position_ += count;
  return count;
}

std::string Body::readAll(std::size_t limitBytes) {
  const auto refuse = [limitBytes] {
    throw Error(ErrorCode::InvalidArgument,
                "the body is larger than " + std::to_string(limitBytes) + " bytes");
  };
  if (!source_) {
    if (bytes_.size() - position_ > limitBytes) refuse();
    std::string rest = position_ == 0 ? std::move(bytes_) : bytes_.substr(position_);
    bytes_.clear();
    position_ = 0;
    return rest;
  }
  if (length_ && *length_ > limitBytes) refuse();
  std::string all;
  if (length_) all.reserve(static_cast<std::size_t>(*length_));
  std::array<char, 16384> buffer{};
  while (const std::size_t count = source_->read(buffer.data(), buffer.size())) {
    if (count > limitBytes - all.size()) refuse();
    all.append(buffer.data(), count);
  }
  return all;
}

}  // namespace stratos::http
