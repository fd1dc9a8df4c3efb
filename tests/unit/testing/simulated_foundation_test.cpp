#include "stratos/testing/simulated_foundation.hpp"

#include <gmock/gmock.h>

#include "sim_client.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

SimulatedFoundationOptions smallOptions(bool tls) {
  SimulatedFoundationOptions options;
  options.tls = tls;
  options.apps = 10;
  return options;
}

class SimulatedFoundationTest : public ::testing::TestWithParam<bool> {
 protected:
  Answer login(const std::string& name, const std::string& client = "cf",
               const std::string& secret = "") {
    return requestToken(foundation_.uaaUrl(),
                        {{"grant_type", "password"}, {"username", name}, {"password", name}},
                        client, secret, foundation_.certificates().caPem());
  }
  Answer apps(const std::string& token) {
    return call(foundation_.apiUrl() + "/v3/apps", "GET", {{"Authorization", "bearer " + token}},
                {}, foundation_.certificates().caPem());
  }
  Answer control(const std::string& command, const std::string& body = {}) {
    return call(foundation_.controlUrl() + command, "POST", {}, body);
  }

  SimulatedFoundation foundation_{smallOptions(GetParam())};
};

TEST_P(SimulatedFoundationTest, UsersSignInAndReadApps) {
  EXPECT_THAT(foundation_.apiUrl(), StartsWith(GetParam() ? "https://" : "http://"));
  EXPECT_EQ(login("admin", "console", "consolesecret").status, 200);
  const Answer answer = login("user");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(apps(answer.text("access_token")).status, 200);
}

TEST_P(SimulatedFoundationTest, ControlApiMovesTheClock) {
  const std::string token = login("admin").text("access_token");
  EXPECT_EQ(apps(token).status, 200);
  EXPECT_EQ(control("/sim/clock", R"({"advanceSeconds":601})").status, 200);
  EXPECT_EQ(apps(token).status, 401);
  const Answer state = call(foundation_.controlUrl() + "/sim/state", "GET");
  EXPECT_EQ(state.text("logins"), "1");
  EXPECT_EQ(state.text("unauthorized"), "1");
}

TEST_P(SimulatedFoundationTest, ControlApiRevokesAndBreaks) {
  const std::string token = login("admin").text("access_token");
  control("/sim/fault", R"({"kind":"status","status":502,"pathPrefix":"/v3","times":1})");
  EXPECT_EQ(apps(token).status, 502);
  EXPECT_EQ(apps(token).status, 200);
  control("/sim/revoke-access-tokens");
  EXPECT_EQ(apps(token).status, 401);
  control("/sim/refresh-mode", R"({"mode":"rotate-once"})");
  EXPECT_EQ(control("/sim/refresh-mode", R"({"mode":"sideways"})").status, 400);
  EXPECT_THAT(control("/sim/fault", R"({"kind":"nonsense"})").body, HasSubstr("too-many-requests"));
  EXPECT_EQ(control("/sim/fault", "[").status, 400);
  EXPECT_EQ(control("/sim/nothing").status, 404);
}

INSTANTIATE_TEST_SUITE_P(Transports, SimulatedFoundationTest, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Https" : "Http"; });

}  // namespace
}  // namespace stratos::testing
