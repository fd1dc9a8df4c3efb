#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookup_chain.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::server {

enum class SettingType { Text, SecretText, Integer, Flag, List, Url, Choice };

/// What there is to know about a setting: the one source for reading, `--help` and the documents.
struct SettingInfo {
  std::string_view name;
  std::string_view group;
  SettingType type = SettingType::Text;
  /// As it would be written; empty for none.
  std::string_view defaultValue;
  /// For Choice: the allowed values, separated by '|'.
  std::string_view allowed;
  std::string_view description;
  /// The set-up wizard may have stored it in the database, which then wins.
  bool inDatabase = false;
};

/// Every setting that this program reads, grouped.
[[nodiscard]] std::span<const SettingInfo> knownSettings();
/// The description of `name`; throws Error(Internal) when there is none.
[[nodiscard]] const SettingInfo& settingInfo(std::string_view name);
/// Whether the database's value of `name` counts.
[[nodiscard]] bool mayComeFromDatabase(std::string_view name);

/// Settings by name and type. A typed value that is empty counts as not set. All getters throw
/// Error(InvalidArgument) that names the setting, its value unless it is secret, and what is
/// allowed.
class Settings {
 public:
  /// `chain` must outlive this.
  explicit Settings(const LookupChain& chain) : chain_(chain) {}

  /// Found and not empty.
  [[nodiscard]] bool isSet(std::string_view name) const;
  /// The value as it stands, or the default.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] Secret secret(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t least,
                                     std::int64_t greatest) const;
  [[nodiscard]] std::chrono::seconds seconds(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  /// The comma separated elements, trimmed, without empty ones.
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  /// An absolute http or https URL as it was written; empty when not set.
  [[nodiscard]] std::string url(std::string_view name) const;
  [[nodiscard]] std::string choice(std::string_view name) const;

  [[nodiscard]] const LookupChain& chain() const noexcept { return chain_; }

 private:
  /// The value to parse: what was found, or the default.
  [[nodiscard]] std::string effective(const SettingInfo& info) const;
  [[noreturn]] void refuse(const SettingInfo& info, const std::string& allowed) const;

  const LookupChain& chain_;
};

}  // namespace stratos::server
