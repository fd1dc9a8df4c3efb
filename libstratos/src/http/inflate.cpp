#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <zlib.h>

#include "stratos/base/error.hpp"
#include "stratos/http/body.hpp"

namespace stratos::http {
namespace {

// The window size with which zlib reads raw deflate, zlib and gzip data.
constexpr int kRawWindow = -15;
constexpr int kZlibWindow = 15;
constexpr int kGzipWindow = 15 + 16;

class InflatingSource final : public BodySource {
 public:
  InflatingSource(Body coded, bool gzip) : coded_(std::move(coded)), gzip_(gzip) {}
  ~InflatingSource() override {
    if (started_) inflateEnd(&stream_);
  }
  InflatingSource(const InflatingSource&) = delete;
  InflatingSource& operator=(const InflatingSource&) = delete;

  std::size_t read(char* buffer, std::size_t capacity) override {
    if (capacity == 0) return 0;
    const uInt room =
        static_cast<uInt>(std::min<std::size_t>(capacity, std::numeric_limits<uInt>::max()));
    for (;;) {
      if (stream_.avail_in == 0 && !codedEnded_) refill();
      if (memberEnded_) {
        // Everything up to the end is read, so that the connection below can be used again.
        if (stream_.avail_in == 0) return 0;
        // Members may follow each other (RFC 1952 section 2.2).
        if (!gzip_ || inflateReset(&stream_) != Z_OK) broken();
        memberEnded_ = false;
      }
      // A body of no bytes at all is what some servers send with a coding nevertheless.
      if (!started_ && !start()) return 0;
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = room;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t produced = room - stream_.avail_out;
      if (result == Z_STREAM_END) {
        memberEnded_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        broken();
      } else if (produced == 0 && codedEnded_ && stream_.avail_in == 0) {
        broken();
      }
      if (produced > 0) return produced;
    }
  }

 private:
  [[noreturn]] static void broken() {
    throw Error(ErrorCode::Unavailable, "the peer sent a body with a broken content coding");
  }

  void refill() {
    const std::size_t count = coded_.read(input_.data(), input_.size());
    if (count == 0) codedEnded_ = true;
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(count);
  }

  bool start() {
    if (stream_.avail_in == 0) return false;
    int window = kGzipWindow;
    if (!gzip_) {
      // "deflate" means the zlib format, but some servers send bare deflate data. A zlib header is
      // told by its method nibble.
      window =
          (static_cast<unsigned char>(*stream_.next_in) & 0x0F) == 8 ? kZlibWindow : kRawWindow;
    }
    if (inflateInit2(&stream_, window) != Z_OK) {
      throw Error(ErrorCode::Internal, "zlib cannot be initialised");
    }
    started_ = true;
    return true;
  }

  Body coded_;
  const bool gzip_;
  z_stream stream_{};
  std::array<char, 16384> input_{};
  bool started_ = false;
  bool codedEnded_ = false;
  bool memberEnded_ = false;
};

}  // namespace

std::unique_ptr<BodySource> makeInflatingSource(Body coded, bool gzip) {
  return std::make_unique<InflatingSource>(std::move(coded), gzip);
}

}  // namespace stratos::http
