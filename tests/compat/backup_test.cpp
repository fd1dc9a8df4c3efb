#include <algorithm>

#include "console_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/ext/backup.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kBackupUrl = "/pp/v1/endpoints/backup";
constexpr const char* kRestoreUrl = "/pp/v1/endpoints/restore";
constexpr const char* kPassword = "backup-password-6f2a";
constexpr const char* kChanged = "The password is wrong or the file was changed";
const std::string kShared{kSharedUserGuid};
const std::string kVersion = std::to_string(store::kUpstreamSchemaVersion);

std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("\"\\", at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return "\"" + text + "\"";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// A file as upstream makes it.
std::string upstreamFile(const std::string& content, const std::string& version = kVersion,
                         const std::string& password = kPassword) {
  const std::string sealed =
      crypto::encryptLegacy(crypto::sha256(password), content, std::string("0123456789abcdef"));
  return R"({"payload":")" + toBase64(sealed) + R"(","dbVersion":)" + version + "}";
}

/// What upstream finds in a file: it knows nothing of a seal.
std::string readByUpstream(const std::string& file, const std::string& password = kPassword) {
  const auto payload = fromBase64(jsonAt(file, "payload"));
  return payload ? crypto::decryptLegacy(crypto::sha256(password), *payload) : "<no payload>";
}

std::string upstreamToken(const std::string& id, const std::string& user,
                          const std::string& endpoint, const std::string& members = {}) {
  return R"({"TokenRecord":{"TokenGUID":")" + id +
         R"(","AuthToken":"upstream-access-31","RefreshToken":"upstream-refresh-31",)"
         R"("TokenExpiry":77,"Disconnected":false,"AuthType":"OAuth2","Metadata":"")" +
         members + R"(},"UserGUID":")" + user + R"(","EndpointGUID":")" + endpoint +
         R"(","TokenType":"cnsi"})";
}

std::string upstreamEndpoint(const std::string& guid, const std::string& members = {}) {
  return R"({"api_endpoint":{"Scheme":"https","Opaque":"","User":null,"Host":"new.example.com",)"
         R"("Path":"/base","RawPath":"","OmitHost":false,"ForceQuery":false,"RawQuery":"",)"
         R"("Fragment":"","RawFragment":""},"authorization_endpoint":"https://login.new",)"
         R"("ca_cert":"","client_id":"cf","cnsi_type":"cf","creator":"",)"
         R"("doppler_logging_endpoint":"wss://doppler.new","guid":")" +
         guid + R"(","local":false,"metadata":"","name":"New","skip_ssl_validation":true,)" +
         R"("sso_allowed":true,"sub_type":"","token_endpoint":"https://uaa.new")" + members + "}";
}

class BackupTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (IsSkipped()) return;
    start(ConsoleFixture::localOptions());
    for (const char* secret : {kPassword, "access-", "refresh-", "client-secret-",
                               "upstream-access-31", "upstream-refresh-31"}) {
      t().vault.add(secret);
    }
  }

  void start(ConsoleOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeBackup(*t().database, t().cipher, t().random));
    t().start(std::move(options), std::move(extensions));
  }

  static Answer backUp(Browser& browser, const std::string& state,
                       const std::string& password = kPassword) {
    return browser.postJson(kBackupUrl,
                            R"({"state":)" + state + R"(,"password":")" + password + R"("})");
  }
  static Answer restore(Browser& browser, const std::string& file,
                        const std::string& password = kPassword, bool ignoreVersion = false) {
    return browser.postJson(kRestoreUrl, R"({"data":)" + quoted(file) + R"(,"password":")" +
                                             password + R"(","ignoreDbVersion":)" +
                                             (ignoreVersion ? "true" : "false") + "}");
  }

  void run(const std::string& sql, const db::Parameters& parameters = {}) {
    t().database->connect().execute(sql, parameters);
  }

  /// An endpoint whose every column has a value of its own.
  void addEndpoint(const std::string& guid, const std::string& creator = {}) {
    store::EndpointRecord record;
    record.id = EndpointId(guid);
    record.name = "name of " + guid;
    record.type = "cf";
    record.subType = "sub";
    record.apiUrl = "https://" + guid + ".example.com:8443/base";
    record.authorizationEndpoint = "https://login." + guid;
    record.tokenEndpoint = "https://uaa." + guid;
    record.dopplerLoggingEndpoint = "wss://doppler." + guid;
    record.skipSslValidation = true;
    record.clientId = "client of " + guid;
    record.clientSecret = Secret("client-secret-" + guid);
    record.ssoAllowed = true;
    record.metadata = R"({"m":")" + guid + "\"}";
    record.caCertificate = "PEM of " + guid;
    record.creator = UserId(creator);
    t().endpointStore.insert(record);
  }

  struct Row {
    std::string guid;
    std::string user;
    std::string endpoint;
    std::string type = "cnsi";
    std::string authType = "OAuth2";
    std::string refresh = "refresh-";
    bool disconnected = false;
    std::string linked = {};
    std::int64_t expiry = 1000;
  };
  void addToken(const Row& row) {
    const bool isLinked = !row.linked.empty();
    const Secret auth(isLinked ? "LINKED TOKEN" : "access-" + row.guid);
    const Secret refresh(isLinked ? "LINKED TOKEN" : row.refresh);
    run("INSERT INTO tokens (token_guid, cnsi_guid, user_guid, token_type, auth_token,"
        " refresh_token, token_expiry, disconnected, auth_type, meta_data, linked_token)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        {row.guid, row.endpoint, row.user, row.type,
         db::Blob{t().cipher.encrypt(auth, "tokens.auth_token:" + row.guid)},
         db::Blob{t().cipher.encrypt(refresh, "tokens.refresh_token:" + row.guid)}, row.expiry,
         row.disconnected, row.authType, "meta of " + row.guid, row.linked});
  }

  /// Every row of both tables, decrypted, sorted.
  std::vector<std::string> rows() {
    std::vector<std::string> all;
    db::Connection connection = t().database->connect();
    for (const db::Row& row : connection.query("SELECT * FROM cnsis")) {
      std::string text = "endpoint";
      for (const char* column : {"guid", "name", "cnsi_type", "api_endpoint", "auth_endpoint",
                                 "token_endpoint", "doppler_logging_endpoint", "client_id",
                                 "sub_type", "meta_data", "ca_cert", "creator"}) {
        text += "|" + row.text(column);
      }
      text += row.boolean("skip_ssl_validation") ? "|skip" : "|verify";
      text += row.boolean("sso_allowed") ? "|sso|" : "|no sso|";
      text +=
          t().cipher.decrypt(row.blob("client_secret"), "cnsis.client_secret:" + row.text("guid"))
              .reveal();
      all.push_back(std::move(text));
    }
    for (const db::Row& row : connection.query("SELECT * FROM tokens")) {
      const std::string guid = row.text("token_guid");
      std::string text = "token";
      for (const char* column : {"token_guid", "token_type", "user_guid", "cnsi_guid", "auth_type",
                                 "meta_data", "linked_token"}) {
        text += "|" + row.text(column);
      }
      text += row.boolean("disconnected") ? "|disconnected|" : "|connected|";
      text += std::to_string(row.integer("token_expiry"));
      const auto plain = [&](const char* column) {
        const std::string identity = std::string("tokens.") + column + ":" + guid;
        return "|" + t().cipher.decrypt(row.blob(column), identity).reveal();
      };
      all.push_back(text + plain("auth_token") + plain("refresh_token"));
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  /// Endpoints and tokens of every kind. Returns the state that asks for all of it.
  std::string fill(const std::string& me) {
    addEndpoint("ep-1");
    addEndpoint("ep-2", "user-7");
    addEndpoint("ep-3");
    addToken({.guid = "console-1", .user = me, .endpoint = "STRATOS", .type = "uaa"});
    addToken({.guid = "linked-1", .user = me, .endpoint = "ep-1", .linked = "console-1"});
    addToken({.guid = "plain-1", .user = "user-7", .endpoint = "ep-1"});
    addToken({.guid = "gone-1", .user = "user-8", .endpoint = "ep-1", .disconnected = true});
    addToken({.guid = "basic-2", .user = "user-7", .endpoint = "ep-2", .authType = "HttpBasic"});
    addToken({.guid = "empty-2", .user = "user-8", .endpoint = "ep-2", .refresh = ""});
    addToken({.guid = "shared-3", .user = kShared, .endpoint = "ep-3"});
    addToken({.guid = "sibling-3", .user = "user-7", .endpoint = "ep-3", .linked = "plain-1"});
    return R"({"ep-1":{"endpoint":true,"connect":"ALL"},"ep-2":{"endpoint":true,"connect":"ALL"},)"
           R"("ep-3":{"endpoint":true,"connect":"ALL"}})";
  }

  /// Restoring must fail like that and change nothing.
  void expectRefused(Browser& browser, const std::string& file, int status, const std::string& text,
                     const std::string& password = kPassword, bool ignoreVersion = false) {
    const auto before = rows();
    const Answer answer = restore(browser, file, password, ignoreVersion);
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.body, jsonT(text));
    EXPECT_EQ(rows(), before);
  }
};

STRATOS_ON_EVERY_DIALECT(BackupTest);

TEST_P(BackupTest, InfoNamesThePlugin) {
  Browser admin = t().localAdmin();
  EXPECT_EQ(jsonAt(admin.get("/pp/v1/info").body, "plugins/backup"), "true");
}

TEST_P(BackupTest, FileHasUpstreamsShape) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const Answer answer = backUp(admin, R"({"ep-1":{"endpoint":true,"connect":"ALL"}})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_THAT(jsonKeys(answer.body), ElementsAre("payload", "dbVersion", "stratos"));
  EXPECT_EQ(jsonAt(answer.body, "dbVersion"), kVersion);
  EXPECT_THAT(jsonKeys(answer.body, "stratos"),
              ElementsAre("version", "kdf", "n", "r", "p", "salt", "mac"));

  const std::string content = readByUpstream(answer.body);
  EXPECT_THAT(jsonKeys(content), ElementsAre("Sealed", "Endpoints", "Tokens"));
  EXPECT_THAT(
      jsonKeys(content, "Endpoints/0"),
      ElementsAre("api_endpoint", "authorization_endpoint", "ca_cert", "client_id", "client_secret",
                  "cnsi_type", "creator", "doppler_logging_endpoint", "guid", "local", "metadata",
                  "name", "skip_ssl_validation", "sso_allowed", "sub_type", "token_endpoint"));
  EXPECT_EQ(jsonAt(content, "Endpoints/0/api_endpoint"),
            R"({"Scheme":"https","Opaque":"","User":null,"Host":"ep-1.example.com:8443",)"
            R"("Path":"/base","RawPath":"","OmitHost":false,"ForceQuery":false,"RawQuery":"",)"
            R"("Fragment":"","RawFragment":""})");
  EXPECT_EQ(jsonAt(content, "Endpoints/0/client_secret"), "client-secret-ep-1");
  EXPECT_THAT(jsonKeys(content, "Tokens/0"),
              ElementsAre("TokenRecord", "UserGUID", "EndpointGUID", "TokenType"));
  EXPECT_THAT(jsonKeys(content, "Tokens/0/TokenRecord"),
              ElementsAre("TokenGUID", "AuthToken", "RefreshToken", "TokenExpiry", "Disconnected",
                          "AuthType", "Metadata", "SystemShared", "LinkedGUID", "Certificate",
                          "CertificateKey", "Enabled"));
  EXPECT_EQ(jsonAt(content, "Tokens/0/TokenType"), "cnsi");
}

TEST_P(BackupTest, EveryKindOfRowComesBack) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  const auto before = rows();
  const Answer file = backUp(admin, state);
  ASSERT_EQ(file.status, 200) << file.body;

  run("DELETE FROM cnsis");
  run("DELETE FROM tokens WHERE token_type = 'cnsi'");
  const Answer answer = restore(admin, file.body);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(rows(), before);

  const auto lines = t().log.linesWith("backup restored");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].field("user"), t().userGuid(admin));
  EXPECT_EQ(lines[0].field("endpoints"), "3");
  EXPECT_EQ(lines[0].field("tokens"), "7");
}

TEST_P(BackupTest, RestoreOverwritesWhatChanged) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  const auto before = rows();
  const Answer file = backUp(admin, state);
  run("UPDATE cnsis SET name = 'x', api_endpoint = 'https://x', auth_endpoint = 'https://x',"
      " token_endpoint = 'https://x', doppler_logging_endpoint = '', cnsi_type = 'k8s',"
      " sub_type = '', meta_data = '', ca_cert = '', creator = 'x', client_id = ''");
  run("UPDATE tokens SET token_guid = 'other', auth_type = 'Bearer', linked_token = ''"
      " WHERE token_type = 'cnsi' AND user_guid <> 'user-7'");
  EXPECT_EQ(restore(admin, file.body).status, 200);
  EXPECT_EQ(rows(), before);
}

TEST_P(BackupTest, OnlyWhatWasAskedForIsInTheFile) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const Answer file = backUp(
      admin,
      R"({"ep-1":{"endpoint":false,"connect":"ALL"},"ep-2":{"endpoint":true,"connect":"NONE"},)"
      R"("ep-3":{"endpoint":true,"connect":"CURRENT"},)"
      R"("unknown":{"endpoint":true,"connect":"ALL"}})");
  ASSERT_EQ(file.status, 200) << file.body;
  const std::string content = readByUpstream(file.body);
  EXPECT_EQ(jsonAt(content, "Endpoints/0/guid"), "ep-2");
  EXPECT_EQ(jsonAt(content, "Endpoints/1/guid"), "ep-3");
  EXPECT_EQ(jsonAt(content, "Endpoints/2"), "<missing>");
  EXPECT_EQ(jsonAt(content, "Tokens/0/TokenRecord/TokenGUID"), "shared-3");
  EXPECT_EQ(jsonAt(content, "Tokens/1"), "<missing>");

  const auto lines = t().log.linesWith("backup made");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].field("user"), t().userGuid(admin));
  EXPECT_EQ(lines[0].field("endpoints"), "2");
  EXPECT_EQ(lines[0].field("tokens"), "1");
}

TEST_P(BackupTest, SharedTokenOfTheCallerStaysShared) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const auto before = rows();
  const Answer file = backUp(admin, R"({"ep-3":{"endpoint":true,"connect":"CURRENT"}})");
  run("DELETE FROM tokens WHERE token_guid = 'shared-3'");
  EXPECT_EQ(restore(admin, file.body).status, 200);
  EXPECT_EQ(rows(), before);
}

TEST_P(BackupTest, LinkOfTheCallerIsALinkAgainBesideItsConsoleToken) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const auto before = rows();
  const Answer file = backUp(admin, R"({"ep-1":{"endpoint":true,"connect":"CURRENT"}})");
  // What upstream's reader needs is there: the contents, as the caller's own.
  const std::string content = readByUpstream(file.body);
  EXPECT_EQ(jsonAt(content, "Tokens/0/TokenRecord/AuthToken"), "access-console-1");
  EXPECT_EQ(jsonAt(content, "Tokens/0/TokenRecord/LinkedGUID"), "");
  EXPECT_EQ(jsonAt(content, "Tokens/0/EndpointGUID"), "ep-1");
  EXPECT_EQ(restore(admin, file.body).status, 200);

  auto after = rows();
  const auto linkIn = [](const std::vector<std::string>& all) {
    const auto found = std::find_if(all.begin(), all.end(), [](const std::string& row) {
      return row.find("|console-1|connected|") != std::string::npos;
    });
    return found == all.end() ? std::string("no link") : *found;
  };
  EXPECT_THAT(linkIn(after), HasSubstr("token|linked-1|"));
  EXPECT_THAT(after, SizeIs(before.size()));
  EXPECT_EQ(t().tokenStore.findForEndpoint(UserId(t().userGuid(admin)), EndpointId("ep-1"))
                ->authToken.reveal(),
            "access-console-1");

  run("DELETE FROM tokens");
  EXPECT_EQ(restore(admin, file.body).status, 200);
  after = rows();
  EXPECT_EQ(linkIn(after), "no link");
  EXPECT_EQ(t().tokenStore.findForEndpoint(UserId(t().userGuid(admin)), EndpointId("ep-1"))
                ->authToken.reveal(),
            "access-console-1");
}

TEST_P(BackupTest, LinkToNothingReplacesNothing) {
  Browser admin = t().localAdmin();
  const std::string me = t().userGuid(admin);
  const Answer file = backUp(admin, fill(me));
  run("DELETE FROM tokens");
  addToken({.guid = "own-1", .user = me, .endpoint = "ep-1"});
  EXPECT_EQ(restore(admin, file.body).status, 200);
  EXPECT_EQ(t().tokenStore.findForEndpoint(UserId(me), EndpointId("ep-1"))->id.str(), "own-1");
  EXPECT_EQ(t().log.linesWith("backup restored").at(0).field("tokens_left_out"), "1");
}

TEST_P(BackupTest, CurrentNeedsAConnection) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const Answer answer = backUp(admin, R"({"ep-2":{"endpoint":true,"connect":"CURRENT"}})");
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.body, jsonT("Request to back up connected user's (" + t().userGuid(admin) +
                               ") token for endpoint (ep-2) failed."));
}

TEST_P(BackupTest, UpstreamsFileIsRestored) {
  Browser admin = t().localAdmin();
  addEndpoint("ep-1");
  addToken({.guid = "old", .user = "user-1", .endpoint = "ep-1", .authType = "HttpBasic"});
  const std::string file = upstreamFile(
      R"({"Endpoints":[)" + upstreamEndpoint("ep-1") + "," +
      upstreamEndpoint("ep-9", R"(,"client_secret":"client-secret-9")") + R"(],"Tokens":[)" +
      upstreamToken("t-1", "user-1", "ep-1", R"(,"SystemShared":false,"LinkedGUID":"")") + "," +
      upstreamToken("t-2", "user-1", "ep-9", R"(,"SystemShared":true,"LinkedGUID":"")") + "," +
      upstreamToken("", "user-2", "ep-9") + "]}");
  const Answer answer = restore(admin, file);
  ASSERT_EQ(answer.status, 200) << answer.body;

  const auto first = t().endpointStore.find(EndpointId("ep-1"));
  EXPECT_EQ(first->apiUrl, "https://new.example.com/base");
  EXPECT_EQ(first->tokenEndpoint, "https://uaa.new");
  EXPECT_TRUE(first->clientSecret.empty());  // It was missing in the file.
  EXPECT_EQ(t().endpointStore.find(EndpointId("ep-9"))->clientSecret.reveal(), "client-secret-9");
  const auto own = t().tokenStore.findForEndpoint(UserId("user-1"), EndpointId("ep-1"));
  EXPECT_EQ(own->id.str(), "t-1");
  EXPECT_EQ(own->authType, "OAuth2");
  EXPECT_EQ(own->authToken.reveal(), "upstream-access-31");
  EXPECT_EQ(own->expiry, 77);
  const auto shared = t().tokenStore.findForEndpoint(UserId("anybody"), EndpointId("ep-9"));
  ASSERT_TRUE(shared);
  EXPECT_TRUE(shared->isShared());
  const auto made = t().tokenStore.findForEndpoint(UserId("user-2"), EndpointId("ep-9"));
  EXPECT_THAT(made->id.str(), SizeIs(36));
}

TEST_P(BackupTest, DoubledTokensBecomeOne) {
  Browser admin = t().localAdmin();
  const std::string token = upstreamToken("t-1", "user-1", "ep-1");
  const std::string later = replaced(upstreamToken("t-2", "user-1", "ep-1"), R"("TokenExpiry":77)",
                                     R"("TokenExpiry":99)");
  EXPECT_EQ(restore(admin, upstreamFile(R"({"Endpoints":[)" + upstreamEndpoint("ep-1") +
                                        R"(],"Tokens":[)" + later + "," + token + "]}"))
                .status,
            200);
  const auto all = rows();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(all[1], HasSubstr("token|t-2|"));
}

TEST_P(BackupTest, WrongPasswordAndChangedFilesAreRefused) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  const std::string file = backUp(admin, state).body;
  expectRefused(admin, file, 400, kChanged, "another password");

  const std::string payload = jsonAt(file, "payload");
  const auto withPayload = [&](std::string other) { return replaced(file, payload, other); };
  expectRefused(admin, withPayload(payload.substr(0, payload.size() / 8 * 4)), 400, kChanged);
  expectRefused(admin, withPayload(""), 400, kChanged);
  for (const std::size_t at : {std::size_t{0}, payload.size() / 2, payload.size() - 6}) {
    std::string flipped = payload;
    flipped[at] = flipped[at] == 'A' ? 'B' : 'A';
    expectRefused(admin, withPayload(flipped), 400, kChanged);
  }
  const std::string mac = jsonAt(file, "stratos/mac");
  expectRefused(admin, replaced(file, mac, toBase64(std::string(32, 'x'))), 400, kChanged);
  expectRefused(admin, replaced(file, jsonAt(file, "stratos/salt"), toBase64(std::string(16, 'x'))),
                400, kChanged);
  expectRefused(admin, replaced(file, R"("n":32768)", R"("n":16384)"), 400, kChanged);
  expectRefused(admin, replaced(file, R"("n":32768)", R"("n":1073741824)"), 400, kChanged);
  expectRefused(admin, replaced(file, "\"stratos\"", "\"nothing\""), 400, kChanged);
  expectRefused(admin, replaced(file, kVersion, "7"), 400, kChanged, kPassword, true);
}

TEST_P(BackupTest, BrokenUpstreamFilesAreRefused) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  const std::string content = R"({"Endpoints":[)" + upstreamEndpoint("ep-1") + R"(],"Tokens":[]})";
  const char* const unparsed =
      "Failed to parse payload. This could be due to an incorrect password";
  expectRefused(admin, upstreamFile(content), 400, unparsed, "another password");
  expectRefused(admin, upstreamFile(content.substr(0, 100)), 400, unparsed);
  expectRefused(admin, R"({"payload":"AAAA","dbVersion":)" + kVersion + "}", 500,
                "Failed to decrypt payload");
  expectRefused(admin, R"({"payload":"*","dbVersion":)" + kVersion + "}", 400,
                "Invalid backup - could not parse JSON");
  expectRefused(admin, "not JSON", 400, "Invalid backup - could not parse JSON");
  expectRefused(admin,
                upstreamFile(replaced(content, "\"New\"", "\"" + std::string(256, 'n') + "\"")),
                400, "Invalid backup - name is longer than 255 characters");
}

TEST_P(BackupTest, VersionOfTheDatabaseMustMatchUnlessIgnored) {
  Browser admin = t().localAdmin();
  const std::string file =
      upstreamFile(R"({"Endpoints":[)" + upstreamEndpoint("ep-1") + R"(],"Tokens":null})", "7");
  expectRefused(admin, file, 400,
                "Incompatible database versions. Expected " + kVersion + " but got 7");
  EXPECT_EQ(restore(admin, file, kPassword, true).status, 200);
  EXPECT_THAT(rows(), SizeIs(1));
}

TEST_P(BackupTest, FailureInTheMiddleLeavesNothing) {
  Browser admin = t().localAdmin();
  fill(t().userGuid(admin));
  run("UPDATE tokens SET token_expiry = 1 WHERE token_guid = 'console-1'");
  run("DELETE FROM tokens WHERE token_guid <> 'console-1'");
  // The second token of the file violates it, after all endpoints and one token were written.
  run("CREATE UNIQUE INDEX one_expiry ON tokens (token_expiry)");
  const std::string file =
      upstreamFile(R"({"Endpoints":[)" + upstreamEndpoint("ep-1") + "," + upstreamEndpoint("ep-9") +
                   R"(],"Tokens":[)" + upstreamToken("t-1", "user-1", "ep-1") + "," +
                   upstreamToken("t-2", "user-2", "ep-1") + "]}");
  expectRefused(admin, file, 500, "Failed to overwrite token");
  run("DROP INDEX one_expiry");
  EXPECT_EQ(restore(admin, file).status, 200);
}

TEST_P(BackupTest, UnreadableTokenIsLeftOutAndNamed) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  run("UPDATE tokens SET auth_token = $1 WHERE token_guid = 'plain-1'", {db::Blob{"rubbish"}});
  const Answer file = backUp(admin, state);
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(t().log.linesWith("backup made").at(0).field("tokens"), "6");
  const auto lines = t().log.linesWith("cannot be decrypted");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].field("token"), "plain-1");

  run("UPDATE cnsis SET client_secret = $1 WHERE guid = 'ep-2'", {db::Blob{"rubbish"}});
  const Answer refused = backUp(admin, state);
  EXPECT_EQ(refused.status, 502);
  EXPECT_EQ(refused.body, jsonT("Failed to fetch endpoints"));
  EXPECT_THAT(t().log.linesWith("Failed to fetch endpoints").at(0).field("reason"),
              HasSubstr("ep-2"));
}

TEST_P(BackupTest, BadRequestsAreRefused) {
  Browser admin = t().localAdmin();
  const auto expect = [&](const char* url, const std::string& body, const std::string& text) {
    const Answer answer = admin.postJson(url, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.body, jsonT(text)) << body;
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=UTF-8");
  };
  for (const char* url : {kBackupUrl, kRestoreUrl}) {
    expect(url, "", "Invalid request body");
    for (const char* body : {"{", "[]", "5", R"({"password":5})"}) {
      expect(url, body, "Invalid request body - could not parse JSON");
    }
  }
  for (const char* body : {R"({"password":"123456"})", R"({"password":"123456","state":{}})"}) {
    expect(kBackupUrl, body, "Invalid request body - no endpoints to backup");
  }
  expect(kBackupUrl, R"({"password":"12345","state":{"e":{"endpoint":true,"connect":"NONE"}}})",
         "Invalid request body - the password must have at least 6 characters");
  expect(kRestoreUrl, R"({"password":"123456"})", "Invalid backup - could not parse JSON");
  const auto lines = t().log.linesWith("audit");
  for (const char* event : {"backup.create", "backup.restore"}) {
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
      return line.field("event") == event && line.field("outcome") == "failed";
    })) << event;
  }
}

TEST_P(BackupTest, HugeBodiesAreRefused) {
  Browser admin = t().localAdmin();
  EXPECT_EQ(admin.postJson(kBackupUrl, std::string(1024 * 1024 + 1, ' ')).status, 413);
  const Answer answer = admin.postJson(kRestoreUrl, std::string(64 * 1024 * 1024 + 1, ' '));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, jsonT("The request is larger than 64 MiB"));
}

TEST_P(BackupTest, OnlyAdministratorsWithXsrfTokenGetIn) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  const auto before = rows();
  const std::string file = backUp(admin, state).body;
  admin.setXsrfToken("wrong");
  EXPECT_EQ(backUp(admin, state).status, 401);
  EXPECT_EQ(restore(admin, file).body, jsonT("XSRF Token could not be validated"));
  Browser nobody = t().browser();
  EXPECT_EQ(backUp(nobody, state).status, 401);
  EXPECT_EQ(restore(nobody, file).status, 401);

  start(t().remoteOptions());
  Browser plain = t().signedIn(kPlainUser, kPlainPassword);
  const auto signedIn = rows();
  EXPECT_EQ(backUp(plain, state).body, jsonT("You must be a Stratos admin to access this API"));
  EXPECT_EQ(restore(plain, file).status, 401);
  EXPECT_EQ(rows(), signedIn);
  EXPECT_THAT(signedIn, SizeIs(before.size() + 1));  // The console token of the sign-in.
}

TEST_P(BackupTest, StatementsOfABackupDoNotGrowWithTheEndpoints) {
  Browser admin = t().localAdmin();
  const std::string state = fill(t().userGuid(admin));
  const auto one = t().statementsOf(
      [&] { (void)backUp(admin, R"({"ep-1":{"endpoint":true,"connect":"ALL"}})"); });
  const auto three = t().statementsOf([&] { (void)backUp(admin, state); });
  EXPECT_EQ(one, three);
}

TEST_P(BackupTest, OutageOfTheDatabaseIsNamed) {
  Browser admin = t().localAdmin();
  const std::string file = upstreamFile(R"({"Endpoints":[],"Tokens":[]})");
  (void)admin.verify();
  const DatabaseOutage outage(t());
  EXPECT_EQ(restore(admin, file).status, 503);
}

}  // namespace
}  // namespace stratos::compat
