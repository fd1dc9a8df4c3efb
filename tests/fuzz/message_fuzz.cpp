#include <string>

#include "fuzz.hpp"
#include "stratos/http/parser.hpp"

// Input: one byte that says how to cut, then what a peer sends.

namespace stratos::fuzz {
namespace {

using http::MessageParser;

/// What came out of a parser, as text.
std::string outcomeOf(MessageParser::Kind kind, std::string_view input, std::size_t step) {
  MessageParser parser(kind);
  std::string outcome;
  constexpr int kMostMessages = 8;
  for (int message = 0; message < kMostMessages; ++message) {
    std::string body;
    while (!input.empty() && !parser.messageComplete() &&
           parser.failure() == http::ParseFailure::None) {
      const std::string_view piece = input.substr(0, step);
      const std::size_t used = parser.feed(piece);
      require(used <= piece.size(), "no more is consumed than was given");
      require(used > 0 || parser.messageComplete() || parser.failure() != http::ParseFailure::None,
              "parsing goes on");
      input.remove_prefix(used);
      body += parser.takeBody();
    }
    if (parser.failure() != http::ParseFailure::None) return outcome + "broken";
    if (!parser.messageComplete()) return outcome + "unfinished";
    outcome += parser.method() + " " + parser.target() + " " + std::to_string(parser.status());
    for (const auto& [name, value] : parser.headers()) {
      require(value.find_first_of(std::string_view{"\0\r\n", 3}) == std::string::npos,
              "a field is one line");
      outcome.append("\n").append(name).append(":").append(value);
    }
    outcome += "\n" + body + "\n";
    if (!parser.keepAlive() || parser.isUpgrade()) return outcome + "end";
    parser.next();
  }
  return outcome;
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::size_t step = static_cast<unsigned char>(input.front()) % 16 + 1;
  input.remove_prefix(1);
  for (const auto kind : {MessageParser::Kind::Request, MessageParser::Kind::Response}) {
    require(outcomeOf(kind, input, input.size() + 1) == outcomeOf(kind, input, step),
            "how the bytes arrive makes no difference");
  }
}

}  // namespace stratos::fuzz
