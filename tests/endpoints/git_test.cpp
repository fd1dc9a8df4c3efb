#include "endpoints_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/testing/fake_git_host.hpp"

namespace stratos::compat {
namespace {

using testing::FakeGitHost;
using testing::GitHostKind;

class GitEndpointTest : public EndpointsTest {
 protected:
  /// The Authorization field of the last call to `path`.
  static std::string sent(FakeGitHost& host, const std::string& path) {
    const auto requests = host.server().requestsTo(path);
    EXPECT_FALSE(requests.empty());
    return requests.empty() ? "<none>" : requests.back().header("Authorization");
  }
};
STRATOS_ON_EVERY_DIALECT(GitEndpointTest);

TEST_P(GitEndpointTest, GitHubWithAPersonalToken) {
  FakeGitHost host;
  host.addToken("ghp_one", "octo");
  const std::string guid = add("git", host.apiUrl(), {{"sub_type", "github"}});
  EXPECT_EQ(userOf("git", guid), "null");

  // What is public is used without a connection.
  EXPECT_EQ(call(guid, "/repos/octo/public", {{"x-cap-no-token", "true"}}).status, 200);
  EXPECT_EQ(sent(host, "/repos/octo/public"), "");
  EXPECT_EQ(call(guid, "/repos/octo/private").status, 400);

  const Answer answer = connect(guid, "token", {{"token", " ghp_one\n"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "token_expiry"), "0");
  EXPECT_EQ(jsonAt(answer.body, "user"),
            R"({"guid":"octo","name":"octo","admin":false,"scopes":null})");
  const auto stored = token(guid);
  EXPECT_EQ(stored.authType, "Token");
  EXPECT_EQ(fromBase64(stored.authToken.reveal()), "ghp_one");
  EXPECT_EQ(stored.refreshToken.reveal(), "octo");
  EXPECT_EQ(stored.metadata, "");
  EXPECT_EQ(call(guid, "/repos/octo/private", {{"x-cap-no-token", "false"}}).status, 200);
  EXPECT_EQ(sent(host, "/repos/octo/private"), "token ghp_one");
  EXPECT_EQ(userOf("git", guid), R"({"guid":"octo","name":"octo","admin":false,"scopes":null})");
  removeAll("git", guid);
}

TEST_P(GitEndpointTest, GitHubEnterpriseBehindAPrivateAuthority) {
  testing::TestCertificates authority;
  FakeGitHost host({.kind = GitHostKind::GitHub,
                    .basePath = "/api/v3",
                    .server = {.tls = authority.issueServer()}});
  host.addTokenWithoutProfile("ghp_two");
  const std::string before = rows();
  expectRefused(registerAt("git", host.apiUrl(), {{"sub_type", "github"}}), 403, "SSL error - ",
                before);
  const std::string guid =
      add("git", host.apiUrl(), {{"sub_type", "github"}, {"ca_cert", authority.caPem()}});
  EXPECT_EQ(connect(guid, "token", {{"token", "ghp_two"}}).status, 200);
  EXPECT_EQ(jsonAt(userOf("git", guid), "name"), "**token**");
  EXPECT_EQ(call(guid, "/repos/a/private").status, 200);
  EXPECT_EQ(sent(host, "/api/v3/repos/a/private"), "token ghp_two");
  removeAll("git", guid);
}

TEST_P(GitEndpointTest, GitLabWithABearerToken) {
  FakeGitHost host({.kind = GitHostKind::GitLab, .basePath = "/api/v4", .server = {}});
  host.addToken("glpat-3", "tanuki");
  const std::string guid = add("git", host.apiUrl(), {{"sub_type", "gitlab"}});
  EXPECT_EQ(connect(guid, "bearer", {{"token", "glpat-3"}}).status, 200);
  EXPECT_EQ(token(guid).authType, "Bearer");
  EXPECT_EQ(jsonAt(userOf("git", guid), "guid"), "tanuki");
  EXPECT_EQ(call(guid, "/projects/private").status, 200);
  EXPECT_EQ(sent(host, "/api/v4/projects/private"), "bearer glpat-3");
  removeAll("git", guid);
}

TEST_P(GitEndpointTest, RefusesWhatCannotWork) {
  FakeGitHost host({.kind = GitHostKind::GitHub, .basePath = "/api/v3", .server = {}});
  std::string before = rows();
  expectRefused(registerAt("git", host.apiUrl()), 400, "sub_type must be github or gitlab", before);
  expectRefused(registerAt("git", host.apiUrl(), {{"sub_type", "svn"}}), 400, "sub_type", before);
  expectRefused(registerAt("git", host.server().url(), {{"sub_type", "github"}}), 400,
                "https://HOST/api/v3", before);
  expectRefused(registerAt("git", "http://127.0.0.1:1", {{"sub_type", "github"}}), 400,
                "cannot be reached", before);

  host.addToken("good-token", "octo");
  const std::string guid = add("git", host.apiUrl(), {{"sub_type", "github"}});
  ASSERT_EQ(connect(guid, "token", {{"token", "good-token"}}).status, 200);
  before = rows();
  expectRefused(connect(guid, "bearer", {{"token", "good-token"}}), 400,
                "connect_type must be token", before);
  expectRefused(connect(guid, "", {{"token", "good-token"}}), 400, "connect_type", before);
  expectRefused(connect(guid, "token", {{"token", "  "}}), 400, "token is missing", before);
  expectRefused(connect(guid, "token", {{"token", "a\r\nX-Evil: 1"}}), 400, "token holds line",
                before);
  expectRefused(connect(guid, "token", {{"token", std::string(20'000, 't')}}), 400,
                "token is longer", before);
  expectRefused(connect(guid, "token", {{"token", "wrong-token"}}), 400,
                "does not accept the token", before);
  host.server().addFault({.kind = testing::FaultKind::Status, .pathPrefix = "/api/v3/user"});
  expectRefused(connect(guid, "token", {{"token", "good-token"}}), 502, "answered 500", before);
  host.server().addFault(
      {.kind = testing::FaultKind::Reset, .pathPrefix = "/api/v3/user", .times = -1});
  expectRefused(connect(guid, "token", {{"token", "good-token"}}), 502, "cannot be reached",
                before);
  host.server().clearFaults();
  EXPECT_EQ(call(guid, "/repos/a/private").status, 200);  // The connection of before still works.
}

}  // namespace
}  // namespace stratos::compat
