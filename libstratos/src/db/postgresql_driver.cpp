#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "db/driver.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

// libpq directly. Poco's connector cannot serve us: its session splits the connection string at
// every space, also within quotes; its handle never frees a connection that failed or was lost, nor
// its socket; its statements cannot bind an untyped NULL; and its exceptions carry no SQLSTATE but
// the server's DETAIL line, which holds values.

namespace stratos::db::detail {

namespace {

using Steady = std::chrono::steady_clock;

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, ClearResult>;

struct FinishConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using Handle = std::unique_ptr<PGconn, FinishConnection>;

struct FreeCancel {
  void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
};
using Cancel = std::unique_ptr<PGcancel, FreeCancel>;

// How long a cancelled statement may take to end before its connection is given up.
constexpr std::chrono::seconds kCancelGrace{5};
constexpr std::chrono::seconds kProbeTime{5};

// Types by the numbers of the server's pg_type.dat, which never change.
constexpr Oid kBool = 16;
constexpr Oid kBytea = 17;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kOid = 26;
constexpr Oid kFloat4 = 700;
constexpr Oid kFloat8 = 701;

// Keywords and values go to libpq as separate arrays, so nothing has to be quoted.
Handle connectTo(const PostgreSqlOptions& options) {
  const std::string port = std::to_string(options.port);
  const std::string timeout = std::to_string(options.connectTimeout.count());
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  const auto set = [&](const char* keyword, const char* value) {
    keywords.push_back(keyword);
    values.push_back(value);
  };
  set("host", options.host.c_str());
  set("port", port.c_str());
  set("user", options.user.c_str());
  set("password", options.password.reveal().c_str());
  set("dbname", options.database.c_str());
  set("sslmode", options.sslMode.c_str());
  if (!options.sslCert.empty()) set("sslcert", options.sslCert.c_str());
  if (!options.sslKey.empty()) set("sslkey", options.sslKey.c_str());
  if (!options.sslRootCert.empty()) set("sslrootcert", options.sslRootCert.c_str());
  set("connect_timeout", timeout.c_str());
  set("client_encoding", "UTF8");
  set("application_name", "stratos");
  // A server that vanished without a word is noticed in half a minute instead of two hours.
  set("keepalives_idle", "30");
  set("keepalives_interval", "10");
  set("keepalives_count", "3");
  set("tcp_user_timeout", "30000");
  set(nullptr, nullptr);
  return Handle(PQconnectdbParams(keywords.data(), values.data(), 0));
}

std::string oneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return std::string(trim(text));
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

// True when messages of that SQLSTATE speak of names, never of values.
bool isMessageFreeOfValues(std::string_view state) {
  for (const std::string_view prefix :
       {"08", "25", "28", "40", "42", "53", "54", "55", "57", "58", "3D", "3F"}) {
    if (state.starts_with(prefix)) return true;
  }
  return false;
}

// True when another transaction won and the same work may succeed at the next attempt.
bool isConflict(std::string_view state) { return state == "40001" || state == "40P01"; }

bool isPassing(std::string_view state) {
  for (const std::string_view prefix : {"08", "40", "53", "55P03", "57", "58", "25006"}) {
    if (state.starts_with(prefix)) return true;
  }
  return false;
}

class PostgreSqlConnection final : public DriverConnection {
 public:
  PostgreSqlConnection(const PostgreSqlOptions& options, const std::string& description)
      : handle_(connectTo(options)), statementTimeout_(options.statementTimeout) {
    if (PQstatus(raw()) != CONNECTION_OK) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot connect to " + description + ": " + oneLine(PQerrorMessage(raw())));
    }
    // Notices such as "relation exists, skipping" would otherwise go to standard error.
    PQsetNoticeProcessor(
        raw(), [](void*, const char*) {}, nullptr);
  }

  [[nodiscard]] Result run(std::string_view sql, const Parameters& parameters) override {
    send(sql, parameters);
    const PgResult result =
        receive(isLimited_ ? statementTimeout_ : std::chrono::milliseconds{0}, sql);
    const ExecStatusType status = PQresultStatus(result.get());
    Result out;
    if (status == PGRES_TUPLES_OK) {
      out.rows = readRows(result.get());
    } else if (status != PGRES_COMMAND_OK) {
      throwError(result.get(), sql);
    }
    const std::string_view affected = PQcmdTuples(result.get());
    (void)std::from_chars(affected.data(), affected.data() + affected.size(), out.affected);
    lastUse_ = Steady::now();
    return out;
  }

  void begin() override { (void)run("BEGIN ISOLATION LEVEL READ COMMITTED", {}); }

  void commit() override {
    // The server answers COMMIT of a failed transaction with success and rolls back.
    if (PQtransactionStatus(raw()) == PQTRANS_INERROR) {
      throw Error(ErrorCode::Internal,
                  "PostgreSQL, COMMIT: an earlier statement of the transaction failed");
    }
    (void)run("COMMIT", {});
  }

  void rollback() override {
    if (PQtransactionStatus(raw()) != PQTRANS_IDLE) (void)run("ROLLBACK", {});
  }

  [[nodiscard]] bool isUsable() noexcept override {
    if (isBroken() || PQtransactionStatus(raw()) != PQTRANS_IDLE) return false;
    // A server that closes a connection says so, which makes the socket readable.
    pollfd socket{PQsocket(raw()), POLLIN, 0};
    const bool silent = ::poll(&socket, 1, 0) == 0;
    constexpr auto kTrusted = std::chrono::seconds{30};
    if (silent && Steady::now() - lastUse_ < kTrusted) return true;
    try {
      send("SELECT 1", {});
      const PgResult answer = receive(kProbeTime, "SELECT 1");
      if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) return false;
    } catch (const std::exception&) {
      return false;
    }
    lastUse_ = Steady::now();
    return true;
  }

  void limitStatements(bool on) noexcept override { isLimited_ = on; }

  [[nodiscard]] PGconn* raw() const noexcept { return handle_.get(); }

 private:
  // Waits until the connection can be read; false when `end` comes first.
  [[nodiscard]] bool waitReadable(std::optional<Steady::time_point> end) const {
    for (;;) {
      int timeout = -1;
      if (end) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Steady::now());
        if (left.count() <= 0) return false;
        constexpr std::int64_t kLongest = 3'600'000;
        timeout = static_cast<int>(std::min<std::int64_t>(left.count(), kLongest));
      }
      pollfd socket{PQsocket(raw()), POLLIN, 0};
      const int ready = ::poll(&socket, 1, timeout);
      // A failed poll() is libpq's to explain.
      if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    }
  }

  // The last result of what was sent; empty when the connection is lost. `limit` zero: none.
  [[nodiscard]] PgResult receive(std::chrono::milliseconds limit, std::string_view sql) {
    std::optional<Steady::time_point> end;
    if (limit.count() > 0) end = Steady::now() + limit;
    bool isCancelled = false;
    PgResult last;
    for (;;) {
      while (PQisBusy(raw()) == 1) {
        if (waitReadable(end)) {
          if (PQconsumeInput(raw()) == 0) break;
        } else if (isCancelled) {
          throwTimeout(limit, sql);
        } else {
          cancel();
          isCancelled = true;
          end = Steady::now() + kCancelGrace;
        }
      }
      PgResult next(PQgetResult(raw()));
      if (!next) break;
      last = std::move(next);
      const ExecStatusType status = PQresultStatus(last.get());
      if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || PQstatus(raw()) != CONNECTION_OK) {
        break;
      }
    }
    if (isCancelled) throwTimeout(limit, sql);
    return last;
  }

  // Asks the server to end the statement, on a connection of its own.
  void cancel() {
    const Cancel handle(PQgetCancel(raw()));
    std::array<char, 256> reason{};
    // When this fails the connection is given up after the grace, which is all that can be done.
    if (handle) (void)PQcancel(handle.get(), reason.data(), static_cast<int>(reason.size()));
  }

  // A cancellation may arrive late and would then hit the next statement, so there is no next one.
  [[noreturn]] void throwTimeout(std::chrono::milliseconds limit, std::string_view sql) {
    markBroken();
    throw Error(ErrorCode::Unavailable, "PostgreSQL, " + statementName(sql) +
                                            ": cancelled, as it took longer than " +
                                            std::to_string(limit.count()) + " ms");
  }

  void send(std::string_view sql, const Parameters& parameters) {
    const std::size_t count = parameters.size();
    std::vector<std::string> texts(count);
    std::vector<Oid> types(count, 0);
    std::vector<const char*> values(count, nullptr);
    std::vector<int> lengths(count, 0);
    std::vector<int> formats(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      const Value& value = parameters[i];
      if (const auto* blob = std::get_if<Blob>(&value)) {
        types[i] = kBytea;
        formats[i] = 1;
        values[i] = blob->bytes.data();
        lengths[i] = static_cast<int>(blob->bytes.size());
        continue;
      }
      if (const auto* text = std::get_if<std::string>(&value)) {
        if (text->find('\0') != std::string::npos) {
          throw Error(ErrorCode::InvalidArgument,
                      "PostgreSQL, " + statementName(sql) + ": a text holds a NUL character",
                      "A text holds a character that cannot be stored.");
        }
        values[i] = text->c_str();
        continue;
      }
      if (std::holds_alternative<Null>(value)) continue;
      texts[i] = toText(value);
      values[i] = texts[i].c_str();
    }
    const std::string text(sql);
    if (PQsendQueryParams(raw(), text.c_str(), static_cast<int>(count), types.data(), values.data(),
                          lengths.data(), formats.data(), 0) == 0) {
      throwError(nullptr, sql);
    }
  }

  // The server infers the type from the place where the parameter stands.
  static std::string toText(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "t" : "f";
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    std::array<char, 64> buffer{};
    const auto [end, error] =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::get<double>(value));
    return error == std::errc() ? std::string(buffer.data(), end) : std::string("NaN");
  }

  static Rows readRows(const PGresult* result) {
    const int columns = PQnfields(result);
    const int count = PQntuples(result);
    auto names = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < columns; ++column) {
      names->emplace_back(PQfname(result, column));
    }
    Rows rows;
    rows.reserve(static_cast<std::size_t>(count));
    for (int row = 0; row < count; ++row) {
      std::vector<Value> values;
      values.reserve(static_cast<std::size_t>(columns));
      for (int column = 0; column < columns; ++column) {
        values.push_back(readValue(result, row, column));
      }
      rows.emplace_back(names, std::move(values));
    }
    return rows;
  }

  static Value readValue(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) == 1) return Null{};
    const std::string_view text(PQgetvalue(result, row, column),
                                static_cast<std::size_t>(PQgetlength(result, row, column)));
    switch (PQftype(result, column)) {
      case kBool:
        return text == "t";
      case kInt8:
      case kInt4:
      case kInt2:
      case kOid: {
        std::int64_t number = 0;
        (void)std::from_chars(text.data(), text.data() + text.size(), number);
        return number;
      }
      case kFloat4:
      case kFloat8: {
        double number = 0;
        (void)std::from_chars(text.data(), text.data() + text.size(), number);
        return number;
      }
      case kBytea:
        return Blob{unescape(text)};
      default:
        return std::string(text);
    }
  }

  static std::string unescape(std::string_view text) {
    if (text.starts_with("\\x")) {
      if (auto bytes = fromHex(text.substr(2))) return std::move(*bytes);
    }
    // bytea_output = escape, which an operator may have set for the database.
    std::size_t size = 0;
    const std::string terminated(text);
    const std::unique_ptr<unsigned char, decltype(&PQfreemem)> bytes(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(terminated.c_str()), &size),
        &PQfreemem);
    if (!bytes) throw Error(ErrorCode::Internal, "PostgreSQL delivered an unreadable bytea");
    return std::string(reinterpret_cast<const char*>(bytes.get()), size);
  }

  [[noreturn]] void throwError(const PGresult* result, std::string_view sql) {
    const std::string where = "PostgreSQL, " + statementName(sql) + ": ";
    const std::string state = result == nullptr ? "" : field(result, PG_DIAG_SQLSTATE);
    if (PQstatus(raw()) == CONNECTION_BAD) {
      markBroken();
      throw Error(ErrorCode::Unavailable, where + "the connection to the server is lost" +
                                              (state.empty() ? "" : " (" + state + ")"));
    }
    if (state.empty()) {
      markBroken();
      throw Error(ErrorCode::Internal, where + "no answer from the server");
    }
    // A server that became a standby or is shutting down is of no use for the next caller either.
    if (state == "25006" || state.starts_with("57P") || state.starts_with("08")) markBroken();

    if (isConflict(state)) noteConflict();

    std::string cause = "error " + state;
    if (isMessageFreeOfValues(state)) {
      cause += ", " + oneLine(field(result, PG_DIAG_MESSAGE_PRIMARY));
    } else if (const std::string name = field(result, PG_DIAG_CONSTRAINT_NAME); !name.empty()) {
      cause += ", constraint " + name;
    }
    if (state == "23505") {
      throw Error(ErrorCode::AlreadyExists, where + cause, "The entry exists already.");
    }
    throw Error(isPassing(state) ? ErrorCode::Unavailable : ErrorCode::Internal, where + cause);
  }

  Handle handle_;
  const std::chrono::milliseconds statementTimeout_;
  bool isLimited_ = true;
  Steady::time_point lastUse_ = Steady::now();
};

class PostgreSqlListener final : public Listener {
 public:
  PostgreSqlListener(std::unique_ptr<PostgreSqlConnection> connection, int wakeUp)
      : connection_(std::move(connection)), wakeUp_(wakeUp) {}
  ~PostgreSqlListener() override { ::close(wakeUp_); }
  PostgreSqlListener(const PostgreSqlListener&) = delete;
  PostgreSqlListener& operator=(const PostgreSqlListener&) = delete;

  [[nodiscard]] std::vector<std::string> wait(std::chrono::milliseconds timeout) override {
    std::vector<std::string> payloads = take();
    if (!payloads.empty()) return payloads;
    std::array<pollfd, 2> descriptors{
        {{PQsocket(connection_->raw()), POLLIN, 0}, {wakeUp_, POLLIN, 0}}};
    constexpr std::int64_t kLongest = 3'600'000;
    const auto limit = static_cast<int>(std::min<std::int64_t>(timeout.count(), kLongest));
    if (::poll(descriptors.data(), descriptors.size(), limit) <= 0) return {};
    if (descriptors[1].revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(wakeUp_, &count, sizeof count);
    }
    if (descriptors[0].revents == 0) return {};
    if (PQconsumeInput(connection_->raw()) == 0 || PQstatus(connection_->raw()) != CONNECTION_OK) {
      throw Error(ErrorCode::Unavailable, "PostgreSQL, LISTEN: the connection is lost");
    }
    return take();
  }

  void interrupt() noexcept override {
    const std::uint64_t one = 1;
    (void)!::write(wakeUp_, &one, sizeof one);
  }

 private:
  [[nodiscard]] std::vector<std::string> take() {
    std::vector<std::string> payloads;
    while (PGnotify* notification = PQnotifies(connection_->raw())) {
      payloads.emplace_back(notification->extra);
      PQfreemem(notification);
    }
    return payloads;
  }

  std::unique_ptr<PostgreSqlConnection> connection_;
  const int wakeUp_;  ///< An eventfd.
};

class PostgreSqlDriver final : public Driver {
 public:
  explicit PostgreSqlDriver(PostgreSqlOptions options)
      : options_(std::move(options)),
        description_("PostgreSQL, database " + options_.database + " on " + options_.host + ":" +
                     std::to_string(options_.port)) {
    const auto require = [](bool ok, const char* what) {
      if (!ok) throw Error(ErrorCode::InvalidArgument, what);
    };
    require(!options_.host.empty(), "The database host is not set");
    require(!options_.user.empty(), "The database user is not set");
    require(!options_.database.empty(), "The database name is not set");
    require(options_.port >= 1 && options_.port <= 65535,
            "The database port must be between 1 and 65535");
    const std::string& mode = options_.sslMode;
    require(mode == "disable" || mode == "require" || mode == "verify-ca" || mode == "verify-full",
            "The database's TLS mode must be disable, require, verify-ca or verify-full");
    require(options_.connectTimeout.count() > 0, "The connect time-out must be positive");
    require(options_.statementTimeout.count() >= 0, "The statement time-out must not be negative");
    const std::initializer_list<const std::string*> texts = {
        &options_.host,    &options_.user,   &options_.password.reveal(), &options_.database,
        &options_.sslCert, &options_.sslKey, &options_.sslRootCert};
    for (const std::string* text : texts) {
      require(text->find('\0') == std::string::npos,
              "A setting of the database holds a NUL character");
    }
  }

  [[nodiscard]] std::unique_ptr<DriverConnection> open() const override {
    return std::make_unique<PostgreSqlConnection>(options_, description_);
  }
  [[nodiscard]] std::unique_ptr<Listener> listen(const std::string& channel) const override {
    // A server that has become silent must not hold up whoever wants to listen, or to stop.
    PostgreSqlOptions options = options_;
    options.statementTimeout = options_.connectTimeout;
    auto connection = std::make_unique<PostgreSqlConnection>(options, description_);
    // A pooler presents itself under a number of its own.
    const Rows pid = connection->run("SELECT pg_backend_pid()", {}).rows;
    if (pid.at(0).integer("pg_backend_pid") != PQbackendPID(connection->raw())) return nullptr;
    const std::unique_ptr<char, decltype(&PQfreemem)> name(
        PQescapeIdentifier(connection->raw(), channel.c_str(), channel.size()), &PQfreemem);
    if (!name) throw Error(ErrorCode::InvalidArgument, "the name of a channel is no text");
    (void)connection->run(std::string("LISTEN ") + name.get(), {});
    const int wakeUp = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeUp < 0) throw Error(ErrorCode::Unavailable, "no file descriptor is left");
    return std::make_unique<PostgreSqlListener>(std::move(connection), wakeUp);
  }
  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::PostgreSql; }
  [[nodiscard]] const std::string& description() const noexcept override { return description_; }

 private:
  PostgreSqlOptions options_;
  std::string description_;
};

}  // namespace

std::unique_ptr<Driver> makePostgreSqlDriver(const PostgreSqlOptions& options) {
  return std::make_unique<PostgreSqlDriver>(options);
}

}  // namespace stratos::db::detail
