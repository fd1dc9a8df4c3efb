#include "sqlite_copy.hpp"

#include <string>
#include <system_error>

#include <stdlib.h>

#include "stratos/base/error.hpp"

namespace stratos::server {

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "copy.db";

void copyParts(const fs::path& file, const fs::path& folder) {
  // With what a process that runs now, or one that was killed, has not yet moved into the file.
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const fs::path from = file.string() + suffix;
    if (*suffix != '\0' && !fs::exists(from)) continue;
    fs::copy_file(from, folder / (std::string(kName) + suffix));
  }
}

}  // namespace

SqliteCopy::SqliteCopy(const fs::path& file) {
  std::string name = (fs::temp_directory_path() / "stratos-copy-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw Error(ErrorCode::Unavailable, "Cannot make a temporary folder");
  }
  folder_ = name;
  try {
    copyParts(file, folder_);
  } catch (const fs::filesystem_error& e) {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    throw Error(ErrorCode::Unavailable, "Cannot copy " + file.string() + ": " + e.code().message());
  }
}

SqliteCopy::~SqliteCopy() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::unique_ptr<db::Database> SqliteCopy::open() const {
  db::SqliteOptions options;
  options.file = (folder_ / kName).string();
  return db::Database::openSqlite(options);
}

}  // namespace stratos::server
