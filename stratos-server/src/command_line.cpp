#include "command_line.hpp"

#include <charconv>
#include <optional>
#include <string_view>

#include "settings.hpp"

namespace stratos::server {

namespace {

bool isRekeyOption(std::string_view argument) {
  return argument == "--format" || argument == "--batch" || argument == "--wait";
}

std::optional<int> parseNumber(std::string_view text, int least, int greatest) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number < least || number > greatest) return std::nullopt;
  return number;
}

// Returns what `option` accepts when `value` is not that.
std::string applyRekeyOption(RekeyCommand& rekey, const std::string& option,
                             const std::string& value) {
  if (option == "--format") {
    if (value != "gcm" && value != "legacy") return "gcm or legacy";
    rekey.format = value == "gcm" ? crypto::CipherFormat::Gcm : crypto::CipherFormat::Legacy;
    return {};
  }
  if (option == "--batch") {
    const auto rows = parseNumber(value, 1, 100'000);
    if (!rows) return "a number of rows from 1 to 100000";
    rekey.batchSize = static_cast<std::size_t>(*rows);
    return {};
  }
  const auto seconds = parseNumber(value, 0, 3'600);
  if (!seconds) return "a number of seconds from 0 to 3600";
  rekey.wait = std::chrono::seconds{*seconds};
  return {};
}

}  // namespace

CommandLine parseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  bool hasCommand = false;
  std::string migrateOption;
  std::string rekeyOption;
  bool needsValue = false;
  for (const std::string& argument : arguments) {
    if (needsValue) {
      needsValue = false;
      if (const std::string allowed = applyRekeyOption(line.rekey, rekeyOption, argument);
          !allowed.empty()) {
        line.problem = rekeyOption + " must be " + allowed + ", not " + argument;
        return line;
      }
      continue;
    }
    if (argument == "--help" || argument == "-h" || argument == "help") {
      line.command = Command::Help;
      return line;
    }
    if (argument == "--version") {
      line.command = Command::Version;
      return line;
    }
    if (argument == "--dry-run" || argument == "--status") {
      if (!migrateOption.empty() && migrateOption != argument) {
        line.problem = "--dry-run and --status do not go together; see stratos-server --help";
        return line;
      }
      migrateOption = argument;
      line.migrateMode = argument == "--status" ? MigrateMode::Status : MigrateMode::DryRun;
      continue;
    }
    if (argument == "--live") {
      line.health = HealthQuestion::Live;
      continue;
    }
    if (isRekeyOption(argument)) {
      rekeyOption = argument;
      needsValue = true;
      continue;
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
    } else if (argument == "migrate") {
      line.command = Command::Migrate;
    } else if (argument == "rekey") {
      line.command = Command::Rekey;
    } else if (argument == "health") {
      line.command = Command::Health;
    } else if (argument == "version") {
      line.command = Command::Version;
    } else {
      line.problem = "unknown command " + argument + "; see stratos-server --help";
      return line;
    }
  }
  if (!migrateOption.empty() && line.command != Command::Migrate) {
    line.problem = migrateOption + " belongs to migrate; see stratos-server --help";
  }
  if (line.health == HealthQuestion::Live && line.command != Command::Health) {
    line.problem = "--live belongs to health; see stratos-server --help";
  }
  if (needsValue) line.problem = rekeyOption + " needs a value; see stratos-server --help";
  if (!rekeyOption.empty() && line.command != Command::Rekey) {
    line.problem = rekeyOption + " belongs to rekey; see stratos-server --help";
  }
  return line;
}

std::string helpText() {
  std::string text =
      "usage: stratos-server [serve | check | migrate [--dry-run | --status] |\n"
      "                       rekey [--format gcm|legacy] [--batch N] [--wait SECONDS] |\n"
      "                       health [--live] | version]\n"
      "\n"
      "  serve     runs the console (the default)\n"
      "  check     says whether it would start: configuration, database, key, certificate, UAA;\n"
      "            changes nothing\n"
      "  migrate   brings the database's schema up to date and exits; every start does so, too\n"
      "            --dry-run  lists what would be applied; changes nothing\n"
      "            --status   prints version, histories and what is pending; changes nothing\n"
      "  rekey     re-encrypts all stored tokens and secrets with ENCRYPTION_KEY while servers "
      "run;\n"
      "            the keys in use so far stand in ENCRYPTION_KEY_PREVIOUS, for the servers, too; "
      "may\n"
      "            be stopped and run again at any time\n"
      "            --format gcm     AES-256-GCM (default)\n"
      "            --format legacy  AES-CFB, as upstream reads it: the way back\n"
      "            --batch N        rows that are rewritten at once (100)\n"
      "            --wait SECONDS   time for running servers to learn of the change (10); 0 when\n"
      "                             none runs\n"
      "  health    asks the server that runs with the same settings on this machine whether it can\n"
      "            serve (/readyz, which tries the database); for health checks of containers\n"
      "            --live           whether it answers at all (/livez); for what restarts it\n"
      "  version   prints the version\n"
      "\n"
      "exit status: 0 success, 1 cannot start, not well, a check failed or rekey left rows "
      "behind,\n"
      "2 wrong usage\n"
      "\n"
      "Settings come from, in this order: the database (sign-in only), the environment, a Cloud\n"
      "Foundry user-provided service, ./config.properties, files in /etc/secrets (DB_PASSWORD is\n"
      "db-password there) or in the folder that STRATOS_SECRETS_DIRECTORY names.\n";
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
