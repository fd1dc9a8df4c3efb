#include "stratos/ext/cloud_foundry.hpp"

#include <map>

#include <gtest/gtest.h>

#include "stratos/testing/capturing_log_sink.hpp"
#include "stratos/testing/manual_clock.hpp"
#include "support/partial_extension_host.hpp"
#include "support/scripted_transport.hpp"

namespace stratos::ext {
namespace {

using endpoint::ConnectResult;
using endpoint::ProbeResult;
using endpoint::ProbeStatus;
using test::reply;
using test::ScriptedTransport;
using test::SentRequest;

const Deadline kSoon = Deadline::after(std::chrono::seconds{30});

/// Takes what the extension brings.
class Host final : public test::PartialExtensionHost {
 public:
  explicit Host(http::Transport& transport) : transport_(transport), uaa_(transport) {}
  void addEndpointType(std::unique_ptr<endpoint::EndpointType> type) override {
    types.push_back(std::move(type));
  }
  void addRoute(RouteAccess, std::string, std::string, http::HandlerFunction) override {}
  http::Transport& transport() override { return transport_; }
  auth::UaaClient& uaaClient() override { return uaa_; }
  const Clock& clock() override { return clock_; }
  LogSink& log() override { return log_; }

  std::vector<std::unique_ptr<endpoint::EndpointType>> types;

 private:
  http::Transport& transport_;
  auth::UaaClient uaa_;
  testing::ManualClock clock_;
  testing::CapturingLogSink log_;
};

std::string rootWith(const std::string& login, const std::string& uaa) {
  return R"({"links":{"login":{"href":")" + login + R"("},"uaa":{"href":")" + uaa +
         R"("},"logging":{"href":"wss://doppler.x:443"},"cloud_controller_v2":null}})";
}
std::string infoWith(const std::string& authorization, const std::string& token) {
  return R"({"authorization_endpoint":")" + authorization + R"(","token_endpoint":")" + token +
         R"(","doppler_logging_endpoint":"wss://old-doppler.x"})";
}

class CloudFoundryTest : public ::testing::Test {
 protected:
  CloudFoundryTest() {
    record_.apiUrl = "https://api.x";
    record_.authorizationEndpoint = "https://login.x";
    record_.tokenEndpoint = "https://uaa.x";
    record_.clientId = "cf";
    extension_->attach(host_);
  }
  endpoint::EndpointType& type() { return *host_.types.at(0); }
  /// Answers by path; anything else is 404.
  void serve(std::map<std::string, std::pair<int, std::string>> pages) {
    network_.answer([pages = std::move(pages)](const SentRequest& request) {
      const auto page = pages.find(request.url);
      return page == pages.end() ? reply(404, "nothing here")
                                 : reply(page->second.first, page->second.second);
    });
  }
  ProbeResult probe() { return type().probe(record_, kSoon); }
  std::vector<std::string> urls() const {
    std::vector<std::string> all;
    for (const auto& sent : network_.sent()) all.push_back(sent.url);
    return all;
  }
  ConnectResult connect(const std::string& user = "ann", const std::string& password = "S3CRET",
                        const std::string& kind = "creds") {
    http::FormParameters form;
    form.values = {{"username", user}, {"password", password}, {"connect_type", kind}};
    return type().connect(record_, form, kSoon);
  }

  ScriptedTransport network_{[](const SentRequest&) { return reply(404, ""); }};
  Host host_{network_};
  std::unique_ptr<Extension> extension_ = makeCloudFoundry();
  store::EndpointRecord record_;
};

using Urls = std::vector<std::string>;

TEST_F(CloudFoundryTest, BringsTheTypeCf) {
  EXPECT_EQ(extension_->name(), "cloudfoundry");
  ASSERT_EQ(host_.types.size(), 1U);
  EXPECT_EQ(type().name(), "cf");
}

TEST_F(CloudFoundryTest, AsksTheRootDocumentFirst) {
  serve({{"https://api.x/", {200, rootWith("https://login.x", "https://uaa.x")}}});
  record_.caCertificate = "PEM";
  const ProbeResult found = probe();
  ASSERT_EQ(found.status, ProbeStatus::Accepted) << found.detail;
  EXPECT_EQ(found.authorizationEndpoint, "https://login.x");
  EXPECT_EQ(found.tokenEndpoint, "https://uaa.x");
  EXPECT_EQ(found.dopplerLoggingEndpoint, "wss://doppler.x:443");
  EXPECT_EQ(urls(), Urls{"https://api.x/"});
  EXPECT_EQ(network_.sent().at(0).trust.caCertificatePem, "PEM");
}

TEST_F(CloudFoundryTest, AsksV2InfoWhereTheRootSaysNothing) {
  for (const auto& [status, root] :
       {std::pair{404, "nothing"}, std::pair{200, "<html>welcome</html>"}, std::pair{200, "[]"},
        std::pair{200, R"({"links":{}})"}, std::pair{200, R"({"links":{"login":null}})"},
        std::pair{200, R"({"links":[1]})"}, std::pair{500, ""}}) {
    serve({{"https://api.x/", {status, root}},
           {"https://api.x/v2/info", {200, infoWith("https://login.x", "https://uaa.x")}}});
    const ProbeResult found = probe();
    ASSERT_EQ(found.status, ProbeStatus::Accepted) << root << found.detail;
    EXPECT_EQ(found.dopplerLoggingEndpoint, "wss://old-doppler.x");
    EXPECT_EQ(urls().back(), "https://api.x/v2/info");
  }
}

TEST_F(CloudFoundryTest, KeepsTheBasePathOfTheAddress) {
  record_.apiUrl = "https://gateway.x/cf/";
  serve({{"https://gateway.x/cf/", {200, rootWith("https://login.x", "")}}});
  const ProbeResult found = probe();
  ASSERT_EQ(found.status, ProbeStatus::Accepted) << found.detail;
  EXPECT_EQ(found.tokenEndpoint, "https://login.x") << "one server can be both";
}

TEST_F(CloudFoundryTest, RefusesWhatIsNoCloudFoundry) {
  for (const auto& [root, info] :
       {std::pair{"<html>", "<html>"}, std::pair{"{}", "{}"}, std::pair{"", "{\"a\":"},
        std::pair{R"({"links":{"login":{"href":7}}})", "{}"}}) {
    serve({{"https://api.x/", {200, root}}, {"https://api.x/v2/info", {200, info}}});
    const ProbeResult found = probe();
    EXPECT_EQ(found.status, ProbeStatus::NotThatKind) << root;
    EXPECT_FALSE(found.detail.empty());
  }
  serve({});
  EXPECT_EQ(probe().status, ProbeStatus::NotThatKind);
  const std::string deep =
      "{\"links\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  serve({{"https://api.x/", {200, deep}}, {"https://api.x/v2/info", {200, deep}}});
  EXPECT_EQ(probe().status, ProbeStatus::NotThatKind);
}

TEST_F(CloudFoundryTest, NeverSendsPasswordsInTheClearForASecureApi) {
  for (const auto& [login, uaa] : {std::pair{"http://login.x", "https://uaa.x"},
                                   std::pair{"https://login.x", "http://uaa.x"}}) {
    serve({{"https://api.x/", {200, rootWith(login, uaa)}},
           {"https://api.x/v2/info", {200, infoWith(login, uaa)}}});
    const ProbeResult found = probe();
    EXPECT_EQ(found.status, ProbeStatus::NotThatKind);
    EXPECT_EQ(found.detail, "its authorization server is not reached over https");
    serve({{"https://api.x/", {200, rootWith(login, uaa)}}});
    EXPECT_EQ(probe().detail, "its authorization server is not reached over https")
        << "the missing /v2/info is not the reason";
  }
  record_.apiUrl = "http://api.x";
  serve({{"http://api.x/", {200, rootWith("http://login.x", "http://uaa.x")}}});
  EXPECT_EQ(probe().status, ProbeStatus::Accepted);
}

TEST_F(CloudFoundryTest, RefusesAuthorizationServersWithoutUsableUrl) {
  for (const std::string& address :
       {std::string{"login.x"}, std::string{"ftp://login.x"}, std::string{"wss://login.x"},
        std::string{"https://"}, "https://x/" + std::string(255, 'a')}) {
    serve({{"https://api.x/", {200, rootWith(address, address)}}});
    EXPECT_EQ(probe().status, ProbeStatus::NotThatKind) << address;
  }
}

TEST_F(CloudFoundryTest, TellsTlsFailuresFromOtherOnes) {
  network_.answer([](const SentRequest&) {
    return test::transportFailure(http::TransportFailure::Tls, "the certificate has expired");
  });
  const ProbeResult tls = probe();
  EXPECT_EQ(tls.status, ProbeStatus::TlsFailure);
  EXPECT_EQ(tls.detail, "the certificate has expired");
  for (const auto kind : {http::TransportFailure::Refused, http::TransportFailure::TimedOut,
                          http::TransportFailure::Broken}) {
    network_.answer(
        [kind](const SentRequest&) { return test::transportFailure(kind, "10.1.2.3"); });
    const ProbeResult found = probe();
    EXPECT_EQ(found.status, ProbeStatus::Unreachable);
    EXPECT_EQ(found.detail.find("10.1"), std::string::npos) << found.detail;
  }
  network_.answer([](const SentRequest&) {
    return test::transportFailure(http::TransportFailure::Forbidden, "10.1.2.3 may not be called");
  });
  EXPECT_EQ(probe().detail, "10.1.2.3 may not be called") << "the operator has to know which";
}

TEST_F(CloudFoundryTest, ConnectsWithAPasswordGrantAtTheAuthorizationEndpoint) {
  const std::string access = test::jwt(R"({"user_id":"g","exp":1900000000})");
  network_.answer([&](const SentRequest&) {
    return reply(200, R"({"access_token":")" + access + R"(","refresh_token":"r"})");
  });
  for (const char* kind : {"creds", ""}) {
    const ConnectResult result = connect("ann", "S3CRET", kind);
    ASSERT_TRUE(result.connected) << result.message;
    EXPECT_EQ(result.token.authType, "OAuth2");
    EXPECT_EQ(result.token.authToken.reveal(), access);
    EXPECT_EQ(result.token.refreshToken.reveal(), "r");
    EXPECT_EQ(result.token.expiry, 1'900'000'000);
  }
  const SentRequest sent = network_.sent().at(0);
  EXPECT_EQ(sent.url, "https://login.x/oauth/token");
  EXPECT_EQ(sent.field("grant_type"), "password");
  EXPECT_EQ(sent.field("username"), "ann");
  EXPECT_EQ(sent.field("password"), "S3CRET");
}

TEST_F(CloudFoundryTest, PassesTheServersRefusalOn) {
  struct Case {
    int status;
    const char* body;
    const char* message;
  };
  for (const auto& refusal :
       {Case{401, R"({"error":"unauthorized","error_description":"Bad credentials"})",
             "Could not connect to the endpoint: Bad credentials"},
        Case{400, R"({"error":"invalid_grant","error_description":"locked"})",
             "Could not connect to the endpoint: locked"},
        Case{429, "slow down", "Could not connect to the endpoint"},
        Case{500, "<html>S3CRET</html>", "Could not connect to the endpoint"},
        Case{401, R"({"error":"unauthorized","error_description":"no user with S3CRET"})",
             "Could not connect to the endpoint"}}) {
    network_.answer([&](const SentRequest&) { return reply(refusal.status, refusal.body); });
    const ConnectResult result = connect();
    EXPECT_FALSE(result.connected);
    EXPECT_EQ(result.status, refusal.status);
    EXPECT_EQ(result.message, refusal.message);
  }
}

TEST_F(CloudFoundryTest, Answers502WhenTheServerCannotBeAsked) {
  network_.answer([](const SentRequest&) {
    return test::transportFailure(http::TransportFailure::Refused, "10.1.2.3");
  });
  ConnectResult result = connect();
  EXPECT_EQ(result.status, 502);
  EXPECT_EQ(result.message, "Could not connect to the endpoint");
  network_.answer([](const SentRequest&) { return reply(200, "<html>"); });
  result = connect();
  EXPECT_FALSE(result.connected);
  EXPECT_EQ(result.status, 502);
}

TEST_F(CloudFoundryTest, AsksNobodyForIncompleteCredentials) {
  EXPECT_EQ(connect("", "p").status, 400);
  EXPECT_EQ(connect("u", "").message, "Needs username and password");
  EXPECT_NE(connect("u", "p", "sso").message.find("connect_type"), std::string::npos);
  EXPECT_EQ(network_.count(), 0U);
}

}  // namespace
}  // namespace stratos::ext
