#include "endpoints_fixture.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::compat {
namespace {

using testing::FakeUpstream;
using testing::ReceivedRequest;

class HelmEndpointTest : public EndpointsTest {
 protected:
  static void serveIndex(FakeUpstream& server, const std::string& authorization = {}) {
    server.handle("/charts/index.yaml", [authorization](const ReceivedRequest& request) {
      if (request.header("Authorization") != authorization) return plainReply(401, "who?");
      return plainReply(200, "apiVersion: v1\nentries: {}\n" + std::string(300'000, '#'));
    });
  }
};
STRATOS_ON_EVERY_DIALECT(HelmEndpointTest);

TEST_P(HelmEndpointTest, ARepositoryIsUsedWithoutBeingConnected) {
  FakeUpstream server;
  serveIndex(server);
  const std::string guid = add("helm", server.url() + "/charts", {{"sub_type", "repo"}});
  const std::string before = rows();
  expectRefused(connect(guid, "none"), 400, "without being connected", before);
  EXPECT_EQ(call(guid, "/index.yaml", {{"x-cap-no-token", "true"}}).status, 200);
  EXPECT_EQ(jsonAt(admin().get("/pp/v1/info").body, "plugin-config/artifactHubDisabled"), "false");
  EXPECT_EQ(jsonAt(admin().get("/pp/v1/info").body, "plugins/monocular"), "true");
  removeAll("helm", guid);
}

TEST_P(HelmEndpointTest, APrivateRepositoryIsConnectedWithUserNameAndPassword) {
  FakeUpstream server;
  const std::string credentials = "basic " + toBase64("ci:pass-91:x");
  serveIndex(server, credentials);
  const std::string guid = add("helm", server.url() + "/charts", {{"sub_type", "repo"}});
  const Answer answer = connect(guid, "creds", {{"username", "ci"}, {"password", "pass-91:x"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(token(guid).authType, "HttpBasic");
  EXPECT_EQ(call(guid, "/index.yaml").status, 200);
  EXPECT_EQ(server.requests().back().header("Authorization"), credentials);
  const std::string before = rows();
  expectRefused(connect(guid, "creds", {{"username", "ci"}, {"password", "wrong-pass"}}), 400,
                "check them", before);
  expectRefused(connect(guid, "creds", {{"username", "c:i"}, {"password", "p4711"}}), 400,
                "username holds a colon", before);
  expectRefused(connect(guid, "creds", {{"username", "ci"}}), 400, "password is missing", before);
  expectRefused(connect(guid, "token", {{"token", "tok-8"}}), 400, "connect_type creds", before);
  removeAll("helm", guid);
}

TEST_P(HelmEndpointTest, ArtifactHub) {
  FakeUpstream hub;
  hub.handle("/api/v1/packages/search",
             [](const ReceivedRequest&) { return testing::jsonReply(200, R"({"packages":[]})"); });
  const std::string guid = add("helm", hub.url(), {{"sub_type", "hub"}});
  const std::string before = rows();
  expectRefused(connect(guid, "creds", {{"username", "a"}, {"password", "hub-pass"}}), 400,
                "without being connected", before);
  removeAll("helm", guid);
}

TEST_P(HelmEndpointTest, RefusesWhatIsNoRepository) {
  FakeUpstream server;
  serveIndex(server);
  server.handle("/page/",
                [](const ReceivedRequest&) { return plainReply(200, " <!doctype html>"); });
  expectRefused(registerAt("helm", server.url() + "/charts"), 400, "sub_type must be repo or hub",
                "");
  expectRefused(registerAt("helm", server.url() + "/charts", {{"sub_type", "oci"}}), 400,
                "sub_type", "");
  expectRefused(registerAt("helm", server.url(), {{"sub_type", "repo"}}), 400,
                "address below which index.yaml lies", "");
  expectRefused(registerAt("helm", server.url() + "/page", {{"sub_type", "repo"}}), 400,
                "with a web page", "");
  expectRefused(registerAt("helm", server.url(), {{"sub_type", "hub"}}), 400,
                "https://artifacthub.io", "");
}

}  // namespace
}  // namespace stratos::compat
