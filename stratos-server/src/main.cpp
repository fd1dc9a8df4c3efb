#include <iostream>
#include <string>
#include <vector>

#include "application.hpp"
#include "check.hpp"
#include "command_line.hpp"
#include "health.hpp"
#include "migrate.hpp"
#include "rekey.hpp"

int main(int argc, char** argv) {
  using namespace stratos::server;
  const CommandLine line = parseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!line.problem.empty()) {
    std::cerr << "stratos-server: " << line.problem << "\n";
    return 2;
  }
  switch (line.command) {
    case Command::Help:
      std::cout << helpText();
      return 0;
    case Command::Version:
      std::cout << versionText();
      return 0;
    case Command::Check:
      return check(processEnvironment(), std::cout);
    case Command::Migrate:
      return migrate(processEnvironment(), line.migrateMode, std::cout, std::cerr);
    case Command::Rekey:
      return rekey(processEnvironment(), line.rekey, std::cout, std::cerr);
    case Command::Health:
      return health(processEnvironment(), line.health, std::cout);
    case Command::Serve:
      break;
  }
  return serve(processEnvironment());
}
