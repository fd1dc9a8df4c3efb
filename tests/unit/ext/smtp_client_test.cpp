#include "ext/user_invite/smtp_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "stratos/testing/fake_smtp_server.hpp"

namespace stratos::ext::invite {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FakeSmtpServer;
using testing::FakeSmtpServerOptions;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using testing::TestCertificates;

constexpr const char* kFrom = "ops@example.com";
constexpr const char* kTo = "ann@example.com";
constexpr const char* kMessage = "Subject: x\r\n\r\nHi\r\n.\r\n..\r\nthere\r\n";
constexpr const char* kPassword = "smtp-pass-3c";

class SmtpClientTest : public ::testing::Test {
 protected:
  SmtpOptions optionsFor(const FakeSmtpServer& server) {
    SmtpOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.trust.caCertificatePem = certificates_.caPem();
    options.timeout = std::chrono::seconds{20};
    return options;
  }
  static SmtpResult sendOne(const SmtpOptions& options) {
    SmtpSession session(options);
    return session.send(kFrom, kTo, kMessage);
  }
  FakeSmtpServerOptions withTls() { return {.tls = certificates_.issueServer()}; }

  TestCertificates certificates_;
};

TEST_F(SmtpClientTest, HandsOverAMail) {
  FakeSmtpServer server;
  const SmtpResult result = sendOne(optionsFor(server));
  ASSERT_TRUE(result.sent) << result.detail;
  ASSERT_THAT(server.mails(), SizeIs(1));
  const auto mail = server.mails().front();
  EXPECT_EQ(mail.from, kFrom);
  EXPECT_THAT(mail.recipients, ElementsAre(kTo));
  EXPECT_EQ(mail.data, kMessage) << "lines of dots arrive as they are";
  EXPECT_FALSE(mail.secure);
}

TEST_F(SmtpClientTest, UsesStartTlsWhereItIsOffered) {
  FakeSmtpServer server(withTls());
  ASSERT_TRUE(sendOne(optionsFor(server)).sent);
  EXPECT_TRUE(server.mails().at(0).secure);
  EXPECT_TRUE(server.waitForCommands(7, Deadline::after(std::chrono::seconds{30})));
  EXPECT_THAT(server.commands(), ElementsAre("EHLO localhost", "STARTTLS", "EHLO localhost",
                                             "MAIL FROM:<ops@example.com>",
                                             "RCPT TO:<ann@example.com>", "DATA", "QUIT"));
}

TEST_F(SmtpClientTest, SpeaksTlsFromTheFirstByte) {
  FakeSmtpServerOptions made = withTls();
  made.implicitTls = true;
  FakeSmtpServer server(made);
  SmtpOptions options = optionsFor(server);
  options.tls = SmtpTls::Implicit;
  const SmtpResult result = sendOne(options);
  ASSERT_TRUE(result.sent) << result.detail;
  EXPECT_TRUE(server.mails().at(0).secure);
}

TEST_F(SmtpClientTest, RefusesACertificateThatIsNotTheServers) {
  for (const auto& identity : {certificates_.issueWrongName(), certificates_.issueExpired(),
                               certificates_.makeSelfSigned()}) {
    FakeSmtpServer server({.tls = identity});
    const SmtpResult result = sendOne(optionsFor(server));
    EXPECT_FALSE(result.sent);
    EXPECT_THAT(result.detail, HasSubstr("x509"));
    EXPECT_THAT(server.mails(), SizeIs(0));
  }
}

TEST_F(SmtpClientTest, SendsNothingInTheClearWhereTlsIsWanted) {
  FakeSmtpServer server;
  SmtpOptions options = optionsFor(server);
  options.tls = SmtpTls::StartTls;
  EXPECT_EQ(sendOne(options).detail, "the mail server offers no STARTTLS");
  FakeSmtpServer refusing(withTls());
  refusing.answerWith("STARTTLS", "454 not now");
  EXPECT_EQ(sendOne(optionsFor(refusing)).detail, "the mail server refuses STARTTLS: 454")
      << "a server that offers TLS is not used without it";
}

TEST_F(SmtpClientTest, TakesNoAnswerThatCameBeforeTls) {
  FakeSmtpServer server(withTls());
  server.injectBeforeTls("250-mail.example\r\n250 AUTH PLAIN\r\n");
  const SmtpResult result = sendOne(optionsFor(server));
  EXPECT_FALSE(result.sent);
  EXPECT_EQ(result.detail, "something was sent in the clear before TLS began");
}

TEST_F(SmtpClientTest, SignsIn) {
  FakeSmtpServerOptions made = withTls();
  made.user = "mailer";
  made.password = kPassword;
  FakeSmtpServer server(made);
  SmtpOptions options = optionsFor(server);
  EXPECT_THAT(sendOne(options).detail, HasSubstr("530"));
  options.user = "mailer";
  options.password = Secret{kPassword};
  ASSERT_TRUE(sendOne(options).sent);
  EXPECT_EQ(server.mails().at(0).user, "mailer");

  options.password = Secret{"wrong"};
  const SmtpResult result = sendOne(options);
  EXPECT_EQ(result.detail, "the mail server refuses SMTP_USER: 535")
      << "the server's text could hold the password";
  options.password = Secret{kPassword};
  FakeSmtpServer open;
  options.port = open.port();
  EXPECT_EQ(sendOne(options).detail, "the mail server offers no AUTH PLAIN");
}

TEST_F(SmtpClientTest, SendsManyMailsOverOneConnection) {
  FakeSmtpServer server;
  const SmtpOptions options = optionsFor(server);
  SmtpSession session(options);
  ASSERT_TRUE(session.send(kFrom, "a@x", kMessage).sent);
  server.answerWith("RCPT", "550 no such user\r\x01here");
  const SmtpResult refused = session.send(kFrom, "b@x", kMessage);
  EXPECT_FALSE(refused.sent);
  EXPECT_EQ(refused.detail, "the mail server refuses the recipient: 550 no such user  here");
  ASSERT_TRUE(session.send(kFrom, "c@x", kMessage).sent);
  EXPECT_EQ(server.connectionCount(), 1U);
  ASSERT_THAT(server.mails(), SizeIs(2));
  EXPECT_THAT(server.mails().at(1).recipients, ElementsAre("c@x"));
}

TEST_F(SmtpClientTest, ConnectsAnewWhenTheServerHasClosedAnIdleConnection) {
  FakeSmtpServer server;
  const SmtpOptions options = optionsFor(server);
  SmtpSession session(options);
  ASSERT_TRUE(session.send(kFrom, "a@x", kMessage).sent);
  server.answerWith("MAIL", "");
  ASSERT_TRUE(session.send(kFrom, "b@x", kMessage).sent);
  server.answerWith("MAIL", "421 you were idle");
  ASSERT_TRUE(session.send(kFrom, "c@x", kMessage).sent);
  EXPECT_EQ(server.connectionCount(), 3U);
}

TEST_F(SmtpClientTest, NeverSendsAMailTwice) {
  FakeSmtpServer server;
  const SmtpOptions options = optionsFor(server);
  SmtpSession session(options);
  server.answerWith(".", "");
  EXPECT_FALSE(session.send(kFrom, kTo, kMessage).sent) << "it may have been taken";
  EXPECT_FALSE(session.send(kFrom, "b@x", kMessage).sent);
  EXPECT_EQ(server.connectionCount(), 1U);
}

TEST_F(SmtpClientTest, ReportsWhatTheServerDoes) {
  struct Case {
    const char* verb;
    const char* answer;
    const char* detail;
  };
  for (const auto& [verb, answer, detail] :
       {Case{"CONNECT", "554 go away", "the mail server does not want to talk: 554"},
        Case{"CONNECT", "", "the mail server closed the connection"},
        Case{"CONNECT", "hello", "the mail server's answer is not SMTP"},
        Case{"EHLO", "2500 x", "the mail server's answer is not SMTP"},
        Case{"MAIL", "550 not you", "the mail server refuses the sender: 550 not you"},
        Case{"MAIL", "421 later", "the mail server refuses the sender: 421 later"},
        Case{"DATA", "452 full", "the mail server refuses the mail: 452 full"},
        Case{"DATA", "250 what", "the mail server refuses the mail: 250 what"},
        Case{".", "554 spam", "the mail server refuses the mail: 554 spam"},
        Case{"RCPT", "", "the mail server closed the connection"}}) {
    FakeSmtpServer server;
    server.answerWith(verb, answer);
    const SmtpResult result = sendOne(optionsFor(server));
    EXPECT_FALSE(result.sent);
    EXPECT_EQ(result.detail, detail);
  }
  FakeSmtpServer old;
  old.answerWith("EHLO", "502 what?");
  EXPECT_TRUE(sendOne(optionsFor(old)).sent) << "HELO is enough";
  FakeSmtpServer endless;
  endless.answerWith("CONNECT", "220-" + std::string(100'000, 'x'));
  EXPECT_EQ(sendOne(optionsFor(endless)).detail, "the mail server's answer is not SMTP");
  SmtpOptions nobody;
  nobody.host = "127.0.0.1";
  nobody.port = 1;
  EXPECT_THAT(sendOne(nobody).detail, HasSubstr("cannot connect"));
}

TEST_F(SmtpClientTest, WaitsOnlySoLong) {
  for (const char* verb : {"CONNECT", "EHLO", "."}) {
    FakeSmtpServer server;
    server.hangAt(verb);
    SmtpOptions options = optionsFor(server);
    options.timeout = std::chrono::milliseconds{200};
    EXPECT_THAT(sendOne(options).detail, HasSubstr("took too long")) << verb;
  }
}

TEST_F(SmtpClientTest, RefusesAddressesThatWouldBeCommands) {
  FakeSmtpServer server;
  const SmtpOptions options = optionsFor(server);
  SmtpSession session(options);
  for (const char* bad : {"a@b>\r\nRCPT TO:<c@d", "a@b\n", "", "a b@c"}) {
    EXPECT_THROW(static_cast<void>(session.send(kFrom, bad, kMessage)), Error);
    EXPECT_THROW(static_cast<void>(session.send(bad, kTo, kMessage)), Error);
  }
  EXPECT_EQ(server.connectionCount(), 0U);
}

}  // namespace
}  // namespace stratos::ext::invite
