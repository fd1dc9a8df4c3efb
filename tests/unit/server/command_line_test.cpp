#include "command_line.hpp"

#include <gtest/gtest.h>

#include "settings.hpp"

namespace stratos::server {
namespace {

TEST(CommandLineTest, ServesWhenNothingIsSaid) {
  EXPECT_EQ(parseCommandLine({}).command, Command::Serve);
  EXPECT_EQ(parseCommandLine({"serve"}).command, Command::Serve);
  EXPECT_EQ(parseCommandLine({"check"}).command, Command::Check);
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

TEST(CommandLineTest, ExplainsEverySetting) {
  const std::string text = helpText();
  for (const SettingInfo& info : knownSettings()) {
    EXPECT_NE(text.find("  " + std::string(info.name)), std::string::npos) << info.name;
    EXPECT_NE(text.find(info.description), std::string::npos) << info.name;
  }
}

}  // namespace
}  // namespace stratos::server
