#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "stratos/db/database.hpp"
#include "stratos/testing/test_certificates.hpp"

namespace stratos::testing {

/// A program that runs until it is told to end; dies with the thread that started it.
class ChildProcess {
 public:
  /// Runs `arguments` in `directory`, output to `directory`/`logName`. A test that runs as root
  /// gives it the rights of the user postgres. Throws Error(Internal).
  ChildProcess(const std::vector<std::string>& arguments, const std::string& directory,
               const std::string& logName);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void signal(int number) const noexcept;
  /// Waits for the end; the exit status, or 128 and the number of the signal.
  int wait() noexcept;

 private:
  pid_t pid_ = -1;
};

struct PrivatePostgresOptions {
  std::map<std::string, std::string> settings;  ///< Of postgresql.conf.
  /// With both set the server speaks TLS on its port and nothing else, and knows clients by the
  /// certificates of `clientCa`.
  TlsIdentity certificate;
  std::string clientCa;
};

/// A PostgreSQL server of its own, which a test may stop, restart and kill: on loopback and on a
/// socket in its folder, removed at the end. The superuser "stratos" owns the database "stratos";
/// on the socket it needs no password.
///
/// One thread at a time: the server dies with the thread that started it.
class PrivatePostgres {
 public:
  [[nodiscard]] static bool isAvailable();
  [[nodiscard]] static const char* skipReason() noexcept;

  /// Throws Error(Internal) when the server does not come up.
  explicit PrivatePostgres(PrivatePostgresOptions options = {});
  ~PrivatePostgres();
  PrivatePostgres(const PrivatePostgres&) = delete;
  PrivatePostgres& operator=(const PrivatePostgres&) = delete;

  /// Ends all connections and stops.
  void stop();
  void start();

  /// By its port; host "localhost".
  [[nodiscard]] db::PostgreSqlOptions options() const;
  /// By its socket, past all TLS.
  [[nodiscard]] db::PostgreSqlOptions socketOptions() const;
  /// Runs a statement by the socket.
  void execute(const std::string& sql) const;
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  /// Writes a file into its folder that only its user can read; returns the path.
  std::string writeFile(const std::string& name, const std::string& content) const;

 private:
  void writeConfiguration(const PrivatePostgresOptions& options) const;

  std::string directory_;
  std::string password_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> server_;
};

/// PgBouncer in transaction mode in front of a PrivatePostgres, which must outlive it.
class PrivatePgBouncer {
 public:
  [[nodiscard]] static bool isAvailable();
  [[nodiscard]] static const char* skipReason() noexcept;

  /// `serverConnections` is how many connections it makes at most.
  PrivatePgBouncer(const PrivatePostgres& server, int serverConnections);

  [[nodiscard]] db::PostgreSqlOptions options() const;

 private:
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace stratos::testing
