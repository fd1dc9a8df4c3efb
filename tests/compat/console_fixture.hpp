#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/console/console.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/db/database.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_store.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "stratos/testing/simulated_foundation.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::compat {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline constexpr const char* kLocalUser = "root";
inline constexpr const char* kLocalPassword = "local-pass-5f1c";
inline constexpr const char* kAdminUser = "ada";  ///< Has stratos.admin and cloud_controller.admin.
inline constexpr const char* kAdminPassword = "ada-pass-77b0";
inline constexpr const char* kPlainUser = "bob";  ///< Has neither.
inline constexpr const char* kPlainPassword = "bob-pass-1d9e";
inline constexpr const char* kConsoleClient = "stratos-console";
inline constexpr const char* kConsoleSecret = "console-client-secret-4a";
inline constexpr const char* kHost = "console.example";

/// What the console answered, body read to its end.
struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;

  [[nodiscard]] std::string header(std::string_view name) const {
    return std::string{headers.get(name)};
  }
};

/// Texts that must never be in a log: whoever learns one during a test adds it.
class Vault {
 public:
  void add(const std::string& secret) {
    if (!secret.empty()) secrets_.insert(secret);
  }
  [[nodiscard]] const std::set<std::string>& secrets() const { return secrets_; }

 private:
  std::set<std::string> secrets_;
};

/// The front end as the console sees it: a cookie jar, the XSRF token of the last answer that had
/// one, and the fields that a browser adds.
class Browser {
 public:
  Browser(http::Handler& console, const Clock& clock, Vault& vault)
      : console_(console), clock_(clock), vault_(vault) {}

  /// Sends a request. Fields in `headers` replace those that the browser would send.
  Answer send(const std::string& method, const std::string& target, const Fields& headers = {},
              const std::string& body = {});
  Answer get(const std::string& target, const Fields& headers = {}) {
    return send("GET", target, headers);
  }
  /// An urlencoded form.
  Answer postForm(const std::string& target, const Fields& form, const Fields& headers = {});
  /// multipart/form-data as Angular sends it; without fields only the closing boundary.
  Answer postMultipart(const std::string& target, const Fields& form);
  Answer postJson(const std::string& target, const std::string& body);
  Answer remove(const std::string& target);

  Answer login(const std::string& user, const std::string& password, const Fields& headers = {});
  Answer verify(const Fields& headers = {}) { return get("/api/v1/auth/verify", headers); }

  [[nodiscard]] std::optional<std::string> cookie(
      const std::string& name = "console-session") const;
  void setCookie(const std::string& name, const std::string& value) { jar_[name] = value; }
  [[nodiscard]] const std::string& xsrfToken() const { return xsrfToken_; }
  void setXsrfToken(std::string token) { xsrfToken_ = std::move(token); }

 private:
  void keep(const http::Headers& headers);

  http::Handler& console_;
  const Clock& clock_;
  Vault& vault_;
  std::map<std::string, std::string> jar_;
  std::string xsrfToken_;
};

/// A Set-Cookie field taken apart; names of attributes in lower case.
struct ParsedCookie {
  std::string name;
  std::string value;
  std::map<std::string, std::string> attributes;
};
[[nodiscard]] ParsedCookie parseCookie(const std::string& field);

/// The value at `path` ("data/user/name", "0/guid") as text: strings bare, everything else as JSON.
/// "<missing>" when there is none.
[[nodiscard]] std::string jsonAt(const std::string& document, const std::string& path);
/// The member names of the object at `path`, in their order in the document.
[[nodiscard]] std::vector<std::string> jsonKeys(const std::string& document,
                                                const std::string& path = "");
/// What an upstream answers without fields of its own.
[[nodiscard]] testing::Reply plainReply(int status, std::string body);
/// `{"status":"error","error":"<text>"}`.
[[nodiscard]] std::string jsonT(const std::string& text);

/// A console over a fresh database with peers on real sockets. At its end no log line may hold a
/// secret that was used.
class ConsoleFixture {
 public:
  explicit ConsoleFixture(db::Dialect dialect);
  virtual ~ConsoleFixture();
  ConsoleFixture(const ConsoleFixture&) = delete;
  ConsoleFixture& operator=(const ConsoleFixture&) = delete;

  [[nodiscard]] static ConsoleOptions localOptions();
  [[nodiscard]] ConsoleOptions remoteOptions();

  /// (Re)starts the console on the same database.
  Console& start(ConsoleOptions options);
  Console& start(ConsoleOptions options, std::vector<std::unique_ptr<Extension>> extensions,
                 std::unique_ptr<http::Handler> frontEnd = nullptr);
  /// The console; with localOptions() when none was started.
  Console& console();
  [[nodiscard]] Browser browser() { return {console(), clock, vault}; }
  /// A browser that the local administrator has signed in with.
  [[nodiscard]] Browser localAdmin();
  [[nodiscard]] Browser signedIn(const std::string& user, const std::string& password);

  /// Single sign-on: to the UAA, where that user is signed in, and back to /home.
  void signInByRedirect(Browser& browser, const std::string& user);

  /// UAA and Cloud Controller over plain HTTP, started when asked for first.
  testing::SimulatedFoundation& foundation();
  /// The UAA of the foundation and, with remoteOptions(), of the console.
  testing::FakeUaa& uaa() { return foundation().uaa(); }
  testing::FakeCloudController& cloudController() { return foundation().cloudController(); }

  /// Registers the foundation through the API; returns its GUID.
  std::string registerFoundation(Browser& admin);
  /// Connects through the API.
  Answer connect(Browser& browser, const std::string& guid, const std::string& user,
                 const std::string& password);
  /// Puts an endpoint into the database, past the API.
  void insertEndpoint(const std::string& guid, const std::string& url,
                      const std::string& creator = {}, const std::string& type = "cf");
  /// Puts a token of `user` into the database, past the API.
  void insertToken(const std::string& user, const std::string& endpoint,
                   const std::string& authType = "HttpBasic",
                   const std::string& authToken = "YTpi");

  /// The GUID of the browser's user.
  [[nodiscard]] std::string userGuid(Browser& browser);
  [[nodiscard]] std::uint64_t statements() const { return database->statementCount(); }
  /// Statements that `act` takes.
  template <class Act>
  std::uint64_t statementsOf(Act&& act) {
    const std::uint64_t before = statements();
    act();
    return statements() - before;
  }

  testing::ManualClock clock;
  crypto::SystemRandom random;
  testing::CapturingLogSink log;
  Vault vault;
  testing::TestDatabase place;
  std::unique_ptr<db::Database> database;
  crypto::TokenCipher cipher;
  store::SqlEndpointStore endpointStore;
  store::SqlTokenStore tokenStore;
  http::PooledTransport transport;

  /// Fails the test for every secret in the log.
  void expectNoSecretLogged();

 private:
  std::unique_ptr<testing::SimulatedFoundation> foundation_;
  std::unique_ptr<Console> console_;
};

/// Takes every connection of the fixture's database while it lives: the database is away.
class DatabaseOutage {
 public:
  explicit DatabaseOutage(ConsoleFixture& fixture);

 private:
  std::vector<db::Connection> held_;
};

/// The base of suites that run on every dialect.
class ConsoleTest : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override;
  void TearDown() override;
  ConsoleFixture& t() { return *fixture_; }

 private:
  std::unique_ptr<ConsoleFixture> fixture_;
};

[[nodiscard]] std::string dialectName(const ::testing::TestParamInfo<db::Dialect>& info);

#define STRATOS_ON_EVERY_DIALECT(suite) \
  INSTANTIATE_TEST_SUITE_P(             \
      Db, suite, ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql), dialectName)

}  // namespace stratos::compat
