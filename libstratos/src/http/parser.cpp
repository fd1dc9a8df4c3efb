#include "stratos/http/parser.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <llhttp.h>

#include "http/syntax.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"

namespace stratos::http {
namespace {

// Chunk extensions of one message: nobody uses them, but they cost memory bandwidth.
constexpr std::size_t kExtensionBytes = 16 * 1024;
// Room for the method and the version around a target of the greatest length.
constexpr std::size_t kRequestLineExtra = 64;

std::optional<std::uint64_t> parseLength(std::string_view text) {
  // 18 digits fit in 63 bits, and no body is larger.
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool isHostField(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view{"-._~!$&'()*+;=:[]%"}.find(c) != std::string_view::npos);
  });
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

// The head is collected and its lines are checked before llhttp sees it, and llhttp stops behind
// it: compiled from Debian 12's sources it is lenient towards line ends in chunked bodies, where
// it skips the two bytes behind a chunk whatever they are. So the body is framed here.
class MessageParser::Impl {
 public:
  Impl(Kind kind, ParserLimits limits) : kind_(kind), limits_(limits) {}

  std::size_t feed(std::string_view data) {
    std::size_t used = 0;
    while (used < data.size() && failure_ == ParseFailure::None && state_ != State::Complete) {
      const std::string_view rest = data.substr(used);
      used += state_ == State::Head ? feedHead(rest) : feedBody(rest);
    }
    return used;
  }

  void feedEnd() {
    if (failure_ != ParseFailure::None || state_ == State::Complete) return;
    if (state_ == State::UntilEnd) {
      state_ = State::Complete;
    } else if (!idle()) {
      fail("the connection ended in the middle of a message");
    }
  }

  void next() {
    const bool interim = kind_ == Kind::Response && status_ >= 100 && status_ < 200;
    if (!interim) noBodyExpected_ = false;
    state_ = State::Head;
    head_.clear();
    lineStart_ = 0;
    fieldLines_ = 0;
    firstLineSeen_ = false;
    blankLineSkipped_ = false;
    method_.clear();
    target_.clear();
    reason_.clear();
    status_ = 0;
    headers_ = Headers();
    contentLength_.reset();
    remaining_ = 0;
    hasBody_ = false;
    keepAlive_ = false;
    upgrade_ = false;
    body_.clear();
    extensionBytes_ = 0;
    trailerBytes_ = 0;
  }

  bool idle() const noexcept {
    return state_ == State::Head && head_.empty() && failure_ == ParseFailure::None;
  }

  enum class State {
    Head,
    Length,
    UntilEnd,
    ChunkSize,
    ChunkExtension,
    ChunkSizeLf,
    ChunkData,
    ChunkDataCr,
    ChunkDataLf,
    Trailer,
    Complete,
  };

  const Kind kind_;
  const ParserLimits limits_;
  State state_ = State::Head;
  ParseFailure failure_ = ParseFailure::None;
  const char* failureReason_ = "";
  bool noBodyExpected_ = false;

  std::string method_;
  std::string target_;
  std::string reason_;
  int status_ = 0;
  int minorVersion_ = 1;
  Headers headers_;
  std::optional<std::uint64_t> contentLength_;
  bool hasBody_ = false;
  bool keepAlive_ = false;
  bool upgrade_ = false;
  std::string body_;

 private:
  static Impl& self(llhttp_t* parser) { return *static_cast<Impl*>(parser->data); }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t made;
      llhttp_settings_init(&made);
      made.on_url = [](llhttp_t* parser, const char* at, std::size_t length) {
        self(parser).target_.append(at, length);
        return 0;
      };
      made.on_status = [](llhttp_t* parser, const char* at, std::size_t length) {
        self(parser).reason_.append(at, length);
        return 0;
      };
      // The head is there as a whole, so that each part of it comes in one piece.
      made.on_header_field = [](llhttp_t* parser, const char* at, std::size_t length) {
        self(parser).fieldName_ = {at, length};
        self(parser).fieldValue_ = {};
        return 0;
      };
      made.on_header_value = [](llhttp_t* parser, const char* at, std::size_t length) {
        self(parser).fieldValue_ = {at, length};
        return 0;
      };
      made.on_header_value_complete = [](llhttp_t* parser) {
        Impl& impl = self(parser);
        impl.headers_.add(impl.fieldName_, trim(impl.fieldValue_));
        return 0;
      };
      made.on_headers_complete = [](llhttp_t*) { return static_cast<int>(HPE_PAUSED); };
      return made;
    }();
    return kSettings;
  }

  bool fail(const char* reason, ParseFailure failure = ParseFailure::Malformed) {
    failure_ = failure;
    failureReason_ = reason;
    return false;
  }

  // A head that comes in one piece is read where it stands; only of others are parts collected.
  std::size_t feedHead(std::string_view data) {
    const bool collecting = !head_.empty();
    std::size_t begin = 0;
    std::size_t used = 0;
    while (used < data.size()) {
      const auto lf = data.find('\n', used);
      const std::size_t end = lf == std::string_view::npos ? data.size() : lf + 1;
      const std::size_t known = collecting ? head_.size() : used - begin;
      if (known + (end - used) > limits_.headBytes) {
        tooLarge();
        return used;
      }
      if (collecting) head_.append(data.substr(used, end - used));
      used = end;
      const std::string_view head =
          collecting ? std::string_view{head_} : data.substr(begin, used - begin);
      if (kind_ == Kind::Request && !firstLineSeen_ &&
          head.size() > limits_.targetBytes + kRequestLineExtra) {
        fail("the request target is too long", ParseFailure::TargetTooLong);
        return used;
      }
      if (lf == std::string_view::npos) break;
      // RFC 9112 section 2.2 lets a server skip one empty line in front of a request.
      if (head == "\r\n" && kind_ == Kind::Request && !blankLineSkipped_) {
        blankLineSkipped_ = true;
        head_.clear();
        begin = used;
        continue;
      }
      if (!checkLine(head)) return used;
      if (headEnded_) {
        headEnded_ = false;
        parseHead(head);
        head_ = std::string();
        return used;
      }
    }
    if (!collecting) head_ = data.substr(begin, used - begin);
    return used;
  }

  void tooLarge() {
    if (kind_ == Kind::Request && !firstLineSeen_) {
      fail("the request target is too long", ParseFailure::TargetTooLong);
    } else {
      fail("the head is too large", ParseFailure::HeadTooLarge);
    }
  }

  // Checks the line that has just been completed at the end of `head`.
  bool checkLine(std::string_view head) {
    std::string_view line = head.substr(lineStart_);
    line.remove_suffix(1);
    if (!line.ends_with('\r')) return fail("a line of the head ends with a bare LF");
    line.remove_suffix(1);
    lineStart_ = head.size();
    if (!std::exchange(firstLineSeen_, true)) {
      return kind_ == Kind::Request ? checkRequestLine(line) : checkStatusLine(line);
    }
    if (line.empty()) {
      headEnded_ = true;
      return true;
    }
    ++fieldLines_;
    return checkFieldLine(line);
  }

  bool checkFieldLine(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') return fail("a header field is folded");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return fail("a header line has no colon");
    if (!detail::isToken(line.substr(0, colon))) return fail("a header field name is malformed");
    for (const char c : line.substr(colon + 1)) {
      if (detail::isControl(c) && c != '\t') {
        return fail("a header field value holds control characters");
      }
    }
    return true;
  }

  bool checkVersion(std::string_view version) {
    if (version == "HTTP/1.1" || version == "HTTP/1.0") {
      minorVersion_ = version.back() - '0';
      return true;
    }
    const bool other = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                       version[5] >= '0' && version[5] <= '9' && version[7] >= '0' &&
                       version[7] <= '9';
    return other ? fail("the HTTP version is not 1.0 or 1.1", ParseFailure::VersionNotSupported)
                 : fail("the start line is malformed");
  }

  bool checkRequestLine(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
      return fail("the start line is malformed");
    const std::string_view target = line.substr(first + 1, last - first - 1);
    if (!detail::isToken(line.substr(0, first)) || target.empty() || detail::hasControls(target) ||
        target.find_first_of(" #") != std::string_view::npos) {
      return fail("the start line is malformed");
    }
    method_ = line.substr(0, first);
    if (!checkVersion(line.substr(last + 1))) return false;
    if (target.size() > limits_.targetBytes) {
      return fail("the request target is too long", ParseFailure::TargetTooLong);
    }
    return true;
  }

  bool checkStatusLine(std::string_view line) {
    const std::string_view code = line.substr(std::min<std::size_t>(line.size(), 8));
    if (!checkVersion(line.substr(0, 8))) return false;
    const auto digit = [&code](std::size_t i) { return code[i] >= '0' && code[i] <= '9'; };
    if (code.size() < 4 || code[0] != ' ' || code[1] < '1' || code[1] > '5' || !digit(2) ||
        !digit(3) || (code.size() > 4 && code[4] != ' ')) {
      return fail("the status line is malformed");
    }
    for (const char c : code.substr(4)) {
      if (detail::isControl(c) && c != '\t') return fail("the status line is malformed");
    }
    return true;
  }

  void parseHead(std::string_view head) {
    headers_.reserve(fieldLines_, head.size());
    llhttp_init(&parser_, kind_ == Kind::Request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
    parser_.data = this;
    const llhttp_errno_t result = llhttp_execute(&parser_, head.data(), head.size());
    // The parts of a CONNECT or upgrade head are all there as well when it stops this way.
    if (result != HPE_PAUSED && result != HPE_PAUSED_UPGRADE) {
      fail(result == HPE_INVALID_METHOD ? "the method is unknown" : "the head is malformed");
      return;
    }
    status_ = kind_ == Kind::Response ? parser_.status_code : 0;
    if (headers_.size() > limits_.fields) {
      fail("the head has too many fields", ParseFailure::HeadTooLarge);
      return;
    }
    if (kind_ == Kind::Request && !checkRequest()) return;
    frame();
  }

  bool checkRequest() {
    const auto host = headers_.find("Host");
    if (headers_.count("Host") > 1) return fail("the Host field is repeated");
    if (!host && minorVersion_ == 1) return fail("the Host field is missing");
    if (host && !isHostField(*host)) return fail("the Host field is malformed");
    if (target_.front() == '/') return true;
    if (target_ == "*") return method_ == "OPTIONS" || fail("the request target is malformed");
    if (method_ == "CONNECT") return fail("the request target is malformed");
    const auto url = Url::tryParse(target_);
    if (!url || !url->userInfo().empty() || (url->scheme() != "http" && url->scheme() != "https")) {
      return fail("the request target is malformed");
    }
    // RFC 9112 section 3.2.2: the target's authority replaces the Host field.
    const bool wholeServer =
        method_ == "OPTIONS" && url->rawPath().empty() && url->rawQuery().empty();
    target_ = wholeServer ? "*" : url->requestTarget();
    headers_.set("Host", url->authority());
    return true;
  }

  // RFC 9112 section 6.3, refusing instead of repairing.
  void frame() {
    const auto length = headers_.find("Content-Length");
    const auto coding = headers_.find("Transfer-Encoding");
    if (length && coding) {
      fail("Content-Length and Transfer-Encoding are both there");
      return;
    }
    if (length && headers_.count("Content-Length") > 1) {
      fail("Content-Length is repeated");
      return;
    }
    if (length) {
      contentLength_ = parseLength(*length);
      if (!contentLength_) {
        fail("Content-Length is malformed");
        return;
      }
    }
    // No other coding is offered in a TE field, and none could be undone here.
    if (coding &&
        (headers_.count("Transfer-Encoding") > 1 || !equalsIgnoreCase(*coding, "chunked"))) {
      fail("the transfer coding is not supported");
      return;
    }
    if (coding && minorVersion_ == 0) {
      fail("an HTTP/1.0 message has a transfer coding");
      return;
    }

    upgrade_ = headers_.has("Upgrade") && headers_.hasToken("Connection", "upgrade") &&
               (kind_ == Kind::Request || status_ == 101);
    const bool neverBody = kind_ == Kind::Response &&
                           (noBodyExpected_ || status_ < 200 || status_ == 204 || status_ == 304);
    if (neverBody) {
      state_ = State::Complete;
    } else if (coding) {
      state_ = State::ChunkSize;
      chunkSize_ = 0;
      chunkDigits_ = 0;
    } else if (contentLength_) {
      remaining_ = *contentLength_;
      state_ = remaining_ == 0 ? State::Complete : State::Length;
    } else {
      state_ = kind_ == Kind::Request ? State::Complete : State::UntilEnd;
    }
    hasBody_ = state_ != State::Complete;
    keepAlive_ = state_ != State::UntilEnd && !headers_.hasToken("Connection", "close") &&
                 (minorVersion_ == 1 || headers_.hasToken("Connection", "keep-alive"));
  }

  std::size_t feedBody(std::string_view data) {
    const char c = data.front();
    switch (state_) {
      case State::Length:
      case State::ChunkData: {
        const std::size_t count =
            static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, data.size()));
        body_.append(data.substr(0, count));
        remaining_ -= count;
        if (remaining_ == 0) {
          state_ = state_ == State::Length ? State::Complete : State::ChunkDataCr;
        }
        return count;
      }
      case State::UntilEnd:
        body_.append(data);
        return data.size();
      case State::ChunkSize:
        if (const int digit = hexDigit(c); digit >= 0) {
          // 15 digits fit in 60 bits.
          if (++chunkDigits_ > 15) fail("a chunk is too large");
          chunkSize_ = chunkSize_ * 16 + static_cast<std::uint64_t>(digit);
        } else if (chunkDigits_ > 0 && c == '\r') {
          state_ = State::ChunkSizeLf;
        } else if (chunkDigits_ > 0 && c == ';') {
          state_ = State::ChunkExtension;
        } else {
          fail("a chunk size is malformed");
        }
        return 1;
      case State::ChunkExtension:
        if (c == '\r') {
          state_ = State::ChunkSizeLf;
        } else if ((detail::isControl(c) && c != '\t') || ++extensionBytes_ > kExtensionBytes) {
          fail("a chunk extension is malformed");
        }
        return 1;
      case State::ChunkSizeLf:
        if (c != '\n') {
          fail("a chunk size line does not end with CRLF");
        } else if (chunkSize_ == 0) {
          state_ = State::Trailer;
        } else {
          remaining_ = chunkSize_;
          state_ = State::ChunkData;
        }
        return 1;
      case State::ChunkDataCr:
        if (c != '\r') fail("a chunk does not end with CRLF");
        state_ = State::ChunkDataLf;
        return 1;
      case State::ChunkDataLf:
        if (c != '\n') fail("a chunk does not end with CRLF");
        state_ = State::ChunkSize;
        chunkSize_ = 0;
        chunkDigits_ = 0;
        return 1;
      case State::Trailer:
        return feedTrailer(data);
      case State::Head:
      case State::Complete:
        break;
    }
    return 0;
  }

  // Trailer fields are checked like header fields and then dropped: nothing here needs one, and
  // merging them into the head is what RFC 9110 section 6.5.1 warns of.
  std::size_t feedTrailer(std::string_view data) {
    const auto lf = data.find('\n');
    const std::size_t count = lf == std::string_view::npos ? data.size() : lf + 1;
    trailerBytes_ += count;
    if (trailerBytes_ > limits_.headBytes) {
      fail("the trailer section is too large", ParseFailure::HeadTooLarge);
      return count;
    }
    head_.append(data.substr(0, count));
    if (lf == std::string_view::npos) return count;
    std::string_view line{head_};
    line.remove_suffix(1);
    if (!line.ends_with('\r')) {
      fail("a trailer line ends with a bare LF");
      return count;
    }
    line.remove_suffix(1);
    if (line.empty()) {
      state_ = State::Complete;
    } else {
      checkFieldLine(line);
    }
    head_.clear();
    return count;
  }

  llhttp_t parser_{};
  std::string head_;
  std::size_t lineStart_ = 0;
  std::size_t fieldLines_ = 0;
  bool firstLineSeen_ = false;
  bool blankLineSkipped_ = false;
  bool headEnded_ = false;
  std::string_view fieldName_;
  std::string_view fieldValue_;
  std::uint64_t remaining_ = 0;
  std::uint64_t chunkSize_ = 0;
  int chunkDigits_ = 0;
  std::size_t extensionBytes_ = 0;
  std::size_t trailerBytes_ = 0;
};

MessageParser::MessageParser(Kind kind, ParserLimits limits)
    : impl_(std::make_unique<Impl>(kind, limits)) {}

MessageParser::~MessageParser() = default;

std::size_t MessageParser::feed(std::string_view data) { return impl_->feed(data); }

void MessageParser::feedEnd() { impl_->feedEnd(); }

void MessageParser::next() { impl_->next(); }

void MessageParser::setNoBodyExpected(bool noBody) { impl_->noBodyExpected_ = noBody; }

bool MessageParser::headComplete() const noexcept {
  return impl_->failure_ == ParseFailure::None && impl_->state_ != Impl::State::Head;
}

bool MessageParser::messageComplete() const noexcept {
  return impl_->failure_ == ParseFailure::None && impl_->state_ == Impl::State::Complete;
}

ParseFailure MessageParser::failure() const noexcept { return impl_->failure_; }

std::string MessageParser::failureReason() const { return impl_->failureReason_; }

bool MessageParser::idle() const noexcept { return impl_->idle(); }

const std::string& MessageParser::method() const noexcept { return impl_->method_; }

const std::string& MessageParser::target() const noexcept { return impl_->target_; }

int MessageParser::status() const noexcept { return impl_->status_; }

const std::string& MessageParser::reason() const noexcept { return impl_->reason_; }

int MessageParser::minorVersion() const noexcept { return impl_->minorVersion_; }

Headers& MessageParser::headers() noexcept { return impl_->headers_; }

std::optional<std::uint64_t> MessageParser::contentLength() const noexcept {
  return impl_->contentLength_;
}

bool MessageParser::hasBody() const noexcept { return impl_->hasBody_; }

bool MessageParser::keepAlive() const noexcept { return impl_->keepAlive_; }

bool MessageParser::isUpgrade() const noexcept { return impl_->upgrade_; }

std::string MessageParser::takeBody() { return std::exchange(impl_->body_, {}); }

}  // namespace stratos::http
