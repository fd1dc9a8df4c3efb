#include "stratos/store/sign_in_failure_store.hpp"

namespace stratos::store {

namespace {

std::int64_t toMilliseconds(TimePoint t) { return t.time_since_epoch().count(); }

TimePoint fromMilliseconds(std::int64_t count) {
  return TimePoint{std::chrono::milliseconds{count}};
}

/// Stores what differs, in at most two statements.
void write(db::Connection& connection, const SignInFailureStore::Entries& before,
           const SignInFailureStore::Entries& after) {
  db::Parameters stored;
  db::Parameters gone;
  std::string rows;
  std::string names;
  const auto place = [](const db::Parameters& parameters) {
    return "$" + std::to_string(parameters.size());
  };
  for (const auto& [key, entry] : after) {
    if (entry == before.at(key)) continue;
    if (entry.changedAt == TimePoint{}) {
      gone.emplace_back(key);
      names += (names.empty() ? "" : ", ") + place(gone);
      continue;
    }
    rows += rows.empty() ? "(" : "), (";
    stored.emplace_back(key);
    rows += place(stored);
    for (const std::int64_t number :
         {entry.count, toMilliseconds(entry.blockedUntil), toMilliseconds(entry.changedAt)}) {
      stored.emplace_back(number);
      rows += ", " + place(stored);
    }
  }
  if (!stored.empty()) {
    connection.execute(
        "INSERT INTO stratos_sign_in_failures (key_hash, failures, blocked_until, changed_at)"
        " VALUES " +
            rows +
            ") ON CONFLICT (key_hash) DO UPDATE SET failures = excluded.failures,"
            " blocked_until = excluded.blocked_until, changed_at = excluded.changed_at",
        stored);
  }
  if (!gone.empty()) {
    connection.execute("DELETE FROM stratos_sign_in_failures WHERE key_hash IN (" + names + ")",
                       gone);
  }
}

}  // namespace

SignInFailureStore::SignInFailureStore(db::Database& database) : database_(database) {}

void SignInFailureStore::update(const std::vector<std::string>& keys,
                                const std::function<void(Entries&)>& change) {
  database_.transact([&](db::Connection& connection, db::Transaction& transaction) {
    // One lock for all: sign-ins are few, and no password is looked at while it is held.
    transaction.lock("stratos sign-in");
    Entries entries;
    for (const std::string& key : keys) entries[key];
    db::Parameters names;
    std::string list;
    for (const auto& [key, entry] : entries) {
      names.emplace_back(key);
      list += (list.empty() ? "$" : ", $") + std::to_string(names.size());
    }
    for (const db::Row& row : connection.query(
             "SELECT key_hash, failures, blocked_until, changed_at FROM stratos_sign_in_failures"
             " WHERE key_hash IN (" +
                 list + ")",
             names)) {
      entries[row.text("key_hash")] = {
          .count = row.integer("failures"),
          .blockedUntil = fromMilliseconds(row.integer("blocked_until")),
          .changedAt = fromMilliseconds(row.integer("changed_at"))};
    }
    const Entries before = entries;
    change(entries);
    write(connection, before, entries);
  });
}

std::int64_t SignInFailureStore::removeOlderThan(TimePoint time) {
  return database_.connect().execute("DELETE FROM stratos_sign_in_failures WHERE changed_at < $1",
                                     {toMilliseconds(time)});
}

}  // namespace stratos::store
