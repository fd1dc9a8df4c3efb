#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "browser.hpp"
#include "server_process.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/testing/simulated_foundation.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::server_test {

inline constexpr const char* kPassword = "correct-horse-battery";

/// A running server with an empty database of the kind that STRATOS_TEST_DATABASE names, a
/// simulated foundation, and a folder of its own.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Settings of a server on the test's database, with a local administrator.
  [[nodiscard]] Settings settings() const;
  /// The same with the simulated UAA as identity back end.
  [[nodiscard]] Settings uaaSettings() const;
  /// The same on another PostgreSQL.
  [[nodiscard]] static Settings onPostgres(Settings settings,
                                           const db::PostgreSqlOptions& options);
  /// Starts a server and waits until it listens.
  std::unique_ptr<ServerProcess> start(const Settings& settings);
  /// Starts the test's main server.
  void startServer(const Settings& settings);

  [[nodiscard]] std::uint16_t httpPort() const { return httpPort_; }
  [[nodiscard]] std::string origin() const;
  [[nodiscard]] std::string secureOrigin() const;
  [[nodiscard]] static std::string httpOriginOf(ServerProcess& server);

  /// A browser that is signed in as the local administrator.
  [[nodiscard]] Browser signedIn();
  /// Registers an endpoint; returns its GUID, or an empty string.
  [[nodiscard]] std::string registerEndpoint(Browser& browser, const std::string& url,
                                             const std::string& name = "Simulated");
  /// Registers the simulated foundation and connects the browser's user to it.
  [[nodiscard]] std::string connectFoundation(Browser& browser);

  /// The server's database, opened beside it.
  [[nodiscard]] std::unique_ptr<db::Database> openDatabase() const;
  /// The encryption keys of a server with these settings, the current one first.
  [[nodiscard]] static std::vector<crypto::EncryptionKey> ring(const Settings& settings);
  /// The number of token rows; fails for each one that cannot be read with these settings.
  [[nodiscard]] std::size_t readableTokens(const Settings& settings) const;

  std::filesystem::path folder;
  std::unique_ptr<stratos::testing::TestDatabase> database;
  std::unique_ptr<stratos::testing::SimulatedFoundation> foundation;
  std::unique_ptr<ServerProcess> server;

 private:
  std::uint16_t httpPort_ = 0;
  std::uint16_t httpsPort_ = 0;
};

/// The port in a line such as "listening https=127.0.0.1:1 http=127.0.0.1:2"; 0 when absent.
[[nodiscard]] std::uint16_t portIn(const std::string& line, const std::string& scheme);

}  // namespace stratos::server_test
