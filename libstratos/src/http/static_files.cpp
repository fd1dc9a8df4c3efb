#include "stratos/http/static_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/http/cookie.hpp"

namespace stratos::http {
namespace {

namespace fs = std::filesystem;

// Smaller files gain nothing from compression.
constexpr std::uint64_t kGzipMinimum = 1024;

struct FileType {
  std::string_view extension;
  std::string_view type;
  bool text;
};

constexpr std::array<FileType, 22> kTypes = {{
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".map", "application/json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".md", "text/markdown; charset=utf-8", true},
    {".xml", "text/xml; charset=utf-8", true},
    {".yaml", "application/yaml", true},
    {".yml", "application/yaml", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".gif", "image/gif", false},
    {".webp", "image/webp", false},
    {".ico", "image/x-icon", false},
    {".woff", "font/woff", false},
    {".woff2", "font/woff2", false},
    {".ttf", "font/ttf", false},
    {".wasm", "application/wasm", false},
}};

const FileType& fileType(const fs::path& path) {
  static constexpr FileType kOther{"", "application/octet-stream", false};
  const std::string extension = toLower(path.extension().string());
  const auto it = std::find_if(kTypes.begin(), kTypes.end(), [&extension](const FileType& type) {
    return type.extension == extension;
  });
  return it == kTypes.end() ? kOther : *it;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

class FileSource final : public BodySource {
 public:
  FileSource(FileDescriptor file, std::uint64_t offset, std::uint64_t length)
      : file_(std::move(file)), offset_(offset), left_(length) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, left_));
    if (wanted == 0) return 0;
    ssize_t count = 0;
    do {
      count = ::pread(file_.get(), buffer, wanted, static_cast<off_t>(offset_));
    } while (count < 0 && errno == EINTR);
    if (count <= 0) throw Error(ErrorCode::Unavailable, "a static file changed while it was sent");
    offset_ += static_cast<std::uint64_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

 private:
  FileDescriptor file_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

class GzipSource final : public BodySource {
 public:
  explicit GzipSource(FileSource file) : file_(std::move(file)) {
    constexpr int kGzipWindow = 15 + 16;
    if (deflateInit2(&stream_, 6, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error(ErrorCode::Internal, "zlib cannot be initialised");
    }
  }
  ~GzipSource() override { deflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::size_t read(char* buffer, std::size_t capacity) override {
    if (capacity == 0) return 0;
    const uInt room =
        static_cast<uInt>(std::min<std::size_t>(capacity, std::numeric_limits<uInt>::max()));
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = room;
    while (stream_.avail_out == room && !done_) {
      if (stream_.avail_in == 0 && !fileEnded_) {
        const std::size_t count = file_.read(input_.data(), input_.size());
        fileEnded_ = count == 0;
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(count);
      }
      done_ = deflate(&stream_, fileEnded_ ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
    }
    return room - stream_.avail_out;
  }

 private:
  FileSource file_;
  z_stream stream_{};
  std::array<char, 16384> input_{};
  bool fileEnded_ = false;
  bool done_ = false;
};

bool acceptsGzip(const Headers& headers) {
  for (const std::string_view field : headers.all("Accept-Encoding")) {
    for (const std::string& element : split(field, ',')) {
      const std::vector<std::string> parts = split(element, ';');
      if (!equalsIgnoreCase(trim(parts.front()), "gzip")) continue;
      return std::none_of(parts.begin() + 1, parts.end(), [](const std::string& part) {
        const std::string_view weight = trim(part);
        return weight.starts_with("q=0") && weight.find_first_not_of("0.", 2) == std::string::npos;
      });
    }
  }
  return false;
}

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};

enum class RangeResult { Whole, Part, NotSatisfiable };

// RFC 9110 section 14.1.2. What is no single byte range is ignored, as the RFC allows.
RangeResult parseRange(std::string_view text, std::uint64_t size, ByteRange& range) {
  text = trim(text);
  if (!text.starts_with("bytes=") || text.find(',') != std::string_view::npos) {
    return RangeResult::Whole;
  }
  text.remove_prefix(6);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return RangeResult::Whole;
  const auto number = [](std::string_view digits, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  const std::string_view firstText = trim(text.substr(0, dash));
  const std::string_view lastText = trim(text.substr(dash + 1));
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (firstText.empty()) {
    if (!number(lastText, last)) return RangeResult::Whole;
    if (last == 0 || size == 0) return RangeResult::NotSatisfiable;
    range = {size - std::min(last, size), std::min(last, size)};
    return RangeResult::Part;
  }
  if (!number(firstText, first)) return RangeResult::Whole;
  if (lastText.empty()) {
    last = std::numeric_limits<std::uint64_t>::max();
  } else if (!number(lastText, last) || last < first) {
    return RangeResult::Whole;
  }
  if (first >= size) return RangeResult::NotSatisfiable;
  range = {first, std::min(last, size - 1) - first + 1};
  return RangeResult::Part;
}

/// True for names that builders of front ends give to files that never change: with a hash of the
/// content, 16 or more hexadecimal digits (Angular, webpack) or 8 of Base32 (esbuild; no date is), before the
/// extension. packaging/helm/console/files/nginx.conf has the same rule.
bool isImmutable(const fs::path& path) {
  const std::string stem = path.stem().string();
  const auto mark = stem.find_last_of(".-");
  if (mark == std::string::npos || mark == 0) return false;
  const std::string_view hash = std::string_view{stem}.substr(mark + 1);
  const auto all = [hash](const auto& isDigit) {
    return std::all_of(hash.begin(), hash.end(), isDigit);
  };
  const auto isDecimal = [](char c) { return c >= '0' && c <= '9'; };
  if (hash.size() >= 16) {
    return all([&](char c) { return isDecimal(c) || (c >= 'a' && c <= 'f'); });
  }
  return hash.size() == 8 && stem[mark] == '-' &&
         all([&](char c) { return (c >= '2' && c <= '7') || (c >= 'A' && c <= 'Z'); });
}

struct OpenFile {
  FileDescriptor file;
  fs::path path;
  std::uint64_t size = 0;
  TimePoint modified;
};

bool isInside(const fs::path& folder, const fs::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

// Empty when there is no such regular file inside `folder`, which is canonical.
std::optional<OpenFile> openInside(const fs::path& folder, const fs::path& relative) {
  std::error_code error;
  fs::path path = fs::canonical(folder / relative, error);
  if (error || !isInside(folder, path)) return std::nullopt;
  if (fs::is_directory(path, error)) {
    path = fs::canonical(path / "index.html", error);
    if (error || !isInside(folder, path)) return std::nullopt;
  }
  // Non-blocking so that a FIFO in the folder cannot hang the caller.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return std::nullopt;
  }
  return OpenFile{std::move(file), std::move(path), static_cast<std::uint64_t>(info.st_size),
                  fromUnixSeconds(info.st_mtim.tv_sec)};
}

}  // namespace

StaticFiles::StaticFiles(std::filesystem::path folder) {
  std::error_code error;
  folder_ = fs::canonical(folder, error);
  if (error || !fs::is_directory(folder_, error)) {
    throw Error(ErrorCode::NotFound, "there is no folder " + folder.string());
  }
}

Response StaticFiles::handle(Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return Response::empty(404);
  const auto decoded = percentDecode(request.rawPath());
  if (!decoded || decoded->find('\0') != std::string::npos) {
    return Response::text(400, "malformed path");
  }
  fs::path relative;
  for (const std::string& segment : split(*decoded, '/')) {
    if (segment == "..") return Response::text(400, "malformed path");
    if (!segment.empty()) relative /= segment;
  }
  auto file = openInside(folder_, relative);
  if (!file) file = openInside(folder_, "index.html");
  if (!file) return Response::empty(404);

  const FileType& type = fileType(file->path);
  Response response;
  response.headers.set("Content-Type", std::string(type.type));
  response.headers.set("Last-Modified", formatHttpDate(file->modified));
  if (isImmutable(file->path)) {
    response.headers.set("Cache-Control", "public, max-age=31536000, immutable");
  }
  const bool compressible = type.text && file->size >= kGzipMinimum;
  if (compressible) response.headers.set("Vary", "Accept-Encoding");

  // There are no entity tags, so If-None-Match never matches and makes the date irrelevant.
  const auto since = parseHttpDate(request.headers.get("If-Modified-Since"));
  if (since && !request.headers.has("If-None-Match") && file->modified <= *since) {
    response.status = 304;
    return response;
  }

  ByteRange range{0, file->size};
  const auto rangeField = request.headers.find("Range");
  const auto ifRange = request.headers.find("If-Range");
  if (rangeField && (!ifRange || parseHttpDate(*ifRange) == file->modified)) {
    const std::string size = std::to_string(file->size);
    switch (parseRange(*rangeField, file->size, range)) {
      case RangeResult::NotSatisfiable:
        response = Response::empty(416);
        response.headers.set("Content-Range", "bytes */" + size);
        return response;
      case RangeResult::Part:
        response.status = 206;
        response.headers.set("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                                  std::to_string(range.first + range.length - 1) +
                                                  "/" + size);
        break;
      case RangeResult::Whole:
        break;
    }
  }
  FileSource source(std::move(file->file), range.first, range.length);
  if (response.status == 200 && compressible && acceptsGzip(request.headers)) {
    response.headers.set("Content-Encoding", "gzip");
    response.body = Body(std::make_unique<GzipSource>(std::move(source)));
    return response;
  }
  response.headers.set("Accept-Ranges", "bytes");
  response.body = Body(std::make_unique<FileSource>(std::move(source)), range.length);
  return response;
}

}  // namespace stratos::http
