#include <Poco/Data/SQLite/SessionImpl.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Session.h>
#include <Poco/Exception.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "db/driver.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

// Poco opens and closes the database; statements run through the handle of Poco's session. Poco's
// own extraction goes by the declared column type: it does not know BYTEA at all, parses TIMESTAMP
// into its own type and cuts text at a NUL. Here every value has the type that it was stored with.

namespace stratos::db::detail {

namespace {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

[[noreturn]] void throwError(sqlite3* handle, int code, std::string_view sql) {
  const std::string where = "SQLite, " + statementName(sql) + ": ";
  const std::string cause = sqlite3_errmsg(handle);
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      throw Error(ErrorCode::AlreadyExists, where + cause, "The entry exists already.");
    default:
      break;
  }
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::Unavailable, where + "the database is locked by another process");
    case SQLITE_FULL:
      throw Error(ErrorCode::Unavailable, where + "the disk is full");
    case SQLITE_READONLY:
      throw Error(ErrorCode::Unavailable,
                  where + "the database is read-only; the file and its folder must be writable");
    case SQLITE_CANTOPEN:
      throw Error(ErrorCode::Unavailable,
                  where + cause + "; the file and its folder must be readable and writable");
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(ErrorCode::Unavailable, where + cause);
    default:
      throw Error(ErrorCode::Internal, where + cause);
  }
}

int bindValue(sqlite3_stmt* statement, int index, const Value& value) {
  // The parameters outlive the statement, hence SQLITE_STATIC, which is a null pointer.
  constexpr sqlite3_destructor_type kOutlives = nullptr;
  if (const auto* flag = std::get_if<bool>(&value)) {
    return sqlite3_bind_int(statement, index, *flag ? 1 : 0);
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *number);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return sqlite3_bind_double(statement, index, *real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), kOutlives,
                               SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&value)) {
    return sqlite3_bind_blob64(statement, index, blob->bytes.data(), blob->bytes.size(), kOutlives);
  }
  return sqlite3_bind_null(statement, index);
}

Value columnValue(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      const unsigned char* text = sqlite3_column_text(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return text == nullptr ? std::string()
                             : std::string(reinterpret_cast<const char*>(text), size);
    }
    case SQLITE_BLOB: {
      const void* bytes = sqlite3_column_blob(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return bytes == nullptr ? Blob{} : Blob{std::string(static_cast<const char*>(bytes), size)};
    }
    default:
      return Null{};
  }
}

class SqliteConnection final : public DriverConnection {
 public:
  explicit SqliteConnection(const SqliteOptions& options) : session_(openSession(options)) {
    handle_ = Poco::Data::SQLite::Utility::dbHandle(session_);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, static_cast<int>(options.busyTimeout.count()));
    (void)run("PRAGMA foreign_keys = ON", {});
  }

  [[nodiscard]] Result run(std::string_view sql, const Parameters& parameters) override {
    const Statement statement = prepare(sql);
    if (sqlite3_bind_parameter_count(statement.get()) != static_cast<int>(parameters.size())) {
      throw Error(ErrorCode::Internal,
                  "SQLite, " + statementName(sql) + ": wrong number of parameters");
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string name = "$" + std::to_string(i + 1);
      const int index = sqlite3_bind_parameter_index(statement.get(), name.c_str());
      if (index == 0) {
        throw Error(ErrorCode::Internal,
                    "SQLite, " + statementName(sql) + ": parameter " + name + " is not used");
      }
      const int code = bindValue(statement.get(), index, parameters[i]);
      if (code != SQLITE_OK) throwError(handle_, code, sql);
    }

    Result result;
    const int before = sqlite3_total_changes(handle_);
    std::shared_ptr<const std::vector<std::string>> columns;
    int code = sqlite3_step(statement.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
      const int count = sqlite3_column_count(statement.get());
      if (!columns) columns = columnNames(statement.get(), count);
      std::vector<Value> values;
      values.reserve(static_cast<std::size_t>(count));
      for (int i = 0; i < count; ++i) values.push_back(columnValue(statement.get(), i));
      result.rows.emplace_back(columns, std::move(values));
    }
    if (code != SQLITE_DONE) throwError(handle_, sqlite3_extended_errcode(handle_), sql);
    // A statement that is no INSERT, UPDATE or DELETE leaves the number of an earlier one behind.
    if (sqlite3_total_changes(handle_) != before) result.affected = sqlite3_changes(handle_);
    return result;
  }

  void begin() override { (void)run("BEGIN IMMEDIATE", {}); }
  void commit() override { (void)run("COMMIT", {}); }
  void rollback() override {
    // A full disk or an I/O error has ended the transaction already.
    if (sqlite3_get_autocommit(handle_) == 0) (void)run("ROLLBACK", {});
  }
  [[nodiscard]] bool isUsable() noexcept override {
    return !isBroken() && sqlite3_get_autocommit(handle_) != 0;
  }

  [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

 private:
  static Poco::Data::Session openSession(const SqliteOptions& options) {
    try {
      constexpr std::size_t kLoginSeconds = 10;
      return Poco::Data::Session(Poco::AutoPtr<Poco::Data::SessionImpl>(
          new Poco::Data::SQLite::SessionImpl(options.file, kLoginSeconds)));
    } catch (const Poco::Exception& e) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot open the SQLite database " + options.file + ": " + e.displayText());
    }
  }

  [[nodiscard]] Statement prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code =
        sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &raw, &tail);
    Statement statement(raw);
    if (code != SQLITE_OK) throwError(handle_, sqlite3_extended_errcode(handle_), sql);
    const auto used = static_cast<std::size_t>(tail - sql.data());
    if (!statement || !trim(sql.substr(used)).empty()) {
      throw Error(ErrorCode::Internal,
                  "SQLite, " + statementName(sql) + ": not exactly one statement");
    }
    return statement;
  }

  static std::shared_ptr<const std::vector<std::string>> columnNames(sqlite3_stmt* statement,
                                                                     int count) {
    auto names = std::make_shared<std::vector<std::string>>();
    for (int i = 0; i < count; ++i) {
      const char* name = sqlite3_column_name(statement, i);
      names->emplace_back(name == nullptr ? "" : name);
    }
    return names;
  }

  Poco::Data::Session session_;
  sqlite3* handle_ = nullptr;
};

class SqliteDriver final : public Driver {
 public:
  explicit SqliteDriver(SqliteOptions options)
      : options_(std::move(options)), description_("SQLite, file " + options_.file) {
    if (options_.file.empty() || options_.file.front() == ':' ||
        options_.file.starts_with("file:")) {
      throw Error(ErrorCode::InvalidArgument, "The SQLite database needs the path of a file");
    }
    createFile();
    try {
      prepareFile();
    } catch (const Error& e) {
      throw Error(ErrorCode::Unavailable,
                  "Cannot use the SQLite database " + options_.file + ": " + e.what());
    }
  }

  [[nodiscard]] std::unique_ptr<DriverConnection> open() const override {
    return std::make_unique<SqliteConnection>(options_);
  }
  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::Sqlite; }
  [[nodiscard]] const std::string& description() const noexcept override { return description_; }

 private:
  // SQLite would create the file with the process's umask; its side files copy the mode.
  void createFile() const {
    const int file = ::open(options_.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      throw Error(ErrorCode::Unavailable, "Cannot open the SQLite database " + options_.file +
                                              " for writing: " + std::strerror(errno));
    }
    ::close(file);
  }

  void prepareFile() const {
    SqliteConnection connection(options_);
    if (sqlite3_db_readonly(connection.handle(), "main") == 1) {
      throw Error(ErrorCode::Unavailable, "the database is read-only");
    }
    // Changing the journal mode does not wait for busy_timeout when another process does the same.
    const auto end = std::chrono::steady_clock::now() + options_.busyTimeout;
    for (;;) {
      try {
        const Result result = connection.run("PRAGMA journal_mode = WAL", {});
        if (!result.rows.empty() && result.rows.front().text("journal_mode") == "wal") return;
        throw Error(ErrorCode::Internal, "the file system does not support WAL");
      } catch (const Error&) {
        const bool isBusy = sqlite3_errcode(connection.handle()) == SQLITE_BUSY;
        if (!isBusy || std::chrono::steady_clock::now() >= end) throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
  }

  SqliteOptions options_;
  std::string description_;
};

}  // namespace

std::unique_ptr<Driver> makeSqliteDriver(const SqliteOptions& options) {
  return std::make_unique<SqliteDriver>(options);
}

}  // namespace stratos::db::detail
