#include "lookup_chain.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "stratos/base/encoding.hpp"

namespace stratos::server {
namespace {

// Upstream ignores a file with a longer line; a secret or a setting never is.
constexpr std::uintmax_t kMaxFileBytes = 1024 * 1024;

std::optional<std::string> readSmallFile(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  if (std::filesystem::file_size(file, error) > kMaxFileBytes || error) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string textOf(const Poco::Dynamic::Var& value) {
  if (value.isEmpty()) return {};
  if (value.isString()) return value.extract<std::string>();
  return Poco::Dynamic::Var::toString(value);
}

std::string secretFileName(std::string_view name) {
  std::string file = toLower(name);
  std::replace(file.begin(), file.end(), '_', '-');
  return file;
}

}  // namespace

LookupChain::LookupChain(SettingMap environment, const LookupPlaces& places)
    : environment_(std::move(environment)), secretsDirectory_(places.secretsDirectory) {
  if (const auto named = findInEnvironment("STRATOS_SECRETS_DIRECTORY"); named && !named->empty()) {
    secretsDirectory_ = *named;
  }
  readBoundServices();
  readUserProvidedService();
  readProperties(places.propertiesFile);
}

void LookupChain::setDatabase(const std::map<std::string, std::string>& values,
                              bool (*mayOverride)(std::string_view name)) {
  database_.clear();
  for (const auto& [name, value] : values) {
    if (mayOverride(name)) {
      database_.emplace(name, value);
    } else {
      warnings_.push_back("the setting " + name + " in the database is ignored");
    }
  }
}

std::optional<LookupChain::Found> LookupChain::find(std::string_view name) const {
  const std::pair<const SettingMap*, const char*> sources[] = {
      {&database_, "the database"},
      {&environment_, "the environment"},
      {&userProvidedService_, "the user-provided service"},
      {&properties_, "config.properties"}};
  for (const auto& [values, source] : sources) {
    if (const auto found = values->find(name); found != values->end()) {
      return Found{found->second, source};
    }
  }
  if (auto content = readSmallFile(secretsDirectory_ / secretFileName(name))) {
    return Found{std::string(trim(*content)), (secretsDirectory_ / secretFileName(name)).string()};
  }
  return std::nullopt;
}

std::optional<std::string> LookupChain::findInEnvironment(std::string_view name) const {
  const auto found = environment_.find(name);
  if (found == environment_.end()) return std::nullopt;
  return found->second;
}

void LookupChain::readBoundServices() {
  const auto services = findInEnvironment("VCAP_SERVICES");
  const auto file = findInEnvironment("VCAP_SERVICES_FILE_PATH");
  if ((services && !services->empty()) || !file || file->empty()) return;
  if (auto content = readSmallFile(*file)) environment_["VCAP_SERVICES"] = std::move(*content);
}

void LookupChain::readUserProvidedService() {
  const auto application = findInEnvironment("VCAP_APPLICATION");
  const auto services = findInEnvironment("VCAP_SERVICES");
  const auto wanted = findInEnvironment("CF_UPS_NAME");
  if (!application || !services || !wanted || wanted->empty()) return;
  using Poco::JSON::Object;
  try {
    Poco::JSON::Parser().parse(*application).extract<Object::Ptr>();
    const auto byLabel = Poco::JSON::Parser().parse(*services).extract<Object::Ptr>();
    const auto instances = byLabel->getArray("user-provided");
    if (!instances) return;
    for (unsigned i = 0; i < instances->size(); ++i) {
      const auto instance = instances->getObject(i);
      if (!instance || instance->optValue<std::string>("name", "") != *wanted) continue;
      const auto credentials = instance->getObject("credentials");
      if (!credentials) return;
      for (const auto& [name, value] : *credentials) {
        userProvidedService_[name] = textOf(value);
      }
      return;
    }
    warnings_.push_back("there is no user-provided service with the name in CF_UPS_NAME");
  } catch (const Poco::Exception&) {
    // Poco's text may quote the document, which holds credentials.
    warnings_.push_back("VCAP_APPLICATION or VCAP_SERVICES is not the JSON that was expected");
  }
}

void LookupChain::readProperties(const std::filesystem::path& file) {
  const auto content = readSmallFile(file);
  if (!content) return;
  for (const std::string& raw : split(*content, '\n')) {
    const std::string_view line = trim(raw);
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    properties_[std::string(trim(line.substr(0, equals)))] =
        std::string(trim(line.substr(equals + 1)));
  }
}

SettingMap processEnvironment() {
  SettingMap values;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    values.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return values;
}

}  // namespace stratos::server
