#include "upgrade_gate.hpp"

#include "server_fixture.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

TEST(UpgradeGateTest, AnswersForEverythingWhileTheLockExists) {
  const TemporaryFolder folder;
  FunctionHandler inner(&echo);
  UpgradeGate gate(folder.path() / "upgrade.lock", &inner);
  http::Request request;
  EXPECT_EQ(gate.handle(request).status, 200);
  folder.write("upgrade.lock", "");
  const http::Response locked = gate.handle(request);
  EXPECT_EQ(locked.status, 503);
  EXPECT_EQ(locked.headers.get("Retry-After"), "10");
  EXPECT_EQ(locked.body.bytes(), "");
  std::filesystem::remove(folder.path() / "upgrade.lock");
  EXPECT_EQ(gate.handle(request).status, 200);
}

TEST(UpgradeGateTest, PassesEverythingWithoutALock) {
  FunctionHandler inner(&echo);
  UpgradeGate gate(std::nullopt, &inner);
  http::Request request;
  EXPECT_EQ(gate.handle(request).status, 200);
}

}  // namespace
}  // namespace stratos::server
