#include "private_postgres.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stratos/base/error.hpp"

namespace stratos::testing {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUser = "stratos";
constexpr std::chrono::seconds kStartLimit{60};

// PostgreSQL refuses to run as root.
const passwd* serverUser() { return ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr; }

fs::path serverPrograms() {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", error)) {
    if (fs::exists(version.path() / "bin/initdb")) found.push_back(version.path() / "bin");
  }
  const auto newest =
      std::max_element(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
        return std::atoi(a.parent_path().filename().c_str()) <
               std::atoi(b.parent_path().filename().c_str());
      });
  return newest == found.end() ? fs::path() : *newest;
}

int freePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!ok) throw Error(ErrorCode::Internal, "There is no free port");
  return ntohs(address.sin_port);
}

std::string contentOf(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Asks until the server answers.
void waitUntilReady(const db::PostgreSqlOptions& options, const std::string& log) {
  const auto end = std::chrono::steady_clock::now() + kStartLimit;
  for (;;) {
    try {
      (void)db::Database::openPostgreSql(options)->connect().query("SELECT 1");
      return;
    } catch (const Error& e) {
      if (std::chrono::steady_clock::now() >= end) {
        throw Error(ErrorCode::Internal, std::string(e.what()) + "\n" + contentOf(log));
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& directory,
                           const std::string& logName) {
  // Everything that allocates happens before fork().
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string log = directory + "/" + logName;
  const passwd* user = serverUser();
  const uid_t uid = user ? user->pw_uid : ::geteuid();
  const gid_t gid = user ? user->pw_gid : ::getegid();
  const bool changeUser = user != nullptr;
  pid_ = ::fork();
  if (pid_ < 0) throw Error(ErrorCode::Internal, "Cannot start " + arguments.front());
  if (pid_ > 0) return;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (out < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) ::_exit(126);
  if (changeUser && (::setgroups(0, nullptr) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0)) {
    ::_exit(126);
  }
  // A test that crashes must not leave a server behind.
  if (::prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || ::chdir(directory.c_str()) != 0) ::_exit(126);
  ::execv(argv.front(), argv.data());
  ::_exit(127);
}

ChildProcess::~ChildProcess() {
  signal(SIGQUIT);
  wait();
}

void ChildProcess::signal(int number) const noexcept {
  if (pid_ > 0) ::kill(pid_, number);
}

int ChildProcess::wait() noexcept {
  if (pid_ <= 0) return 0;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool PrivatePostgres::isAvailable() {
  return !serverPrograms().empty() && (::geteuid() != 0 || serverUser() != nullptr);
}

const char* PrivatePostgres::skipReason() noexcept {
  return "No PostgreSQL server below /usr/lib/postgresql: install the package postgresql";
}

PrivatePostgres::PrivatePostgres(PrivatePostgresOptions options)
    : password_("private-cluster-pass") {
  std::string pattern = (fs::temp_directory_path() / "stratos-postgres-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw Error(ErrorCode::Internal, "Cannot make a temporary directory");
  }
  directory_ = pattern;
  if (const passwd* user = serverUser()) {
    if (::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw Error(ErrorCode::Internal, "Cannot give a directory to postgres");
    }
  }
  const std::string passwordFile = writeFile("password", password_ + "\n");
  ChildProcess initdb(
      {serverPrograms() / "initdb", "-D", directory_ + "/data", "-U", kUser, "-A", "scram-sha-256",
       "--pwfile=" + passwordFile, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
      directory_, "log");
  if (initdb.wait() != 0) {
    throw Error(ErrorCode::Internal, "initdb failed\n" + contentOf(directory_ + "/log"));
  }
  port_ = freePort();
  writeConfiguration(options);
  start();
  db::PostgreSqlOptions first = socketOptions();
  first.database = "postgres";
  db::Database::openPostgreSql(first)->connect().execute("CREATE DATABASE stratos");
}

PrivatePostgres::~PrivatePostgres() {
  server_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void PrivatePostgres::writeConfiguration(const PrivatePostgresOptions& options) const {
  const bool tls = !options.certificate.keyPem.empty();
  std::map<std::string, std::string> settings = {{"listen_addresses", "127.0.0.1"},
                                                 {"port", std::to_string(port_)},
                                                 {"unix_socket_directories", directory_},
                                                 {"fsync", "off"},
                                                 {"full_page_writes", "off"},
                                                 {"ssl", tls ? "on" : "off"}};
  if (tls) {
    settings["ssl_cert_file"] = writeFile("server.crt", options.certificate.certificatePem);
    settings["ssl_key_file"] = writeFile("server.key", options.certificate.keyPem);
    settings["ssl_ca_file"] = writeFile("clients.crt", options.clientCa);
  }
  for (const auto& [name, value] : options.settings) settings[name] = value;
  std::string configuration;
  for (const auto& [name, value] : settings) {
    configuration.append(name).append(" = '").append(value).append("'\n");
  }
  const std::string type = tls ? "hostssl" : "host";
  std::ofstream(directory_ + "/data/postgresql.auto.conf") << configuration;
  std::ofstream(directory_ + "/data/pg_hba.conf")
      << "local all all trust\n"
      << (tls ? "hostssl all certified 127.0.0.1/32 cert\n" : "") << type
      << " all all 127.0.0.1/32 scram-sha-256\n";
}

void PrivatePostgres::stop() {
  server_->signal(SIGINT);
  (void)server_->wait();
  server_.reset();
}

void PrivatePostgres::start() {
  server_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{serverPrograms() / "postgres", "-D", directory_ + "/data"},
      directory_, "log");
  db::PostgreSqlOptions any = socketOptions();
  any.database = "postgres";
  waitUntilReady(any, directory_ + "/log");
}

db::PostgreSqlOptions PrivatePostgres::options() const {
  db::PostgreSqlOptions options;
  options.host = "localhost";
  options.port = port_;
  options.user = kUser;
  options.password = Secret(password_);
  options.database = "stratos";
  return options;
}

db::PostgreSqlOptions PrivatePostgres::socketOptions() const {
  db::PostgreSqlOptions socket = options();
  socket.host = directory_;
  return socket;
}

void PrivatePostgres::execute(const std::string& sql) const {
  db::Database::openPostgreSql(socketOptions())->connect().execute(sql);
}

std::string PrivatePostgres::writeFile(const std::string& name, const std::string& content) const {
  const std::string path = directory_ + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  const passwd* user = serverUser();
  if (user && ::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw Error(ErrorCode::Internal, "Cannot give a file to postgres");
  }
  return path;
}

bool PrivatePgBouncer::isAvailable() { return fs::exists("/usr/sbin/pgbouncer"); }

const char* PrivatePgBouncer::skipReason() noexcept {
  return "No PgBouncer: install the package pgbouncer";
}

PrivatePgBouncer::PrivatePgBouncer(const PrivatePostgres& server, int serverConnections)
    : port_(freePort()) {
  const db::PostgreSqlOptions behind = server.socketOptions();
  const std::string users = server.writeFile("bouncer-users", "\"stratos\" \"\"\n");
  const std::string configuration = server.writeFile(
      "bouncer.ini",
      "[databases]\n* = host=" + behind.host + " port=" + std::to_string(behind.port) +
          "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " + std::to_string(port_) +
          "\nunix_socket_dir =\nauth_type = trust\nauth_file = " + users +
          "\npool_mode = transaction\nmax_client_conn = 200\nserver_login_retry = 0\n"
          // Else clients wait two minutes for a server that is away.
          "query_wait_timeout = 3\ndefault_pool_size = " +
          std::to_string(serverConnections) + "\n");
  process_ =
      std::make_unique<ChildProcess>(std::vector<std::string>{"/usr/sbin/pgbouncer", configuration},
                                     server.directory(), "bouncer-log");
  waitUntilReady(options(), server.directory() + "/bouncer-log");
}

db::PostgreSqlOptions PrivatePgBouncer::options() const {
  db::PostgreSqlOptions options;
  options.host = "127.0.0.1";
  options.port = port_;
  options.user = kUser;
  options.database = "stratos";
  return options;
}

}  // namespace stratos::testing
