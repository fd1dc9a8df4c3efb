#include "stratos/testing/test_database.hpp"

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::testing {

namespace {

constexpr const char* kUrlVariable = "STRATOS_TEST_POSTGRES_URL";

std::string decoded(std::string_view text) {
  auto plain = percentDecode(text);
  if (!plain) throw Error(ErrorCode::InvalidArgument, "A %-escape in the test URL is broken");
  return std::move(*plain);
}

// Splits `text` at the first `separator`; the second part is empty when there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::optional<db::PostgreSqlOptions> optionsFromEnvironment() {
  const char* url = std::getenv(kUrlVariable);
  if (url == nullptr || *url == '\0') return std::nullopt;
  std::string_view rest(url);
  for (const std::string_view scheme : {"postgres://", "postgresql://"}) {
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  }
  const auto [place, query] = cut(rest, '?');
  const auto [authority, database] = cut(place, '/');
  const std::size_t at = authority.rfind('@');
  const std::string_view login = at == std::string_view::npos ? "" : authority.substr(0, at);
  const std::string_view server =
      at == std::string_view::npos ? authority : authority.substr(at + 1);
  const auto [user, password] = cut(login, ':');
  const auto [host, port] = cut(server, ':');

  db::PostgreSqlOptions options;
  options.user = decoded(user);
  options.password = Secret(decoded(password));
  options.host = decoded(host);
  options.port = port.empty() ? 5432 : std::stoi(std::string(port));
  options.database = decoded(database);
  for (const std::string& pair : split(query, '&')) {
    const auto [name, value] = cut(pair, '=');
    if (name == "host") options.host = decoded(value);
    if (name == "port") options.port = std::stoi(std::string(value));
    if (name == "sslmode") options.sslMode = decoded(value);
  }
  if (options.host.empty()) options.host = "127.0.0.1";
  return options;
}

std::string uniqueName() {
  static std::atomic<int> count{0};
  std::random_device random;
  return "stratos_test_" + std::to_string(random()) + "_" + std::to_string(++count);
}

void runOnServer(const std::string& sql) {
  db::Database::openPostgreSql(optionsFromEnvironment().value())->connect().execute(sql);
}

}  // namespace

std::vector<db::Dialect> TestDatabase::available() {
  std::vector<db::Dialect> dialects = {db::Dialect::Sqlite};
  if (optionsFromEnvironment()) dialects.push_back(db::Dialect::PostgreSql);
  return dialects;
}

bool TestDatabase::isAvailable(db::Dialect dialect) {
  const std::vector<db::Dialect> all = available();
  return std::find(all.begin(), all.end(), dialect) != all.end();
}

const char* TestDatabase::skipReason() noexcept {
  return "No PostgreSQL server to test with: set STRATOS_TEST_POSTGRES_URL";
}

TestDatabase::TestDatabase(db::Dialect dialect) : dialect_(dialect) {
  if (dialect_ == db::Dialect::Sqlite) {
    std::string pattern = (std::filesystem::temp_directory_path() / "stratos-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw Error(ErrorCode::Internal, "Cannot make a temporary directory");
    }
    directory_ = pattern;
    sqlite_.file = directory_ + "/console-database.db";
    // Many threads of a slow test build write at once.
    sqlite_.busyTimeout = std::chrono::seconds{30};
    return;
  }
  const auto options = optionsFromEnvironment();
  if (!options) throw Error(ErrorCode::InvalidArgument, skipReason());
  postgreSql_ = *options;
  postgreSql_.database = uniqueName();
  // template0, as nobody can be connected to it, which would make a copy impossible.
  runOnServer("CREATE DATABASE " + postgreSql_.database + " TEMPLATE template0");
}

TestDatabase::~TestDatabase() {
  try {
    if (dialect_ == db::Dialect::Sqlite) {
      std::filesystem::remove_all(directory_);
    } else {
      runOnServer("DROP DATABASE IF EXISTS " + postgreSql_.database + " WITH (FORCE)");
    }
  } catch (const std::exception& e) {
    std::cerr << "A test database was left behind: " << e.what() << '\n';
  }
}

std::unique_ptr<db::Database> TestDatabase::open(const db::PoolOptions& pool) const {
  return dialect_ == db::Dialect::Sqlite ? db::Database::openSqlite(sqlite_, pool)
                                         : db::Database::openPostgreSql(postgreSql_, pool);
}

}  // namespace stratos::testing
