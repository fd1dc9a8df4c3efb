// Hostile and odd HTTP, and what becomes of it: on a worker thread and on a fiber, which share the
// parser and nothing of the scheduling.

#include <string>
#include <vector>

#include "server_fixture.hpp"

namespace stratos::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// What a server may do with such bytes.
struct Row {
  const char* name;
  std::string bytes;  ///< %T stands for the target.
  const char* begins;  ///< How the answer begins; empty: there is none.
  bool keeps;          ///< Whether a further request is answered.
  const char* why;     ///< What asks for it, or who does the same.
};

std::string field(const std::string& text) {
  return "GET %T HTTP/1.1\r\nHost: h\r\n" + text + "\r\n\r\n";
}
std::string post(const std::string& fields, const std::string& body) {
  return "POST %T HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n\r\n" + body;
}

constexpr const char* kOk = "HTTP/1.1 200";
constexpr const char* kBad = "HTTP/1.1 400";

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      // Framing, the ground of request smuggling.
      {"LengthAndChunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), kBad,
       false, "RFC 9112 6.1: ought to be refused; nginx 400"},
      {"ChunkedAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"), kBad,
       false, "RFC 9112 6.1"},
      {"TwoLengths", post("Content-Length: 3\r\nContent-Length: 4", "abcd"), kBad, false,
       "RFC 9112 6.3 item 5"},
      {"TwoEqualLengths", post("Content-Length: 3\r\nContent-Length: 3", "abc"), kBad, false,
       "RFC 9112 6.3 allows either; nginx 400"},
      {"LengthList", post("Content-Length: 3, 3", "abc"), kBad, false, "RFC 9112 6.3 allows either"},
      {"SignedLength", post("Content-Length: +3", "abc"), kBad, false, "RFC 9110 8.6: digits only"},
      {"NegativeLength", post("Content-Length: -1", ""), kBad, false, "RFC 9110 8.6"},
      {"HexLength", post("Content-Length: 0x3", "abc"), kBad, false, "RFC 9110 8.6"},
      {"EmptyLength", post("Content-Length:", ""), kBad, false, "RFC 9110 8.6"},
      {"HugeLength", post("Content-Length: 99999999999999999999", ""), kBad, false,
       "RFC 9110 8.6: no overflow"},
      {"SpacedLength", post("Content-Length: 1 1", "a"), kBad, false, "RFC 9110 8.6"},
      {"UnknownCoding", post("Transfer-Encoding: gzip", ""), kBad, false,
       "RFC 9112 6.1: chunked must be last"},
      {"CodingNotLast", post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), kBad, false,
       "RFC 9112 6.3 item 4"},
      {"ChunkedTwice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
       kBad, false, "RFC 9112 6.1: once only"},
      {"DisguisedChunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), kBad, false,
       "RFC 9112 6.3 item 4"},
      {"TabbedChunked", post("Transfer-Encoding:\tchunked", "0\r\n\r\n"), kOk, true,
       "RFC 9110 5.5: white space around values"},
      {"CodingWithOldVersion",
       "POST %T HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kBad, false,
       "RFC 9112 6.1: framing is faulty"},
      {"SpaceBeforeColon", post("Content-Length : 3", "abc"), kBad, false, "RFC 9112 5.1: must be 400"},
      {"SpaceBeforeName", post(" Content-Length: 3", "abc"), kBad, false, "RFC 9112 2.2"},
      {"NulInValue", field(std::string("X-A: a\0b", 8)), kBad, false, "RFC 9110 5.5"},
      {"BareCrInValue", field("X-A: a\rb"), kBad, false, "RFC 9112 2.2"},
      {"ControlInName", field("X\x01-A: a"), kBad, false, "RFC 9110 5.6.2"},
      {"NoColon", field("X-A"), kBad, false, "RFC 9112 5"},
      {"EmptyName", field(": a"), kBad, false, "RFC 9112 5"},
      {"FoldedField", field("X-A: a\r\n b"), kBad, false, "RFC 9112 5.2: reject or replace"},
      {"BareLfEndsLine", "GET %T HTTP/1.1\nHost: h\n\n", kBad, false,
       "RFC 9112 2.2 allows either; llhttp and h2o refuse"},
      // Chunks.
      {"Chunks", post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), kOk, true, "RFC 9112 7.1"},
      {"ChunkExtension", post("Transfer-Encoding: chunked", "3;a=\"b\"\r\nabc\r\n0\r\n\r\n"), kOk, true,
       "RFC 9112 7.1.1: must be ignored"},
      {"ChunkTrailers", post("Transfer-Encoding: chunked", "0\r\nX-T: 1\r\n\r\n"), kOk, true,
       "RFC 9112 7.1.2: may be discarded"},
      // Lines.
      {"AbsoluteForm", "GET http://h%T HTTP/1.1\r\nHost: h\r\n\r\n", kOk, true,
       "RFC 9112 3.2.2: must be accepted"},
      {"Connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", kBad, false, "RFC 9110 9.3.6: no proxy"},
      {"NoHost", "GET %T HTTP/1.1\r\n\r\n", kBad, false, "RFC 9112 3.2: must be 400"},
      {"TwoHosts", "GET %T HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n", kBad, false,
       "RFC 9112 3.2: must be 400"},
      {"OldVersion", "GET %T HTTP/1.0\r\nHost: h\r\n\r\n", kOk, false, "RFC 9112 9.3"},
      {"NewVersion", "GET %T HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505", false, "RFC 9110 15.6.6"},
      {"NoVersion", "GET %T\r\n\r\n", "HTTP/1.1 ", false, "HTTP/0.9 is not spoken"},
      {"TwoSpaces", "GET  %T HTTP/1.1\r\nHost: h\r\n\r\n", kBad, false, "RFC 9112 3"},
      {"LowerCaseVersion", "GET %T http/1.1\r\nHost: h\r\n\r\n", kBad, false, "RFC 9112 2.3"},
      {"SpaceInTarget", "GET %T x HTTP/1.1\r\nHost: h\r\n\r\n", kBad, false, "RFC 9112 3.2"},
      {"BadMethod", "G@T %T HTTP/1.1\r\nHost: h\r\n\r\n", kBad, false, "RFC 9110 9.1"},
      {"LeadingEmptyLine", "\r\nGET %T HTTP/1.1\r\nHost: h\r\n\r\n", kOk, true,
       "RFC 9112 2.2: ought to be ignored"},
      {"TlsHello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), kBad, false, "no HTTP"},
      {"HugeField", field("X-A: " + std::string(200'000, 'a')), "HTTP/1.1 431", false,
       "RFC 6585 5"},
      {"ManyFields", [] {
         std::string fields = "X-A: 1";
         for (int i = 0; i < 5'000; ++i) fields += "\r\nX-A: 1";
         return field(fields);
       }(), "HTTP/1.1 431", false, "RFC 6585 5"},
      {"HugeTarget", "GET %T?" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
       "HTTP/1.1 414", false, "RFC 9110 15.5.15"},
      // Upgrades.
      {"UnknownUpgrade", field("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA"), kOk, false,
       "RFC 9110 7.8: may be ignored; what follows would be ambiguous"},
      {"PriorKnowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 ", false, "no HTTP/2"},
      {"UnknownExpectation", field("Expect: magic"), kOk, true, "RFC 9110 10.1.1: may be ignored"},
  };
  return kRows;
}

/// Rows on a worker ("/") and on a fiber ("/wait").
class HttpConformanceTest : public HttpServerFixture,
                            public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    HttpServerOptions options;
    options.mostlyWaits = [](std::string_view target) { return target.starts_with("/wait"); };
    start(&echo, options);
  }
  [[nodiscard]] static std::string withTarget(std::string bytes) {
    for (auto at = bytes.find("%T"); at != std::string::npos; at = bytes.find("%T")) {
      bytes.replace(at, 2, GetParam());
    }
    return bytes;
  }
};

TEST_P(HttpConformanceTest, HostileBytesGetTheirVerdict) {
  const std::string next = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  for (const Row& row : rows()) {
    SCOPED_TRACE(std::string(row.name) + ": " + row.why);
    TestClient client = connect();
    // The second request shows where the server thinks that the first one ended.
    client.send(withTarget(row.bytes) + next);
    const std::string all = client.readToEnd();
    EXPECT_THAT(all, StartsWith(row.begins));
    if (row.keeps) {
      EXPECT_THAT(all, HasSubstr("GET /next "));
    } else {
      EXPECT_THAT(all, Not(HasSubstr("GET /next ")));
    }
  }
  // Nobody else was disturbed.
  EXPECT_THAT(connect().exchange(withTarget("GET %T HTTP/1.1\r\nHost: h\r\n\r\n")),
              StartsWith("HTTP/1.1 200"));
}

TEST_P(HttpConformanceTest, BodiesThatBreakOffAreNoBodies) {
  for (const char* body : {"3\r\nab", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "-1\r\n", "0x3\r\nabc\r\n",
                           "3 \r\nabc\r\n", "3\nabc\n0\n\n", "ffffffffffffffffff\r\n"}) {
    SCOPED_TRACE(body);
    TestClient client = connect();
    client.send(withTarget(post("Transfer-Encoding: chunked", body)));
    client.endSending();
    EXPECT_THAT(client.readToEnd(), Not(HasSubstr("HTTP/1.1 200")));
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, HttpConformanceTest, ::testing::Values("/", "/wait"),
                         [](const auto& path) {
                           return std::string(path.param) == "/" ? "Worker" : "Fiber";
                         });

}  // namespace
}  // namespace stratos::server
