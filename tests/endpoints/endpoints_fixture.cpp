#include "endpoints_fixture.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/ext/git.hpp"
#include "stratos/ext/helm.hpp"
#include "stratos/ext/kubernetes.hpp"
#include "stratos/ext/metrics.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::compat {

void EndpointsTest::SetUp() {
  ConsoleTest::SetUp();
  if (IsSkipped()) return;
  const testing::TestCertificates authority;
  google_ = std::make_unique<testing::FakeUpstream>(
      testing::FakeUpstreamOptions{.tls = authority.issueServer()});
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(ext::makeCloudFoundry());
  extensions.push_back(ext::makeGit());
  extensions.push_back(ext::makeHelm());
  extensions.push_back(
      ext::makeKubernetes({.awsRegion = {},
                           .googleTokenUrl = google_->url() + "/token",
                           .googleTrust = {.caCertificatePem = authority.caPem()}}));
  extensions.push_back(ext::makeMetrics());
  t().start(ConsoleFixture::localOptions(), std::move(extensions));
  admin_.emplace(t().localAdmin());
}

Answer EndpointsTest::registerAt(const std::string& type, const std::string& url,
                                 const Fields& changes) {
  Fields form{{"cnsi_name", "An endpoint"},       {"api_endpoint", url},
              {"skip_ssl_validation", "false"},   {"cnsi_client_id", ""},
              {"cnsi_client_secret", ""},         {"sso_allowed", "false"},
              {"create_system_endpoint", "true"}, {"ca_cert", ""}};
  for (const auto& [name, value] : changes) {
    std::erase_if(form, [&name = name](const auto& field) { return field.first == name; });
    form.emplace_back(name, value);
  }
  return admin().postMultipart("/api/v1/endpoints?endpoint_type=" + type, form);
}

std::string EndpointsTest::add(const std::string& type, const std::string& url,
                               const Fields& changes) {
  const Answer answer = registerAt(type, url, changes);
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "cnsi_type"), type);
  EXPECT_EQ(jsonAt(answer.body, "authorization_endpoint"),
            type == "cf" ? jsonAt(answer.body, "authorization_endpoint") : url);
  return jsonAt(answer.body, "guid");
}

namespace {

std::string connectTarget(const std::string& guid, const std::string& connectType) {
  return "/api/v1/tokens?cnsi_guid=" + guid + "&connect_type=" + connectType +
         "&system_shared=false";
}

}  // namespace

Answer EndpointsTest::connect(const std::string& guid, const std::string& connectType,
                              const Fields& form) {
  for (const auto& [name, value] : form) {
    const bool isSecret = name == "password" || name == "token" || name == "secret_key";
    if (isSecret && trim(value).size() > 4) t().vault.add(value);
  }
  return admin().postMultipart(connectTarget(guid, connectType), form);
}

Answer EndpointsTest::connectWithFile(const std::string& guid, const std::string& connectType,
                                      const std::string& body) {
  return admin().send("POST", connectTarget(guid, connectType), {{"Content-Type", "text/plain"}},
                      body);
}

Answer EndpointsTest::call(const std::string& guid, const std::string& path,
                           const Fields& headers) {
  return admin().get("/api/v1/proxy/" + guid + path, headers);
}

std::string EndpointsTest::userOf(const std::string& type, const std::string& guid) {
  return jsonAt(admin().get("/pp/v1/info").body, "endpoints/" + type + "/" + guid + "/user");
}

std::string EndpointsTest::rows() {
  std::string text;
  for (const db::Row& row :
       t().database->connect().query("SELECT * FROM tokens ORDER BY token_guid")) {
    for (const char* column :
         {"token_guid", "user_guid", "cnsi_guid", "token_type", "auth_type", "meta_data"}) {
      text += row.text(column) + "|";
    }
    text += toHex(row.blob("auth_token")) + "|" + toHex(row.blob("refresh_token")) + "|" +
            std::to_string(row.integer("token_expiry")) + "\n";
  }
  for (const db::Row& row : t().database->connect().query("SELECT * FROM cnsis ORDER BY guid")) {
    for (const char* column : {"guid", "name", "cnsi_type", "api_endpoint", "auth_endpoint",
                               "token_endpoint", "sub_type", "meta_data", "ca_cert", "creator"}) {
      text += row.text(column) + "|";
    }
    text += row.boolean("skip_ssl_validation") ? "skip\n" : "verify\n";
  }
  return text;
}

store::TokenRecord EndpointsTest::token(const std::string& guid) {
  auto found = t().tokenStore.findForEndpoint(UserId{t().userGuid(admin())}, EndpointId{guid});
  EXPECT_TRUE(found) << "there is no token";
  store::TokenRecord record = found ? std::move(*found) : store::TokenRecord{};
  t().vault.add(record.authToken.reveal());
  return record;
}

void EndpointsTest::removeAll(const std::string& type, const std::string& guid) {
  EXPECT_EQ(admin().remove("/api/v1/tokens/" + guid).status, 200);
  EXPECT_EQ(userOf(type, guid), "null");
  EXPECT_EQ(call(guid, "/x").status, 400);
  EXPECT_EQ(admin().remove("/api/v1/endpoints/" + guid).status, 200);
  EXPECT_EQ(rows(), "");
  EXPECT_EQ(jsonAt(admin().get("/pp/v1/info").body, "endpoints/" + type), "{}");
}

void EndpointsTest::expectRefused(const Answer& answer, int status, const std::string& text,
                                  const std::string& rowsBefore) {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(jsonAt(answer.body, "status"), "error");
  EXPECT_THAT(jsonAt(answer.body, "error"), ::testing::HasSubstr(text));
  EXPECT_EQ(rows(), rowsBefore);
}

}  // namespace stratos::compat
