#include "stratos/http/parser.hpp"

#include <gtest/gtest.h>

namespace stratos::http {
namespace {

using Kind = MessageParser::Kind;

TEST(MessageParserTest, ParsesPipelinedRequestsAtAnySplit) {
  const std::string text =
      "POST /a%20b?x HTTP/1.1\r\nHost: h\r\nX-A: \t v \xe4 \r\nContent-Length: 3\r\n\r\nabc"
      "PUT /b HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "2;ext=\"x\"\r\nde\r\n00a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
      "GET /c HTTP/1.0\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    MessageParser parser(Kind::Request);
    std::string seen;
    std::string pending;
    for (std::size_t at = 0; at < text.size(); at += step) {
      pending += text.substr(at, step);
      for (;;) {
        pending.erase(0, parser.feed(pending));
        ASSERT_EQ(parser.failure(), ParseFailure::None) << parser.failureReason();
        if (!parser.messageComplete()) break;
        seen += parser.method() + " " + parser.target() + " " + parser.takeBody() + " " +
                std::string(parser.headers().get("x-a")) + (parser.keepAlive() ? "+" : "-") + "|";
        parser.next();
      }
    }
    EXPECT_TRUE(parser.idle());
    EXPECT_EQ(seen, "POST /a%20b?x abc v \xe4+|PUT /b de0123456789 +|GET /c  -|") << step;
  }
}

TEST(MessageParserTest, RefusesWhatSmugglingNeeds) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string malformed[] = {
      // Framing
      start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
      start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
      start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
      start + "Content-Length: 3, 3\r\n\r\n",
      start + "Content-Length: +3\r\n\r\n",
      start + "Content-Length: -3\r\n\r\n",
      start + "Content-Length: 0x3\r\n\r\n",
      start + "Content-Length: 3 3\r\n\r\n",
      start + "Content-Length:\r\n\r\n",
      start + "Content-Length: 99999999999999999999\r\n\r\n",
      start + "Transfer-Encoding: identity\r\n\r\n",
      start + "Transfer-Encoding: chunked, gzip\r\n\r\n",
      start + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      start + "Transfer-Encoding: chunked, chunked\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      start + "Transfer-Encoding: xchunked\r\n\r\n",
      start + "Transfer-Encoding: \"chunked\"\r\n\r\n",
      start +
          "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n",
      "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
      // Lines
      "POST / HTTP/1.1\nHost: h\r\n\r\n",
      start + "A: b\n\r\n",
      start + "A: b\r\n\n",
      start + "A: b\rC: d\r\n\r\n",
      start + "A: b\r\n c\r\n\r\n",
      start + "A: b\r\n\tc\r\n\r\n",
      start + " A: b\r\n\r\n",
      start + "A : b\r\n\r\n",
      start + "A\t: b\r\n\r\n",
      start + ": b\r\n\r\n",
      start + "A\r\n\r\n",
      start + "A(): b\r\n\r\n",
      start + "Transfer-Encoding : chunked\r\n\r\n",
      start + std::string("A: b\0c\r\n\r\n", 10),
      start + "A: b\x01\r\n\r\n",
      start + "A: b\x7f\r\n\r\n",
      // Host
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
      // Start line
      "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET / x HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /\r\n\r\n",
      "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
      "GET / http/1.1\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.01\r\nHost: h\r\n\r\n",
      "GE(T / HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET a HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n",
      "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
      "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
      // Chunks
      chunked + "\r\n",
      chunked + "g\r\n",
      chunked + "-1\r\n",
      chunked + "+1\r\n",
      chunked + "0x1\r\n",
      chunked + "1 \r\na\r\n",
      chunked + " 1\r\na\r\n",
      chunked + "1\na\r\n",
      chunked + "1\rXa\r\n",
      chunked + "1\r\nab\r\n",
      chunked + "1\r\na\n0\r\n\r\n",
      chunked + "1\r\na\rX0\r\n\r\n",
      chunked + "1\r\naXX0\r\n\r\n",
      chunked + "1;a\nb\r\n",
      chunked + "1;a\x01\r\n",
      chunked + "fffffffffffffffff\r\n",
      chunked + "0\r\n\n",
      chunked + "0\r\nA : b\r\n\r\n",
      chunked + "0\r\n folded\r\n\r\n",
  };
  for (const std::string& text : malformed) {
    for (const bool byteWise : {false, true}) {
      MessageParser parser(Kind::Request);
      if (byteWise) {
        for (const char c : text) parser.feed(std::string_view{&c, 1});
      } else {
        parser.feed(text);
      }
      EXPECT_EQ(parser.failure(), ParseFailure::Malformed) << text;
      EXPECT_FALSE(parser.messageComplete());
      EXPECT_FALSE(parser.failureReason().empty());
      EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0U);
    }
  }
}

TEST(MessageParserTest, RefusesOtherVersions) {
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"}) {
    MessageParser parser(Kind::Request);
    parser.feed("GET / " + std::string(version) + "\r\nHost: h\r\n\r\n");
    EXPECT_EQ(parser.failure(), ParseFailure::VersionNotSupported) << version;
  }
}

TEST(MessageParserTest, ReducesTheAbsoluteForm) {
  MessageParser parser(Kind::Request);
  parser.feed("GET http://Real.example:8080/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
  ASSERT_TRUE(parser.messageComplete()) << parser.failureReason();
  EXPECT_EQ(parser.target(), "/p?q");
  EXPECT_EQ(parser.headers().all("Host"), std::vector<std::string_view>{"real.example:8080"});
  parser.next();
  parser.feed("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(parser.target(), "*");
  parser.next();
  parser.feed("\r\nOPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(parser.messageComplete());
  EXPECT_EQ(parser.target(), "*");
}

TEST(MessageParserTest, KeepsItsLimitsWithoutSeeingTheEnd) {
  ParserLimits limits;
  limits.headBytes = 1000;
  limits.targetBytes = 300;
  limits.fields = 3;
  {
    MessageParser parser(Kind::Request, limits);
    parser.feed("GET /" + std::string(5000, 'a'));
    EXPECT_EQ(parser.failure(), ParseFailure::TargetTooLong);
  }
  {
    MessageParser parser(Kind::Request, limits);
    parser.feed("GET /" + std::string(300, 'a') + " HTTP/1.1\r\n");
    EXPECT_EQ(parser.failure(), ParseFailure::TargetTooLong);
  }
  {
    MessageParser parser(Kind::Request, limits);
    parser.feed("GET / HTTP/1.1\r\nHost: h\r\nA: ");
    for (int i = 0; i < 1000; ++i) parser.feed("a");
    EXPECT_EQ(parser.failure(), ParseFailure::HeadTooLarge);
  }
  {
    MessageParser parser(Kind::Request, limits);
    parser.feed("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
    EXPECT_EQ(parser.failure(), ParseFailure::HeadTooLarge);
  }
  {
    MessageParser parser(Kind::Request, limits);
    parser.feed("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 1000; ++i) parser.feed("A: 1\r\n");
    EXPECT_EQ(parser.failure(), ParseFailure::HeadTooLarge);
  }
}

TEST(MessageParserTest, ShowsInterimAnswersAsMessages) {
  MessageParser parser(Kind::Response);
  std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP";
  text.erase(0, parser.feed(text));
  ASSERT_TRUE(parser.messageComplete());
  EXPECT_EQ(parser.status(), 100);
  parser.next();
  text.erase(0, parser.feed(text));
  EXPECT_EQ(parser.status(), 103);
  parser.next();
  text.erase(0, parser.feed(text));
  EXPECT_EQ(parser.status(), 200);
  EXPECT_EQ(parser.reason(), "OK");
  EXPECT_EQ(parser.contentLength(), 2U);
  EXPECT_EQ(parser.takeBody(), "ok");
  EXPECT_EQ(text, "HTTP");
}

TEST(MessageParserTest, KnowsWhichAnswersHaveNoBody) {
  for (const char* status : {"204", "304"}) {
    MessageParser parser(Kind::Response);
    parser.feed("HTTP/1.1 " + std::string(status) + " X\r\nContent-Length: 5\r\n\r\n");
    EXPECT_TRUE(parser.messageComplete());
    EXPECT_FALSE(parser.hasBody());
  }
  MessageParser parser(Kind::Response);
  parser.setNoBodyExpected(true);
  parser.feed("HTTP/1.1 100 Continue\r\n\r\n");
  parser.next();
  parser.feed("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(parser.messageComplete()) << parser.failureReason();
}

TEST(MessageParserTest, ABodyWithoutFramingEndsWithTheConnection) {
  MessageParser parser(Kind::Response);
  parser.feed("HTTP/1.1 200 OK\r\n\r\npart");
  EXPECT_FALSE(parser.messageComplete());
  EXPECT_TRUE(parser.hasBody());
  parser.feed("ial");
  parser.feedEnd();
  EXPECT_TRUE(parser.messageComplete());
  EXPECT_EQ(parser.takeBody(), "partial");
  EXPECT_FALSE(parser.keepAlive());
}

TEST(MessageParserTest, AnEarlyEndIsMalformed) {
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"}) {
    MessageParser parser(Kind::Response);
    parser.feed(text);
    parser.feedEnd();
    EXPECT_EQ(parser.failure(), ParseFailure::Malformed);
  }
  MessageParser parser(Kind::Response);
  parser.feedEnd();
  EXPECT_EQ(parser.failure(), ParseFailure::None);
}

TEST(MessageParserTest, RefusesMalformedAnswers) {
  for (const char* text :
       {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 999 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "\r\n"}) {
    MessageParser parser(Kind::Response);
    parser.feed(text);
    EXPECT_EQ(parser.failure(), ParseFailure::Malformed) << text;
  }
}

TEST(MessageParserTest, TellsUpgradesAndKeepAlive) {
  MessageParser parser(Kind::Request);
  const std::string text =
      "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
      "websocket\r\n\r\n";
  EXPECT_EQ(parser.feed(text + "frame"), text.size());
  EXPECT_TRUE(parser.messageComplete());
  EXPECT_TRUE(parser.isUpgrade());
  parser.next();
  parser.feed("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n");
  EXPECT_FALSE(parser.isUpgrade());
  EXPECT_FALSE(parser.keepAlive());
  MessageParser response(Kind::Response);
  response.feed("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(response.messageComplete());
  EXPECT_TRUE(response.isUpgrade());
}

}  // namespace
}  // namespace stratos::http
