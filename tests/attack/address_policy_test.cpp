// Endpoints at addresses that only the console's machine reaches.

#include <atomic>

#include <gmock/gmock.h>

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

#include "console_fixture.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace {

constexpr const char* kRebinding = "rebind.attack.test";
std::atomic<bool> rebound{false};

}  // namespace

/// The resolver of an attacker: kRebinding is this machine first, and the metadata service once
/// `rebound` is set. Everything else is resolved as usual. Visible, so that Poco finds this one.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* node,
                                                                  const char* service,
                                                                  const addrinfo* hints,
                                                                  addrinfo** result) {
  using Resolve = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto resolve = reinterpret_cast<Resolve>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node != nullptr && ::strcmp(node, kRebinding) == 0) {
    node = rebound ? "169.254.169.254" : "127.0.0.1";
  }
  return resolve(node, service, hints, result);
}

namespace stratos::compat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRegister = "/api/v1/endpoints?endpoint_type=cf";

class AddressAttackTest : public ConsoleTest {
 protected:
  void SetUp() override {
    rebound = false;
    ConsoleTest::SetUp();
  }
  Answer registerAt(Browser& admin, const std::string& url) {
    return admin.postMultipart(kRegister, {{"cnsi_name", "x"}, {"api_endpoint", url}});
  }
  std::string apiUrlAt(const std::string& host) {
    return "http://" + host +
           t().foundation().apiUrl().substr(std::string{"http://127.0.0.1"}.size());
  }
};
// Nothing here depends on the database.
INSTANTIATE_TEST_SUITE_P(Db, AddressAttackTest, ::testing::Values(db::Dialect::Sqlite),
                         dialectName);

TEST_P(AddressAttackTest, S24NoSpellingOfAnAddressGetsPast) {
  Browser admin = t().localAdmin();
  for (const char* url :
       {"http://169.254.169.254", "http://169.254.169.254:80/latest/meta-data", "http://2852039166",
        "http://0xa9fea9fe", "http://0251.0376.0251.0376", "http://169.16689662",
        "http://[::ffff:169.254.169.254]", "http://[::ffff:a9fe:a9fe]",
        "http://[64:ff9b::a9fe:a9fe]", "http://[2002:a9fe:a9fe::1]", "http://[fe80::1]",
        "http://[fd00:ec2::254]", "https://[fd00:ec2::254]", "http://0.0.0.0", "http://0",
        "http://[::]", "http://224.0.0.1", "http://255.255.255.255"}) {
    const Answer answer = registerAt(admin, url);
    EXPECT_EQ(answer.status, 400) << url << ": " << answer.body;
    EXPECT_THAT(jsonAt(answer.body, "error"), HasSubstr("STRATOS_OUTGOING_ALLOW")) << url;
  }
  EXPECT_THAT(registerAt(admin, "http://2852039166").body,
              HasSubstr("2852039166 has the address 169.254.169.254, the metadata service"));
  EXPECT_EQ(admin.get("/api/v1/endpoints").body, "[]");
}

TEST_P(AddressAttackTest, S24ANameThatChangesItsAddressIsJudgedAnew) {
  Browser admin = t().localAdmin();
  const Answer registered = registerAt(admin, apiUrlAt(kRebinding));
  ASSERT_EQ(registered.status, 201) << registered.body;
  const std::string guid = jsonAt(registered.body, "guid");
  t().cloudController().server().handle(
      "/v3/info", [](const testing::ReceivedRequest&) { return plainReply(200, "{}"); });
  const Fields single{{"x-cap-no-token", "true"}};
  const std::string path = "/api/v1/proxy/" + guid + "/v3/info";
  ASSERT_EQ(admin.get(path, single).status, 200);

  rebound = true;
  t().transport.clear();
  const Answer passed = admin.get(path, single);
  EXPECT_EQ(passed.status, 500);
  EXPECT_EQ(passed.body, "the endpoint's address is not allowed");
  t().insertToken(t().userGuid(admin), guid);
  const Answer combined = admin.get("/pp/v1/proxy/v3/info", {{"x-cap-cnsi-list", guid}});
  EXPECT_EQ(combined.status, 200);
  EXPECT_EQ(jsonAt(combined.body, guid + "/error/statusCode"), "500") << combined.body;
  EXPECT_THAT(combined.body,
              AllOf(HasSubstr("the endpoint's address is not allowed"), Not(HasSubstr("169.254"))));
  EXPECT_TRUE(t().log.mentions("rebind.attack.test has the address 169.254.169.254"));
  const Answer again = registerAt(admin, "http://rebind.attack.test:81");
  EXPECT_EQ(again.status, 400);
  EXPECT_THAT(again.body, HasSubstr("rebind.attack.test has the address 169.254.169.254"));
}

TEST_P(AddressAttackTest, S24ARedirectIsJudgedAnew) {
  Browser admin = t().localAdmin();
  testing::FakeUpstream lure;
  lure.handle("/", [](const testing::ReceivedRequest&) {
    return testing::Reply{
        .status = 302, .headers = {{"Location", "http://169.254.169.254/latest"}}, .body = {}};
  });
  const Answer answer = registerAt(admin, lure.url());
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("169.254.169.254 is the metadata service"));

  t().insertEndpoint("lure", lure.url());
  const Answer passed = admin.get("/api/v1/proxy/lure/x", {{"x-cap-no-token", "true"}});
  EXPECT_EQ(passed.status, 500);
  EXPECT_EQ(passed.body, "the endpoint's address is not allowed");
}

}  // namespace
}  // namespace stratos::compat
