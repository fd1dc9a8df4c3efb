#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "stratos/db/database.hpp"

namespace stratos::server {

/// A private copy of a SQLite database, for looking at it without touching it: opening the original
/// would switch it to a write-ahead log. Removed with the object.
class SqliteCopy {
 public:
  static constexpr std::uintmax_t kMaxBytes = 2ULL * 1024 * 1024 * 1024;

  /// Throws Error(Unavailable) when the file cannot be read or the copy cannot be made.
  explicit SqliteCopy(const std::filesystem::path& file);
  ~SqliteCopy();
  SqliteCopy(const SqliteCopy&) = delete;
  SqliteCopy& operator=(const SqliteCopy&) = delete;

  /// The database must die before the copy.
  [[nodiscard]] std::unique_ptr<db::Database> open() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace stratos::server
