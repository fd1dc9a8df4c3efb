#include "command_line.hpp"

#include <string_view>

#include "settings.hpp"

namespace stratos::server {

CommandLine parseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  bool hasCommand = false;
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h" || argument == "help") {
      line.command = Command::Help;
      return line;
    }
    if (argument == "--version") {
      line.command = Command::Version;
      return line;
    }
    if (argument.starts_with('-')) {
      line.problem = "unknown option " + argument + "; see stratos-server --help";
      return line;
    }
    if (hasCommand) {
      line.problem = "more than one command; see stratos-server --help";
      return line;
    }
    hasCommand = true;
    if (argument == "serve") {
      line.command = Command::Serve;
    } else if (argument == "check") {
      line.command = Command::Check;
    } else if (argument == "version") {
      line.command = Command::Version;
    } else {
      line.problem = "unknown command " + argument + "; see stratos-server --help";
      return line;
    }
  }
  return line;
}

std::string helpText() {
  std::string text =
      "usage: stratos-server [serve | check | version]\n"
      "\n"
      "  serve     runs the console (the default)\n"
      "  check     says whether it would start: configuration, database, key, certificate, UAA;\n"
      "            changes nothing\n"
      "  version   prints the version\n"
      "\n"
      "exit status: 0 success, 1 cannot start or a check failed, 2 wrong usage\n"
      "\n"
      "Settings come from, in this order: the database (sign-in only), the environment, a Cloud\n"
      "Foundry user-provided service, ./config.properties, files in /etc/secrets (DB_PASSWORD is\n"
      "db-password there).\n";
  std::string_view group;
  for (const SettingInfo& setting : knownSettings()) {
    if (setting.group != group) {
      group = setting.group;
      text.append("\n").append(group).append(":\n");
    }
    text.append("  ").append(setting.name);
    if (!setting.defaultValue.empty()) text.append(" (").append(setting.defaultValue).append(")");
    text.append("\n      ").append(setting.description).append("\n");
  }
  return text;
}

std::string versionText() { return "stratos-server " STRATOS_SERVER_VERSION "\n"; }

}  // namespace stratos::server
