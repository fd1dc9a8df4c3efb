#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "stratos/base/export.hpp"

namespace stratos::http {

/// A body that is read piece by piece. One thread at a time.
class STRATOS_EXPORT BodySource {
 public:
  virtual ~BodySource() = default;
  /// Reads up to `capacity` bytes into `buffer`; 0 means the end. Blocks until at least one byte is
  /// there. Throws Error: Unavailable (the peer broke off or broke the framing), DeadlineExceeded,
  /// InvalidArgument (the body is larger than its limit).
  virtual std::size_t read(char* buffer, std::size_t capacity) = 0;
};

/// A message body: nothing, bytes in memory, or a stream. Movable; read once.
class STRATOS_EXPORT Body {
 public:
  Body() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a handler returns plain text as a body.
  Body(std::string bytes) : bytes_(std::move(bytes)) {}
  /// A stream, with its length when it is known.
  explicit Body(std::unique_ptr<BodySource> source,
                std::optional<std::uint64_t> length = std::nullopt)
      : source_(std::move(source)), length_(length) {}

  [[nodiscard]] bool isStream() const noexcept { return source_ != nullptr; }
  /// The bytes in memory; empty for a stream.
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  /// The length when it is known before reading.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept {
    return source_ ? length_ : std::optional<std::uint64_t>{bytes_.size()};
  }

  /// Reads up to `capacity` bytes of whatever is left; 0 means the end. See BodySource::read().
  std::size_t read(char* buffer, std::size_t capacity);
  /// The rest of the body. Throws Error(InvalidArgument) as soon as it exceeds `limitBytes`, and
  /// what read() throws.
  [[nodiscard]] std::string readAll(std::size_t limitBytes);

 private:
  std::string bytes_;
  std::size_t position_ = 0;
  std::unique_ptr<BodySource> source_;
  std::optional<std::uint64_t> length_;
};

/// Wraps a gzip or deflate coded stream (RFC 9110 section 8.4.1) into one that yields the decoded
/// bytes. Throws Error(Unavailable) from read() when the data is broken.
[[nodiscard]] STRATOS_EXPORT std::unique_ptr<BodySource> makeInflatingSource(Body coded, bool gzip);

}  // namespace stratos::http
