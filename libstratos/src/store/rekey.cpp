#include "stratos/store/rekey.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "store/key_state.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::store {

namespace {

/// More passes than this are needed only when somebody keeps writing in another way.
constexpr int kMaxPasses = 50;
constexpr const char* kAnnouncedSetting = "rekey_announced_at";

/// A table with encrypted columns.
struct Source {
  std::string table;
  std::vector<std::string> keyColumns;  ///< Order of the pass; not unique in every old database.
  std::string guidColumn;
  std::vector<std::string> valueColumns;
};

const std::vector<Source>& sources() {
  static const std::vector<Source> all = {{"tokens",
                                           {"user_guid", "cnsi_guid", "token_guid"},
                                           "token_guid",
                                           {"auth_token", "refresh_token"}},
                                          {"cnsis", {"guid"}, "guid", {"client_secret"}}};
  return all;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::string placeholders(std::size_t count) {
  std::string text;
  for (std::size_t i = 1; i <= count; ++i) {
    text.append(i == 1 ? "$" : ", $").append(std::to_string(i));
  }
  return text;
}

db::Parameters keyOf(const Source& source, const db::Row& row) {
  db::Parameters key;
  for (const std::string& column : source.keyColumns) key.emplace_back(row.text(column));
  return key;
}

/// One row's statement: new values, only if the old ones are still there.
struct Change {
  std::string sql;
  db::Parameters parameters;
};

/// One look at every row.
class Pass {
 public:
  Pass(db::Database& database, const crypto::TokenCipher& cipher, const RekeyOptions& options,
       const std::stop_token& stop)
      : database_(database), cipher_(cipher), options_(options), stop_(stop) {}

  void run() {
    for (const Source& source : sources()) convert(source);
    convertSettings();
  }

  [[nodiscard]] bool isClean() const { return summary_.done == 0 && lost_ == 0; }
  [[nodiscard]] const RekeySummary& summary() const { return summary_; }

 private:
  void convert(const Source& source) {
    progress_ = {.table = source.table};
    std::optional<db::Parameters> last;
    for (;;) {
      if (stop_.stop_requested()) {
        throw Error(ErrorCode::Cancelled, "Stopped before all rows were re-encrypted");
      }
      const db::Rows rows = nextBatch(source, last);
      if (rows.empty()) return;
      last = keyOf(source, rows.back());
      std::vector<Change> changes;
      for (const db::Row& row : rows) {
        if (auto change = judge(source, row)) changes.push_back(std::move(*change));
      }
      apply(changes);
      if (options_.onProgress) options_.onProgress(progress_);
    }
  }

  // The rows after `last`; all that share the key of the final one, as the next batch begins behind
  // it.
  db::Rows nextBatch(const Source& source, const std::optional<db::Parameters>& last) {
    const std::string columns = joined(source.keyColumns);
    const std::string tuple = "(" + columns + ") %(" + placeholders(source.keyColumns.size()) + ")";
    const std::string select =
        "SELECT " + columns + ", " + joined(source.valueColumns) + " FROM " + source.table;
    const auto where = [&](const char* comparison) {
      std::string text = " WHERE " + tuple;
      return text.replace(text.find('%'), 1, comparison);
    };
    db::Connection connection = database_.connect();
    db::Rows rows =
        connection.query(select + (last ? where("> ") : "") + " ORDER BY " + columns + " LIMIT " +
                             std::to_string(std::max<std::size_t>(options_.batchSize, 1)),
                         last.value_or(db::Parameters{}));
    if (rows.empty()) return rows;
    const db::Parameters key = keyOf(source, rows.back());
    std::erase_if(rows, [&](const db::Row& row) { return keyOf(source, row) == key; });
    for (db::Row& row : connection.query(select + where("= "), key)) {
      rows.push_back(std::move(row));
    }
    return rows;
  }

  // Counts the row; gives the statement that brings it to the wanted state, if it is not in it.
  std::optional<Change> judge(const Source& source, const db::Row& row) {
    const std::string guid = row.text(source.guidColumn);
    db::Parameters parameters = keyOf(source, row);
    std::string assignments;
    std::string condition;
    const auto parameter = [&](db::Value value) {
      parameters.push_back(std::move(value));
      return "$" + std::to_string(parameters.size());
    };
    for (const std::string& column : source.valueColumns) {
      if (row.isNull(column)) continue;
      const std::string identity = source.table + "." + column + ":" + guid;
      const std::string stored = row.blob(column);
      const auto text = tryDecrypt(stored, identity);
      if (!text) {
        ++progress_.unreadable;
        summary_.unreadable.push_back({source.table, guid});
        return std::nullopt;
      }
      if (cipher_.isCurrent(stored)) continue;
      assignments.append(assignments.empty() ? "" : ", ")
          .append(column + " = " + parameter(db::Blob{cipher_.encrypt(*text, identity)}));
      // As the driver gave it: SQLite finds no text equal to a blob.
      condition.append(" AND " + column + " = " + parameter(row.at(column)));
    }
    if (assignments.empty()) {
      ++progress_.skipped;
      ++summary_.skipped;
      return std::nullopt;
    }
    return Change{"UPDATE " + source.table + " SET " + assignments + " WHERE (" +
                      joined(source.keyColumns) + ") = (" + placeholders(source.keyColumns.size()) +
                      ")" + condition,
                  std::move(parameters)};
  }

  std::optional<Secret> tryDecrypt(const std::string& stored, const std::string& identity) const {
    try {
      return cipher_.decrypt(stored, identity);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::Internal) throw;
      return std::nullopt;
    }
  }

  // On PostgreSQL every row by itself: rows that are locked one after another would meet servers
  // that lock them in another order. SQLite knows one writer only, and a transaction costs a flush.
  void apply(const std::vector<Change>& changes) {
    if (changes.empty()) return;
    if (database_.dialect() == db::Dialect::Sqlite) {
      std::int64_t done = 0;
      database_.transact([&](db::Connection& connection, db::Transaction&) {
        for (const Change& change : changes) {
          if (connection.execute(change.sql, change.parameters) > 0) ++done;
        }
      });
      count(done, static_cast<std::int64_t>(changes.size()));
      return;
    }
    db::Connection connection = database_.connect();
    for (const Change& change : changes) {
      count(connection.execute(change.sql, change.parameters) > 0 ? 1 : 0, 1);
    }
  }

  void convertSettings() {
    progress_ = {.table = "stratos_settings"};
    for (const std::string& name : options_.sealedSettings) {
      db::Connection connection = database_.connect();
      const auto row =
          connection.queryOne("SELECT value FROM stratos_settings WHERE name = $1", {name});
      if (!row) continue;
      const std::string identity = "stratos_settings." + name;
      const auto stored = fromBase64(row->text("value"));
      const auto text = stored ? tryDecrypt(*stored, identity) : std::nullopt;
      if (!text) {
        ++progress_.unreadable;
        summary_.unreadable.push_back({"stratos_settings", name});
      } else if (cipher_.isCurrent(*stored)) {
        ++progress_.skipped;
        ++summary_.skipped;
      } else {
        const std::int64_t replaced = connection.execute(
            "UPDATE stratos_settings SET value = $1 WHERE name = $2 AND value = $3",
            {toBase64(cipher_.encrypt(*text, identity)), name, row->text("value")});
        count(replaced > 0 ? 1 : 0, 1);
      }
    }
    if (options_.onProgress) options_.onProgress(progress_);
  }

  void count(std::int64_t done, std::int64_t of) {
    progress_.done += done;
    summary_.done += done;
    lost_ += of - done;
  }

  db::Database& database_;
  const crypto::TokenCipher& cipher_;
  const RekeyOptions& options_;
  const std::stop_token& stop_;
  RekeyProgress progress_;
  RekeySummary summary_;
  std::int64_t lost_ = 0;
};

// The list of keys with `key` as the one to write with; see KeyState.
std::vector<std::string> withWriter(const std::vector<std::string>& list, const std::string& key) {
  if (list.size() == 1 && list.front() == key) return list;
  std::vector<std::string> changed{key};
  for (std::size_t i = 0; i + 1 < list.size(); ++i) {
    const bool isKnown = std::find(changed.begin(), changed.end(), list[i]) != changed.end();
    if (!isKnown && list[i] != list.back()) changed.push_back(list[i]);
  }
  changed.push_back(list.back());
  return changed;
}

[[noreturn]] void throwAnotherHasBegun() {
  throw Error(
      ErrorCode::Unavailable,
      "Another change of the encryption key or format has begun meanwhile; run rekey again");
}

void requireOneKey(const KeyState& state) {
  if (state.checkValues.size() != 1) throwAnotherHasBegun();
}

void requireStillWanted(const KeyState& state, crypto::CipherFormat format,
                        const std::string& key) {
  if (state.format != format || state.checkValues.front() != key) throwAnotherHasBegun();
}

void pauseFor(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

void refreshCipher(db::Database& database, const crypto::TokenCipher& cipher) {
  KeyState state;
  {
    db::Connection connection = database.connect();
    state = readKeyState(connection);
  }
  if (state.checkValues.empty()) return;
  if (!cipher.follow(state.format, state.checkValues)) {
    throw Error(ErrorCode::InvalidArgument, kWrongKey);
  }
}

Rekeyer::Rekeyer(db::Database& database, std::vector<crypto::EncryptionKey> keys, Random& random,
                 const Clock& clock, RekeyOptions options)
    : database_(database),
      keys_(std::move(keys)),
      random_(random),
      clock_(clock),
      options_(std::move(options)) {}

RekeySummary Rekeyer::run(const std::stop_token& stop) {
  const crypto::TokenCipher cipher = openCipher(database_, keys_, random_);
  if (options_.format == crypto::CipherFormat::Gcm) {
    return convert(cipher, crypto::CipherFormat::Gcm, stop);
  }
  KeyState state;
  {
    db::Connection connection = database_.connect();
    state = readKeyState(connection);
  }
  if (state.checkValues != std::vector<std::string>{keys_.front().checkValue()}) {
    (void)convert(cipher, crypto::CipherFormat::Gcm, stop);
  }
  return convert(cipher, crypto::CipherFormat::Legacy, stop);
}

RekeySummary Rekeyer::convert(const crypto::TokenCipher& cipher, crypto::CipherFormat format,
                              const std::stop_token& stop) {
  const std::string key = keys_.front().checkValue();
  KeyState announced;
  std::int64_t announcedAt = 0;
  database_.transact([&](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock(kKeyStateLock);
    const KeyState before = readKeyState(connection);
    announced = {format, withWriter(before.checkValues, key)};
    if (format == crypto::CipherFormat::Legacy) requireOneKey(announced);
    if (!cipher.follow(format, announced.checkValues)) {
      throw Error(ErrorCode::InvalidArgument, kWrongKey);
    }
    if (announced == before) {
      const auto row = connection.queryOne("SELECT value FROM stratos_settings WHERE name = $1",
                                           {std::string(kAnnouncedSetting)});
      announcedAt = row ? std::strtoll(row->text("value").c_str(), nullptr, 10) : 0;
      return;
    }
    announcedAt = toUnixSeconds(clock_.now());
    writeKeyState(connection, announced);
    connection.execute(
        "INSERT INTO stratos_settings (name, value) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {std::string(kAnnouncedSetting), std::to_string(announcedAt)});
  });

  RekeySummary total;
  bool isSettled = options_.settle.count() == 0;
  for (int passes = 0;; ++passes) {
    if (passes == kMaxPasses) {
      throw Error(ErrorCode::Unavailable,
                  "Some server keeps writing with an earlier key or format; restart all servers "
                  "with the new key in their ring and run rekey again");
    }
    {
      db::Connection connection = database_.connect();
      requireStillWanted(readKeyState(connection), format, key);
    }
    Pass pass(database_, cipher, options_, stop);
    pass.run();
    total.done += pass.summary().done;
    if (passes == 0) total.skipped = pass.summary().skipped;
    total.unreadable = pass.summary().unreadable;
    if (!pass.isClean()) continue;
    if (isSettled) break;
    // The announcement is kept in seconds, hence one more; a clock that was set back does not make
    // this longer.
    const auto end = fromUnixSeconds(announcedAt + 1) + options_.settle;
    const auto left = std::min<std::chrono::milliseconds>(
        end - clock_.now(), options_.settle + std::chrono::seconds{1});
    isSettled = true;
    if (left.count() <= 0) break;
    pauseFor(left, stop);
  }

  database_.transact([&](db::Connection& connection, db::Transaction& transaction) {
    transaction.lock(kKeyStateLock);
    const KeyState now = readKeyState(connection);
    requireStillWanted(now, format, key);
    if (now.checkValues.size() > 1) writeKeyState(connection, {format, {key}});
  });
  // What was opened for this run may be used for the next phase.
  (void)cipher.follow(format, std::vector<std::string>{key});
  return total;
}

}  // namespace stratos::store
