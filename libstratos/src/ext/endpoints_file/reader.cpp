#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/ext/endpoints_file.hpp"

namespace stratos::ext {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLimitBytes = 1024 * 1024;
constexpr std::size_t kSecretLimitBytes = 64 * 1024;

constexpr auto kTopKeys = std::to_array<std::string_view>({"endpoints", "prune"});
constexpr auto kEndpointKeys = std::to_array<std::string_view>(
    {"name", "type", "sub_type", "url", "skip_ssl_validation", "sso_allowed", "ca_certificate",
     "ca_certificate_file", "client_id", "client_secret_env", "client_secret_file"});

/// The content, unless the file cannot be read or is larger than `limit`.
std::optional<std::string> readFile(const fs::path& path, std::size_t limit) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limit) return std::nullopt;
  return text;
}

class Reader {
 public:
  Reader(const fs::path& path, const EnvironmentLookup& environment)
      : path_(path), environment_(environment) {}

  EndpointsFile read() {
    const auto text = readFile(path_, kFileLimitBytes);
    if (!text) {
      throw Error(
          ErrorCode::InvalidArgument,
          "The endpoints file " + path_.string() +
              " cannot be read; it must be a file of at most 1 MiB that this user may read");
    }
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(*text);
    } catch (const YAML::Exception& e) {
      refuse(e.mark, e.msg + "; it must be YAML or JSON");
    }
    if (documents.size() != 1 || !documents.front().IsMap()) {
      refuse({}, "it must be one document with the key endpoints");
    }
    try {
      return readDocument(documents.front());
    } catch (const YAML::Exception& e) {
      refuse(e.mark, e.msg);
    }
  }

 private:
  /// The members of a map.
  using Members = std::map<std::string, YAML::Node, std::less<>>;

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
    std::string where = path_.string();
    if (mark.line >= 0) where += ", line " + std::to_string(mark.line + 1);
    throw Error(ErrorCode::InvalidArgument, where + ": " + what);
  }

  template <std::size_t N>
  Members membersOf(const YAML::Node& map, const std::array<std::string_view, N>& known) const {
    Members members;
    for (const auto& member : map) {
      const YAML::Node& key = member.first;
      const std::string name = key.IsScalar() ? key.Scalar() : std::string{};
      if (name == "client_secret") {
        refuse(key.Mark(),
               "a secret does not belong into this file; put it into an environment variable and "
               "name that with client_secret_env, or into a file and name it with "
               "client_secret_file");
      }
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        std::string names;
        for (const std::string_view each : known) {
          names.append(names.empty() ? "" : ", ").append(each);
        }
        refuse(key.Mark(), "the key \"" + name + "\" is not known here; known are " + names);
      }
      if (!members.emplace(name, member.second).second) {
        refuse(key.Mark(), "the key " + name + " stands here twice; remove one of them");
      }
      if (member.second.IsNull()) {
        refuse(key.Mark(), name + " has no value; give it one or remove the key");
      }
    }
    return members;
  }

  std::string text(const Members& members, std::string_view name) const {
    const auto found = members.find(name);
    if (found == members.end()) return {};
    if (!found->second.IsScalar()) {
      refuse(found->second.Mark(), std::string{name} + " must be a text, not a list or a map");
    }
    return found->second.Scalar();
  }

  bool flag(const Members& members, std::string_view name) const {
    const auto found = members.find(name);
    if (found == members.end()) return false;
    const YAML::Node& node = found->second;
    // Quoted ones have another tag: they are texts.
    if (node.IsScalar() && node.Tag() == "?") {
      for (const char* yes : {"true", "True", "TRUE"}) {
        if (node.Scalar() == yes) return true;
      }
      for (const char* no : {"false", "False", "FALSE"}) {
        if (node.Scalar() == no) return false;
      }
    }
    refuse(node.Mark(), std::string{name} + " must be true or false, without quotes");
  }

  fs::path fileBeside(const std::string& name) const {
    const fs::path file{name};
    return file.is_absolute() ? file : path_.parent_path() / file;
  }

  std::string certificate(const Members& members) const {
    const auto file = members.find("ca_certificate_file");
    if (file == members.end()) return text(members, "ca_certificate");
    if (members.contains("ca_certificate")) {
      refuse(file->second.Mark(),
             "ca_certificate and ca_certificate_file exclude each other; remove one of them");
    }
    const fs::path path = fileBeside(text(members, "ca_certificate_file"));
    auto pem = readFile(path, kFileLimitBytes);
    if (!pem) {
      refuse(file->second.Mark(), "ca_certificate_file names " + path.string() +
                                      ", which cannot be read; mend the name or its mode");
    }
    return std::move(*pem);
  }

  Secret clientSecret(const Members& members) const {
    const auto variable = members.find("client_secret_env");
    const auto file = members.find("client_secret_file");
    if (variable == members.end() && file == members.end()) return {};
    const YAML::Mark mark = (variable != members.end() ? variable : file)->second.Mark();
    if (variable != members.end() && file != members.end()) {
      refuse(mark,
             "client_secret_env and client_secret_file exclude each other; remove one of them");
    }
    if (!members.contains("client_id")) {
      refuse(mark, "a secret needs the client that it belongs to; add client_id");
    }
    if (variable != members.end()) {
      const std::string name = text(members, "client_secret_env");
      auto value = environment_(name);
      if (!value) {
        refuse(mark, "client_secret_env names the environment variable " + name +
                         ", which is not set; set it or mend the name");
      }
      return Secret{std::move(*value)};
    }
    const fs::path path = fileBeside(text(members, "client_secret_file"));
    auto value = readFile(path, kSecretLimitBytes);
    if (!value) {
      refuse(mark, "client_secret_file names " + path.string() +
                       ", which cannot be read; mend the name or its mode");
    }
    // Editors and echo end a file with a line break that is no part of the secret.
    if (value->ends_with('\n')) value->pop_back();
    if (value->ends_with('\r')) value->pop_back();
    return Secret{std::move(*value)};
  }

  DeclaredEndpoint readEndpoint(const YAML::Node& node) const {
    if (!node.IsMap()) refuse(node.Mark(), "an endpoint must be a map with name, type and url");
    const Members members = membersOf(node, kEndpointKeys);
    for (const char* needed : {"name", "type", "url"}) {
      if (text(members, needed).empty()) {
        refuse(node.Mark(), std::string{"this endpoint needs the key "} + needed);
      }
    }
    DeclaredEndpoint declared;
    declared.line = node.Mark().line + 1;
    endpoint::Registration& registration = declared.registration;
    registration.name = text(members, "name");
    registration.type = text(members, "type");
    registration.subType = text(members, "sub_type");
    registration.apiUrl = text(members, "url");
    registration.skipSslValidation = flag(members, "skip_ssl_validation");
    registration.ssoAllowed = flag(members, "sso_allowed");
    registration.caCertificate = certificate(members);
    registration.clientId = text(members, "client_id");
    registration.clientSecret = clientSecret(members);
    registration.systemEndpoint = true;
    if (const std::string problem = endpoint::EndpointRegistry::problemOf(registration);
        !problem.empty()) {
      refuse(node.Mark(), "this endpoint cannot be registered: " + problem);
    }
    return declared;
  }

  EndpointsFile readDocument(const YAML::Node& document) const {
    const Members members = membersOf(document, kTopKeys);
    EndpointsFile file;
    file.path = path_;
    file.prune = flag(members, "prune");
    const auto list = members.find("endpoints");
    if (list == members.end()) {
      refuse(document.Mark(), "the key endpoints is missing; write \"endpoints: []\" for none");
    }
    if (!list->second.IsSequence()) {
      refuse(list->second.Mark(), "endpoints must be a list; begin each endpoint with \"- \"");
    }
    for (const auto& node : list->second) {
      DeclaredEndpoint declared = readEndpoint(node);
      const Url url = Url::parse(declared.registration.apiUrl).withoutTrailingSlash();
      for (const DeclaredEndpoint& other : file.endpoints) {
        if (Url::parse(other.registration.apiUrl).withoutTrailingSlash() != url) continue;
        refuse(node.Mark(), "this endpoint has the url of the one in line " +
                                std::to_string(other.line) + "; remove one of them");
      }
      file.endpoints.push_back(std::move(declared));
    }
    return file;
  }

  const fs::path& path_;
  const EnvironmentLookup& environment_;
};

}  // namespace

EndpointsFile readEndpointsFile(const fs::path& path, const EnvironmentLookup& environment) {
  return Reader(path, environment).read();
}

}  // namespace stratos::ext
