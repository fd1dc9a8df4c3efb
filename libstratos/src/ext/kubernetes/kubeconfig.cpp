#include "ext/kubernetes/kubeconfig.hpp"

#include <vector>

#include <yaml-cpp/yaml.h>

#include "stratos/base/encoding.hpp"

namespace stratos::ext::kubernetes {

namespace {

/// A file that is not what it should be; the text is for whoever sent it.
struct Malformed {
  std::string problem;
};

[[noreturn]] void malformed(std::string problem) { throw Malformed{std::move(problem)}; }

/// A member of a map; undefined when there is none, or no map.
YAML::Node member(const YAML::Node& node, const char* name) {
  return node.IsDefined() && node.IsMap() ? node[name] : YAML::Node(YAML::NodeType::Undefined);
}

std::string text(const YAML::Node& node, const char* name) {
  const YAML::Node value = member(node, name);
  return value.IsDefined() && value.IsScalar() ? value.Scalar() : std::string{};
}

/// The entry called `name` in a list of named ones; undefined when there is none.
YAML::Node named(const YAML::Node& list, const std::string& name) {
  if (list.IsDefined() && list.IsSequence() && !name.empty()) {
    for (const auto& entry : list) {
      if (text(entry, "name") == name) return entry;
    }
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

bool isAt(const YAML::Node& cluster, const Url& apiUrl) {
  const auto server = Url::tryParse(text(member(cluster, "cluster"), "server"));
  if (!server) return false;
  const auto plain = [](const Url& url) {
    return url.withPath(url.rawPath()).withoutTrailingSlash();
  };
  return plain(*server) == plain(apiUrl);
}

/// The context for the cluster at `apiUrl`.
YAML::Node contextFor(const YAML::Node& file, const Url& apiUrl) {
  const YAML::Node clusters = member(file, "clusters");
  const YAML::Node contexts = member(file, "contexts");
  if (!clusters.IsDefined() || !clusters.IsSequence()) malformed("the kubeconfig has no clusters");
  if (!contexts.IsDefined() || !contexts.IsSequence()) malformed("the kubeconfig has no contexts");

  const auto isFor = [&](const YAML::Node& context) {
    const YAML::Node cluster = named(clusters, text(member(context, "context"), "cluster"));
    return cluster.IsDefined() && isAt(cluster, apiUrl);
  };
  const YAML::Node current = named(contexts, text(file, "current-context"));
  if (current.IsDefined() && isFor(current)) return current;
  for (const auto& context : contexts) {
    if (isFor(context)) return context;
  }
  malformed("the kubeconfig has no context for a cluster whose server is " + apiUrl.str() +
            "; choose the kubeconfig of this cluster");
}

/// Base64 of PEM in a member `...-data`; empty when there is none.
std::string pem(const YAML::Node& node, const char* name) {
  const std::string encoded = text(node, name);
  if (encoded.empty()) return {};
  auto decoded = decodePem(encoded);
  if (!decoded) {
    malformed(std::string{name} + " of the kubeconfig is not base64 of PEM");
  }
  return std::move(*decoded);
}

/// For a header: one line, without control characters.
Secret line(const YAML::Node& node, const char* name) {
  std::string value{trim(text(node, name))};
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      malformed(std::string{name} + " of the kubeconfig holds control characters");
    }
  }
  return Secret{std::move(value)};
}

KubeUser::Oidc readOidc(const YAML::Node& config) {
  KubeUser::Oidc oidc;
  oidc.issuer = text(config, "idp-issuer-url");
  oidc.issuerCaPem = pem(config, "idp-certificate-authority-data");
  oidc.clientId = text(config, "client-id");
  oidc.clientSecret = Secret{text(config, "client-secret")};
  oidc.idToken = line(config, "id-token");
  oidc.refreshToken = line(config, "refresh-token");
  return oidc;
}

std::string unusableMeans(const YAML::Node& user) {
  for (const char* name : {"exec", "tokenFile", "client-certificate", "client-key"}) {
    if (member(user, name).IsDefined()) return name;
  }
  return text(member(user, "auth-provider"), "name").empty() ? "" : "auth-provider";
}

KubeUser readUser(const YAML::Node& user) {
  KubeUser result;
  result.certificatePem = pem(user, "client-certificate-data");
  result.keyPem = Secret{pem(user, "client-key-data")};
  result.token = line(user, "token");
  result.userName = text(user, "username");
  result.password = Secret{text(user, "password")};
  const YAML::Node provider = member(user, "auth-provider");
  if (text(provider, "name") == "oidc") result.oidc = readOidc(member(provider, "config"));
  result.unusable = unusableMeans(user);
  return result;
}

}  // namespace

std::optional<std::string> decodePem(std::string encoded) {
  std::erase_if(encoded, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  auto decoded = fromBase64(encoded);
  if (decoded && decoded->find("-----BEGIN ") == std::string::npos) decoded.reset();
  return decoded;
}

KubeUserResult findUser(const std::string& kubeconfig, const Url& apiUrl) {
  try {
    if (trim(kubeconfig).empty()) malformed("the kubeconfig is missing; send it as the body");
    const YAML::Node file = YAML::Load(kubeconfig);
    if (text(file, "apiVersion") != "v1" || text(file, "kind") != "Config") {
      malformed("this is no kubeconfig: it needs apiVersion: v1 and kind: Config");
    }
    const std::string name = text(member(contextFor(file, apiUrl), "context"), "user");
    const YAML::Node user = named(member(file, "users"), name);
    if (!user.IsDefined()) malformed("the kubeconfig has no user of its context's name");
    return {.user = readUser(member(user, "user")), .problem = {}};
  } catch (const Malformed& error) {
    return {.user = std::nullopt, .problem = error.problem};
  } catch (const YAML::Exception& error) {
    const std::string where =
        error.mark.is_null() ? "" : ", see line " + std::to_string(error.mark.line + 1);
    return {.user = std::nullopt, .problem = "the kubeconfig is no YAML document" + where};
  }
}

}  // namespace stratos::ext::kubernetes
