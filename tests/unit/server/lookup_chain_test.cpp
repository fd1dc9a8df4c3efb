#include "lookup_chain.hpp"

#include <gtest/gtest.h>

#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

class LookupChainTest : public ::testing::Test {
 protected:
  [[nodiscard]] LookupChain chainOf(SettingMap environment) const {
    return LookupChain(std::move(environment),
                       {folder_.path() / "config.properties", folder_.path() / "secrets"});
  }
  static std::string valueOf(const LookupChain& chain, std::string_view name) {
    const auto found = chain.find(name);
    return found ? found->value : "(none)";
  }

  TemporaryFolder folder_;
};

constexpr const char* kServices = R"({"user-provided": [
    {"name": "other", "credentials": {"A": "wrong"}},
    {"name": "ups", "credentials": {"A": "ups", "B": 17, "C": true, "E": "ups"}}]})";

TEST_F(LookupChainTest, TakesTheFirstSourceThatHasTheName) {
  folder_.write("config.properties", "A=file\nE=file\nF=file\nG=file\n");
  std::filesystem::create_directory(folder_.path() / "secrets");
  folder_.write("secrets/g", "secret");
  folder_.write("secrets/db-password", "  s3cret\n");
  LookupChain chain = chainOf({{"A", "environment"},
                               {"D", "environment"},
                               {"E", ""},
                               {"VCAP_APPLICATION", "{}"},
                               {"VCAP_SERVICES", kServices},
                               {"CF_UPS_NAME", "ups"}});
  chain.setDatabase({{"D", "database"}}, [](std::string_view) { return true; });
  EXPECT_EQ(valueOf(chain, "D"), "database");
  EXPECT_EQ(valueOf(chain, "A"), "environment");
  EXPECT_EQ(valueOf(chain, "E"), "");  // Set but empty counts as found.
  EXPECT_EQ(valueOf(chain, "B"), "17");
  EXPECT_EQ(valueOf(chain, "C"), "true");
  EXPECT_EQ(valueOf(chain, "F"), "file");
  EXPECT_EQ(valueOf(chain, "G"), "file");
  EXPECT_EQ(valueOf(chain, "DB_PASSWORD"), "s3cret");
  EXPECT_EQ(valueOf(chain, "H"), "(none)");
}

TEST_F(LookupChainTest, ReadsSecretsFromTheFolderThatTheEnvironmentNames) {
  std::filesystem::create_directory(folder_.path() / "secrets");
  folder_.write("secrets/db-password", "usual place");
  folder_.write("db-password", "elsewhere\n");
  EXPECT_EQ(
      valueOf(chainOf({{"STRATOS_SECRETS_DIRECTORY", folder_.path().string()}}), "DB_PASSWORD"),
      "elsewhere");
  EXPECT_EQ(valueOf(chainOf({{"STRATOS_SECRETS_DIRECTORY", ""}}), "DB_PASSWORD"), "usual place");
}

TEST_F(LookupChainTest, ReadsTheUserProvidedServiceOnlyOnCloudFoundry) {
  EXPECT_EQ(valueOf(chainOf({{"VCAP_SERVICES", kServices}, {"CF_UPS_NAME", "ups"}}), "A"),
            "(none)");
  const LookupChain broken = chainOf(
      {{"VCAP_APPLICATION", "{secret"}, {"VCAP_SERVICES", kServices}, {"CF_UPS_NAME", "ups"}});
  EXPECT_EQ(valueOf(broken, "A"), "(none)");
  ASSERT_EQ(broken.warnings().size(), 1U);
  EXPECT_EQ(broken.warnings()[0].find("secret"), std::string::npos);
}

TEST_F(LookupChainTest, ReadsPropertiesLineByLine) {
  folder_.write("config.properties",
                "# A=comment\r\n  A = 1 \r\nno equals sign\nB=x=y\nC=\nA=2\nLAST=no line end");
  const LookupChain chain = chainOf({});
  EXPECT_EQ(valueOf(chain, "A"),
            "2");  // Spaces around '=' do not hide the key; the later one wins.
  EXPECT_EQ(valueOf(chain, "B"), "x=y");
  EXPECT_EQ(valueOf(chain, "C"), "");
  EXPECT_EQ(valueOf(chain, "LAST"), "no line end");
}

TEST_F(LookupChainTest, KeepsTheDatabaseFromOverridingTheServer) {
  LookupChain chain = chainOf({{"ENCRYPTION_KEY", "environment"}});
  chain.setDatabase({{"ENCRYPTION_KEY", "database"}, {"UAA_ENDPOINT", "database"}},
                    [](std::string_view name) { return name == "UAA_ENDPOINT"; });
  EXPECT_EQ(valueOf(chain, "ENCRYPTION_KEY"), "environment");
  EXPECT_EQ(valueOf(chain, "UAA_ENDPOINT"), "database");
  EXPECT_EQ(chain.warnings().size(), 1U);
}

TEST_F(LookupChainTest, ReadsASecretEachTimeItIsAskedFor) {
  std::filesystem::create_directory(folder_.path() / "secrets");
  const LookupChain chain = chainOf({});
  EXPECT_EQ(valueOf(chain, "SESSION_STORE_SECRET"), "(none)");
  folder_.write("secrets/session-store-secret", "later");
  EXPECT_EQ(valueOf(chain, "SESSION_STORE_SECRET"), "later");
}

}  // namespace
}  // namespace stratos::server
