#include "stratos/session/session_manager.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/sql_stores.hpp"

namespace stratos::session {
namespace {

using namespace std::chrono_literals;

class SessionManagerTest : public ::testing::Test {
 protected:
  SessionManager make(const std::string& secret = "secret", const std::string& domain = "") {
    return {sql_.sessions,
            clock_,
            sql_.random,
            {.secret = Secret{secret}, .lifetime = 20min, .cookieDomain = domain}};
  }
  testing::ManualClock clock_;
  test::SqlStores sql_;
  SessionManager sessions_ = make();
};

TEST_F(SessionManagerTest, FindsWhatItCreated) {
  const Session made = sessions_.create(UserId{"u1"}, 4711);
  const auto found = sessions_.find(made.cookieValue.reveal());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user.str(), "u1");
  EXPECT_EQ(found->tokenExpiry, 4711);
  EXPECT_EQ(found->expiresAt, clock_.now() + 20min);
  EXPECT_EQ(found->xsrfToken.reveal(), made.xsrfToken.reveal());
  EXPECT_EQ(made.xsrfToken.reveal().size(), 44U);
}

TEST_F(SessionManagerTest, MakesADifferentIdEachTime) {
  const Session a = sessions_.create(UserId{"u"}, 0);
  const Session b = sessions_.create(UserId{"u"}, 0);
  EXPECT_NE(a.cookieValue.reveal(), b.cookieValue.reveal());
  EXPECT_NE(a.xsrfToken.reveal(), b.xsrfToken.reveal());
}

TEST_F(SessionManagerTest, RefusesForgedValuesWithoutAskingTheDatabase) {
  const std::string good = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  const std::string other = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  const std::uint64_t before = sql_.database().statementCount();
  std::vector<std::string> forged = {"",
                                     ".",
                                     "x",
                                     std::string(87, 'A'),
                                     std::string(43, 'A') + "." + std::string(43, 'A'),
                                     std::string(43, '.') + "." + std::string(43, '.'),
                                     std::string(100'000, 'A'),
                                     good.substr(0, 43) + other.substr(43),
                                     other.substr(0, 43) + good.substr(43),
                                     good + "A",
                                     " " + good,
                                     good + " ",
                                     good.substr(0, 86),
                                     good.substr(1),
                                     "\"" + good + "\"",
                                     std::string(87, '\0'),
                                     good.substr(0, 44) + std::string(43, '='),
                                     toLower(good)};
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'B' ? 'C' : 'B';
    forged.push_back(changed);
    std::string swapped = good;
    if (swapped[i] >= 'a' && swapped[i] <= 'z') {
      swapped[i] = static_cast<char>(swapped[i] - 'a' + 'A');
      forged.push_back(swapped);
    }
  }
  for (const auto& value : forged) EXPECT_FALSE(sessions_.find(value)) << value.substr(0, 100);
  EXPECT_EQ(sql_.database().statementCount(), before);
  EXPECT_TRUE(sessions_.find(good));
}

TEST_F(SessionManagerTest, RefusesValuesOfAnotherSecretOrCookieName) {
  const std::string value = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  EXPECT_FALSE(make("other").find(value));
  EXPECT_FALSE(make("secret", "example.com").find(value));
  EXPECT_TRUE(make().find(value)) << "another process with the same settings";
}

TEST_F(SessionManagerTest, EndsAtItsExpiry) {
  const std::string value = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  clock_.advance(20min - 1ms);
  EXPECT_TRUE(sessions_.find(value));
  clock_.advance(1ms);
  EXPECT_FALSE(sessions_.find(value));
}

TEST_F(SessionManagerTest, RenewMovesTheExpiryAndWritesTheToken) {
  Session session = sessions_.create(UserId{"u"}, 1);
  clock_.advance(19min);
  session.tokenExpiry = 99;
  ASSERT_TRUE(sessions_.renew(session));
  EXPECT_EQ(session.expiresAt, clock_.now() + 20min);
  clock_.advance(19min);
  const auto found = sessions_.find(session.cookieValue.reveal());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tokenExpiry, 99);
  EXPECT_EQ(found->xsrfToken.reveal(), session.xsrfToken.reveal());
}

TEST_F(SessionManagerTest, RenewRevivesNothing) {
  Session ended = sessions_.create(UserId{"u"}, 1);
  sessions_.end(ended.cookieValue.reveal());
  EXPECT_FALSE(sessions_.renew(ended));
  Session expired = sessions_.create(UserId{"u"}, 1);
  clock_.advance(20min);
  EXPECT_FALSE(sessions_.renew(expired));
  EXPECT_FALSE(sessions_.find(expired.cookieValue.reveal()));
}

TEST_F(SessionManagerTest, EndEndsOnlyThatSession) {
  const std::string a = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  const std::string b = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  sessions_.end(a);
  sessions_.end("garbage");
  sessions_.end(a);
  EXPECT_FALSE(sessions_.find(a));
  EXPECT_TRUE(sessions_.find(b));
}

TEST_F(SessionManagerTest, SweepDeletesOnlyWhatExpired) {
  (void)sessions_.create(UserId{"u"}, 0);
  (void)sessions_.create(UserId{"u"}, 0);
  clock_.advance(10min);
  const std::string young = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  EXPECT_EQ(sessions_.sweep(), 0);
  clock_.advance(10min + 1ms);
  EXPECT_EQ(sessions_.sweep(), 2);
  EXPECT_EQ(sessions_.sweep(), 0);
  EXPECT_TRUE(sessions_.find(young));
}

TEST_F(SessionManagerTest, KeepsOnlyAHashInTheDatabase) {
  const Session session = sessions_.create(UserId{"u"}, 0);
  const std::string& value = session.cookieValue.reveal();
  const std::string id = *fromBase64(value.substr(0, 43));
  const std::string signature = *fromBase64(value.substr(44));
  std::size_t cells = 0;
  for (const auto& row : sql_.database().connect().query("SELECT * FROM stratos_sessions")) {
    for (const char* column :
         {"id_hash", "user_guid", "token_expiry", "xsrf_token", "created_at", "expires_at"}) {
      const std::string cell =
          std::string{column}.ends_with("_at") || std::string{column} == "token_expiry"
              ? std::to_string(row.integer(column))
              : row.text(column);
      ++cells;
      for (const std::string& secret : {value, value.substr(0, 43), value.substr(44), id, signature,
                                        toHex(id), toBase64(id), toHex(signature)}) {
        EXPECT_EQ(cell.find(secret), std::string::npos) << column;
      }
    }
  }
  EXPECT_EQ(cells, 6U);
}

TEST_F(SessionManagerTest, AnnouncesTheExpiryOnTheBrowsersClock) {
  const Session session = sessions_.create(UserId{"u"}, 0);
  const std::int64_t server = toUnixSeconds(session.expiresAt);
  clock_.advance(5min + 500ms);
  EXPECT_EQ(sessions_.announcedExpiry(session, ""), server);
  EXPECT_EQ(sessions_.announcedExpiry(session, "1000"), 1000 + 15 * 60 - 1);
  for (const char* hostile :
       {"-1", "+1", " 1", "1 ", "1.5", "1e3", "0x10", "abc", "9223372036854775807",
        "99999999999999999999999", "-9223372036854775808", "253402300800", "1\n2"}) {
    EXPECT_EQ(sessions_.announcedExpiry(session, hostile), server) << hostile;
  }
  EXPECT_EQ(sessions_.announcedExpiry(session, std::string_view("1\0", 2)), server);
}

TEST_F(SessionManagerTest, SetsAHardCookie) {
  const Session session = sessions_.create(UserId{"u"}, 0);
  clock_.advance(1min);
  const http::SetCookie cookie = sessions_.cookieFor(session);
  EXPECT_EQ(cookie.name, "console-session");
  EXPECT_EQ(cookie.value, session.cookieValue.reveal());
  EXPECT_EQ(cookie.path, "/");
  EXPECT_EQ(cookie.domain, "");
  EXPECT_TRUE(cookie.httpOnly);
  EXPECT_TRUE(cookie.secure);
  EXPECT_EQ(cookie.sameSite, "Lax");
  EXPECT_EQ(cookie.expires, session.expiresAt);
  EXPECT_EQ(cookie.maxAge, std::chrono::seconds{19min});

  const http::SetCookie gone = sessions_.clearingCookie();
  EXPECT_EQ(gone.name, "console-session");
  EXPECT_EQ(gone.value, "");
  EXPECT_EQ(gone.expires, clock_.now() - 24h);
  EXPECT_FALSE(gone.maxAge);
  EXPECT_TRUE(gone.httpOnly);
  EXPECT_TRUE(gone.secure);
}

TEST_F(SessionManagerTest, NamesTheCookieAfterItsDomain) {
  const SessionManager plain = make("s", "-");
  EXPECT_EQ(plain.cookieName(), "console-session");
  EXPECT_EQ(plain.cookieDomain(), "");
  SessionManager named = make("s", "example.com");
  EXPECT_EQ(named.cookieName(), "console-session-0caaf24ab1");  // SHA-1("example.com")
  EXPECT_EQ(named.cookieDomain(), "example.com");
  const Session session = named.create(UserId{"u"}, 0);
  EXPECT_EQ(named.cookieFor(session).domain, "example.com");
  EXPECT_EQ(named.clearingCookie().domain, "example.com");
}

TEST_F(SessionManagerTest, SendsNoDomainThatABrowserWouldNotTake) {
  EXPECT_EQ(make("s", ".example.com").clearingCookie().domain, "example.com");
  EXPECT_EQ(make("s", "exa mple;com").clearingCookie().domain, "");
  EXPECT_NO_THROW((void)make("s", "a;b\r\nc").clearingCookie().str());
}

TEST_F(SessionManagerTest, ComparesXsrfTokensExactly) {
  Session session = sessions_.create(UserId{"u"}, 0);
  const std::string token = session.xsrfToken.reveal();
  EXPECT_TRUE(session.xsrfMatches(token));
  EXPECT_FALSE(session.xsrfMatches(""));
  EXPECT_FALSE(session.xsrfMatches(token + "x"));
  EXPECT_FALSE(session.xsrfMatches(token.substr(1)));
  session.xsrfToken = Secret{};
  EXPECT_FALSE(session.xsrfMatches(""));
}

TEST_F(SessionManagerTest, RefusesSettingsThatAreNotSafe) {
  EXPECT_THROW(make(""), Error);
  EXPECT_THROW(SessionManager(sql_.sessions, clock_, sql_.random,
                              {.secret = Secret{"s"}, .lifetime = 0min, .cookieDomain = ""}),
               Error);
}

TEST_F(SessionManagerTest, ServesManyThreads) {
  const std::string value = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        EXPECT_TRUE(sessions_.find(value));
        Session own = sessions_.create(UserId{"v"}, 0);
        EXPECT_TRUE(sessions_.renew(own));
        sessions_.end(own.cookieValue.reveal());
      }
    });
  }
}

/// A database that is away.
class BrokenSessionStore final : public store::SessionStore {
 public:
  void insert(const store::SessionRecord&) override { fail(); }
  std::optional<store::SessionRecord> find(const std::string&) override { fail(); }
  bool update(const store::SessionRecord&) override { fail(); }
  std::vector<store::SessionRecord> listForUser(const UserId&) override { fail(); }
  bool remove(const std::string&) override { fail(); }
  bool removeByPublicId(const UserId&, const std::string&) override { fail(); }
  std::int64_t removeForUser(const UserId&) override { fail(); }
  std::int64_t removeOthers(const UserId&, const std::string&) override { fail(); }
  std::int64_t removeExpired(TimePoint) override { fail(); }

 private:
  [[noreturn]] static void fail() { throw Error(ErrorCode::Unavailable, "away"); }
};

TEST_F(SessionManagerTest, TellsNoSessionFromNoDatabase) {
  const std::string value = sessions_.create(UserId{"u"}, 0).cookieValue.reveal();
  BrokenSessionStore broken;
  SessionManager sessions(broken, clock_, sql_.random,
                          {.secret = Secret{"secret"}, .lifetime = 20min, .cookieDomain = ""});
  EXPECT_THROW((void)sessions.find(value), Error);
  EXPECT_FALSE(sessions.find("garbage"));
}

}  // namespace
}  // namespace stratos::session
