#include "console_fixture.hpp"

#include "stratos/base/error.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/user_invite.hpp"
#include "stratos/testing/fake_smtp_server.hpp"

namespace stratos::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kClient = "inviter";
constexpr const char* kSecret = "in:vite:secret-77";  // A colon is a character like any other.
constexpr const char* kManager = "meg";
constexpr const char* kManagerPassword = "meg-pass-83a0";
constexpr const char* kOk = R"({"status": "ok"})";

class InviteTest : public ConsoleTest {
 protected:
  void SetUp() override {
    ConsoleTest::SetUp();
    if (IsSkipped()) return;
    t().vault.add(kSecret);
    t().uaa().addClient(
        {kClient, kSecret, {"client_credentials"}, {"scim.invite", "cloud_controller.admin"}});
    t().uaa().addUser({kManager,
                       kManagerPassword,
                       {"openid", "cloud_controller.read", "cloud_controller.write"}});
    start(optionsFor(smtp_));
    admin_ = std::make_unique<Browser>(t().signedIn(kAdminUser, kAdminPassword));
    guid_ = t().registerFoundation(*admin_);
  }

  static ext::UserInviteOptions optionsFor(const testing::FakeSmtpServer& server) {
    ext::UserInviteOptions options;
    options.smtp.host = "127.0.0.1";
    options.smtp.port = server.port();
    options.from = "Operations <ops@example.com>";
    return options;
  }
  void start(ext::UserInviteOptions options) {
    std::vector<std::unique_ptr<Extension>> extensions;
    extensions.push_back(ext::makeCloudFoundry());
    extensions.push_back(ext::makeUserInvite(std::move(options)));
    t().start(t().remoteOptions(), std::move(extensions));
  }

  std::string path() const { return "/pp/v1/invite/" + guid_; }
  Answer configure(const Fields& form = {{"client_id", kClient}, {"client_secret", kSecret}}) {
    return admin_->postMultipart(path(), form);
  }
  /// A user of the foundation who is connected to it and manages the first organization.
  Browser manager(bool manages = true) {
    Browser browser = t().signedIn(kManager, kManagerPassword);
    EXPECT_EQ(t().connect(browser, guid_, kManager, kManagerPassword).status, 200);
    if (manages) {
      t().cloudController().addRole("organization_manager", organization(), t().userGuid(browser));
    }
    return browser;
  }
  std::string organization(std::size_t i = 0) { return t().cloudController().organizationGuid(i); }
  std::string space() { return t().cloudController().spaceGuid(0); }
  std::string wish(const std::string& emails, const std::string& more = {}) {
    return R"({"org":")" + organization() + R"(","emails":)" + emails + more + "}";
  }
  Answer send(Browser& browser, const std::string& body, const Fields& headers = {}) {
    Fields fields{{"Content-Type", "application/json"}};
    fields.insert(fields.end(), headers.begin(), headers.end());
    return browser.send("POST", "/pp/v1/invite/send/" + guid_, fields, body);
  }
  std::string allowed() {
    return jsonAt(admin_->get("/pp/v1/info").body,
                  "endpoints/cf/" + guid_ + "/metadata/userInviteAllowed");
  }

  testing::FakeSmtpServer smtp_;
  std::unique_ptr<Browser> admin_;
  std::string guid_;
};
STRATOS_ON_EVERY_DIALECT(InviteTest);

TEST_P(InviteTest, AnAdministratorSetsTheClient) {
  EXPECT_EQ(jsonAt(admin_->get("/pp/v1/info").body, "plugin-config/userInvitationsEnabled"),
            "true");
  EXPECT_EQ(jsonAt(admin_->get("/pp/v1/info").body, "plugins/userinvite"), "true");
  EXPECT_EQ(allowed(), "false");
  EXPECT_EQ(admin_->get(path()).body,
            R"({"endpoint_guid":")" + guid_ + R"(","enabled":false,"client_id":""})");

  const Answer set = configure();
  EXPECT_EQ(set.status, 200);
  EXPECT_EQ(set.body, kOk);
  EXPECT_EQ(allowed(), "true");
  EXPECT_EQ(admin_->get(path()).body,
            R"({"endpoint_guid":")" + guid_ + R"(","enabled":true,"client_id":"inviter"})");
  const auto row = t().tokenStore.findForEndpoint(UserId{"00000000-1111-2222-3333-444444444455"},
                                                  EndpointId{guid_});
  ASSERT_TRUE(row) << "where upstream looks for it";
  EXPECT_EQ(row->authType, "uaa-client");
  EXPECT_EQ(row->refreshToken.reveal(), std::string{kClient} + ":" + kSecret);

  const Answer gone = admin_->remove(path());
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.body, kOk);
  EXPECT_EQ(allowed(), "false");
}

TEST_P(InviteTest, B12AClientIsStoredOnlyWhenItMayInvite) {
  t().uaa().addClient({"weak", "weak-secret-5", {"client_credentials"}, {"scim.invite"}});
  t().vault.add("weak-secret-5");
  const auto refused = [&](int status, const std::string& text, const Fields& form) {
    const Answer answer = configure(form);
    EXPECT_EQ(answer.status, status);
    EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr(text));
    EXPECT_EQ(jsonAt(answer.body, "status"), "error");
    EXPECT_EQ(allowed(), "false");
  };
  refused(400, "client_secret", {{"client_id", kClient}, {"client_secret", ""}});
  refused(400, "client_id", {{"client_secret", kSecret}});
  refused(400, "colon", {{"client_id", "a:b"}, {"client_secret", kSecret}});
  refused(400, "cloud_controller.admin",
          {{"client_id", "weak"}, {"client_secret", "weak-secret-5"}});
  refused(401, "does not accept the client",
          {{"client_id", kClient}, {"client_secret", "wrong-secret-9"}});
  guid_ = "nowhere";
  const Answer unknown = configure();
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("no Cloud Foundry endpoint"));
}

TEST_P(InviteTest, AWrongClientLeavesTheOldOneInForce) {
  ASSERT_EQ(configure().status, 200);
  EXPECT_EQ(configure({{"client_id", kClient}, {"client_secret", "wrong-secret-9"}}).status, 401);
  EXPECT_EQ(allowed(), "true");
}

TEST_P(InviteTest, AManagerInvites) {
  ASSERT_EQ(configure().status, 200);
  Browser browser = manager();
  const Answer answer = send(
      browser, wish(R"(["ann@example.com","ann@example.com","joe@example.com"])",
                    R"(,"space":")" + space() +
                        R"(","spaceRoles":{"auditor":true,"developer":true,"manager":false})"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(jsonAt(answer.body, "failed_invites"), "[]");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/0/email"), "ann@example.com");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/0/success"), "true");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/0/errorCode"), "");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/1/email"), "joe@example.com");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/2"), "<missing>");
  EXPECT_EQ(jsonAt(answer.body, "new_invites/0/inviteLink"), "")
      << "whoever has the link is that user";

  const std::string user = jsonAt(answer.body, "new_invites/0/userid");
  EXPECT_TRUE(t().cloudController().hasUser(user));
  EXPECT_TRUE(t().cloudController().hasRole("organization_user", organization(), user));
  EXPECT_TRUE(t().cloudController().hasRole("space_auditor", space(), user));
  EXPECT_TRUE(t().cloudController().hasRole("space_developer", space(), user));
  EXPECT_FALSE(t().cloudController().hasRole("space_manager", space(), user));

  ASSERT_THAT(smtp_.mails(), SizeIs(2));
  const auto mail = smtp_.mails().front();
  EXPECT_EQ(mail.from, "ops@example.com");
  EXPECT_THAT(mail.recipients, ElementsAre("ann@example.com"));
  EXPECT_THAT(mail.part("text/plain"), HasSubstr("/invitations/accept?code="));
  EXPECT_THAT(mail.part("text/plain"), HasSubstr("console.example"));
  EXPECT_THAT(mail.part("text/html"), HasSubstr("ann@example.com"));
  EXPECT_EQ(smtp_.mails().back().connection, mail.connection) << "one connection for all";
}

TEST_P(InviteTest, WhoIsThereAlreadyIsInvitedAgain) {
  ASSERT_EQ(configure().status, 200);
  Browser browser = manager();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(jsonAt(send(browser, wish(R"(["ann@example.com"])")).body, "failed_invites"), "[]");
  }
  EXPECT_THAT(smtp_.mails(), SizeIs(2));
}

TEST_P(InviteTest, AnAdministratorOfTheFoundationInvites) {
  ASSERT_EQ(configure().status, 200);
  ASSERT_EQ(t().connect(*admin_, guid_, kAdminUser, kAdminPassword).status, 200);
  EXPECT_EQ(jsonAt(send(*admin_, wish(R"(["ann@example.com"])")).body, "new_invites/0/email"),
            "ann@example.com");
}

TEST_P(InviteTest, S8NobodyElseInvites) {
  ASSERT_EQ(configure().status, 200);
  Browser stranger = t().signedIn(kManager, kManagerPassword);
  const auto refused = [&](Browser& browser, const std::string& body) {
    const Answer answer = send(browser, body);
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(jsonAt(answer.body, "status"), "error");
    return jsonAt(answer.body, "error");
  };
  EXPECT_THAT(refused(stranger, wish(R"(["ann@example.com"])")), HasSubstr("not connected"));
  Browser user = manager(/*manages=*/false);
  EXPECT_THAT(refused(user, wish(R"(["ann@example.com"])")), HasSubstr("manager"));
  t().cloudController().addRole("organization_manager", organization(1), t().userGuid(user));
  EXPECT_THAT(refused(user, wish(R"(["ann@example.com"])")), HasSubstr("manager"))
      << "of another organization";
  EXPECT_THAT(smtp_.mails(), SizeIs(0));
  EXPECT_EQ(user.get(path()).status, 401);
  EXPECT_EQ(user.postMultipart(path(), {}).status, 401);
  EXPECT_EQ(user.remove(path()).status, 401);
  EXPECT_EQ(allowed(), "true");
}

TEST_P(InviteTest, WhatCannotBeDoneIsSaidForEachAddress) {
  ASSERT_EQ(configure().status, 200);
  Browser browser = manager();
  smtp_.answerWith("RCPT", "550 no such user");
  const Answer answer = send(
      browser, wish(R"(["ann@example.com","joe@example.com\r\nRCPT TO:<eve@example.com>","x"])"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(jsonAt(answer.body, "new_invites"), "[]");
  EXPECT_EQ(jsonAt(answer.body, "failed_invites/0/errorCode"), "Stratos-EmailSendFailure");
  EXPECT_EQ(jsonAt(answer.body, "failed_invites/0/success"), "false");
  for (const char* i : {"1", "2"}) {
    EXPECT_EQ(jsonAt(answer.body, std::string{"failed_invites/"} + i + "/errorCode"),
              "Stratos-InvalidAddress");
  }
  EXPECT_THAT(smtp_.mails(), SizeIs(0));
  for (const std::string& command : smtp_.commands()) EXPECT_THAT(command, Not(HasSubstr("eve")));

  const Answer noSpace = send(browser, wish(R"(["joe@example.com"])",
                                            R"(,"space":"nowhere","spaceRoles":{"auditor":true})"));
  EXPECT_EQ(jsonAt(noSpace.body, "failed_invites/0/errorCode"), "CF-UnprocessableEntity");
  EXPECT_THAT(jsonAt(noSpace.body, "failed_invites/0/errorMessage"), HasSubstr("Invalid space"));
  EXPECT_THAT(smtp_.mails(), SizeIs(0)) << "no mail without the roles that it promises";
}

TEST_P(InviteTest, S21WhatIsWrongWithARequestIsSaid) {
  Browser browser = manager();
  const auto refused = [&](int status, const std::string& body) {
    const Answer answer = send(browser, body);
    EXPECT_EQ(answer.status, status) << body;
    return jsonAt(answer.body, "error");
  };
  EXPECT_THAT(refused(503, wish(R"(["ann@example.com"])")), HasSubstr("not configured"));
  ASSERT_EQ(configure().status, 200);
  EXPECT_THAT(refused(400, ""), HasSubstr("JSON object"));
  EXPECT_THAT(refused(400, "[]"), HasSubstr("JSON object"));
  EXPECT_THAT(refused(400, R"({"emails":["a@example.com"]})"), HasSubstr("org"));
  EXPECT_THAT(refused(400, R"({"org":7,"emails":["a@example.com"]})"), HasSubstr("org"));
  EXPECT_THAT(refused(400, wish("[]")), HasSubstr("email"));
  EXPECT_THAT(refused(400, wish("\"a@example.com\"")), HasSubstr("email"));
  EXPECT_THAT(refused(400, wish("[7]")), HasSubstr("strings"));
  EXPECT_THAT(refused(400, wish(R"(["a@example.com"])", R"(,"space":"s","spaceRoles":[])")),
              HasSubstr("spaceRoles"));
  EXPECT_THAT(
      refused(400, wish(R"(["a@example.com"])", R"(,"space":"s","spaceRoles":{"auditor":"yes"})")),
      HasSubstr("spaceRoles.auditor"));
  std::string many = "[\"a@example.com\"";
  for (int i = 0; i < 100; ++i) many += ",\"a@example.com\"";
  EXPECT_THAT(refused(400, wish(many + "]")), HasSubstr("100"));
  guid_ = "nowhere";
  EXPECT_THAT(refused(503, wish(R"(["a@example.com"])")), HasSubstr("no Cloud Foundry endpoint"));
  EXPECT_THAT(smtp_.mails(), SizeIs(0));
}

TEST_P(InviteTest, TheClientsTokenIsRenewed) {
  ASSERT_EQ(configure().status, 200);
  t().clock.advance(std::chrono::hours{1});
  admin_->login(kAdminUser, kAdminPassword);
  Browser browser = manager();
  EXPECT_EQ(jsonAt(send(browser, wish(R"(["ann@example.com"])")).body, "new_invites/0/email"),
            "ann@example.com");
  t().uaa().revokeAccessTokens();
  Browser again = manager();
  EXPECT_EQ(jsonAt(send(again, wish(R"(["joe@example.com"])")).body, "new_invites/0/email"),
            "joe@example.com")
      << "a token that the UAA does not take any more";
}

TEST_P(InviteTest, S7ASharedConnectionIsNoClient) {
  ASSERT_EQ(admin_
                ->postMultipart(
                    "/api/v1/tokens?cnsi_guid=" + guid_ + "&connect_type=creds&system_shared=true",
                    {{"username", kAdminUser}, {"password", kAdminPassword}})
                .status,
            200);
  EXPECT_EQ(allowed(), "false");
  Browser browser = manager();
  EXPECT_EQ(send(browser, wish(R"(["ann@example.com"])")).status, 503);
}

TEST_P(InviteTest, WithoutAMailServerThereAreNoInvitations) {
  start({});
  Browser admin = t().signedIn(kAdminUser, kAdminPassword);
  const std::string info = admin.get("/pp/v1/info").body;
  EXPECT_EQ(jsonAt(info, "plugin-config/userInvitationsEnabled"), "false");
  EXPECT_EQ(jsonAt(info, "endpoints/cf/" + guid_ + "/metadata/userInviteAllowed"), "<missing>");
  EXPECT_EQ(admin.get(path()).status, 404);
}

TEST(InviteOptionsTest, ASenderThatIsNoneIsRefused) {
  ext::UserInviteOptions options;
  options.smtp.host = "127.0.0.1";
  options.from = "ops@example.com\r\nBcc: eve@example.com";
  EXPECT_THROW(ext::makeUserInvite(options), Error);
  options.from = "ops@example.com";
  options.subject = "{{ .Unknown }}";
  EXPECT_THROW(ext::makeUserInvite(options), Error);
}

}  // namespace
}  // namespace stratos::compat
