#include "endpoints_fixture.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/url.hpp"

namespace stratos::compat {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kOrigin = std::string{"https://"} + kHost;
const std::string kCallback = "/pp/v1/auth/sso_login_callback";

std::string queryOf(const std::string& url, std::string_view name) {
  const auto mark = url.find('?');
  const auto fields = decodeForm(mark == std::string::npos ? "" : url.substr(mark + 1));
  for (const auto& [key, value] : fields.value_or(FormFields{})) {
    if (key == name) return value;
  }
  return {};
}

class CloudFoundryConnectTest : public EndpointsTest {
 protected:
  std::string addFoundation(bool ssoAllowed) {
    return add("cf", t().foundation().apiUrl(),
               {{"cnsi_client_id", "cf"}, {"sso_allowed", ssoAllowed ? "true" : "false"}});
  }
  Answer begin(Browser& browser, const std::string& guid, const std::string& state = kOrigin) {
    return browser.get("/api/v1/tokens?guid=" + guid + "&state=" + percentEncode(state));
  }
  /// What the UAA answers a browser whose user is signed in there: the target of the callback.
  std::string signInAtUaa(const std::string& authorizeUrl, const std::string& user) {
    const Url url = Url::parse(authorizeUrl);
    const http::ClientResponse response = t().transport.send(
        {.method = "GET",
         .url = url.withPath(url.rawPath(), url.rawQuery() + "&test_user=" + user),
         .headers = {},
         .body = {},
         .trust = {}});
    EXPECT_EQ(response.status, 302) << response.detail;
    const std::string location{response.headers.get("location")};
    EXPECT_THAT(location, StartsWith(kOrigin + kCallback));
    return location.substr(kOrigin.size());
  }
  void expectEnd(const Answer& answer, const std::string& guid, const std::string& status) {
    EXPECT_EQ(answer.status, 307) << answer.body;
    EXPECT_EQ(answer.header("Location"),
              kOrigin + "/endpoints?cnsi_guid=" + guid + "&status=" + status);
  }
  /// The call reaches the foundation with a token of that user.
  void expectCallsAs(const std::string& guid, const std::string& user) {
    EXPECT_EQ(call(guid, "/v3/apps?per_page=1").status, 200);
    const std::string sent =
        t().cloudController().server().requestsTo("/v3/apps").back().header("Authorization");
    EXPECT_THAT(sent, StartsWith("bearer "));
    const auto info = t().uaa().findAccessToken(sent.substr(7));
    ASSERT_TRUE(info);
    EXPECT_EQ(info->userName, user);
  }
};
STRATOS_ON_EVERY_DIALECT(CloudFoundryConnectTest);

TEST_P(CloudFoundryConnectTest, Passcode) {
  const std::string guid = addFoundation(false);
  const std::string passcode = t().uaa().issuePasscode(kPlainUser);
  t().vault.add(passcode);
  const Answer answer = connect(guid, "passcode", {{"passcode", passcode}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "user/name"), kPlainUser);
  EXPECT_EQ(token(guid).authType, "OAuth2");
  expectCallsAs(guid, kPlainUser);
  const std::string before = rows();
  expectRefused(connect(guid, "passcode", {{"passcode", passcode}}), 401, "Invalid passcode",
                before);  // Once only.
  expectRefused(connect(guid, "passcode"), 400, "/passcode", before);
  expectRefused(connect(guid, "k8s-token", {{"token", "token-of-k8s"}}), 400, "creds or passcode",
                before);
  expectCallsAs(guid, kPlainUser);
  removeAll("cf", guid);
}

TEST_P(CloudFoundryConnectTest, SingleSignOn) {
  const std::string guid = addFoundation(true);
  const Answer begun = begin(admin(), guid);
  ASSERT_EQ(begun.status, 307) << begun.body;
  const std::string page = begun.header("Location");
  EXPECT_THAT(page, StartsWith(t().uaa().url() + "/oauth/authorize?"));
  EXPECT_EQ(queryOf(page, "client_id"), "cf");
  EXPECT_EQ(queryOf(page, "redirect_uri"), kOrigin + kCallback);
  EXPECT_EQ(queryOf(page, "code_challenge_method"), "S256");
  const std::string back = signInAtUaa(page, kPlainUser);
  expectEnd(admin().get(back), guid, "ok");
  EXPECT_EQ(jsonAt(userOf("cf", guid), "name"), kPlainUser);
  expectCallsAs(guid, kPlainUser);

  // The flow is over, and what it made stays.
  const std::string before = rows();
  EXPECT_NE(admin().get(back).header("Location"),
            kOrigin + "/endpoints?cnsi_guid=" + guid + "&status=ok");
  EXPECT_EQ(rows(), before);
  // The front end's other path for it.
  const Answer other =
      admin().get("/pp/v1/auth/tokens?guid=" + guid + "&state=" + percentEncode(kOrigin));
  expectEnd(admin().get(signInAtUaa(other.header("Location"), kAdminUser)), guid, "ok");
  expectCallsAs(guid, kAdminUser);
  removeAll("cf", guid);
}

TEST_P(CloudFoundryConnectTest, SingleSignOnBelongsToOneBrowserAndOneUser) {
  const std::string guid = addFoundation(true);
  const std::string none = rows();
  // Another browser, signed in or not, ends nothing.
  Browser stranger = t().browser();
  EXPECT_EQ(begin(stranger, guid).status, 401);
  Browser second = t().localAdmin();
  EXPECT_EQ(admin()
                .get("/api/v1/tokens?guid=" + guid + "&state=" + percentEncode(kOrigin),
                     {{"Sec-Fetch-Site", "cross-site"}})
                .status,
            403);
  const std::string back = signInAtUaa(begin(admin(), guid).header("Location"), kPlainUser);
  for (Browser* browser : {&stranger, &second}) {
    EXPECT_NE(browser->get(back).header("Location"),
              kOrigin + "/endpoints?cnsi_guid=" + guid + "&status=ok");
  }
  EXPECT_EQ(rows(), none);
  // Signed out in between.
  ASSERT_EQ(admin().send("POST", "/pp/v1/auth/logout").status, 200);
  expectEnd(admin().get(back), guid, "fail");
  EXPECT_EQ(rows(), none);
}

TEST_P(CloudFoundryConnectTest, SingleSignOnThatIsRefused) {
  const std::string closed = addFoundation(false);
  const std::string before = rows();
  expectRefused(begin(admin(), closed), 403, "Single sign-on is not allowed for this endpoint",
                before);
  expectRefused(begin(admin(), "unknown"), 400, "Requested endpoint not registered", before);
  expectRefused(begin(admin(), ""), 400, "Missing target endpoint", before);
  expectRefused(begin(admin(), closed, "https://evil.example"), 401, "must not return", before);
  expectRefused(begin(admin(), closed, ""), 401, "state is missing", before);
  ASSERT_EQ(admin().remove("/api/v1/endpoints/" + closed).status, 200);

  const std::string guid = addFoundation(true);
  ASSERT_EQ(t().connect(admin(), guid, kAdminUser, kAdminPassword).status, 200);
  const std::string connected = rows();
  const std::string state = queryOf(begin(admin(), guid).header("Location"), "state");
  expectEnd(admin().get(kCallback + "?error=access_denied&state=" + state), guid, "fail");
  const std::string again = queryOf(begin(admin(), guid).header("Location"), "state");
  expectEnd(admin().get(kCallback + "?code=made-up&state=" + again), guid, "fail");
  EXPECT_EQ(rows(), connected);
  expectCallsAs(guid, kAdminUser);
}

}  // namespace
}  // namespace stratos::compat
