#include "command_line.hpp"

#include <gtest/gtest.h>

#include "settings.hpp"

namespace stratos::server {
namespace {

TEST(CommandLineTest, ServesWhenNothingIsSaid) {
  EXPECT_EQ(parseCommandLine({}).command, Command::Serve);
  EXPECT_EQ(parseCommandLine({"serve"}).command, Command::Serve);
  EXPECT_EQ(parseCommandLine({"check"}).command, Command::Check);
  EXPECT_EQ(parseCommandLine({"health"}).command, Command::Health);
  EXPECT_EQ(parseCommandLine({"version"}).command, Command::Version);
  EXPECT_EQ(parseCommandLine({"--version"}).command, Command::Version);
  EXPECT_EQ(parseCommandLine({"serve", "--help"}).command, Command::Help);
}

TEST(CommandLineTest, NamesWhatItDoesNotKnow) {
  EXPECT_NE(parseCommandLine({"--port"}).problem.find("--port"), std::string::npos);
  EXPECT_NE(parseCommandLine({"start"}).problem.find("start"), std::string::npos);
  EXPECT_FALSE(parseCommandLine({"serve", "check"}).problem.empty());
  EXPECT_TRUE(parseCommandLine({"check"}).problem.empty());
}

TEST(CommandLineTest, HealthAsksOneOfTwoThings) {
  EXPECT_EQ(parseCommandLine({"health"}).health, HealthQuestion::Ready);
  EXPECT_EQ(parseCommandLine({"health", "--live"}).health, HealthQuestion::Live);
  EXPECT_NE(parseCommandLine({"serve", "--live"}).problem.find("--live"), std::string::npos);
}

TEST(CommandLineTest, MigrateTakesOneOption) {
  EXPECT_EQ(parseCommandLine({"migrate"}).command, Command::Migrate);
  EXPECT_EQ(parseCommandLine({"migrate"}).migrateMode, MigrateMode::Apply);
  EXPECT_EQ(parseCommandLine({"migrate", "--dry-run"}).migrateMode, MigrateMode::DryRun);
  EXPECT_EQ(parseCommandLine({"--status", "migrate"}).migrateMode, MigrateMode::Status);
  EXPECT_FALSE(parseCommandLine({"migrate", "--dry-run", "--status"}).problem.empty());
  EXPECT_NE(parseCommandLine({"check", "--dry-run"}).problem.find("--dry-run"), std::string::npos);
}

TEST(CommandLineTest, ReadsTheOptionsOfRekey) {
  const CommandLine plain = parseCommandLine({"rekey"});
  EXPECT_EQ(plain.command, Command::Rekey);
  EXPECT_EQ(plain.rekey.format, crypto::CipherFormat::Gcm);
  EXPECT_GT(plain.rekey.wait, kCipherRefreshInterval);
  const CommandLine line =
      parseCommandLine({"rekey", "--format", "legacy", "--batch", "7", "--wait", "0"});
  EXPECT_EQ(line.problem, "");
  EXPECT_EQ(line.rekey.format, crypto::CipherFormat::Legacy);
  EXPECT_EQ(line.rekey.batchSize, 7u);
  EXPECT_EQ(line.rekey.wait.count(), 0);
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"rekey", "--format"},
                                             {"rekey", "--format", "aes"},
                                             {"rekey", "--batch", "0"},
                                             {"rekey", "--wait", "soon"},
                                             {"serve", "--wait", "1"}}) {
    EXPECT_NE(parseCommandLine(wrong).problem.find(wrong[1]), std::string::npos);
  }
}

TEST(CommandLineTest, ExplainsEverySetting) {
  const std::string text = helpText();
  for (const SettingInfo& info : knownSettings()) {
    EXPECT_NE(text.find("  " + std::string(info.name)), std::string::npos) << info.name;
    EXPECT_NE(text.find(info.description), std::string::npos) << info.name;
  }
}

}  // namespace
}  // namespace stratos::server
