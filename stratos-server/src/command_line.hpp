#pragma once

#include <string>
#include <vector>

#include "health.hpp"
#include "migrate.hpp"
#include "rekey.hpp"

namespace stratos::server {

enum class Command { Serve, Check, Migrate, Rekey, Health, Version, Help };

struct CommandLine {
  Command command = Command::Serve;
  MigrateMode migrateMode = MigrateMode::Apply;
  RekeyCommand rekey;
  HealthQuestion health = HealthQuestion::Ready;
  /// Not empty: what is wrong, in one line.
  std::string problem;
};

/// `arguments` without the program's name.
[[nodiscard]] CommandLine parseCommandLine(const std::vector<std::string>& arguments);

/// The text of `--help`: commands, and all settings from the table, grouped.
[[nodiscard]] std::string helpText();
[[nodiscard]] std::string versionText();

}  // namespace stratos::server
