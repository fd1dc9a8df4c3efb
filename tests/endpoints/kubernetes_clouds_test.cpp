#include <atomic>

#include "kube_fixture.hpp"
#include "stratos/base/encoding.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;

constexpr const char* kAwsSecret = "aws-secret-key/+wJalrXUtn";

class CloudClusterTest : public KubeTest {
 protected:
  /// What a bearer token of EKS holds.
  static std::string presigned(const std::string& token) {
    constexpr std::string_view kPrefix = "k8s-aws-v1.";
    return token.starts_with(kPrefix) ? fromBase64(token.substr(kPrefix.size())).value_or("") : "";
  }
  static std::string googleFile(const std::string& refreshToken) {
    return R"({"type":"authorized_user","client_id":"gcloud","client_secret":"gcloud-secret-2",)"
           R"("refresh_token":")" +
           refreshToken + R"(","quota_project_id":"p"})";
  }
};
STRATOS_ON_EVERY_DIALECT(CloudClusterTest);

TEST_P(CloudClusterTest, AmazonSignsItsTokensItself) {
  const std::string guid = addCluster({{"sub_type", "eks"}});
  cluster().addAwsUser("prod", "AKIDEXAMPLE", kAwsSecret);
  const Fields form{{"cluster", "prod"}, {"access_key", "AKIDEXAMPLE"}, {"secret_key", kAwsSecret}};
  const Answer answer = connect(guid, "aws-iam", form);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "aws-iam");
  EXPECT_EQ(stored.expiry, toUnixSeconds(t().clock.now()) + 15 * 60);
  EXPECT_EQ(stored.refreshToken.reveal(),
            R"({"cluster":"prod","accessKey":"AKIDEXAMPLE","secretKey":")" +
                std::string{kAwsSecret} + "\"}");
  EXPECT_THAT(presigned(stored.authToken.reveal()),
              HasSubstr("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"));
  EXPECT_EQ(asked(guid), "arn:AKIDEXAMPLE");
  EXPECT_EQ(lastAuthorization(), "bearer " + stored.authToken.reveal());
  EXPECT_EQ(userOf("k8s", guid), R"({"guid":"AWS IAM","name":"IAM","admin":false,"scopes":null})");

  t().clock.advance(std::chrono::minutes{16});
  admin().verify();
  EXPECT_EQ(asked(guid), "arn:AKIDEXAMPLE");
  const std::string renewed = token(guid).authToken.reveal();
  EXPECT_NE(renewed, stored.authToken.reveal());
  EXPECT_EQ(asked(guid), "arn:AKIDEXAMPLE");
  EXPECT_EQ(token(guid).authToken.reveal(), renewed);  // Kept until it is over.

  const std::string before = rows();
  for (const char* missing : {"cluster", "access_key", "secret_key"}) {
    Fields less = form;
    std::erase_if(less, [&](const auto& field) { return field.first == missing; });
    expectRefused(connect(guid, "aws-iam", less), 400, std::string{missing} + " is missing",
                  before);
  }
  for (const auto& wrong :
       {std::pair{"cluster", "test"}, std::pair{"secret_key", "not-that-key"}}) {
    Fields other = form;
    for (auto& [name, value] : other) {
      if (name == wrong.first) value = wrong.second;
    }
    expectRefused(connect(guid, "aws-iam", other), 400, "does not accept these credentials",
                  before);
  }
  EXPECT_EQ(asked(guid), "arn:AKIDEXAMPLE");
  removeAll("k8s", guid);
}

TEST_P(CloudClusterTest, GoogleRenewsOncePerTokenAndKeepsIt) {
  const std::string guid = addCluster({{"sub_type", "gke"}});
  for (const char* secret : {"gcloud-secret-2", "google-refresh-1", "google-refresh-0"}) {
    t().vault.add(secret);
  }
  cluster().addToken("ya29.one", "gina@example.com");
  cluster().addToken("ya29.two", "gina@example.com");
  auto calls = std::make_shared<std::atomic<int>>(0);
  google().handle("/token", [calls](const testing::ReceivedRequest& request) {
    const auto form = decodeForm(request.body).value_or(FormFields{});
    const FormFields expected{{"client_id", "gcloud"},
                              {"client_secret", "gcloud-secret-2"},
                              {"refresh_token", "google-refresh-1"},
                              {"grant_type", "refresh_token"}};
    if (form != expected) return testing::jsonReply(400, R"({"error":"invalid_grant"})");
    return testing::jsonReply(
        200, std::string{R"({"access_token":"ya29.)"} + (calls->fetch_add(1) == 0 ? "one" : "two") +
                 R"(","expires_in":3599,"token_type":"Bearer","id_token":"e30.)" +
                 toBase64Url(R"({"email":"gina@example.com","exp":1})") + ".c2ln\"}");
  });
  const Answer answer = connectWithFile(guid, "gke-auth", googleFile("google-refresh-1"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "user"),
            R"({"guid":"gina@example.com","name":"gina@example.com","admin":false,"scopes":null})");
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "gke-auth");
  EXPECT_EQ(stored.expiry, toUnixSeconds(t().clock.now()) + 3599);
  EXPECT_EQ(stored.refreshToken.reveal(),
            R"({"client_id":"gcloud","client_secret":"gcloud-secret-2",)"
            R"("refresh_token":"google-refresh-1","type":"authorized_user",)"
            R"("email":"gina@example.com"})");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(asked(guid), "gina@example.com");
  EXPECT_EQ(lastAuthorization(), "bearer ya29.one");
  EXPECT_EQ(google().requestCount(), 1U);
  cluster().revokeToken("ya29.one");
  EXPECT_EQ(asked(guid), "gina@example.com");
  EXPECT_EQ(lastAuthorization(), "bearer ya29.two");
  EXPECT_EQ(google().requestCount(), 2U);
  EXPECT_EQ(jsonAt(userOf("k8s", guid), "name"), "gina@example.com");

  const std::string before = rows();
  expectRefused(connectWithFile(guid, "gke-auth", googleFile("google-refresh-0")), 400,
                "does not accept the refresh_token", before);
  expectRefused(connectWithFile(guid, "gke-auth", "no json"), 400, "the body must be the JSON",
                before);
  expectRefused(connectWithFile(guid, "gke-auth", R"({"type":"service_account"})"), 400,
                "type of the credentials must be authorized_user", before);
  expectRefused(connectWithFile(guid, "gke-auth", R"({"type":"authorized_user","client_id":"c"})"),
                400, "client_secret of the credentials is missing", before);
  google().addFault({.kind = testing::FaultKind::Status, .times = -1, .status = 503});
  expectRefused(connectWithFile(guid, "gke-auth", googleFile("google-refresh-1")), 502,
                "Google cannot be reached", before);
  EXPECT_EQ(asked(guid), "gina@example.com");
  removeAll("k8s", guid);
}

}  // namespace
}  // namespace stratos::compat
