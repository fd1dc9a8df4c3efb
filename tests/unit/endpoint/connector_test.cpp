#include "stratos/endpoint/connector.hpp"

#include <gtest/gtest.h>

#include "endpoint/endpoint_fixture.hpp"
#include "stratos/testing/capturing_log_sink.hpp"
#include "support/sql_stores.hpp"

namespace stratos::endpoint {
namespace {

using test::adminCalled;
using test::FakeType;
using test::userCalled;

const Deadline kSoon = Deadline::after(std::chrono::seconds{30});

class ConnectorTest : public ::testing::Test {
 protected:
  ConnectorTest() {
    insert("sys", "https://one", "");
    insert("ann-one", "https://one", "ann");
    script_.connect.connected = true;
    script_.connect.token.authToken = Secret{"access"};
    script_.connect.token.refreshToken = Secret{"refresh"};
  }
  void insert(const std::string& id, const std::string& url, const std::string& creator,
              const std::string& type = "cf") {
    store::EndpointRecord record;
    record.id = EndpointId{id};
    record.name = id;
    record.type = type;
    record.apiUrl = url;
    record.creator = UserId{creator};
    sql_.endpoints.insert(record);
  }
  struct Console {
    EndpointRegistry registry;
    Connector connector;
    Console(ConnectorTest& test, UserEndpoints mode)
        : registry(test.sql_.endpoints, test.log_,
                   {.userEndpoints = mode, .defaultClientId = "cf", .defaultClientSecret = {}}),
          connector(registry, test.sql_.tokens, test.log_) {
      registry.addType(std::make_unique<FakeType>("cf", test.script_));
    }
    ConnectionChange connect(const Caller& caller, const std::string& id, bool shared = false) {
      return connector.connect(caller, EndpointId{id}, {}, shared, kSoon);
    }
  };
  std::string tokenOf(const std::string& user, const std::string& id) {
    const auto token = sql_.tokens.findForEndpoint(UserId{user}, EndpointId{id});
    return token ? token->authToken.reveal() : "(none)";
  }

  testing::CapturingLogSink log_;
  test::SqlStores sql_;
  FakeType::Script script_;
};

TEST_F(ConnectorTest, StoresTheTokenForTheCaller) {
  Console console(*this, UserEndpoints::Disabled);
  const ConnectionChange change = console.connect(userCalled("bob"), "sys");
  ASSERT_TRUE(change.done) << change.message;
  EXPECT_EQ(change.token.owner.str(), "bob");
  EXPECT_EQ(change.endpoint.id.str(), "sys");
  EXPECT_EQ(tokenOf("bob", "sys"), "access");
  EXPECT_EQ(tokenOf("eve", "sys"), "(none)");
  EXPECT_FALSE(log_.mentions("refresh"));
}

TEST_F(ConnectorTest, NamesWhatIsMissing) {
  Console console(*this, UserEndpoints::Disabled);
  insert("helm", "https://h", "", "helm");
  const auto expectRefused = [&](const std::string& id, const std::string& message) {
    const ConnectionChange change = console.connect(userCalled("bob"), id);
    EXPECT_FALSE(change.done);
    EXPECT_EQ(change.status, 400);
    EXPECT_EQ(change.message, message);
    EXPECT_FALSE(change.plainText);
  };
  expectRefused("", "Missing target endpoint");
  expectRefused("unknown", "Requested endpoint not registered");
  expectRefused("ann-one", "Requested endpoint not registered");  // Personal, mode is disabled.
  expectRefused("helm", "Endpoint connection not supported");
}

TEST_F(ConnectorTest, SharesATokenOnlyForAdministrators) {
  Console console(*this, UserEndpoints::Disabled);
  const ConnectionChange refused = console.connect(userCalled("bob"), "sys", /*shared=*/true);
  EXPECT_FALSE(refused.done);
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.plainText);
  EXPECT_EQ(refused.message,
            "Can not connect System Shared endpoint - user is not an administrator");
  EXPECT_EQ(script_.connects, 0);

  const ConnectionChange change = console.connect(adminCalled("root"), "sys", /*shared=*/true);
  ASSERT_TRUE(change.done);
  EXPECT_EQ(change.token.owner.str(), kSharedUserGuid);
  EXPECT_EQ(tokenOf("bob", "sys"), "access");
}

TEST_F(ConnectorTest, RefusesPersonalEndpointsOfOthersEvenToAdministrators) {
  Console console(*this, UserEndpoints::Enabled);
  const ConnectionChange change = console.connect(adminCalled("root"), "ann-one");
  EXPECT_FALSE(change.done);
  EXPECT_EQ(change.status, 401);
  EXPECT_TRUE(change.plainText);
  EXPECT_EQ(change.message,
            "Can not connect - users are not allowed to connect to personal endpoints created by "
            "other users");
  EXPECT_EQ(console.connect(userCalled("bob"), "ann-one").message,
            "Requested endpoint not registered")
      << "who may not see it is not told that it exists";
  EXPECT_TRUE(console.connect(userCalled("ann"), "ann-one").done);
}

TEST_F(ConnectorTest, KeepsAWorkingTokenWhenANewAttemptFails) {
  Console console(*this, UserEndpoints::Enabled);
  ASSERT_TRUE(console.connect(userCalled("ann"), "ann-one").done);
  script_.connect = {};
  script_.connect.status = 401;
  script_.connect.message = "Bad credentials";
  for (const char* id : {"ann-one", "sys"}) {
    const ConnectionChange change = console.connect(userCalled("ann"), id);
    EXPECT_FALSE(change.done);
    EXPECT_EQ(change.status, 401);
    EXPECT_EQ(change.message, "Bad credentials");
  }
  EXPECT_EQ(tokenOf("ann", "ann-one"), "access");
}

TEST_F(ConnectorTest, ConnectsAnAddressOncePerUserWherePersonalEndpointsExist) {
  Console console(*this, UserEndpoints::Enabled);
  ASSERT_TRUE(console.connect(userCalled("bob"), "sys").done);
  ASSERT_TRUE(console.connect(userCalled("ann"), "sys").done);
  ASSERT_TRUE(console.connect(userCalled("ann"), "ann-one").done);
  EXPECT_EQ(tokenOf("ann", "ann-one"), "access");
  EXPECT_EQ(tokenOf("ann", "sys"), "(none)");
  EXPECT_EQ(tokenOf("bob", "sys"), "access") << "nobody else's connection is touched";
  ASSERT_TRUE(console.connect(userCalled("ann"), "sys").done);
  EXPECT_EQ(tokenOf("ann", "ann-one"), "(none)");
}

TEST_F(ConnectorTest, DisconnectsTheCallerOnly) {
  Console console(*this, UserEndpoints::Disabled);
  ASSERT_TRUE(console.connect(userCalled("bob"), "sys").done);
  ASSERT_TRUE(console.connect(userCalled("eve"), "sys").done);
  EXPECT_TRUE(console.connector.disconnect(userCalled("bob"), EndpointId{"sys"}).done);
  EXPECT_TRUE(console.connector.disconnect(userCalled("bob"), EndpointId{"sys"}).done)
      << "having no connection is what was wanted";
  EXPECT_EQ(tokenOf("bob", "sys"), "(none)");
  EXPECT_EQ(tokenOf("eve", "sys"), "access");
  const ConnectionChange unknown = console.connector.disconnect(userCalled("bob"), EndpointId{"x"});
  EXPECT_FALSE(unknown.done);
}

TEST_F(ConnectorTest, EndsASharedConnectionOnlyForAdministratorsAndTheOwnOneFirst) {
  Console console(*this, UserEndpoints::Disabled);
  ASSERT_TRUE(console.connect(adminCalled("root"), "sys", /*shared=*/true).done);
  const ConnectionChange refused =
      console.connector.disconnect(userCalled("bob"), EndpointId{"sys"});
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.plainText);
  EXPECT_EQ(refused.message,
            "Can not disconnect System Shared endpoint - user is not an administrator");

  ASSERT_TRUE(console.connect(adminCalled("root"), "sys").done);
  EXPECT_TRUE(console.connector.disconnect(adminCalled("root"), EndpointId{"sys"}).done);
  EXPECT_EQ(tokenOf("bob", "sys"), "access") << "only root's own one was ended";
  EXPECT_TRUE(console.connector.disconnect(adminCalled("root"), EndpointId{"sys"}).done);
  EXPECT_EQ(tokenOf("bob", "sys"), "(none)");
}

}  // namespace
}  // namespace stratos::endpoint
