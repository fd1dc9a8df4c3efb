#include "endpoints_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/testing/fake_prometheus.hpp"

namespace stratos::compat {
namespace {

using testing::FakePrometheus;

class MetricsEndpointTest : public EndpointsTest {
 protected:
  static std::string lastAuthorization(FakePrometheus& peer) {
    return peer.server().requests().back().header("Authorization");
  }
};
STRATOS_ON_EVERY_DIALECT(MetricsEndpointTest);

constexpr const char* kQuery = "/api/v1/query?query=up";

TEST_P(MetricsEndpointTest, UserNameAndPassword) {
  const std::string description = R"([{"type":"k8s","url":"https://k:6443","job":"j"}])";
  FakePrometheus peer(
      {.user = "mon itor", .password = "p%d-\xc3\xa4:7", .description = description});
  const std::string guid = add("metrics", peer.url());
  const Answer answer =
      connect(guid, "creds", {{"username", "mon itor"}, {"password", "p%d-\xc3\xa4:7"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "user"),
            R"({"guid":"mon itor","name":"mon itor","admin":false,"scopes":null})");
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "HttpBasic");
  EXPECT_EQ(stored.authToken.reveal(), toBase64("mon itor:p%d-\xc3\xa4:7"));
  EXPECT_EQ(stored.expiry, 0);
  EXPECT_EQ(stored.metadata, description);
  EXPECT_EQ(call(guid, kQuery).status, 200);
  EXPECT_EQ(lastAuthorization(peer), "basic " + toBase64("mon itor:p%d-\xc3\xa4:7"));
  removeAll("metrics", guid);
}

TEST_P(MetricsEndpointTest, Nothing) {
  FakePrometheus peer({.environment = "doppler.example:443"});
  const std::string guid = add("metrics", peer.url());
  EXPECT_EQ(connect(guid, "none").status, 200);
  for (const auto& request : peer.server().requests()) {
    EXPECT_EQ(request.header("Authorization"), "") << request.target;
  }
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "HttpBasic");
  EXPECT_EQ(fromBase64(stored.authToken.reveal()), "none:none");
  EXPECT_EQ(stored.refreshToken.reveal(), "none");
  EXPECT_EQ(stored.metadata,
            R"([{"type":"cf","url":"wss://doppler.example:443","job":"firehose-exporter",)"
            R"("environment":"doppler.example:443"}])");
  EXPECT_EQ(call(guid, kQuery).status, 200);
  removeAll("metrics", guid);
}

TEST_P(MetricsEndpointTest, TellsWhichEndpointsHaveMetrics) {
  const std::string cf = add("cf", t().foundation().apiUrl(), {{"cnsi_client_id", "cf"}});
  const std::string doppler = t().endpointStore.find(EndpointId{cf})->dopplerLoggingEndpoint;
  ASSERT_NE(doppler, "");
  FakePrometheus stranger({.description = R"([{"type":"cf","url":"wss://elsewhere.example"}])"});
  FakePrometheus peer(
      {.description = R"([{"url":"https://k.example","job":"k"},{"type":"cf","url":")" + doppler +
                      R"(/","job":"firehose","environment":"prod"}])"});
  const std::string other = add("metrics", stranger.url());
  const std::string guid = add("metrics", peer.url());
  const auto metadata = [&](const std::string& type, const std::string& id) {
    return jsonAt(admin().get("/pp/v1/info").body, "endpoints/" + type + "/" + id + "/metadata");
  };
  EXPECT_EQ(metadata("cf", cf), "<missing>");
  ASSERT_EQ(connect(other, "none").status, 200);
  EXPECT_EQ(metadata("cf", cf), "<missing>");
  ASSERT_EQ(connect(guid, "none").status, 200);
  EXPECT_EQ(metadata("cf", cf), R"({"metrics":")" + guid +
                                    R"(","metrics_environment":"prod","metrics_job":"firehose"})");
  EXPECT_EQ(metadata("metrics", guid), "<missing>");
  t().insertEndpoint("k", "https://k.example:443/", "", "k8s");
  EXPECT_EQ(metadata("k8s", "k"),
            R"({"metrics":")" + guid + R"(","metrics_environment":"","metrics_job":"k"})");
  ASSERT_EQ(admin().remove("/api/v1/tokens/" + guid).status, 200);
  EXPECT_EQ(metadata("cf", cf), "<missing>");
}

TEST_P(MetricsEndpointTest, AConnectionCanBeShared) {
  FakePrometheus peer({.user = "m", .password = "shared-pass"});
  const std::string guid = add("metrics", peer.url());
  t().vault.add("shared-pass");
  const Answer answer = admin().postMultipart(
      "/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=creds&system_shared=true",
      {{"username", "m"}, {"password", "shared-pass"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "account"), std::string{kSharedUserGuid});
  EXPECT_EQ(jsonAt(userOf("metrics", guid), "name"), "system_shared");
  EXPECT_EQ(call(guid, kQuery).status, 200);
  EXPECT_EQ(lastAuthorization(peer), "basic " + toBase64("m:shared-pass"));
  removeAll("metrics", guid);
}

TEST_P(MetricsEndpointTest, RefusesWhatCannotWork) {
  testing::FakeUpstream other;  // Knows no path at all.
  expectRefused(registerAt("metrics", other.url()), 400, "address of a Prometheus server", "");
  other.handle("/", [](const testing::ReceivedRequest& request) {
    return plainReply(request.path() == "/" ? 200 : 404, "hello");
  });

  FakePrometheus peer({.user = "m", .password = "right-pass"});
  const std::string guid = add("metrics", peer.url());
  const std::string elsewhere = add("metrics", other.url());
  ASSERT_EQ(connect(guid, "creds", {{"username", "m"}, {"password", "right-pass"}}).status, 200);
  const std::string before = rows();
  expectRefused(connect(guid, "none"), 400, "choose connect_type creds", before);
  expectRefused(connect(guid, "creds", {{"username", "m"}, {"password", "wrong-pass"}}), 400,
                "check them", before);
  expectRefused(connect(guid, "creds", {{"password", "right-pass"}}), 400, "username is missing",
                before);
  expectRefused(connect(guid, "creds"), 400, "username is missing", before);
  expectRefused(connect(guid, "k8s-token", {{"token", "tok-77"}}), 400, "connect_type", before);
  expectRefused(connect(elsewhere, "none"), 400, "not what Prometheus does", before);
  peer.server().stop();
  expectRefused(connect(guid, "creds", {{"username", "m"}, {"password", "right-pass"}}), 502,
                "cannot be reached", before);
}

}  // namespace
}  // namespace stratos::compat
