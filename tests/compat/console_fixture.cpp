#include "console_fixture.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/ParseHandler.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Stringifier.h>

#include "stratos/base/encoding.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::compat {

namespace {

constexpr const char* kSessionSecret = "session-secret-0c9d7f";
constexpr std::size_t kConnections = 8;
constexpr const char* kBoundary = "----WebKitFormBoundary7MA4YWxk";

Poco::Dynamic::Var parse(const std::string& document) {
  Poco::JSON::Parser parser(new Poco::JSON::ParseHandler(/*preserveObjectOrder=*/true));
  return parser.parse(document);
}

std::optional<Poco::Dynamic::Var> walk(const std::string& document, const std::string& path) {
  Poco::Dynamic::Var value;
  try {
    value = parse(document);
  } catch (const Poco::Exception&) {
    return std::nullopt;
  }
  if (path.empty()) return std::make_optional(value);
  for (const std::string& part : split(path, '/')) {
    if (value.type() == typeid(Poco::JSON::Object::Ptr)) {
      const auto object = value.extract<Poco::JSON::Object::Ptr>();
      if (!object->has(part)) return std::nullopt;
      value = object->get(part);
    } else if (value.type() == typeid(Poco::JSON::Array::Ptr)) {
      const auto array = value.extract<Poco::JSON::Array::Ptr>();
      const auto index = static_cast<unsigned>(std::stoul(part));
      if (index >= array->size()) return std::nullopt;
      value = array->get(index);
    } else {
      return std::nullopt;
    }
  }
  return std::make_optional(value);
}

}  // namespace

Answer Browser::send(const std::string& method, const std::string& target, const Fields& headers,
                     const std::string& body) {
  http::Request request;
  request.method = method;
  request.target = target;
  request.peerAddress = "192.0.2.7";
  request.secure = true;
  request.headers = {{"Host", kHost}, {"Accept", "application/json, text/plain, */*"}};
  std::string cookies;
  for (const auto& [name, value] : jar_) {
    cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
  }
  if (!cookies.empty()) request.headers.add("Cookie", cookies);
  if (method != "GET" && method != "HEAD") {
    request.headers.add("Origin", std::string{"https://"} + kHost);
    request.headers.add("Sec-Fetch-Site", "same-origin");
    request.headers.add("X-XSRF-TOKEN", xsrfToken_);
  }
  for (const auto& [name, value] : headers) request.headers.set(name, value);
  request.body = http::Body{body};

  http::Response response = console_.handle(request);
  keep(response.headers);
  return {response.status, response.headers, response.body.readAll(64 * 1024 * 1024)};
}

void Browser::keep(const http::Headers& headers) {
  for (const std::string_view field : headers.all("Set-Cookie")) {
    const ParsedCookie cookie = parseCookie(std::string{field});
    vault_.add(cookie.value);
    const auto maxAge = cookie.attributes.find("max-age");
    const auto expires = cookie.attributes.find("expires");
    bool gone = false;
    if (maxAge != cookie.attributes.end()) {
      gone = maxAge->second == "0" || maxAge->second.starts_with("-");
    } else if (expires != cookie.attributes.end()) {
      const auto at = http::parseHttpDate(expires->second);
      gone = at && *at <= clock_.now();
    }
    if (gone) {
      jar_.erase(cookie.name);
    } else {
      jar_[cookie.name] = cookie.value;
    }
  }
  if (const auto token = headers.find("x-xsrf-token")) {
    xsrfToken_ = std::string{*token};
    vault_.add(xsrfToken_);
  }
}

Answer Browser::postForm(const std::string& target, const Fields& form, const Fields& headers) {
  FormFields fields;
  for (const auto& [name, value] : form) fields.emplace_back(name, value);
  Fields all{{"Content-Type", "application/x-www-form-urlencoded"}};
  all.insert(all.end(), headers.begin(), headers.end());
  return send("POST", target, all, encodeForm(fields));
}

Answer Browser::postMultipart(const std::string& target, const Fields& form) {
  std::string body;
  for (const auto& [name, value] : form) {
    body += std::string{"--"} + kBoundary + "\r\nContent-Disposition: form-data; name=\"" + name +
            "\"\r\n\r\n" + value + "\r\n";
  }
  body += std::string{"--"} + kBoundary + "--\r\n";
  return send("POST", target,
              {{"Content-Type", std::string{"multipart/form-data; boundary="} + kBoundary}}, body);
}

Answer Browser::postJson(const std::string& target, const std::string& body) {
  return send("POST", target, {{"Content-Type", "application/json"}}, body);
}

Answer Browser::remove(const std::string& target) {
  return send("DELETE", target, {{"Content-Type", "application/json"}}, "{}");
}

Answer Browser::login(const std::string& user, const std::string& password, const Fields& headers) {
  vault_.add(password);
  return postForm("/pp/v1/auth/login/uaa", {{"username", user}, {"password", password}}, headers);
}

std::optional<std::string> Browser::cookie(const std::string& name) const {
  const auto found = jar_.find(name);
  return found == jar_.end() ? std::nullopt : std::optional<std::string>{found->second};
}

ParsedCookie parseCookie(const std::string& field) {
  ParsedCookie cookie;
  bool first = true;
  for (const std::string& part : split(field, ';')) {
    const std::string_view text = trim(part);
    const auto equals = text.find('=');
    const std::string name{text.substr(0, equals)};
    const std::string value{equals == std::string_view::npos ? "" : text.substr(equals + 1)};
    if (first) {
      cookie.name = name;
      cookie.value = value;
      first = false;
    } else {
      cookie.attributes[toLower(name)] = value;
    }
  }
  return cookie;
}

std::string jsonAt(const std::string& document, const std::string& path) {
  const auto value = walk(document, path);
  if (!value) return "<missing>";
  if (value->isString()) return value->toString();
  if (value->isEmpty()) return "null";
  std::ostringstream text;
  Poco::JSON::Stringifier::condense(*value, text);
  return text.str();
}

std::vector<std::string> jsonKeys(const std::string& document, const std::string& path) {
  const auto value = walk(document, path);
  if (!value || value->type() != typeid(Poco::JSON::Object::Ptr)) return {"<no object>"};
  return value->extract<Poco::JSON::Object::Ptr>()->getNames();
}

testing::Reply plainReply(int status, std::string body) {
  testing::Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

std::string jsonT(const std::string& text) {
  return R"({"status":"error","error":")" + text + R"("})";
}

namespace {

std::unique_ptr<db::Database> openMigrated(const testing::TestDatabase& place, LogSink& log) {
  auto database = place.open(
      {.maxConnections = kConnections, .acquireTimeout = std::chrono::milliseconds{500}});
  store::migrateSchema(*database, log);
  return database;
}

}  // namespace

ConsoleFixture::ConsoleFixture(db::Dialect dialect)
    : place(dialect),
      database(openMigrated(place, log)),
      cipher(store::openCipher(
          *database,
          {crypto::EncryptionKey::fromHex(
              "B374A26A71490437AA024E4FADD5B497FDFF1A8EA6FF12F6FB65AF2720B59CCF")},
          random)),
      endpointStore(*database, cipher),
      tokenStore(*database, cipher, random) {
  for (const char* secret :
       {kLocalPassword, kAdminPassword, kPlainPassword, kConsoleSecret, kSessionSecret}) {
    vault.add(secret);
  }
}

ConsoleFixture::~ConsoleFixture() = default;

ConsoleOptions ConsoleFixture::localOptions() {
  ConsoleOptions options;
  options.version = "4.8.0-test";
  options.signIn.localUser = kLocalUser;
  options.signIn.localUserPassword = Secret{kLocalPassword};
  options.passwordHashCost = 4;
  options.session.secret = Secret{kSessionSecret};
  options.workerThreads = 8;
  options.caches.listen = false;  // Its own announcements would empty the caches at any moment.
  return options;
}

ConsoleOptions ConsoleFixture::remoteOptions() {
  ConsoleOptions options = localOptions();
  options.signIn.type = AuthType::Remote;
  options.signIn.uaa = {.baseUrl = uaa().url(),
                        .clientId = kConsoleClient,
                        .clientSecret = Secret{kConsoleSecret},
                        .trust = {}};
  return options;
}

Console& ConsoleFixture::start(ConsoleOptions options) {
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(ext::makeCloudFoundry());
  return start(std::move(options), std::move(extensions));
}

Console& ConsoleFixture::start(ConsoleOptions options,
                               std::vector<std::unique_ptr<Extension>> extensions,
                               std::unique_ptr<http::Handler> frontEnd) {
  console_.reset();
  console_ = std::make_unique<Console>(
      std::move(options), ConsoleEnvironment{*database, cipher, transport, clock, random, log},
      std::move(extensions), std::move(frontEnd));
  return *console_;
}

Console& ConsoleFixture::console() { return console_ ? *console_ : start(localOptions()); }

Browser ConsoleFixture::localAdmin() { return signedIn(kLocalUser, kLocalPassword); }

Browser ConsoleFixture::signedIn(const std::string& user, const std::string& password) {
  Browser result = browser();
  const Answer answer = result.login(user, password);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return result;
}

void ConsoleFixture::signInByRedirect(Browser& browser, const std::string& user) {
  const std::string origin = std::string{"https://"} + kHost;
  const Answer begun =
      browser.get("/pp/v1/auth/sso_login?state=" + percentEncode(origin + "/home"));
  ASSERT_EQ(begun.status, 307) << begun.body;
  const Url url = Url::parse(begun.header("Location"));
  http::ClientResponse there = transport.send(
      {"GET",
       url.withPath(url.rawPath(), url.rawQuery() + "&test_user=" + percentEncode(user)),
       {},
       {},
       {}});
  ASSERT_EQ(there.status, 302) << there.detail;
  const std::string back{there.headers.get("location")};
  ASSERT_TRUE(back.starts_with(origin + "/pp/v1/auth/sso_login_callback?")) << back;
  const Answer landed = browser.get(back.substr(origin.size()));
  EXPECT_EQ(landed.status, 307);
  EXPECT_EQ(landed.header("Location"), origin + "/home");
  ASSERT_TRUE(browser.cookie());
}

testing::SimulatedFoundation& ConsoleFixture::foundation() {
  if (!foundation_) {
    foundation_ = std::make_unique<testing::SimulatedFoundation>(
        testing::SimulatedFoundationOptions{.tls = false, .apps = 3, .clock = &clock});
    foundation_->uaa().addUser({kAdminUser,
                                kAdminPassword,
                                {"openid", "cloud_controller.admin", "cloud_controller.read",
                                 "cloud_controller.write", "stratos.admin"}});
    foundation_->uaa().addUser({kPlainUser, kPlainPassword, {"openid", "cloud_controller.read"}});
    foundation_->uaa().addClient(
        {kConsoleClient, kConsoleSecret, {"password", "refresh_token", "authorization_code"}});
  }
  return *foundation_;
}

std::string ConsoleFixture::registerFoundation(Browser& admin) {
  const Answer answer = admin.postMultipart("/api/v1/endpoints?endpoint_type=cf",
                                            {{"cnsi_name", "Foundation"},
                                             {"api_endpoint", foundation().apiUrl()},
                                             {"skip_ssl_validation", "false"},
                                             {"cnsi_client_id", "cf"},
                                             {"cnsi_client_secret", ""},
                                             {"sso_allowed", "false"},
                                             {"create_system_endpoint", "true"},
                                             {"ca_cert", ""}});
  EXPECT_EQ(answer.status, 201) << answer.body;
  return jsonAt(answer.body, "guid");
}

Answer ConsoleFixture::connect(Browser& browser, const std::string& guid, const std::string& user,
                               const std::string& password) {
  return browser.postMultipart(
      "/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds&system_shared=false",
      {{"username", user}, {"password", password}});
}

void ConsoleFixture::insertEndpoint(const std::string& guid, const std::string& url,
                                    const std::string& creator, const std::string& type) {
  store::EndpointRecord record;
  record.id = EndpointId{guid};
  record.name = "endpoint " + guid;
  record.type = type;
  record.apiUrl = url;
  record.creator = UserId{creator};
  endpointStore.insert(record);
}

void ConsoleFixture::insertToken(const std::string& user, const std::string& endpoint,
                                 const std::string& authType, const std::string& authToken) {
  store::TokenRecord token;
  token.owner = UserId{user};
  token.endpoint = EndpointId{endpoint};
  token.authType = authType;
  token.authToken = Secret{authToken};
  token.refreshToken = Secret{"somebody"};
  tokenStore.saveEndpointToken(token);
}

std::string ConsoleFixture::userGuid(Browser& browser) {
  return jsonAt(browser.get("/pp/v1/info").body, "user/guid");
}

void ConsoleFixture::expectNoSecretLogged() {
  if (foundation_) {
    for (auto* server : {&foundation_->uaa().server(), &foundation_->cloudController().server()}) {
      for (const auto& request : server->requests()) {
        const std::string authorization = request.header("Authorization");
        const auto blank = authorization.find(' ');
        if (blank != std::string::npos) vault.add(authorization.substr(blank + 1));
        const auto form = decodeForm(request.body);
        for (const auto& [name, value] : form.value_or(FormFields{})) {
          if (name == "refresh_token" || name == "password") vault.add(value);
        }
      }
    }
    for (const char* name : {kAdminUser, kPlainUser}) {
      const UserId user{foundation_->uaa().userGuid(name)};
      auto tokens = tokenStore.listForUser(user, nullptr);
      if (auto own = tokenStore.findConsoleToken(user)) tokens.push_back(std::move(*own));
      for (const auto& token : tokens) {
        vault.add(token.authToken.reveal());
        if (token.authType == "OAuth2") vault.add(token.refreshToken.reveal());
      }
    }
  }
  for (const std::string& secret : vault.secrets()) {
    EXPECT_FALSE(log.mentions(secret))
        << "a secret that starts with " << secret.substr(0, 4) << " was logged";
  }
}

DatabaseOutage::DatabaseOutage(ConsoleFixture& fixture) {
  for (std::size_t i = 0; i < kConnections; ++i) held_.push_back(fixture.database->connect());
}

void ConsoleTest::SetUp() {
  if (!testing::TestDatabase::isAvailable(GetParam())) {
    GTEST_SKIP() << testing::TestDatabase::skipReason();
  }
  fixture_ = std::make_unique<ConsoleFixture>(GetParam());
}

void ConsoleTest::TearDown() {
  if (fixture_) fixture_->expectNoSecretLogged();
}

std::string dialectName(const ::testing::TestParamInfo<db::Dialect>& info) {
  return info.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
}

}  // namespace stratos::compat
