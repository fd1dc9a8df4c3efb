#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stratos::server {

using SettingMap = std::map<std::string, std::string, std::less<>>;

/// Where settings come from besides the process environment.
struct LookupPlaces {
  std::filesystem::path propertiesFile = "config.properties";
  /// Unless STRATOS_SECRETS_DIRECTORY in the environment names another one.
  std::filesystem::path secretsDirectory = "/etc/secrets";
};

/// The ordered sources of settings; the first that has the name wins, even with an empty value:
/// database, environment, Cloud Foundry user-provided service, config.properties, /etc/secrets.
/// Thread safety: immutable once setDatabase() has been called.
class LookupChain {
 public:
  struct Found {
    std::string value;
    std::string source;  ///< For messages: "environment", "config.properties", ...
  };

  /// Reads everything but the secrets directory, whose files are read when they are asked for.
  explicit LookupChain(SettingMap environment, const LookupPlaces& places = {});

  /// Fills the first source: group `env` of the database's `config` table. Only settings that
  /// `mayOverride` accepts are taken, so that write access to the database does not hand over the
  /// whole server.
  void setDatabase(const std::map<std::string, std::string>& values,
                   bool (*mayOverride)(std::string_view name));

  [[nodiscard]] std::optional<Found> find(std::string_view name) const;
  /// Only the process environment.
  [[nodiscard]] std::optional<std::string> findInEnvironment(std::string_view name) const;
  /// Things that were wrong with a source, for the log; hold no values.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  /// Puts the content of VCAP_SERVICES_FILE_PATH where VCAP_SERVICES would be.
  void readBoundServices();
  void readUserProvidedService();
  void readProperties(const std::filesystem::path& file);

  SettingMap database_;
  SettingMap environment_;
  SettingMap userProvidedService_;
  SettingMap properties_;
  std::filesystem::path secretsDirectory_;
  std::vector<std::string> warnings_;
};

/// The variables of this process.
[[nodiscard]] SettingMap processEnvironment();

}  // namespace stratos::server
