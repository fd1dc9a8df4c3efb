#include "ext/user_invite/mail.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext/user_invite/mail_template.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/fake_smtp_server.hpp"
#include "stratos/testing/seeded_random.hpp"

namespace stratos::ext::invite {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const MailValues kValues{"https://uaa.x/invitations/accept?code=a&b=\"<>", "ann@example.com",
                         "Prod <script>alert('1')</script> & more", "https://api.x"};

std::string refusalOf(const std::string& text) {
  try {
    const MailTemplate refused("invite.txt", text, MailFormat::Text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    return error.what();
  }
  return "(none)";
}

std::string render(const std::string& text, MailFormat format = MailFormat::Text) {
  return MailTemplate("invite.txt", text, format).render(kValues);
}

TEST(MailTemplateTest, PutsValuesInTheirPlaces) {
  EXPECT_EQ(render("Hi {{ .EmailAddress }}, {{.EndpointURL}}!"),
            "Hi ann@example.com, https://api.x!");
  EXPECT_EQ(render("{{.InviteLink}}"), kValues.inviteLink);
  EXPECT_EQ(render(""), "");
  EXPECT_EQ(render("no { braces } at }} all"), "no { braces } at }} all");
}

TEST(MailTemplateTest, TrimsAndCommentsAsGoDoes) {
  EXPECT_EQ(render("a  \n {{- .EmailAddress -}} \n b"), "aann@example.comb");
  EXPECT_EQ(render("a {{/* by the operator */}}b"), "a b");
  EXPECT_EQ(render("a {{- /* x */ -}} b"), "ab");
}

TEST(MailTemplateTest, EscapesInHtmlOnly) {
  EXPECT_EQ(render("<b title=\"{{.EndpointName}}\">", MailFormat::Html),
            "<b title=\"Prod &lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; more\">");
  EXPECT_EQ(render("<a href=\"{{.InviteLink}}\">", MailFormat::Html),
            "<a href=\"https://uaa.x/invitations/accept?code=a&amp;b=&#34;&lt;&gt;\">");
  EXPECT_EQ(render("{{.EndpointName}}"), kValues.endpointName);
}

TEST(MailTemplateTest, AValueIsNeverATemplate) {
  MailValues values = kValues;
  values.endpointName = "{{ .InviteLink }}";
  EXPECT_EQ(MailTemplate("x", "{{.EndpointName}}", MailFormat::Text).render(values),
            "{{ .InviteLink }}");
}

TEST(MailTemplateTest, SaysWhereATemplateCannotBeUsed) {
  EXPECT_EQ(refusalOf("a\nb {{ .Inviter }}"),
            "The template invite.txt, line 2: \".Inviter\" is not one of .InviteLink, "
            ".EmailAddress, .EndpointName, .EndpointURL");
  EXPECT_THAT(refusalOf("{{ if .EndpointName }}x{{ end }}"), HasSubstr("line 1: \"if "));
  EXPECT_THAT(refusalOf("\n\n{{ .InviteLink"), HasSubstr("line 3: \"{{\" without \"}}\""));
  EXPECT_THAT(refusalOf("{{}}"), HasSubstr("\"\" is not one of"));
  EXPECT_THAT(refusalOf("{{ .invitelink }}"), HasSubstr("is not one of"));
}

TEST(MailTemplateTest, HasDefaultsThatHoldTheLink) {
  for (const auto text : {kDefaultText, kDefaultHtml}) {
    EXPECT_THAT(MailTemplate("default", text, MailFormat::Text).render(kValues),
                HasSubstr(kValues.inviteLink));
  }
  EXPECT_EQ(MailTemplate("subject", kDefaultSubject, MailFormat::Text).render(kValues),
            kDefaultSubject);
}

TEST(MailAddressTest, TellsAddressesFromOtherThings) {
  for (const char* good : {"a@b", "ann.b+tag@sub.example.com", "o'neil@example.com",
                           "x_y-z@xn--bcher-kva.example", "1@127.example"}) {
    EXPECT_TRUE(isMailAddress(good)) << good;
  }
  for (const std::string& bad : {std::string{},
                                 std::string{"ann"},
                                 std::string{"@b"},
                                 std::string{"a@"},
                                 std::string{"a@b@c"},
                                 std::string{"a b@c"},
                                 std::string{"a@b c"},
                                 std::string{"<a@b>"},
                                 std::string{"a@b\r\nRCPT TO:<c@d>"},
                                 std::string{"a@b\nBcc: c@d"},
                                 std::string{"a@b\0", 4},
                                 std::string{"a,b@c"},
                                 std::string{"a@b,c@d"},
                                 std::string{"\"a b\"@c"},
                                 std::string{"a@[::1]"},
                                 std::string{".a@b"},
                                 std::string{"a..b@c"},
                                 std::string{"a@b."},
                                 std::string{"\xc3\xa4@b"},
                                 std::string(65, 'a') + "@b",
                                 "a@" + std::string(254, 'b')}) {
    EXPECT_FALSE(isMailAddress(bad)) << bad;
  }
}

TEST(MailAddressTest, ReadsSenders) {
  const auto plain = Mailbox::tryParse(" ops@example.com ");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->address, "ops@example.com");
  EXPECT_EQ(plain->name, "");
  for (const char* text : {"Ops Team<ops@example.com>", "\"Ops Team\" <ops@example.com>"}) {
    const auto named = Mailbox::tryParse(text);
    ASSERT_TRUE(named) << text;
    EXPECT_EQ(named->address, "ops@example.com");
    EXPECT_EQ(named->name, "Ops Team");
  }
  for (const char* text : {"", "Ops", "Ops <ops>", "<a@b> x", "a@b <c"}) {
    EXPECT_FALSE(Mailbox::tryParse(text)) << text;
  }
}

class MailTest : public ::testing::Test {
 protected:
  testing::ReceivedMail received(const Mail& mail) {
    testing::ReceivedMail result;
    result.data = toMessage(mail, fromUnixSeconds(1'795'403'045), random_);
    return result;
  }
  Mail mail_{{"Ops", "ops@example.com"}, "ann@example.com", "Welcome", "Hi\n.\nthere", ""};
  testing::SeededRandom random_{1};
};

TEST_F(MailTest, IsAMessage) {
  const auto mail = received(mail_);
  EXPECT_EQ(mail.header("From"), "\"Ops\" <ops@example.com>");
  EXPECT_EQ(mail.header("To"), "ann@example.com");
  EXPECT_EQ(mail.header("Subject"), "Welcome");
  EXPECT_EQ(mail.header("Date"), "Mon, 23 Nov 2026 03:04:05 +0000");
  EXPECT_THAT(mail.header("Message-ID"), ::testing::MatchesRegex("<[0-9a-f]{32}@example.com>"));
  EXPECT_EQ(mail.header("Content-Type"), "text/plain; charset=UTF-8");
  EXPECT_EQ(mail.part("text/plain"), "Hi\r\n.\r\nthere");
  EXPECT_EQ(mail.part("text/html"), "");
}

TEST_F(MailTest, HasTextAndHtml) {
  mail_.text = "Gr\xc3\xbc\xc3\x9f" + std::string(3000, 'x');
  mail_.html = "<p>\xe2\x82\xac</p>\r\n";
  const auto mail = received(mail_);
  EXPECT_THAT(mail.header("Content-Type"), StartsWith("multipart/alternative; boundary="));
  EXPECT_EQ(mail.part("text/plain"), mail_.text);
  EXPECT_EQ(mail.part("text/html"), mail_.html);
  for (const std::string& line : split(mail.data, '\n')) EXPECT_LE(line.size(), 79U) << line;
}

TEST_F(MailTest, EncodesWhatIsNotAscii) {
  for (const std::string& subject :
       {std::string{"Gr\xc3\xbc\xc3\x9f Gott"}, std::string(200, 'a') + "\xe2\x82\xac",
        std::string{"=?UTF-8?B?eA==?="}}) {
    mail_.subject = subject;
    std::string decoded;
    for (const std::string& word : split(received(mail_).header("Subject"), ' ')) {
      ASSERT_THAT(word, StartsWith("=?UTF-8?B?"));
      EXPECT_LE(word.size(), 75U);
      const std::string text = fromBase64(word.substr(10, word.size() - 12)).value_or("?");
      EXPECT_TRUE(isValidUtf8(text)) << "characters are not cut in two";
      decoded += text;
    }
    EXPECT_EQ(decoded, subject);
  }
}

TEST_F(MailTest, NoValueAddsAField) {
  mail_.subject = "Welcome\r\nBcc: eve@example.com\r\n\r\n<b>body</b>";
  mail_.from.name = "Ops\"\r\nBcc: eve@example.com";
  const auto mail = received(mail_);
  EXPECT_EQ(mail.header("Bcc"), "");
  EXPECT_EQ(mail.header("Subject"), "Welcome  Bcc: eve@example.com    <b>body</b>");
  EXPECT_EQ(mail.header("From"), "\"Ops\\\"  Bcc: eve@example.com\" <ops@example.com>");
  EXPECT_THAT(mail.part("text/plain"), Not(HasSubstr("body")));
  for (const char* address : {"a@b\r\nBcc: c@d", "a@b>", ""}) {
    Mail bad = mail_;
    bad.to = address;
    EXPECT_THROW(static_cast<void>(received(bad)), Error);
    bad = mail_;
    bad.from.address = address;
    EXPECT_THROW(static_cast<void>(received(bad)), Error);
  }
}

}  // namespace
}  // namespace stratos::ext::invite
