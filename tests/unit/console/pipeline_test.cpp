#include "console_fixture.hpp"

#include <functional>
#include <new>
#include <stdexcept>

#include "stratos/base/error.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;

/// Adds what a test wants.
class Additions final : public Extension {
 public:
  explicit Additions(std::function<void(ExtensionHost&)> attach, std::string name = "additions")
      : attach_(std::move(attach)), name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  void attach(ExtensionHost& host) override { attach_(host); }

 private:
  std::function<void(ExtensionHost&)> attach_;
  std::string name_;
};

std::vector<std::unique_ptr<Extension>> only(std::function<void(ExtensionHost&)> attach) {
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(std::make_unique<Additions>(std::move(attach)));
  return extensions;
}

class PipelineTest : public ::testing::Test {
 protected:
  void TearDown() override { t.expectNoSecretLogged(); }

  /// A console whose route GET and POST /pp/v1/public runs `handler`.
  void startWith(const http::HandlerFunction& handler,
                 ConsoleOptions options = ConsoleFixture::localOptions()) {
    t.start(std::move(options), only([handler](ExtensionHost& host) {
              host.addRoute(RouteAccess::Public, "GET", "/pp/v1/public", handler);
              host.addRoute(RouteAccess::Public, "POST", "/pp/v1/public", handler);
            }));
  }
  Answer ask() { return t.browser().get("/pp/v1/public"); }

  ConsoleFixture t{db::Dialect::Sqlite};
};

http::Response ok(http::Request&) { return http::Response::text(200, "ok"); }

TEST_F(PipelineTest, ErrorsBecomeAnswersAndOneLogLine) {
  struct Row {
    ErrorCode code;
    int status;
    LogLevel level;
  };
  for (const Row& row : std::vector<Row>{{ErrorCode::InvalidArgument, 400, LogLevel::Info},
                                         {ErrorCode::AlreadyExists, 400, LogLevel::Info},
                                         {ErrorCode::NotFound, 404, LogLevel::Info},
                                         {ErrorCode::Unauthenticated, 401, LogLevel::Info},
                                         {ErrorCode::PermissionDenied, 403, LogLevel::Info},
                                         {ErrorCode::Unavailable, 503, LogLevel::Error},
                                         {ErrorCode::Cancelled, 503, LogLevel::Info},
                                         {ErrorCode::DeadlineExceeded, 504, LogLevel::Info},
                                         {ErrorCode::Internal, 500, LogLevel::Error}}) {
    startWith([&row](http::Request&) -> http::Response {
      throw Error(row.code, "inside db.internal:5432", "for everybody");
    });
    t.log.clear();
    const Answer answer = ask();
    const std::string name{toString(row.code)};
    EXPECT_EQ(answer.status, row.status) << name;
    EXPECT_EQ(answer.body,
              row.code == ErrorCode::Internal ? "Internal Server Error" : jsonT("for everybody"))
        << name;
    EXPECT_EQ(answer.header("X-Frame-Options"), "SAMEORIGIN") << name;
    EXPECT_EQ(answer.header("Cache-Control"), "no-store") << name;
    EXPECT_THAT(answer.headers.all("Vary"), ::testing::ElementsAre("Origin")) << name;
    const auto lines = t.log.linesWith("request failed");
    ASSERT_EQ(lines.size(), 1U) << name;
    EXPECT_EQ(lines[0].level, row.level) << name;
    EXPECT_EQ(lines[0].field("code"), name);
    EXPECT_EQ(lines[0].field("reason"), "inside db.internal:5432");
    EXPECT_EQ(lines[0].field("id"), answer.header("X-Request-Id"));
  }
}

TEST_F(PipelineTest, ExceptionsOfAnyKindBecome500) {
  const std::vector<http::HandlerFunction> handlers = {
      [](http::Request&) -> http::Response { throw std::runtime_error("db.internal"); },
      [](http::Request&) -> http::Response { throw std::bad_alloc(); },
      [](http::Request&) -> http::Response { throw 42; },  // NOLINT(hicpp-exception-baseclass)
      [](http::Request&) -> http::Response { throw "db.internal"; }};
  for (const auto& handler : handlers) {
    startWith(handler);
    t.log.clear();
    const Answer answer = ask();
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body, "Internal Server Error");
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=UTF-8");
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.header("X-Request-Id").size(), 16U);
    ASSERT_EQ(t.log.linesWith("request failed").size(), 1U);
    EXPECT_EQ(t.log.linesWith("request failed")[0].level, LogLevel::Error);
  }
}

class BrokenRandom final : public Random {
 public:
  std::string bytes(std::size_t) override { throw Error(ErrorCode::Internal, "no entropy"); }
};

TEST_F(PipelineTest, AConsoleWithoutRandomBytesIsNotMade) {
  t.console();
  BrokenRandom random;
  const ConsoleEnvironment environment{*t.database, t.cipher, t.transport, t.clock, random, t.log};
  EXPECT_THROW(Console(ConsoleFixture::localOptions(), environment, {}), Error);
}

TEST_F(PipelineTest, OddRequestsAreAnswered) {
  Browser browser = t.browser();
  for (const char* target : {"", "*", "pp/v1/info", "/?", "//", "/%", "/pp/v1/%2e%2e/info",
                             "http://elsewhere/pp/v1/info", "/pp/v1/info?%zz", "/api/v1/\x01"}) {
    EXPECT_LT(browser.get(target).status, 500) << target;
  }
  for (const char* method : {"", "TRACE", "CONNECT", "PROPFIND", "get", "GET "}) {
    const int status = browser.send(method, "/pp/v1/info").status;
    EXPECT_TRUE(status == 401 || status == 404) << method << " " << status;
  }
  EXPECT_EQ(browser.get("/pp/v1/info", {{"Cookie", ";;=; console-session; =x; a=b=c"}}).status,
            401);
}

TEST_F(PipelineTest, EachRequestHasAnIdThatTheLogKnows) {
  startWith(ok);
  const Answer one = ask();
  const Answer two = ask();
  EXPECT_NE(one.header("X-Request-Id"), two.header("X-Request-Id"));
  const auto lines = t.log.linesWith("request");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].field("id"), two.header("X-Request-Id"));
  EXPECT_EQ(lines[1].field("method"), "GET");
  EXPECT_EQ(lines[1].field("path"), "/pp/v1/public");
  EXPECT_EQ(lines[1].field("status"), "200");
  EXPECT_EQ(lines[1].field("remote"), "192.0.2.7");
}

TEST_F(PipelineTest, TheIdIsOursAndNotTheBrowsers) {
  startWith(ok);
  const Answer answer = t.browser().get("/pp/v1/public", {{"X-Request-Id", "mine"}});
  EXPECT_THAT(answer.headers.all("X-Request-Id"), ::testing::SizeIs(1));
  EXPECT_NE(answer.header("X-Request-Id"), "mine");
}

TEST_F(PipelineTest, QueriesStayOutOfTheLog) {
  startWith(ok);
  t.browser().get("/pp/v1/public?password=query-secret-5");
  EXPECT_FALSE(t.log.mentions("query-secret-5"));
}

TEST_F(PipelineTest, TheAccessLogCanBeSwitchedOff) {
  auto options = ConsoleFixture::localOptions();
  options.logRequests = false;
  startWith(ok, options);
  ask();
  EXPECT_TRUE(t.log.linesWith("request").empty());
}

TEST_F(PipelineTest, ChangesComeFromOurOwnPagesOnly) {
  struct Row {
    const char* host;
    const char* origin;  // Empty: the field is not sent.
    const char* site;    // Empty: the field is not sent.
    bool allowed;
  };
  const std::vector<Row> rows = {
      // What is no browser sends neither.
      {"console.example", "", "", true},
      // Browsers of today say it themselves.
      {"console.example", "https://console.example", "same-origin", true},
      {"console.example", "", "none", true},
      {"console.example", "null", "same-origin", true},
      {"console.example", "https://evil.example", "cross-site", false},
      {"console.example", "https://sub.console.example", "same-site", false},
      {"console.example", "https://console.example", "cross-site", false},
      {"console.example", "", "cross-site", false},
      {"console.example", "null", "cross-site", false},
      // Older ones, and plain HTTP: the origin must be the host that was asked.
      {"console.example", "https://console.example", "", true},
      {"CONSOLE.example", "https://console.example", "", true},
      {"console.example:443", "https://console.example", "", true},
      {"console.example", "https://console.example:443", "", true},
      {"console.example:8443", "https://console.example:8443", "", true},
      {"[::1]:8443", "https://[::1]:8443", "", true},
      {"console.example", "https://console.example:8443", "", false},
      {"console.example:8443", "https://console.example", "", false},
      {"console.example", "http://console.example", "", false},  // The request came over TLS.
      {"console.example", "https://evil.example", "", false},
      {"console.example", "https://console.example.evil.example", "", false},
      {"console.example", "https://evilconsole.example", "", false},
      {"console.example", "https://console.example@evil.example", "", false},
      {"console.example", "null", "", false},
      {"console.example", "garbage", "", false},
      {"", "https://console.example", "", false},
      {"console.example/", "https://evil.example", "", false},
  };
  startWith(ok);
  for (const Row& row : rows) {
    http::Request request;
    request.method = "POST";
    request.target = "/pp/v1/public";
    request.secure = true;
    if (*row.host) request.headers.set("Host", row.host);
    if (*row.origin) request.headers.set("Origin", row.origin);
    if (*row.site) request.headers.set("Sec-Fetch-Site", row.site);
    const std::string name = std::string{row.host} + " / " + row.origin + " / " + row.site;
    const http::Response response = t.console().handle(request);
    EXPECT_EQ(response.status, row.allowed ? 200 : 403) << name;
    if (!row.allowed) {
      EXPECT_EQ(response.body.bytes(), jsonT("Cross-site request refused"));
    }
    // Reading is everybody's business; the browser keeps the answer from foreign pages.
    request.method = "GET";
    EXPECT_EQ(t.console().handle(request).status, 200) << name;
  }
}

TEST_F(PipelineTest, PlainHttpPagesMayUsePlainHttp) {
  startWith(ok);
  http::Request request;
  request.method = "POST";
  request.target = "/pp/v1/public";
  request.headers = {{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}};
  EXPECT_EQ(t.console().handle(request).status, 200);
  // Behind a proxy that ends TLS the page is https and we are not.
  request.headers = {{"Host", "console.example"}, {"Origin", "https://console.example"}};
  EXPECT_EQ(t.console().handle(request).status, 200);
}

TEST_F(PipelineTest, AllowedOriginsMayChangeThings) {
  struct Row {
    std::vector<std::string> allowed;
    const char* origin;
    bool accepted;
  };
  for (const Row& row :
       std::vector<Row>{{{" https://portal.example "}, "https://portal.example", true},
                        {{"https://*.portal.example"}, "https://a.portal.example", true},
                        {{"https://*.portal.example"}, "https://portal.example.evil", false},
                        {{"https://portal.example"}, "https://portal.example:8443", false},
                        {{"https://portal.example"}, "", false},
                        {{"https://portal.example"}, "null", false},
                        {{"", "  "}, "https://evil.example", false},
                        {{"", "  "}, "", false},
                        {{"*"}, "https://evil.example", false},  // A bare star never opens changes.
                        {{" * "}, "https://evil.example", false},
                        {{"*"}, "", false},
                        {{"*", "https://portal.example"}, "https://portal.example", true}}) {
    auto options = ConsoleFixture::localOptions();
    options.allowedOrigins = row.allowed;
    startWith(ok, options);
    http::Request request;
    request.method = "POST";
    request.target = "/pp/v1/public";
    request.headers = {{"Host", kHost}, {"Sec-Fetch-Site", "cross-site"}};
    if (*row.origin) request.headers.set("Origin", row.origin);
    EXPECT_EQ(t.console().handle(request).status, row.accepted ? 200 : 403)
        << row.allowed.front() << " / " << row.origin;
  }
}

TEST_F(PipelineTest, LoginAndLogoutAreGuardedToo) {
  Browser browser = t.localAdmin();
  const Fields foreign{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}};
  EXPECT_EQ(browser.login(kLocalUser, kLocalPassword, foreign).status, 403);
  EXPECT_EQ(browser.send("POST", "/pp/v1/auth/logout", foreign).status, 403);
  EXPECT_EQ(browser.get("/pp/v1/info").status, 200);
}

TEST_F(PipelineTest, ALongOriginCostsNeitherStackNorTime) {
  auto options = ConsoleFixture::localOptions();
  options.allowedOrigins = {"https://*a*a*a*a*a*a*a*b.example"};
  startWith(ok, options);
  const std::string origin = "https://" + std::string(60'000, 'a');
  EXPECT_EQ(
      t.browser()
          .send("POST", "/pp/v1/public", {{"Origin", origin}, {"Sec-Fetch-Site", "cross-site"}})
          .status,
      403);
}

TEST_F(PipelineTest, RoutesOfExtensionsStandBehindTheirAccess) {
  t.uaa();
  t.start(t.remoteOptions(), only([](ExtensionHost& host) {
            const auto who = [](http::Request& request) {
              const auto* signedIn = request.find<SignedIn>();
              return http::Response::text(200, signedIn ? signedIn->user.str() : "nobody");
            };
            host.addRoute(RouteAccess::Public, "POST", "/pp/v1/ext/public", who);
            host.addRoute(RouteAccess::Session, "GET", "/pp/v1/ext/:id/session", who);
            host.addRoute(RouteAccess::Session, "POST", "/pp/v1/ext/:id/session", who);
            host.addRoute(RouteAccess::Admin, "GET", "/api/v1/ext/admin/*", who);
          }));
  Browser stranger = t.browser();
  Browser plain = t.signedIn(kPlainUser, kPlainPassword);
  Browser admin = t.signedIn(kAdminUser, kAdminPassword);
  const std::string plainId = t.uaa().userGuid(kPlainUser);

  EXPECT_EQ(stranger.send("POST", "/pp/v1/ext/public").body, "nobody");
  EXPECT_EQ(stranger.get("/pp/v1/ext/1/session").status, 401);
  EXPECT_EQ(plain.get("/pp/v1/ext/1/session").body, plainId);
  EXPECT_EQ(plain.send("POST", "/pp/v1/ext/1/session").body, plainId);
  EXPECT_EQ(plain.send("POST", "/pp/v1/ext/1/session", {{"X-Xsrf-Token", "no"}}).status, 401);
  EXPECT_EQ(stranger.get("/api/v1/ext/admin/x").status, 401);
  EXPECT_EQ(plain.get("/api/v1/ext/admin/x").body,
            jsonT("You must be a Stratos admin to access this API"));
  EXPECT_EQ(admin.get("/api/v1/ext/admin/x").status, 200);
}

class NamedType final : public endpoint::EndpointType {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "thing"; }
  [[nodiscard]] endpoint::ProbeResult probe(const store::EndpointRecord&, Deadline) override {
    endpoint::ProbeResult result;
    result.status = endpoint::ProbeStatus::Accepted;
    return result;
  }
  [[nodiscard]] endpoint::ConnectResult connect(const store::EndpointRecord&,
                                                const http::FormParameters& form,
                                                Deadline) override {
    endpoint::ConnectResult result;
    if (form.rawBody == "boom") throw Error(ErrorCode::Internal, "inside");
    result.connected = true;
    result.token.authType = "none";
    result.token.authToken = Secret{"none"};
    result.token.refreshToken = Secret{"none"};
    return result;
  }
};

TEST_F(PipelineTest, EndpointTypesOfExtensionsCanBeUsed) {
  t.start(ConsoleFixture::localOptions(),
          only([](ExtensionHost& host) { host.addEndpointType(std::make_unique<NamedType>()); }));
  Browser admin = t.localAdmin();
  EXPECT_EQ(jsonAt(admin.get("/pp/v1/info").body, "endpoints"), R"({"thing":{}})");
  EXPECT_EQ(jsonAt(admin.get("/pp/v1/info").body, "plugins"), R"({"additions":true})");
  const Answer added =
      admin.postMultipart("/api/v1/endpoints?endpoint_type=thing",
                          {{"cnsi_name", "n"}, {"api_endpoint", "https://thing.example"}});
  ASSERT_EQ(added.status, 201) << added.body;
  const std::string target = "/api/v1/tokens?cnsi_guid=" + jsonAt(added.body, "guid");
  // A raw body reaches the type as it is.
  EXPECT_EQ(admin.send("POST", target, {{"Content-Type", "text/plain"}}, "boom").status, 500);
  const Answer connected = admin.send("POST", target, {{"Content-Type", "text/plain"}}, "config");
  EXPECT_EQ(connected.status, 200);
  EXPECT_EQ(jsonAt(connected.body, "user"),
            R"({"guid":"none","name":"none","admin":false,"scopes":null})");
  EXPECT_EQ(jsonAt(connected.body, "token_expiry"), "0");
}

template <class Make>
std::string refusalOf(Make make, ErrorCode code) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

TEST_F(PipelineTest, TwoExtensionsCannotBringTheSameThing) {
  const auto start = [&](const std::function<void(ExtensionHost&)>& attach, const char* second) {
    return refusalOf(
        [&] {
          std::vector<std::unique_ptr<Extension>> extensions;
          extensions.push_back(std::make_unique<Additions>(attach, "first"));
          extensions.push_back(std::make_unique<Additions>(attach, second));
          t.start(ConsoleFixture::localOptions(), std::move(extensions));
        },
        ErrorCode::AlreadyExists);
  };
  EXPECT_THAT(
      start([](ExtensionHost& host) { host.addEndpointType(std::make_unique<NamedType>()); },
            "second"),
      HasSubstr("thing"));
  EXPECT_THAT(
      start([](ExtensionHost& host) { host.addRoute(RouteAccess::Session, "GET", "/pp/v1/x", ok); },
            "second"),
      HasSubstr("/pp/v1/x"));
  EXPECT_THAT(start([](ExtensionHost&) {}, "first"), HasSubstr("first"));
}

TEST_F(PipelineTest, ExtensionsCannotReplaceRoutesOrLeaveTheApi) {
  const auto adding = [&](const char* pattern, ErrorCode code) {
    return refusalOf(
        [&] {
          t.start(ConsoleFixture::localOptions(), only([pattern](ExtensionHost& host) {
                    host.addRoute(RouteAccess::Public, "GET", pattern, ok);
                  }));
        },
        code);
  };
  EXPECT_THAT(adding("/pp/v1/info", ErrorCode::AlreadyExists), HasSubstr("/pp/v1/info"));
  EXPECT_THAT(adding("/elsewhere", ErrorCode::InvalidArgument), HasSubstr("/elsewhere"));
  EXPECT_THAT(adding("/pp/v1x/y", ErrorCode::InvalidArgument), HasSubstr("/pp/v1x/y"));
}

TEST_F(PipelineTest, OptionsThatCannotWorkAreNamed) {
  struct Row {
    std::function<void(ConsoleOptions&)> spoil;
    const char* named;
  };
  const auto remote = [](ConsoleOptions& options) {
    options.signIn.type = AuthType::Remote;
    options.signIn.uaa.baseUrl = "https://uaa.example";
  };
  const std::vector<Row> rows = {
      {[](ConsoleOptions& o) { o.session.secret = Secret{}; }, "SESSION_STORE_SECRET"},
      {[](ConsoleOptions& o) { o.session.lifetime = std::chrono::minutes{0}; },
       "SESSION_STORE_EXPIRY"},
      {[](ConsoleOptions& o) { o.session.lifetime = std::chrono::minutes{-5}; },
       "SESSION_STORE_EXPIRY"},
      {[](ConsoleOptions& o) { o.signIn.adminScope.clear(); }, "CONSOLE_ADMIN_SCOPE"},
      {[](ConsoleOptions& o) { o.signIn.localUserPassword = Secret{}; }, "LOCAL_USER_PASSWORD"},
      {[](ConsoleOptions& o) { o.signIn.localUserPassword = Secret{std::string(73, 'x')}; },
       "LOCAL_USER_PASSWORD"},
      {[&](ConsoleOptions& o) {
         remote(o);
         o.signIn.adminScope.clear();
       },
       "CONSOLE_ADMIN_SCOPE"},
      {[&](ConsoleOptions& o) {
         remote(o);
         o.signIn.uaa.baseUrl.clear();
       },
       "UAA_ENDPOINT"},
      {[&](ConsoleOptions& o) {
         remote(o);
         o.signIn.uaa.baseUrl = "uaa.example";
       },
       "UAA_ENDPOINT"}};
  for (const Row& row : rows) {
    auto options = ConsoleFixture::localOptions();
    row.spoil(options);
    EXPECT_THAT(refusalOf([&] { t.start(options); }, ErrorCode::InvalidArgument),
                HasSubstr(row.named));
  }
  // Nothing was written on the way.
  const auto users = t.database->connect().query("SELECT user_guid FROM local_users");
  EXPECT_TRUE(users.empty());
}

TEST_F(PipelineTest, ADatabaseThatIsAwayStopsTheStart) {
  const DatabaseOutage outage(t);
  refusalOf([&] { t.start(ConsoleFixture::localOptions()); }, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace stratos::compat
