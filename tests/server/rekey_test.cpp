#include <atomic>
#include <csignal>
#include <thread>

#include "server_fixture.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::server_test {
namespace {

constexpr const char* kNewKey = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// `stratos-server rekey` as an operator runs it.
class RekeyProgramTest : public ServerTest {
 protected:
  [[nodiscard]] Settings withNewKey() const {
    Settings changed = settings();
    changed["ENCRYPTION_KEY_PREVIOUS"] = changed["ENCRYPTION_KEY"];
    changed["ENCRYPTION_KEY"] = kNewKey;
    return changed;
  }
  [[nodiscard]] Settings withNewKeyAlone() const {
    Settings changed = settings();
    changed["ENCRYPTION_KEY"] = kNewKey;
    return changed;
  }
  void stop(ServerProcess& process) {
    process.signal(SIGTERM);
    ASSERT_EQ(process.waitForExit(), 0) << process.output();
  }

  crypto::SystemRandom random_;
};

TEST_F(RekeyProgramTest, ServersGoOnWhileTheKeyChanges) {
  startServer(settings());
  std::string guid;
  {
    Browser browser = signedIn();
    guid = connectFoundation(browser);
  }
  stop(*server);
  startServer(withNewKey());
  EXPECT_NE(server->output().find("ENCRYPTION_KEY is not in use yet"), std::string::npos);

  Browser browser = signedIn();
  const std::string call = "/api/v1/proxy/" + guid + "/v3/apps?per_page=1";
  ASSERT_EQ(browser.get(call).status, 200);
  std::atomic<int> failures{0};
  std::atomic<int> calls{0};
  std::jthread load([&](const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      // Every call meets a 401 and renews the token, which rewrites its row.
      foundation->uaa().expireAccessTokens();
      if (browser.get(call).status != 200) ++failures;
      ++calls;
    }
  });
  {
    ServerProcess rekey(withNewKey(), {"rekey"}, folder.string());
    EXPECT_EQ(rekey.waitForExit(), 0) << rekey.output();
    EXPECT_NE(rekey.output().find("0 unreadable"), std::string::npos) << rekey.output();
    EXPECT_EQ(rekey.output().find(kNewKey), std::string::npos);
  }
  load.request_stop();
  load.join();
  EXPECT_GT(calls, 0);
  EXPECT_EQ(failures, 0) << server->output();

  stop(*server);
  startServer(withNewKeyAlone());
  Browser again = signedIn();
  EXPECT_EQ(again.get(call).status, 200);
  {
    ServerProcess old(settings(), {"serve"}, folder.string());
    EXPECT_EQ(old.waitForExit(), 1) << old.output();
    EXPECT_NE(old.output().find("another encryption key"), std::string::npos) << old.output();
  }
}

TEST_F(RekeyProgramTest, KilledAtAnyMomentItLosesNothing) {
  startServer(settings());
  stop(*server);
  constexpr std::size_t kTokens = 300;
  {
    const auto opened = openDatabase();
    const crypto::TokenCipher cipher = store::openCipher(*opened, ring(settings()), random_);
    store::SqlTokenStore tokens(*opened, cipher, random_);
    for (std::size_t i = 0; i < kTokens; ++i) {
      store::TokenRecord record;
      record.owner = UserId("user" + std::to_string(i));
      record.endpoint = EndpointId("endpoint");
      record.authToken = Secret("access" + std::to_string(i));
      (void)tokens.saveEndpointToken(record);
    }
  }
  int kills = 0;
  for (const char* format : {"gcm", "legacy"}) {
    int status = -1;
    for (int attempt = 0; attempt < 4; ++attempt) {
      ServerProcess rekey(withNewKey(),
                          {"rekey", "--wait", "0", "--batch", "10", "--format", format},
                          folder.string());
      if (rekey.waitForLine("tokens: " + std::to_string(20 + attempt * 40) + " rewritten") != "") {
        rekey.signal(SIGKILL);
      }
      status = rekey.waitForExit();
      if (status == 128 + SIGKILL) ++kills;
      EXPECT_EQ(readableTokens(withNewKey()), kTokens);
      if (status == 0) break;
    }
    if (status != 0) {
      ServerProcess rekey(withNewKey(), {"rekey", "--wait", "0", "--format", format},
                          folder.string());
      EXPECT_EQ(rekey.waitForExit(), 0) << rekey.output();
    }
    EXPECT_EQ(readableTokens(withNewKeyAlone()), kTokens);
  }
  EXPECT_GT(kills, 1);
  startServer(withNewKeyAlone());
}

TEST_F(RekeyProgramTest, ARowThatNobodyCanReadGivesStatus1AndIsNamed) {
  startServer(settings());
  stop(*server);
  openDatabase()->connect().execute(
      "INSERT INTO tokens (token_guid, token_type, cnsi_guid, user_guid, auth_token,"
      " refresh_token, token_expiry) VALUES ('damaged-row', 'cnsi', 'e', 'u', $1, $1, 0)",
      {db::Blob{"SG\x01 damaged"}});
  ServerProcess rekey(withNewKey(), {"rekey", "--wait", "0"}, folder.string());
  EXPECT_EQ(rekey.waitForExit(), 1);
  EXPECT_NE(rekey.output().find("tokens damaged-row"), std::string::npos) << rekey.output();
  startServer(withNewKeyAlone());
}

}  // namespace
}  // namespace stratos::server_test
