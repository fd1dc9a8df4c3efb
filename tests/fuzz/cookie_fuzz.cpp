#include <optional>
#include <string>

#include "console/sso_flow.hpp"
#include "fuzz.hpp"
#include "stratos/base/error.hpp"
#include "stratos/http/message.hpp"
#include "stratos/session/session_manager.hpp"

// Input: the value of a Set-Cookie, the name of a cookie, and then a Cookie field in each line.

namespace stratos::fuzz {
namespace {

/// Nobody can guess an HMAC, so no input gets as far as the database.
class UnreachableStore final : public store::SessionStore {
 public:
  void insert(const store::SessionRecord&) override { fail(); }
  std::optional<store::SessionRecord> find(const std::string&) override {
    fail();
    return std::nullopt;
  }
  std::vector<store::SessionRecord> listForUser(const UserId&) override {
    fail();
    return {};
  }
  bool update(const store::SessionRecord&) override {
    fail();
    return false;
  }
  bool remove(const std::string&) override {
    fail();
    return false;
  }
  bool removeByPublicId(const UserId&, const std::string&) override {
    fail();
    return false;
  }
  std::int64_t removeForUser(const UserId&) override {
    fail();
    return 0;
  }
  std::int64_t removeOthers(const UserId&, const std::string&) override {
    fail();
    return 0;
  }
  std::int64_t removeExpired(TimePoint) override {
    fail();
    return 0;
  }

 private:
  static void fail() { require(false, "a forged cookie does not reach the database"); }
};

/// The same bytes in each run.
class FixedRandom final : public Random {
 public:
  std::string bytes(std::size_t count) override { return std::string(count, 'r'); }
};

void checkSetCookie(std::string_view value, std::string_view name) {
  http::SetCookie cookie;
  cookie.name = name;
  cookie.value = value;
  std::string text;
  try {
    text = cookie.str();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::InvalidArgument, "a malformed cookie is refused as such");
    return;
  }
  require(text.find_first_of("\r\n") == std::string::npos, "a cookie is one line");
  http::Request request;
  request.headers.add("Cookie", "a=b; " + text.substr(0, text.find(';')));
  require(request.cookie(name) == value || value.empty(), "what we set can be read again");
}

}  // namespace

void run(std::string_view input) {
  const std::string_view value = takeLine(input);
  const std::string_view name = takeLine(input);
  checkSetCookie(value, name);

  http::Request request;
  while (!input.empty()) {
    const std::string field{takeLine(input)};
    if (field.find_first_of(std::string_view{"\0\r", 2}) != std::string::npos) return;
    request.headers.add("Cookie", field);
  }
  static UnreachableStore store;
  static SystemClock clock;
  static FixedRandom random;
  static session::SessionManager sessions(store, clock, random, {.secret = Secret{"a secret"}});
  static const console::SsoTickets tickets(Secret{"a secret"}, clock, random);
  for (const std::string& wanted : {sessions.cookieName(), std::string{name}}) {
    const auto cookie = request.cookie(wanted);
    if (!cookie) continue;
    require(cookie->find(';') == std::string::npos, "a cookie ends at its semicolon");
    require(!sessions.find(*cookie), "a forged cookie is no session");
    sessions.end(*cookie);
  }
  require(!tickets.find(request, value), "a forged ticket is none");
  static_cast<void>(http::parseHttpDate(value));
}

}  // namespace stratos::fuzz
