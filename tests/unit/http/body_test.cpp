#include "stratos/http/body.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <zlib.h>

#include "stratos/base/error.hpp"

namespace stratos::http {
namespace {

/// Yields its bytes in small pieces.
class SlowSource final : public BodySource {
 public:
  explicit SlowSource(std::string bytes) : bytes_(std::move(bytes)) {}
  std::size_t read(char* buffer, std::size_t capacity) override {
    const std::size_t count = std::min<std::size_t>({capacity, 3, bytes_.size() - at_});
    std::copy_n(bytes_.data() + at_, count, buffer);
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

std::string compress(const std::string& plain, int window) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(plain.size() + 100, '\0');
  std::string in = plain;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string inflateAll(std::string coded, bool gzip) {
  Body body(makeInflatingSource(Body(std::make_unique<SlowSource>(std::move(coded))), gzip));
  return body.readAll(1 << 20);
}

TEST(BodyTest, ReadsMemoryAndStreamsAlike) {
  Body memory("hello world");
  char buffer[5];
  EXPECT_EQ(memory.read(buffer, 5), 5U);
  EXPECT_EQ(memory.readAll(100), " world");
  EXPECT_EQ(memory.read(buffer, 5), 0U);
  Body stream(std::make_unique<SlowSource>("hello world"));
  EXPECT_EQ(stream.length(), std::nullopt);
  EXPECT_EQ(stream.readAll(11), "hello world");
}

TEST(BodyTest, RefusesMoreThanItsLimit) {
  Body memory("hello");
  EXPECT_THROW((void)memory.readAll(4), Error);
  Body stream(std::make_unique<SlowSource>("hello"));
  EXPECT_THROW((void)stream.readAll(4), Error);
  Body announced(std::make_unique<SlowSource>("hello"), 5);
  EXPECT_THROW((void)announced.readAll(4), Error);
}

TEST(InflateTest, DecodesGzipAndBothKindsOfDeflate) {
  std::string plain;
  for (int i = 0; i < 20000; ++i) plain += std::to_string(i * 7919) + ",";
  EXPECT_EQ(inflateAll(compress(plain, 31), true), plain);
  EXPECT_EQ(inflateAll(compress(plain, 15), false), plain);
  EXPECT_EQ(inflateAll(compress(plain, -15), false), plain);
  EXPECT_EQ(inflateAll(compress("a", 31) + compress("b", 31), true), "ab");
  EXPECT_EQ(inflateAll(compress("", 31), true), "");
  EXPECT_EQ(inflateAll("", true), "");
}

TEST(InflateTest, RefusesBrokenData) {
  const std::string good = compress("some text that is long enough", 31);
  EXPECT_THROW((void)inflateAll(good.substr(0, good.size() - 4), true), Error);
  EXPECT_THROW((void)inflateAll("not gzip at all", true), Error);
  EXPECT_THROW((void)inflateAll(good + "trailing", true), Error);
  std::string flipped = good;
  flipped[good.size() - 6] = static_cast<char>(flipped[good.size() - 6] ^ 0x55);
  EXPECT_THROW((void)inflateAll(flipped, true), Error);
}

}  // namespace
}  // namespace stratos::http
