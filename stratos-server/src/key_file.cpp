#include "key_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "server_config.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

constexpr std::size_t kKeyBytes = 32;

[[noreturn]] void throwErrno(const std::filesystem::path& file) {
  throw Error(ErrorCode::Unavailable,
              "The key file " + file.string() + " cannot be made: " + std::strerror(errno));
}

// A name in a folder outlives a crash only once the folder is on the disk, too (fsync(2)).
void syncFolderOf(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throwErrno(file);
  // EINVAL: a file system that knows no such thing.
  const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL;
  const int cause = errno;
  ::close(descriptor);
  if (synced) return;
  errno = cause;
  throwErrno(file);
}

// False when somebody else has made the file meanwhile. The file appears with its whole content,
// and only once that is on the disk: a key that is lost in a crash would take all tokens with it.
bool writeNewFile(const std::filesystem::path& file, const Secret& content) {
  std::string temporary = file.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);  // Mode 0600.
  if (descriptor < 0) throwErrno(file);
  const std::string& text = content.reveal();
  const bool written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  const bool linked = written && ::link(temporary.c_str(), file.c_str()) == 0;
  const int cause = errno;
  ::close(descriptor);
  ::unlink(temporary.c_str());
  const bool existed = written && !linked && cause == EEXIST;
  if (!linked && !existed) {
    errno = cause;
    throwErrno(file);
  }
  // Also when another process has made it: this one is about to encrypt with it.
  syncFolderOf(file);
  return linked;
}

}  // namespace

void provideKeyFile(const Settings& settings, Random& random, LogSink& log) {
  if (!settings.flag("STRATOS_GENERATE_ENCRYPTION_KEY") || settings.isSet("ENCRYPTION_KEY")) return;
  const std::filesystem::path file = encryptionKeyFile(settings).value();
  std::error_code error;
  if (std::filesystem::exists(file, error)) return;
  Warnings ignored;  // The caller reads the same settings again, and tells them.
  const DatabaseConfig database = loadDatabaseConfig(settings, ignored);
  if (database.dialect == db::Dialect::Sqlite && !database.deleteReason &&
      std::filesystem::exists(database.sqlite.file, error)) {
    throw Error(ErrorCode::InvalidArgument,
                "There is a database, " + database.sqlite.file + ", but not its key, " +
                    file.string() +
                    "; put the key there, or set ENCRYPTION_KEY to it. A database of upstream's "
                    "packages has the key in their config.properties");
  }
  const Secret key(toHex(random.bytes(kKeyBytes)) + "\n");
  if (writeNewFile(file, key)) {
    stratos::log(log, LogLevel::Warning,
                 "made an encryption key; keep it with your backups, but apart from the database: "
                 "stored tokens cannot be read without it",
                 {{"file", file.string()}});
  }
}

}  // namespace stratos::server
