#include "front_end.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(FrontEndPolicyTest, FindsThePolicyOfAPage) {
  EXPECT_EQ(policyOfPage("<!doctype html><head><meta charset=\"utf-8\">"
                         "<meta http-equiv=\"Content-Security-Policy\"\n  content=\"default-src "
                         "'none';\n script-src 'self';\" /></head>"),
            "default-src 'none';  script-src 'self'");
  EXPECT_EQ(policyOfPage("<META content='img-src \"x\"' HTTP-EQUIV='content-security-policy'>"),
            "img-src \"x\"");
  for (const char* html :
       {"", "<meta", "<meta http-equiv=\"refresh\" content=\"1\">",
        "<meta name=\"x-http-equiv\" data-content=\"y\">",
        "<meta http-equiv=\"Content-Security-Policy\">", "<p>Content-Security-Policy</p>"}) {
    EXPECT_EQ(policyOfPage(html), "") << html;
  }
}

TEST(FrontEndPolicyTest, OwnPagesAreStrictAndOthersWork) {
  const TemporaryFolder folder;
  EXPECT_EQ(policyFor(folder.path(), ""), commonPolicy());
  folder.write("index.html", "<html><style>p{}</style></html>");
  EXPECT_EQ(policyFor(folder.path(), ""), commonPolicy());
  folder.write("index.html",
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">");
  EXPECT_EQ(policyFor(folder.path(), ""), "default-src 'none'; frame-ancestors 'self'");
  EXPECT_EQ(policyFor(folder.path(), "default-src *\r\nX: y"), "default-src *  X: y");
  EXPECT_EQ(policyFor(folder.path(), "off"), "");
}

TEST(FrontEndPolicyTest, TheCommonOneAllowsStylesInThePageAndNoForeignScripts) {
  const std::string policy = commonPolicy();
  EXPECT_THAT(policy, StartsWith("default-src 'self'; "));
  EXPECT_THAT(policy, HasSubstr("; style-src 'self' 'unsafe-inline'; "));
  EXPECT_THAT(policy, HasSubstr("; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "));
  EXPECT_THAT(policy, HasSubstr("; object-src 'none'; "));
  EXPECT_THAT(policy, EndsWith("; frame-ancestors 'self'"));
  EXPECT_THAT(policy, Not(HasSubstr("\n")));
}

class Answers final : public http::Handler {
 public:
  [[nodiscard]] http::Response handle(http::Request&) override {
    return http::Response::text(200, "page");
  }
};

TEST(FrontEndPolicyTest, IsAddedToEveryAnswer) {
  http::Request request;
  PolicyHandler strict(std::make_unique<Answers>(), "default-src 'none'");
  EXPECT_EQ(strict.handle(request).headers.get("Content-Security-Policy"), "default-src 'none'");
  PolicyHandler none(std::make_unique<Answers>(), "");
  EXPECT_FALSE(none.handle(request).headers.has("Content-Security-Policy"));
}

}  // namespace
}  // namespace stratos::server
