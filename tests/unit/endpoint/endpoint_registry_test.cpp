#include "stratos/endpoint/endpoint_registry.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "endpoint/endpoint_fixture.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "support/sql_stores.hpp"

namespace stratos::endpoint {
namespace {

using test::adminCalled;
using test::FakeType;
using test::userCalled;

constexpr const char* kPem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const Deadline kSoon = Deadline::after(std::chrono::seconds{30});

class EndpointRegistryTest : public ::testing::Test {
 protected:
  EndpointRegistry make(UserEndpoints mode) {
    EndpointRegistry registry(sql_.endpoints, log_,
                              {.userEndpoints = mode,
                               .defaultClientId = "default-client",
                               .defaultClientSecret = Secret{"default-secret"}});
    registry.addType(std::make_unique<FakeType>("cf", script_));
    return registry;
  }
  static Registration registration(const std::string& url = "https://api.example.com") {
    Registration wish;
    wish.type = "cf";
    wish.name = "My CF";
    wish.apiUrl = url;
    return wish;
  }
  void insert(const std::string& id, const std::string& url, const std::string& creator) {
    store::EndpointRecord record;
    record.id = EndpointId{id};
    record.name = id;
    record.type = "cf";
    record.apiUrl = url;
    record.creator = UserId{creator};
    sql_.endpoints.insert(record);
  }
  static std::vector<std::string> idsOf(const std::vector<store::EndpointRecord>& records) {
    std::vector<std::string> ids;
    for (const auto& record : records) ids.push_back(record.id.str());
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  FakeType::Script script_;
};

using Ids = std::vector<std::string>;

TEST_F(EndpointRegistryTest, GivesTheIdsOfTheReference) {
  EXPECT_EQ(EndpointRegistry::idFor("https://api.example.com", UserId{}).str(),
            "dj9sdQmFXPaBn4pXr_lV_gJOJWc");
  EXPECT_EQ(EndpointRegistry::idFor("https://api.example.com", UserId{"user-guid-1"}).str(),
            "TKrMWTR0dlXxs9A51F5W-sAwlPk");
}

TEST_F(EndpointRegistryTest, StoresWhatWasRegisteredAndProbed) {
  auto registry = make(UserEndpoints::Disabled);
  Registration wish = registration("HTTPS://api.example.com///");
  wish.subType = "sub";
  wish.ssoAllowed = true;
  wish.skipSslValidation = true;
  wish.caCertificate = kPem;
  wish.clientId = "client";
  wish.clientSecret = Secret{"s3cret"};
  const ChangeResult result = registry.add(adminCalled("a"), wish, kSoon);
  ASSERT_EQ(result.status, ChangeStatus::Done) << result.message;
  const auto stored = sql_.endpoints.find(EndpointId{"dj9sdQmFXPaBn4pXr_lV_gJOJWc"});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->name, "My CF");
  EXPECT_EQ(stored->apiUrl, "https://api.example.com");
  EXPECT_EQ(stored->subType, "sub");
  EXPECT_TRUE(stored->ssoAllowed);
  EXPECT_TRUE(stored->skipSslValidation);
  EXPECT_EQ(stored->caCertificate, kPem);
  EXPECT_EQ(stored->clientId, "client");
  EXPECT_EQ(stored->clientSecret.reveal(), "s3cret");
  EXPECT_EQ(stored->authorizationEndpoint, "https://login.x");
  EXPECT_EQ(stored->tokenEndpoint, "https://uaa.x");
  EXPECT_EQ(stored->dopplerLoggingEndpoint, "wss://doppler.x");
  EXPECT_TRUE(stored->creator.empty());
  EXPECT_EQ(script_.probed.caCertificate, kPem) << "the probe trusts what will be trusted";
  EXPECT_FALSE(log_.mentions("s3cret"));
}

TEST_F(EndpointRegistryTest, UsesTheDefaultClientWithItsOwnSecretOnly) {
  auto registry = make(UserEndpoints::Disabled);
  Registration wish = registration();
  wish.clientSecret = Secret{"belongs to no client"};
  const ChangeResult result = registry.add(adminCalled("a"), wish, kSoon);
  EXPECT_EQ(result.record.clientId, "default-client");
  EXPECT_EQ(result.record.clientSecret.reveal(), "default-secret");
}

TEST_F(EndpointRegistryTest, NamesTheFieldThatIsWrong) {
  auto registry = make(UserEndpoints::Disabled);
  const std::string tooLong(256, 'x');
  struct Case {
    std::function<void(Registration&)> spoil;
    const char* named;
  };
  const std::vector<Case> cases = {
      {[](auto& r) { r.type = "xyz"; }, "endpoint_type"},
      {[](auto& r) { r.type = ""; }, "endpoint_type"},
      {[](auto& r) { r.name = ""; }, "CNSI Name"},
      {[](auto& r) { r.apiUrl = ""; }, "API Endpoint"},
      {[&](auto& r) { r.name = tooLong; }, "cnsi_name"},
      {[](auto& r) { r.name = "a\xff"; }, "cnsi_name"},
      {[](auto& r) { r.name = std::string("a\0b", 3); }, "cnsi_name"},
      {[&](auto& r) { r.apiUrl = "https://x/" + tooLong; }, "api_endpoint"},
      {[&](auto& r) { r.subType = tooLong; }, "sub_type"},
      {[&](auto& r) { r.clientId = tooLong; }, "cnsi_client_id"},
      {[](auto& r) { r.caCertificate = "my certificate"; }, "ca_cert"},
      {[](auto& r) { r.apiUrl = "api.example.com"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "ftp://api.example.com"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "wss://api.example.com"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "https://"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "https://u:p@api.example.com"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "https://api.example.com?x=1"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "https://api.example.com:99999"; }, "API Endpoint"},
      {[](auto& r) { r.apiUrl = "https://api example.com"; }, "API Endpoint"}};
  for (const auto& wrong : cases) {
    Registration wish = registration();
    wrong.spoil(wish);
    const ChangeResult result = registry.add(adminCalled("a"), wish, kSoon);
    EXPECT_EQ(result.status, ChangeStatus::Invalid) << wrong.named;
    EXPECT_NE(result.message.find(wrong.named), std::string::npos) << result.message;
  }
  EXPECT_EQ(script_.probes, 0);
  EXPECT_TRUE(sql_.endpoints.list().empty());
}

TEST_F(EndpointRegistryTest, RefusesTheSameAddressInAnySpelling) {
  auto registry = make(UserEndpoints::Disabled);
  ASSERT_EQ(registry.add(adminCalled("a"), registration(), kSoon).status, ChangeStatus::Done);
  for (const char* spelling : {"https://api.example.com", "https://api.example.com/",
                               "HTTPS://API.Example.COM", "https://api.example.com:443"}) {
    const ChangeResult again = registry.add(adminCalled("a"), registration(spelling), kSoon);
    EXPECT_EQ(again.status, ChangeStatus::Duplicate) << spelling;
    EXPECT_EQ(again.message, "Can not register same endpoint multiple times");
  }
  EXPECT_EQ(registry.add(adminCalled("a"), registration("http://api.example.com"), kSoon).status,
            ChangeStatus::Done);
  EXPECT_EQ(registry.add(adminCalled("a"), registration("https://api.example.com/x"), kSoon).status,
            ChangeStatus::Done);
}

TEST_F(EndpointRegistryTest, TellsPersonalFromSystemEndpoints) {
  auto registry = make(UserEndpoints::Enabled);
  EXPECT_TRUE(registry.add(adminCalled("root"), registration(), kSoon).record.creator.empty());
  const ChangeResult system = registry.add(adminCalled("root"), registration(), kSoon);
  EXPECT_EQ(system.status, ChangeStatus::Duplicate);
  EXPECT_EQ(system.message, "Can not register same system endpoint multiple times");

  // A user's wish for a system endpoint silently gives a personal one.
  const ChangeResult own = registry.add(userCalled("user-guid-1"), registration(), kSoon);
  EXPECT_EQ(own.record.creator.str(), "user-guid-1");
  EXPECT_EQ(own.record.id.str(), "TKrMWTR0dlXxs9A51F5W-sAwlPk");
  EXPECT_EQ(registry.add(userCalled("user-guid-1"), registration(), kSoon).message,
            "Can not register same endpoint multiple times");
  EXPECT_EQ(registry.add(userCalled("u2"), registration(), kSoon).status, ChangeStatus::Done);
  Registration personal = registration();
  personal.systemEndpoint = false;
  EXPECT_EQ(registry.add(adminCalled("root"), personal, kSoon).record.creator.str(), "root");
}

TEST_F(EndpointRegistryTest, ReportsWhatTheProbeFound) {
  auto registry = make(UserEndpoints::Disabled);
  script_.probe = {};
  script_.probe.status = ProbeStatus::TlsFailure;
  script_.probe.detail = "certificate has expired";
  const ChangeResult tls = registry.add(adminCalled("a"), registration(), kSoon);
  EXPECT_EQ(tls.status, ChangeStatus::TlsFailure);
  EXPECT_EQ(tls.message, "SSL error - certificate has expired");
  for (const auto status : {ProbeStatus::NotThatKind, ProbeStatus::Unreachable}) {
    script_.probe.status = status;
    script_.probe.detail = "because";
    const ChangeResult other = registry.add(adminCalled("a"), registration(), kSoon);
    EXPECT_EQ(other.status, ChangeStatus::ProbeFailed);
    EXPECT_EQ(other.message, "Failed to validate endpoint: because");
  }
  EXPECT_TRUE(sql_.endpoints.list().empty());
}

TEST_F(EndpointRegistryTest, ShowsEachRoleItsEndpointsInEachMode) {
  insert("sys1", "https://one", "");
  insert("sys2", "https://two", "");
  insert("ann-one", "https://one", "ann");
  insert("bob-three", "https://three", "bob");
  struct Row {
    UserEndpoints mode;
    Caller caller;
    Ids listed;
    Ids found;
  };
  const Ids all = {"ann-one", "bob-three", "sys1", "sys2"};
  const Ids system = {"sys1", "sys2"};
  const std::vector<Row> table = {
      {UserEndpoints::Disabled, adminCalled("root"), system, system},
      {UserEndpoints::Disabled, adminCalled("ann"), system, system},
      {UserEndpoints::Disabled, userCalled("ann"), system, system},
      {UserEndpoints::AdminOnly, adminCalled("root"), all, all},
      {UserEndpoints::AdminOnly, userCalled("ann"), system, system},
      {UserEndpoints::Enabled, adminCalled("root"), all, all},
      {UserEndpoints::Enabled, userCalled("ann"), {"ann-one", "sys2"}, {"ann-one", "sys1", "sys2"}},
      {UserEndpoints::Enabled,
       userCalled("bob"),
       {"bob-three", "sys1", "sys2"},
       {"bob-three", "sys1", "sys2"}},
      {UserEndpoints::Enabled, userCalled("eve"), system, system}};
  for (const auto& row : table) {
    auto registry = make(row.mode);
    const std::string which = std::string{toString(row.mode)} + " " + row.caller.user.str();
    EXPECT_EQ(idsOf(registry.listVisible(row.caller)), row.listed) << which;
    Ids found;
    for (const auto& id : all) {
      if (registry.findVisible(row.caller, EndpointId{id})) found.push_back(id);
    }
    EXPECT_EQ(found, row.found) << which;
    EXPECT_FALSE(registry.findVisible(row.caller, EndpointId{""}));
    EXPECT_FALSE(registry.findVisible(row.caller, EndpointId{"unknown"}));
  }
}

TEST_F(EndpointRegistryTest, LetsOnlyOwnersAndAdministratorsChangeThings) {
  insert("sys", "https://one", "");
  insert("ann", "https://two", "ann");
  auto registry = make(UserEndpoints::Enabled);
  EndpointChange change;
  change.name = "renamed";
  const auto update = [&](const Caller& caller, const char* id) {
    return registry.update(caller, EndpointId{id}, change, kSoon).status;
  };
  EXPECT_EQ(update(userCalled("ann"), "sys"), ChangeStatus::NotAllowed);
  EXPECT_EQ(update(userCalled("bob"), "ann"), ChangeStatus::NotAllowed);
  EXPECT_EQ(update(userCalled(""), "sys"), ChangeStatus::NotAllowed);
  EXPECT_EQ(update(userCalled("ann"), "ann"), ChangeStatus::Done);
  EXPECT_EQ(update(adminCalled("root"), "ann"), ChangeStatus::Done);
  EXPECT_EQ(update(adminCalled("root"), "sys"), ChangeStatus::Done);
  EXPECT_EQ(update(adminCalled("root"), "unknown"), ChangeStatus::NotFound);
  EXPECT_EQ(registry.remove(userCalled("bob"), EndpointId{"ann"}).status, ChangeStatus::NotAllowed);
  EXPECT_EQ(registry.remove(userCalled("ann"), EndpointId{"sys"}).status, ChangeStatus::NotAllowed);
  EXPECT_EQ(registry.remove(userCalled("ann"), EndpointId{"ann"}).status, ChangeStatus::Done);
}

TEST_F(EndpointRegistryTest, ChangesOnlyWhatIsNamed) {
  auto registry = make(UserEndpoints::Disabled);
  Registration wish = registration();
  wish.caCertificate = kPem;
  const EndpointId id = registry.add(adminCalled("a"), wish, kSoon).record.id;
  EndpointChange change;
  change.name = "renamed";
  ASSERT_EQ(registry.update(adminCalled("a"), id, change, kSoon).status, ChangeStatus::Done);
  auto stored = *sql_.endpoints.find(id);
  EXPECT_EQ(stored.name, "renamed");
  EXPECT_EQ(stored.caCertificate, kPem);
  EXPECT_EQ(stored.clientId, "default-client");
  EXPECT_EQ(stored.clientSecret.reveal(), "default-secret");
  EXPECT_EQ(script_.probes, 1) << "a new name needs no probe";

  change = {};
  change.name = "";
  change.ssoAllowed = true;
  change.clientId = "";
  change.clientSecret = Secret{};
  change.caCertificate = "";
  ASSERT_EQ(registry.update(adminCalled("a"), id, change, kSoon).status, ChangeStatus::Done);
  stored = *sql_.endpoints.find(id);
  EXPECT_EQ(stored.name, "renamed") << "an empty name is none";
  EXPECT_TRUE(stored.ssoAllowed);
  EXPECT_EQ(stored.clientId, "");
  EXPECT_EQ(stored.clientSecret.reveal(), "");
  EXPECT_EQ(stored.caCertificate, "");
}

TEST_F(EndpointRegistryTest, ProbesBeforeItTrustsDifferently) {
  auto registry = make(UserEndpoints::Disabled);
  Registration wish = registration();
  wish.skipSslValidation = true;
  const EndpointId id = registry.add(adminCalled("a"), wish, kSoon).record.id;
  script_.probe = {};
  script_.probe.status = ProbeStatus::TlsFailure;
  script_.probe.detail = "unknown authority";
  EndpointChange verify;
  verify.skipSslValidation = false;
  verify.caCertificate = kPem;
  const ChangeResult refused = registry.update(adminCalled("a"), id, verify, kSoon);
  EXPECT_EQ(refused.status, ChangeStatus::TlsFailure);
  EXPECT_EQ(refused.message, "SSL error - unknown authority");
  EXPECT_EQ(script_.probed.caCertificate, kPem);
  EXPECT_FALSE(script_.probed.skipSslValidation);
  EXPECT_TRUE(sql_.endpoints.find(id)->skipSslValidation) << "nothing was changed";

  script_.probe.status = ProbeStatus::Unreachable;
  EXPECT_EQ(registry.update(adminCalled("a"), id, verify, kSoon).status, ChangeStatus::ProbeFailed);
  EndpointChange onlyName;
  onlyName.name = "x";
  EXPECT_EQ(registry.update(adminCalled("a"), id, onlyName, kSoon).status, ChangeStatus::Done)
      << "an endpoint that is down can still be renamed";
}

TEST_F(EndpointRegistryTest, RefusesBadChanges) {
  auto registry = make(UserEndpoints::Disabled);
  const EndpointId id = registry.add(adminCalled("a"), registration(), kSoon).record.id;
  const std::string tooLong(256, 'x');
  EndpointChange name;
  name.name = tooLong;
  EndpointChange client;
  client.clientId = tooLong;
  EndpointChange certificate;
  certificate.caCertificate = "no PEM";
  for (const auto& [change, named] : {std::pair{name, "name"}, std::pair{client, "clientID"},
                                      std::pair{certificate, "ca_cert"}}) {
    const ChangeResult result = registry.update(adminCalled("a"), id, change, kSoon);
    EXPECT_EQ(result.status, ChangeStatus::Invalid) << named;
    EXPECT_NE(result.message.find(named), std::string::npos) << result.message;
  }
}

TEST_F(EndpointRegistryTest, RemovesEverybodysTokensAndFavouritesWithAnEndpoint) {
  insert("e1", "https://one", "");
  insert("e2", "https://two", "");
  for (const char* user : {"u1", "u2"}) {
    for (const char* id : {"e1", "e2"}) {
      sql_.tokens.saveEndpointToken(test::oauthToken(user, id, "a", "r", 1));
    }
  }
  for (const char* id : {"e1", "e2"}) {
    sql_.database().connect().execute(
        "INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type)"
        " VALUES ($1, 'u1', 'cf', $2, 'endpoint')",
        {std::string{"f-"} + id, id});
  }
  auto registry = make(UserEndpoints::Disabled);
  EXPECT_EQ(registry.remove(adminCalled("a"), EndpointId{"e1"}).status, ChangeStatus::Done);
  EXPECT_EQ(registry.remove(adminCalled("a"), EndpointId{"e1"}).status, ChangeStatus::NotFound);
  auto connection = sql_.database().connect();
  EXPECT_EQ(connection.query("SELECT user_guid FROM tokens WHERE cnsi_guid = 'e1'").size(), 0U);
  EXPECT_EQ(connection.query("SELECT user_guid FROM tokens WHERE cnsi_guid = 'e2'").size(), 2U);
  EXPECT_EQ(connection.query("SELECT guid FROM favorites").size(), 1U);
}

TEST_F(EndpointRegistryTest, HasEachTypeOnce) {
  auto registry = make(UserEndpoints::Disabled);
  FakeType::Script other;
  EXPECT_THROW(registry.addType(std::make_unique<FakeType>("cf", other)), Error);
  registry.addType(std::make_unique<FakeType>("abc", other));
  EXPECT_EQ(registry.typeNames(), (Ids{"abc", "cf"}));
  EXPECT_EQ(registry.findType("xyz"), nullptr);
}

}  // namespace
}  // namespace stratos::endpoint
