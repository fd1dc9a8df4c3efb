#include "key_file.hpp"

#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_config.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "temporary_folder.hpp"

namespace {

// What is forced to the disk in this program, by inode.
thread_local std::vector<ino_t> synced;

}  // namespace

// Instead of the C library's.
extern "C" int fsync(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0) synced.push_back(status.st_ino);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace stratos::server {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KeyFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] LookupChain chain(SettingMap environment = {}) const {
    environment.try_emplace("SQLITE_DB_DIR", folder_.path().string());
    environment.try_emplace("ENCRYPTION_KEY_VOLUME", folder_.path().string());
    environment.try_emplace("ENCRYPTION_KEY_FILENAME", "key");
    environment.try_emplace("STRATOS_GENERATE_ENCRYPTION_KEY", "true");
    return LookupChain(std::move(environment), {folder_.path() / "none", folder_.path() / "none"});
  }
  void provide(const LookupChain& chain) { provideKeyFile(Settings(chain), random_, log_); }
  [[nodiscard]] std::string content() const {
    std::ifstream in(folder_.path() / "key", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  [[nodiscard]] std::size_t fileCount() const {
    const fs::directory_iterator files(folder_.path());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

  TemporaryFolder folder_;
  NullLogSink log_;
  crypto::SystemRandom random_;
};

TEST_F(KeyFileTest, TheKeyAndItsNameOutliveACrash) {
  synced.clear();
  provide(chain());
  struct stat key {};
  struct stat folder {};
  ASSERT_EQ(::stat((folder_.path() / "key").c_str(), &key), 0);
  ASSERT_EQ(::stat(folder_.path().c_str(), &folder), 0);
  EXPECT_THAT(synced, ElementsAre(key.st_ino, folder.st_ino));
}

TEST_F(KeyFileTest, MakesAKeyOnceForItsOwnerOnly) {
  const LookupChain settings = chain();
  provide(settings);
  const std::string first = content();
  EXPECT_EQ(first.size(), 65U);
  EXPECT_EQ(fs::status(folder_.path() / "key").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fileCount(), 1U) << "nothing else is left behind";
  provide(settings);
  EXPECT_EQ(content(), first);
  Warnings warnings;
  EXPECT_EQ(loadServerConfig(Settings(settings), warnings).keys.size(), 1U);
}

TEST_F(KeyFileTest, MakesNoneUnlessItIsAskedTo) {
  provide(chain({{"STRATOS_GENERATE_ENCRYPTION_KEY", "false"}}));
  provide(chain({{"ENCRYPTION_KEY", std::string(64, 'a')}}));
  EXPECT_EQ(fileCount(), 0U);
}

TEST_F(KeyFileTest, ADatabaseWithoutItsKeyGetsNoOtherOne) {
  folder_.write("console-database.db", "");
  try {
    provide(chain());
    FAIL() << "a key was made";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("ENCRYPTION_KEY"));
  }
  EXPECT_EQ(fileCount(), 1U);
  provide(chain({{"SQLITE_KEEP_DB", "false"}}));
  EXPECT_EQ(content().size(), 65U) << "a database that is deleted anyway does not count";
}

TEST_F(KeyFileTest, StandsBesideTheDatabaseUnlessToldOtherwise) {
  provide(chain({{"ENCRYPTION_KEY_VOLUME", ""}, {"ENCRYPTION_KEY_FILENAME", ""}}));
  EXPECT_TRUE(fs::exists(folder_.path() / "encryption-key"));
  EXPECT_EQ(fileCount(), 1U);
}

TEST_F(KeyFileTest, SaysWhereItCannotWrite) {
  try {
    provide(chain({{"ENCRYPTION_KEY_FILENAME", "no-such-folder/key"}}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("no-such-folder/key"));
  }
}

TEST_F(KeyFileTest, ManyAtOnceAgreeOnOneKey) {
  const LookupChain settings = chain();
  std::vector<std::string> seen(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& key : seen) {
      threads.emplace_back([&] {
        crypto::SystemRandom random;
        NullLogSink log;
        provideKeyFile(Settings(settings), random, log);
        key = content();
      });
    }
  }
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 1U);
  EXPECT_EQ(seen[0].size(), 65U);
  EXPECT_EQ(fileCount(), 1U);
}

}  // namespace
}  // namespace stratos::server
