#include "stratos/base/secret.hpp"

#include <ostream>

#include <string.h>

namespace stratos {

namespace {

/// Up to this length a string has its text in itself, and a move copies it.
const std::size_t kOwnBytes = std::string().capacity();

}  // namespace

Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) {
  if (value_.size() <= kOwnBytes) other.overwrite();
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret(other);
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = std::move(other.value_);
    if (value_.size() <= kOwnBytes) other.overwrite();
  }
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() noexcept {
  // Whatever became empty was overwritten then.
  if (value_.empty() && value_.capacity() == kOwnBytes) return;
  overwrite();
}

void Secret::overwrite() noexcept {
  // Up to the capacity, so that what a longer former value left behind goes as well. Growing to the
  // capacity never allocates.
  value_.resize(value_.capacity());
  ::explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

bool operator==(const Secret& a, const Secret& b) noexcept {
  return constantTimeEquals(a.value_, b.value_);
}

std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

bool constantTimeEquals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  // volatile keeps the compiler from leaving the loop at the first difference.
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace stratos
