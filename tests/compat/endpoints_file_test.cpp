// Endpoints that a file declares, on both databases.

#include <barrier>
#include <thread>

#include "console_fixture.hpp"
#include "stratos/base/error.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/endpoints_file.hpp"
#include "stratos/store/declared_endpoint_store.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kSecret = "declared-client-secret-8c";

/// A console of its own on the fixture's database, as a replica is.
class Replica {
 public:
  Replica(ConsoleFixture& fixture, ext::EndpointsFile file, ConsoleOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    auto own = std::make_unique<ext::DeclaredEndpoints>(
        std::move(file),
        ext::DeclaredEndpointsOptions{.firstWait = std::chrono::milliseconds{1},
                                      .longestWait = std::chrono::milliseconds{20}});
    declared = own.get();
    extensions.push_back(std::move(own));
    extensions.push_back(ext::makeCloudFoundry());
    console = std::make_unique<Console>(
        std::move(options),
        ConsoleEnvironment{*fixture.database, fixture.cipher, fixture.transport, fixture.clock,
                           fixture.random, fixture.log},
        std::move(extensions));
  }

  ext::DeclaredEndpoints* declared = nullptr;
  std::unique_ptr<Console> console;
};

class DeclaredEndpointsTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (!IsSkipped()) t().vault.add(kSecret);
  }
  static ext::DeclaredEndpoint endpointAt(const std::string& url, const std::string& name = "A") {
    ext::DeclaredEndpoint declared;
    declared.line = 7;
    declared.registration.name = name;
    declared.registration.type = "cf";
    declared.registration.apiUrl = url;
    return declared;
  }
  ext::EndpointsFile fileOf(std::vector<ext::DeclaredEndpoint> endpoints, bool prune = false) {
    return {.path = "endpoints.yaml", .prune = prune, .endpoints = std::move(endpoints)};
  }
  ext::ReconcileReport apply(ext::EndpointsFile file,
                             ConsoleOptions options = ConsoleFixture::localOptions()) {
    Replica replica(t(), std::move(file), std::move(options));
    return replica.declared->reconcile();
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& record : t().endpointStore.list()) found.push_back(record.name);
    return found;
  }
  std::size_t marks() { return store::DeclaredEndpointStore(*t().database).list().size(); }
  std::string url() { return t().foundation().apiUrl(); }
};
STRATOS_ON_EVERY_DIALECT(DeclaredEndpointsTest);

TEST_P(DeclaredEndpointsTest, RegistersOnceAndKeepsWhatTheFileSays) {
  auto declared = endpointAt(url() + "/");
  declared.registration.clientId = "stratos";
  declared.registration.clientSecret = Secret{kSecret};
  declared.registration.ssoAllowed = true;
  EXPECT_EQ(apply(fileOf({declared})).registered, 1U);
  auto stored = t().endpointStore.list();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].name, "A");
  EXPECT_EQ(stored[0].apiUrl, url());
  EXPECT_EQ(stored[0].clientId, "stratos");
  EXPECT_EQ(stored[0].clientSecret.reveal(), kSecret);
  EXPECT_TRUE(stored[0].ssoAllowed);
  EXPECT_NE(stored[0].tokenEndpoint, "") << "it was probed";
  EXPECT_TRUE(stored[0].creator.empty());
  EXPECT_EQ(t().log.linesWith("audit").back().field("event"), "endpoint.register");
  EXPECT_EQ(t().log.linesWith("audit").back().field("account"), "endpoints file");

  const std::size_t probes = t().cloudController().server().requestCount();
  EXPECT_EQ(apply(fileOf({declared})).unchanged, 1U);
  EXPECT_EQ(t().cloudController().server().requestCount(), probes) << "nothing to find out";

  declared.registration.name = "B";
  declared.registration.ssoAllowed = false;
  declared.registration.clientId.clear();
  declared.registration.clientSecret = {};
  EXPECT_EQ(apply(fileOf({declared})).changed, 1U);
  stored = t().endpointStore.list();
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].name, "B");
  EXPECT_FALSE(stored[0].ssoAllowed);
  EXPECT_EQ(stored[0].clientId, "stratos") << "a client that the file does not name stays";
  EXPECT_EQ(stored[0].clientSecret.reveal(), kSecret);
  EXPECT_EQ(t().log.linesWith("audit").back().field("event"), "endpoint.update");
}

TEST_P(DeclaredEndpointsTest, PrunesWhatItBroughtAndNothingElse) {
  testing::SimulatedFoundation other({.tls = false, .apps = 3});
  Browser admin = t().localAdmin();
  const std::string byHand = t().registerFoundation(admin);
  EXPECT_EQ(apply(fileOf({endpointAt(url(), "Adopted"), endpointAt(other.apiUrl(), "Brought")}))
                .registered,
            1U);
  EXPECT_THAT(names(), ElementsAre("Adopted", "Brought"));
  t().insertToken(t().userGuid(admin), endpoint::EndpointRegistry::idFor(other.apiUrl(), {}).str());

  EXPECT_EQ(apply(fileOf({})).removed, 0U) << "not asked to";
  EXPECT_THAT(names(), ElementsAre("Adopted", "Brought"));
  EXPECT_EQ(apply(fileOf({endpointAt(other.apiUrl(), "Brought")}, true)).removed, 0U);
  EXPECT_EQ(apply(fileOf({}, true)).removed, 1U);
  EXPECT_THAT(names(), ElementsAre("Adopted"));
  EXPECT_TRUE(t().tokenStore.listForUser(UserId{t().userGuid(admin)}, nullptr).empty());
  EXPECT_EQ(t().log.linesWith("audit").back().field("event"), "endpoint.unregister");
  EXPECT_EQ(marks(), 0U);
  EXPECT_EQ(apply(fileOf({}, true)).removed, 0U);
  EXPECT_TRUE(t().endpointStore.find(EndpointId{byHand}));
}

TEST_P(DeclaredEndpointsTest, AnEndpointThatIsRegisteredAnewByHandIsNoLongerTheFiles) {
  EXPECT_EQ(apply(fileOf({endpointAt(url())})).registered, 1U);
  EXPECT_EQ(marks(), 1U);
  Browser admin = t().localAdmin();
  const std::string guid = t().endpointStore.list().front().id.str();
  ASSERT_EQ(admin.remove("/api/v1/endpoints/" + guid).status, 200);
  EXPECT_EQ(marks(), 0U);
  EXPECT_EQ(t().registerFoundation(admin), guid);
  EXPECT_EQ(apply(fileOf({}, true)).removed, 0U);
  EXPECT_THAT(names(), ElementsAre("Foundation"));
}

TEST_P(DeclaredEndpointsTest, ReplicasThatStartAtOnceAgree) {
  const std::vector<ext::DeclaredEndpoint> wanted{endpointAt(url(), "A")};
  constexpr int kReplicas = 3;
  std::vector<std::unique_ptr<Replica>> replicas;
  for (int i = 0; i < kReplicas; ++i) {
    replicas.push_back(
        std::make_unique<Replica>(t(), fileOf(wanted, true), ConsoleFixture::localOptions()));
  }
  std::barrier together(kReplicas);
  {
    std::vector<std::jthread> threads;
    for (const auto& replica : replicas) {
      threads.emplace_back([&together, &replica] {
        together.arrive_and_wait();
        replica->declared->run({});
      });
    }
  }
  std::size_t registered = 0;
  for (const auto& line : t().log.linesWith("audit")) {
    EXPECT_EQ(line.field("event"), "endpoint.register");
    EXPECT_EQ(line.field("outcome"), "success");
    ++registered;
  }
  EXPECT_EQ(registered, 1U);
  EXPECT_EQ(t().log.linesWith("endpoints file").back().field("refused"), "0");
  EXPECT_THAT(names(), ElementsAre("A"));
  EXPECT_EQ(marks(), 1U);
}

TEST_P(DeclaredEndpointsTest, TriesAgainUntilAnEndpointAnswers) {
  t().foundation();
  auto& server = t().cloudController().server();
  server.addFault({.kind = testing::FaultKind::Status, .times = 4, .status = 503});
  testing::SimulatedFoundation ready({.tls = false, .apps = 3});
  Replica replica(t(), fileOf({endpointAt(url(), "Late"), endpointAt(ready.apiUrl(), "Ready")}),
                  ConsoleFixture::localOptions());
  const ext::ReconcileReport first = replica.declared->reconcile();
  EXPECT_EQ(first.registered, 1U);
  EXPECT_EQ(first.pending, 1U);
  EXPECT_THAT(names(), ElementsAre("Ready"));
  const auto warnings = t().log.linesWith("cannot be used yet");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].field("line"), "7");
  EXPECT_EQ(warnings[0].field("name"), "Late");

  replica.declared->run({});  // Ends because nothing is pending any more.
  EXPECT_THAT(names(), ElementsAre("Late", "Ready"));
  EXPECT_EQ(t().log.linesWith("cannot be used yet").size(), 1U) << "said once";
  EXPECT_EQ(t().log.linesWith("endpoints file").back().field("pending"), "0");
}

TEST_P(DeclaredEndpointsTest, StopsWhenAskedTo) {
  Replica replica(t(), fileOf({endpointAt("http://127.0.0.1:1")}), ConsoleFixture::localOptions());
  std::stop_source stop;
  std::jthread runner([&] { replica.declared->run(stop.get_token()); });
  stop.request_stop();
  runner.join();
  EXPECT_THAT(names(), IsEmpty());
}

TEST_P(DeclaredEndpointsTest, RefusesWhatCannotBecomeRight) {
  auto unknown = endpointAt(url());
  unknown.registration.type = "teapot";
  const auto report = apply(fileOf({unknown}));
  EXPECT_EQ(report.refused, 1U);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_TRUE(t().log.mentions("this console knows: cf"));
  EXPECT_THAT(names(), IsEmpty());

  EXPECT_EQ(apply(fileOf({endpointAt(url())})).registered, 1U);
  EXPECT_EQ(apply(fileOf({unknown}, true)).refused, 1U);
  EXPECT_TRUE(t().log.mentions("is registered as type cf; unregister that one, or mend the file"));
  EXPECT_THAT(names(), ElementsAre("A")) << "the file names its address, so it is not pruned";
}

TEST_P(DeclaredEndpointsTest, SurvivesAnOutageOfTheDatabase) {
  const std::string target = url();
  Replica replica(t(), fileOf({endpointAt(target)}), ConsoleFixture::localOptions());
  auto outage = std::make_unique<DatabaseOutage>(t());
  EXPECT_THROW(replica.declared->reconcile(), Error);
  outage.reset();
  EXPECT_EQ(replica.declared->reconcile().registered, 1U);
}

TEST_P(DeclaredEndpointsTest, LeavesEndpointsOfUsersAlone) {
  ConsoleOptions options = ConsoleFixture::localOptions();
  options.endpoints.userEndpoints = endpoint::UserEndpoints::Enabled;
  t().insertEndpoint("own", url(), "somebody");
  EXPECT_EQ(apply(fileOf({endpointAt(url())}, true), options).registered, 1U);
  EXPECT_EQ(apply(fileOf({}, true), options).removed, 1U);
  EXPECT_THAT(names(), ElementsAre("endpoint own"));
}

}  // namespace
}  // namespace stratos::compat
