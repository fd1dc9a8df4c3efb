#include "stratos/ext/endpoints_file.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdlib.h>

#include "stratos/base/error.hpp"

namespace stratos::ext {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

class EndpointsFileTest : public ::testing::Test {
 protected:
  EndpointsFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "endpoints-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~EndpointsFileTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  EndpointsFile read(const std::string& text) const {
    write("endpoints.yaml", text);
    return readEndpointsFile(folder_ / "endpoints.yaml",
                             [](const std::string& name) -> std::optional<std::string> {
                               if (name == "SECRET") return "from-the-environment";
                               return std::nullopt;
                             });
  }
  std::string refusalOf(const std::string& text) const {
    try {
      static_cast<void>(read(text));
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
      EXPECT_THAT(e.what(), HasSubstr("endpoints.yaml"));
      return e.what();
    }
    return "(accepted)";
  }

  std::filesystem::path folder_;
};

TEST_F(EndpointsFileTest, ReadsEveryKey) {
  write("ca.pem", kPem);
  write("secret", "from-a-file\n");
  const EndpointsFile file = read(R"(# comment
prune: true
endpoints:
  - name: Production
    type: cf
    sub_type: x
    url: https://api.example.com
    skip_ssl_validation: true
    sso_allowed: true
    ca_certificate: |
      -----BEGIN CERTIFICATE-----
      MIIB
      -----END CERTIFICATE-----
    client_id: stratos
    client_secret_env: SECRET

  - {name: "2", type: cf, url: "https://api.other.example", client_id: c, client_secret_file: secret, ca_certificate_file: ca.pem}
  - name: Bare
    type: metrics
    url: http://10.0.0.1:9090/x
)");
  EXPECT_TRUE(file.prune);
  ASSERT_EQ(file.endpoints.size(), 3U);
  const endpoint::Registration& first = file.endpoints[0].registration;
  EXPECT_EQ(file.endpoints[0].line, 4);
  EXPECT_EQ(first.name, "Production");
  EXPECT_EQ(first.type, "cf");
  EXPECT_EQ(first.subType, "x");
  EXPECT_EQ(first.apiUrl, "https://api.example.com");
  EXPECT_TRUE(first.skipSslValidation);
  EXPECT_TRUE(first.ssoAllowed);
  EXPECT_EQ(first.caCertificate, kPem);
  EXPECT_EQ(first.clientId, "stratos");
  EXPECT_EQ(first.clientSecret.reveal(), "from-the-environment");
  EXPECT_TRUE(first.systemEndpoint);
  const endpoint::Registration& second = file.endpoints[1].registration;
  EXPECT_EQ(second.name, "2");
  EXPECT_EQ(second.clientSecret.reveal(), "from-a-file");
  EXPECT_EQ(second.caCertificate, kPem);
  const endpoint::Registration& third = file.endpoints[2].registration;
  EXPECT_FALSE(third.skipSslValidation);
  EXPECT_FALSE(third.ssoAllowed);
  EXPECT_EQ(third.clientId, "");
  EXPECT_EQ(third.caCertificate, "");
}

TEST_F(EndpointsFileTest, ReadsJson) {
  const EndpointsFile file = read(
      R"({"endpoints": [{"name": "P", "type": "cf", "url": "https://a.example", "sso_allowed": true}]})");
  EXPECT_FALSE(file.prune);
  ASSERT_EQ(file.endpoints.size(), 1U);
  EXPECT_TRUE(file.endpoints[0].registration.ssoAllowed);
  EXPECT_TRUE(read("endpoints: []").endpoints.empty());
}

TEST_F(EndpointsFileTest, NamesLineAndMend) {
  const std::string head = "endpoints:\n- name: A\n  type: cf\n  url: https://a.example\n";
  const struct {
    std::string text;
    const char* line;
    const char* says;
  } cases[] = {
      {"", "", "one document"},
      {"[]", "", "one document"},
      {"a\n---\nb", "", "one document"},
      {"prune: true\n", "line 1", "endpoints is missing"},
      {"endpoints:\n", "line 1", "endpoints has no value"},
      {"prune: false\nendpoints: {}\n", "line 2", "must be a list"},
      {"endpoints: [\n", "line", "YAML"},
      {"endpoints: []\nEndpoints: []\n", "line 2", "\"Endpoints\" is not known"},
      {"endpoints: []\nprune: \"true\"\n", "line 2", "prune must be true or false"},
      {"endpoints: []\nprune: yes\n", "line 2", "prune must be true or false"},
      {"endpoints:\n- just text\n", "line 2", "must be a map"},
      {"endpoints:\n- name: A\n  url: https://a.example\n", "line 2", "needs the key type"},
      {"endpoints:\n- name: ''\n  type: cf\n  url: https://a.example\n", "line 2", "the key name"},
      {head + "  skip: true\n", "line 5", "\"skip\" is not known"},
      {head + "  name: B\n", "line 5", "twice"},
      {head + "  sub_type: [a]\n", "line 5", "must be a text"},
      {head + "  sub_type:\n", "line 5", "sub_type has no value"},
      {head + "  sso_allowed: 1\n", "line 5", "sso_allowed must be true or false"},
      {head + "  sso_allowed: {a: b}\n", "line 5", "sso_allowed must be true or false"},
      {head + "  ca_certificate: x\n", "line 2", "PEM"},
      {head + "  ca_certificate_file: none.pem\n", "line 5", "none.pem, which cannot be read"},
      {head + "  ca_certificate: x\n  ca_certificate_file: y\n", "line 6", "exclude each other"},
      {head + "  client_secret_env: SECRET\n", "line 5", "add client_id"},
      {head + "  client_id: c\n  client_secret_env: NONE\n", "line 6", "NONE, which is not set"},
      {head + "  client_id: c\n  client_secret_file: none\n", "line 6",
       "none, which cannot be read"},
      {head + "  client_id: c\n  client_secret_env: SECRET\n  client_secret_file: f\n", "line 6",
       "exclude each other"},
      {head + "- name: B\n  type: cf\n  url: HTTPS://A.example:443/\n", "line 5", "line 2"},
      {"endpoints:\n- name: A\n  type: cf\n  url: ftp://a.example\n", "line 2",
       "http or https URL"},
      {"endpoints:\n- name: A\n  type: cf\n  url: https://u:p@a.example\n", "line 2", "user name"},
      {head + "  sub_type: *nowhere\n", "line 5", "YAML"},
  };
  for (const auto& [text, line, says] : cases) {
    EXPECT_THAT(refusalOf(text), AllOf(HasSubstr(line), HasSubstr(says))) << text;
  }
}

TEST_F(EndpointsFileTest, TakesNoSecretsAndShowsNone) {
  const std::string inFile = refusalOf(
      "endpoints:\n- name: A\n  type: cf\n  url: https://a.example\n  client_id: c\n"
      "  client_secret: hunter2\n");
  EXPECT_THAT(inFile, AllOf(HasSubstr("line 6"), HasSubstr("client_secret_env"),
                            Not(HasSubstr("hunter2"))));
  EXPECT_THAT(refusalOf("endpoints:\n- name: A\n  type: cf\n  url: ftp://x\n  client_id: c\n"
                        "  client_secret_env: SECRET\n"),
              Not(HasSubstr("from-the-environment")));
}

TEST_F(EndpointsFileTest, RefusesWhatIsNoFile) {
  const auto none = [](const std::string&) { return std::nullopt; };
  EXPECT_THROW((void)readEndpointsFile(folder_ / "missing", none), Error);
  EXPECT_THROW((void)readEndpointsFile(folder_, none), Error);
  EXPECT_THAT(refusalOf(std::string(2 * 1024 * 1024, ' ')), HasSubstr("1 MiB"));
  EXPECT_THAT(refusalOf(std::string(100'000, '[')), HasSubstr("endpoints.yaml"));
}

}  // namespace
}  // namespace stratos::ext
