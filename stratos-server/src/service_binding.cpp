#include "service_binding.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

using Poco::JSON::Object;

constexpr int kPostgreSqlPort = 5432;
constexpr int kMaxPort = 65'535;

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::InvalidArgument, sentence);
}

enum class Kind { None, PostgreSql, MySql };

struct Service {
  std::string name;
  Kind kind = Kind::None;
  bool isChosen = false;  ///< Has the tag "stratos".
  Object::Ptr credentials;
};

// Credentials are strings, but ports are numbers as well.
std::string textOf(const Object::Ptr& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!object->has(name)) continue;
    const Poco::Dynamic::Var value = object->get(name);
    if (!value.isString() && !value.isInteger()) continue;
    if (std::string text = value.toString(); !text.empty()) return text;
  }
  return {};
}

bool hasScheme(std::string_view uri, std::initializer_list<const char*> schemes) {
  const std::size_t end = uri.find("://");
  if (end == std::string_view::npos) return false;
  const std::string scheme = toLower(uri.substr(0, end));
  return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

Kind kindOf(const Object::Ptr& credentials, const std::vector<std::string>& tags, bool isChosen) {
  const auto isTagged = [&](std::string_view tag) {
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
  };
  const std::string uri = textOf(credentials, {"uri"});
  if (hasScheme(uri, {"postgres", "postgresql"})) return Kind::PostgreSql;
  if (hasScheme(uri, {"mysql", "mysql2", "mariadb"})) return Kind::MySql;
  if (isTagged("postgresql") || isTagged("postgres")) return Kind::PostgreSql;
  if (isTagged("mysql") || isTagged("mariadb")) return Kind::MySql;
  // A user-provided service that is made for the console needs no second tag.
  const bool looksLikeOne = !textOf(credentials, {"hostname", "host"}).empty() &&
                            !textOf(credentials, {"dbname"}).empty();
  return isChosen && uri.empty() && looksLikeOne ? Kind::PostgreSql : Kind::None;
}

std::vector<Service> databasesIn(const std::string& vcapServices) {
  std::vector<Service> found;
  const auto byLabel = Poco::JSON::Parser().parse(vcapServices).extract<Object::Ptr>();
  for (const auto& [label, value] : *byLabel) {
    const auto instances = byLabel->getArray(label);
    if (!instances) continue;
    for (unsigned i = 0; i < instances->size(); ++i) {
      const auto instance = instances->getObject(i);
      const auto credentials = instance ? instance->getObject("credentials") : nullptr;
      if (!credentials) continue;
      std::vector<std::string> tags;
      if (const auto array = instance->getArray("tags")) {
        for (unsigned t = 0; t < array->size(); ++t) {
          if (const auto tag = array->get(t); tag.isString())
            tags.push_back(toLower(tag.toString()));
        }
      }
      Service service;
      service.name = textOf(instance, {"name", "instance_name", "binding_name"});
      if (service.name.empty()) service.name = label;
      service.isChosen = std::find(tags.begin(), tags.end(), "stratos") != tags.end();
      service.credentials = credentials;
      service.kind = kindOf(credentials, tags, service.isChosen);
      if (service.kind != Kind::None) found.push_back(std::move(service));
    }
  }
  return found;
}

Service choose(std::vector<Service> services) {
  if (services.size() == 1) return std::move(services.front());
  std::string names;
  for (const Service& service : services) {
    names.append(names.empty() ? "\"" : ", \"").append(service.name).append("\"");
  }
  const auto chosen = std::count_if(services.begin(), services.end(),
                                    [](const Service& service) { return service.isChosen; });
  if (chosen != 1) {
    refuse("Several database services are bound (" + names + ") and " +
           (chosen == 0 ? "none" : "more than one") +
           " has the tag \"stratos\"; give it to the one to use");
  }
  return std::move(*std::find_if(services.begin(), services.end(),
                                 [](const Service& service) { return service.isChosen; }));
}

std::optional<int> parsePort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port < 1 || port > kMaxPort) {
    return std::nullopt;
  }
  return port;
}

int portOf(std::string_view text) {
  const auto port = parsePort(text);
  if (!port) refuse("its port is no number from 1 to 65535");
  return *port;
}

std::string decoded(std::string_view text, const char* part) {
  auto plain = percentDecode(text);
  if (!plain) refuse(std::string("the ") + part + " in its uri has a broken %-escape");
  return std::move(*plain);
}

// Splits `text` at the first `separator`; the second part is empty when there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

void requireComplete(const db::PostgreSqlOptions& options) {
  if (options.host.empty()) refuse("its credentials name no host");
  if (options.user.empty()) refuse("its credentials name no user");
  if (options.database.empty()) refuse("its credentials name no database");
  if (options.host.find(',') != std::string::npos) {
    refuse("its credentials name several hosts, of which only one can be used");
  }
  for (const std::string* text :
       {&options.host, &options.user, &options.password.reveal(), &options.database}) {
    if (text->find('\0') != std::string::npos) refuse("its credentials hold a NUL character");
  }
}

void readServer(std::string_view server, db::PostgreSqlOptions& options) {
  std::string_view host = server;
  std::string_view port;
  if (server.starts_with('[')) {
    const std::size_t end = server.find(']');
    if (end == std::string_view::npos) refuse("the host in its uri lacks a closing bracket");
    host = server.substr(1, end - 1);
    port = server.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) refuse("the host in its uri cannot be read");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    std::tie(host, port) = cut(server, ':');
  }
  options.host = decoded(host, "host");
  if (!port.empty()) options.port = portOf(port);
}

void readOption(const std::string& name, std::string value, BoundDatabase& bound) {
  db::PostgreSqlOptions& options = bound.options;
  if (name == "host")
    options.host = std::move(value);
  else if (name == "port")
    options.port = portOf(value);
  else if (name == "user")
    options.user = std::move(value);
  else if (name == "password")
    options.password = Secret(std::move(value));
  else if (name == "dbname")
    options.database = std::move(value);
  else if (name == "sslmode")
    bound.sslMode = std::move(value);
  else if (name == "sslcert")
    options.sslCert = std::move(value);
  else if (name == "sslkey")
    options.sslKey = std::move(value);
  else if (name == "sslrootcert")
    options.sslRootCert = std::move(value);
}

// The single fields when they are complete, which upstream prefers; otherwise the URI.
BoundDatabase readCredentials(const Object::Ptr& credentials) {
  BoundDatabase fields;
  db::PostgreSqlOptions& options = fields.options;
  options.host = textOf(credentials, {"hostname", "host"});
  options.user = textOf(credentials, {"username", "user"});
  options.password = Secret(textOf(credentials, {"password"}));
  options.database = textOf(credentials, {"dbname", "database", "db", "name"});
  options.port = kPostgreSqlPort;
  fields.sslMode = textOf(credentials, {"sslmode"});
  const std::string port = textOf(credentials, {"port"});
  const std::string uri = textOf(credentials, {"uri"});
  const bool isComplete = !options.host.empty() && !options.user.empty() &&
                          !options.password.empty() && !options.database.empty() &&
                          parsePort(port).has_value();
  if (hasScheme(uri, {"postgres", "postgresql"})) {
    if (!isComplete) {
      BoundDatabase bound = parsePostgreSqlUri(uri);
      if (!fields.sslMode.empty()) bound.sslMode = fields.sslMode;
      return bound;
    }
    // What the fields cannot say.
    const std::string_view query = cut(uri, '?').second;
    for (const std::string& pair : split(query, '&')) {
      const auto [name, value] = cut(pair, '=');
      if (!name.starts_with("ssl") || (name == "sslmode" && !fields.sslMode.empty())) continue;
      readOption(std::string(name), decoded(value, "query"), fields);
    }
  }
  if (!port.empty()) options.port = portOf(port);
  requireComplete(options);
  return fields;
}

}  // namespace

BoundDatabase parsePostgreSqlUri(const std::string& uri) {
  if (!hasScheme(uri, {"postgres", "postgresql"})) refuse("its uri is not one of PostgreSQL");
  const std::string_view rest = std::string_view(uri).substr(uri.find("://") + 3);
  const auto [place, query] = cut(rest, '?');
  const auto [authority, database] = cut(place, '/');
  // A password that was not encoded may hold an '@'; a host never does.
  const std::size_t at = authority.rfind('@');
  const std::string_view login = at == std::string_view::npos ? "" : authority.substr(0, at);
  const auto [user, password] = cut(login, ':');

  BoundDatabase bound;
  db::PostgreSqlOptions& options = bound.options;
  options.port = kPostgreSqlPort;
  options.user = decoded(user, "user");
  options.password = Secret(decoded(password, "password"));
  options.database = decoded(database, "database");
  if (options.user.empty() && at == std::string_view::npos && query.empty()) {
    // Otherwise part of a password might be taken for a host.
    refuse("its uri names no user; a / or ? in a password must be percent-encoded");
  }
  readServer(at == std::string_view::npos ? authority : authority.substr(at + 1), options);
  for (const std::string& pair : split(query, '&')) {
    const auto [name, value] = cut(pair, '=');
    readOption(decoded(name, "query"), decoded(value, "query"), bound);
  }
  requireComplete(options);
  return bound;
}

std::optional<BoundDatabase> findBoundDatabase(const std::string& vcapServices) {
  std::vector<Service> services;
  try {
    services = databasesIn(vcapServices);
  } catch (const Poco::Exception&) {
    // Poco's text may quote the document, which holds credentials.
    refuse("VCAP_SERVICES is not the JSON that Cloud Foundry writes");
  }
  if (services.empty()) return std::nullopt;
  const Service service = choose(std::move(services));
  const std::string where = "The bound database service \"" + service.name + "\" cannot be used: ";
  if (service.kind == Kind::MySql) {
    refuse(where + "it is MySQL, which is not supported yet; bind PostgreSQL");
  }
  try {
    BoundDatabase bound = readCredentials(service.credentials);
    bound.service = service.name;
    return bound;
  } catch (const Error& e) {
    refuse(where + e.what());
  } catch (const Poco::Exception&) {
    refuse(where + "its credentials are not what Cloud Foundry writes");
  }
}

}  // namespace stratos::server
