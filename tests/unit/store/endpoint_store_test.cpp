#include "stratos/store/endpoint_store.hpp"

#include "store_fixture.hpp"
#include "stratos/base/error.hpp"

namespace stratos::store {
namespace {

class EndpointStoreTest : public MigratedFixture {
 protected:
  void prepare() override {
    MigratedFixture::prepare();
    store_ = std::make_unique<SqlEndpointStore>(*database_, *cipher_);
  }

  static EndpointRecord makeRecord(const std::string& id, const std::string& name) {
    EndpointRecord record;
    record.id = EndpointId(id);
    record.name = name;
    record.type = "metrics";
    record.subType = "sub";
    record.apiUrl = "https://api." + id + ".example.com";
    record.authorizationEndpoint = "https://login.example.com";
    record.tokenEndpoint = "https://uaa.example.com";
    record.dopplerLoggingEndpoint = "wss://doppler.example.com:443";
    record.skipSslValidation = true;
    record.clientId = "cf";
    record.clientSecret = Secret("client's \\ secret");
    record.ssoAllowed = true;
    record.metadata = "{\"a\":\"b\"}";
    record.caCertificate = "-----BEGIN CERTIFICATE-----\n";
    record.creator = UserId("creator");
    return record;
  }

  std::unique_ptr<SqlEndpointStore> store_;
};

TEST_P(EndpointStoreTest, FindsWhatWasInserted) {
  const EndpointRecord record = makeRecord("e1", "caf\xC3\xA9");
  store_->insert(record);
  const auto found = store_->find(record.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, record.name);
  EXPECT_EQ(found->type, record.type);
  EXPECT_EQ(found->subType, record.subType);
  EXPECT_EQ(found->apiUrl, record.apiUrl);
  EXPECT_EQ(found->authorizationEndpoint, record.authorizationEndpoint);
  EXPECT_EQ(found->tokenEndpoint, record.tokenEndpoint);
  EXPECT_EQ(found->dopplerLoggingEndpoint, record.dopplerLoggingEndpoint);
  EXPECT_TRUE(found->skipSslValidation);
  EXPECT_EQ(found->clientId, record.clientId);
  EXPECT_EQ(found->clientSecret, record.clientSecret);
  EXPECT_TRUE(found->ssoAllowed);
  EXPECT_EQ(found->metadata, record.metadata);
  EXPECT_EQ(found->caCertificate, record.caCertificate);
  EXPECT_EQ(found->creator, record.creator);
  EXPECT_FALSE(store_->find(EndpointId("e2")));
}

TEST_P(EndpointStoreTest, ListsByNameThenId) {
  store_->insert(makeRecord("2", "b"));
  store_->insert(makeRecord("3", "a"));
  store_->insert(makeRecord("1", "b"));
  const auto all = store_->list();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id.str(), "3");
  EXPECT_EQ(all[1].id.str(), "1");
  EXPECT_EQ(all[2].id.str(), "2");
}

TEST_P(EndpointStoreTest, SecondInsertOfAnIdIsAlreadyExists) {
  store_->insert(makeRecord("e1", "a"));
  try {
    store_->insert(makeRecord("e1", "b"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::AlreadyExists);
  }
}

TEST_P(EndpointStoreTest, UpdatesWhatMayChange) {
  EndpointRecord record = makeRecord("e1", "a");
  EXPECT_FALSE(store_->update(record));
  EXPECT_FALSE(store_->updateMetadata(record.id, "x"));
  store_->insert(record);
  record.name = "z";
  record.skipSslValidation = false;
  record.ssoAllowed = false;
  record.clientSecret = Secret();
  record.caCertificate.clear();
  EXPECT_TRUE(store_->update(record));
  EXPECT_TRUE(store_->updateMetadata(record.id, "new"));
  const auto found = store_->find(record.id);
  EXPECT_EQ(found->name, "z");
  EXPECT_FALSE(found->skipSslValidation);
  EXPECT_FALSE(found->ssoAllowed);
  EXPECT_TRUE(found->clientSecret.empty());
  EXPECT_TRUE(found->caCertificate.empty());
  EXPECT_EQ(found->metadata, "new");
}

TEST_P(EndpointStoreTest, ReadsRowsOfOldReleases) {
  run("INSERT INTO cnsis (guid, name, cnsi_type, api_endpoint, auth_endpoint, token_endpoint,"
      " doppler_logging_endpoint, skip_ssl_validation) VALUES ('old', 'Old', 'cf',"
      " 'https://api.example.com//', 'a', 't', 'd', FALSE)");
  const auto found = store_->find(EndpointId("old"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->apiUrl, "https://api.example.com");
  EXPECT_EQ(found->clientId, "cf");
  EXPECT_TRUE(found->clientSecret.empty());
  EXPECT_EQ(found->subType + found->metadata + found->caCertificate + found->creator.str(), "");
}

TEST_P(EndpointStoreTest, UnreadableSecretDoesNotHideTheList) {
  store_->insert(makeRecord("e1", "a"));
  store_->insert(makeRecord("e2", "b"));
  // A value moved to another row.
  run("UPDATE cnsis SET client_secret = (SELECT client_secret FROM cnsis WHERE guid = 'e1')"
      " WHERE guid = 'e2'");
  const auto all = store_->list();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_FALSE(all[0].clientSecret.empty());
  EXPECT_TRUE(all[1].clientSecret.empty());
  EXPECT_THROW((void)store_->find(EndpointId("e2")), Error);
}

TEST_P(EndpointStoreTest, RemovalTakesTokensAndFavouritesAlong) {
  for (const std::string id : {"e1", "e2"}) {
    store_->insert(makeRecord(id, id));
    for (const std::string user : {"u1", "u2"}) {
      run("INSERT INTO tokens (user_guid, cnsi_guid, token_type, auth_token, refresh_token,"
          " token_expiry, token_guid) VALUES ($1, $2, 'cnsi', $3, $3, 0, $4)",
          {user, id, db::Blob{"x"}, user + id});
    }
    run("INSERT INTO favorites (guid, user_guid, endpoint_type, endpoint_id, entity_type)"
        " VALUES ($1, 'u1', 'cf', $1, 'endpoint')",
        {id});
  }
  EXPECT_TRUE(store_->removeWithDependents(EndpointId("e1")));
  EXPECT_FALSE(store_->removeWithDependents(EndpointId("e1")));
  EXPECT_EQ(count("cnsis"), 1);
  EXPECT_EQ(count("tokens WHERE cnsi_guid = 'e1'"), 0);
  EXPECT_EQ(count("tokens WHERE cnsi_guid = 'e2'"), 2);
  EXPECT_EQ(count("favorites"), 1);
}

INSTANTIATE_TEST_SUITE_P(Dialects, EndpointStoreTest, bothDialects(), dialectName);

}  // namespace
}  // namespace stratos::store
