#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace stratos {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Modules = std::set<std::string>;

/// Whom each module may include; its own headers always. Lowest first, as in the table of the
/// module map. "ext" stands for each ext/<name>, which do not see each other.
const std::map<std::string, Modules>& table() {
  static const std::map<std::string, Modules> kTable = [] {
    std::map<std::string, Modules> uses;
    uses["base"] = {};
    uses["engine"] = uses["crypto"] = uses["http"] = uses["db"] = {"base"};
    uses["store"] = {"base", "crypto", "db"};
    uses["auth"] = uses["session"] = {"base", "crypto", "http", "db", "store"};
    uses["endpoint"] = {"base", "crypto", "http", "db", "store", "auth"};
    uses["proxy"] = uses["stream"] = {"base", "crypto", "http", "db", "store", "auth", "endpoint"};
    uses["console"] = {"base", "crypto",  "http",     "db",    "store",
                       "auth", "session", "endpoint", "proxy", "stream"};
    uses["ext"] = uses["console"];
    uses["ext"].insert("console");
    uses["testing"] = {"base", "crypto", "http", "db", "store"};
    uses["server"] = uses["ext"];
    uses["server"].insert("ext");
    uses["server"].insert("engine");
    return uses;
  }();
  return kTable;
}

constexpr std::string_view kPrivateLibraries[] = {
    "Poco/",   "sqlite3",  "libpq",  "pqxx",       "postgresql", "pg_",
    "crypt.h", "openssl/", "llhttp", "rapidjson/", "zlib.h",     "yaml-cpp/",
    "boost/"};

constexpr std::string_view kPublicPrefix = "stratos/";

/// "ext/cloud_foundry" counts as the module "ext" in the table.
std::string tableName(const std::string& module) {
  return module.starts_with("ext/") ? "ext" : module;
}

/// The module of a path below include/stratos or src; an extension may be one header,
/// ext/<name>.hpp.
std::string moduleOfPath(const std::filesystem::path& path) {
  auto part = path.begin();
  if (part == path.end()) return {};
  if (*part != "ext") return part->string();
  return ++part == path.end() ? "ext" : "ext/" + part->stem().string();
}

struct SourceFile {
  std::string module;
  bool isPublic = false;
};

/// Where a file belongs, from its path in the repository.
SourceFile classify(const std::filesystem::path& path) {
  const std::string text = path.generic_string();
  const auto below = [&](std::string_view root) {
    return std::filesystem::path(text.substr(root.size()));
  };
  for (const std::string_view root : {"libstratos/include/stratos/", "libstratos/src/"}) {
    if (text.starts_with(root)) {
      return {moduleOfPath(below(root)), root == "libstratos/include/stratos/"};
    }
  }
  if (text.starts_with("libstratos/testing/")) {
    return {"testing", text.starts_with("libstratos/testing/include/")};
  }
  return {"server", false};
}

struct Include {
  int line = 0;
  std::string path;
};

std::vector<Include> includesOf(const std::string& text) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)re");
  std::vector<Include> result;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (std::regex_match(line, match, kInclude)) result.push_back({number, match[1]});
  }
  return result;
}

/// What is wrong with the includes of one file, one text each: file, line and arrow.
std::vector<std::string> violationsIn(const std::filesystem::path& path, const std::string& text) {
  const SourceFile file = classify(path);
  std::vector<std::string> result;
  const auto row = table().find(tableName(file.module));
  if (row == table().end()) {
    return {path.generic_string() + ": no module of the table is called " + file.module};
  }
  for (const Include& include : includesOf(text)) {
    const std::string where = path.generic_string() + ":" + std::to_string(include.line) + ": ";
    if (file.isPublic && std::ranges::any_of(kPrivateLibraries, [&](std::string_view prefix) {
          return include.path.starts_with(prefix);
        })) {
      result.push_back(where + "public header -> " + include.path);
      continue;
    }
    const bool isPublicHeader = include.path.starts_with(kPublicPrefix);
    const std::string target =
        moduleOfPath(isPublicHeader ? include.path.substr(kPublicPrefix.size()) : include.path);
    const bool isOurs =
        table().contains(tableName(target)) && include.path.find('/') != std::string::npos;
    if (!isOurs) {
      if (isPublicHeader) result.push_back(where + file.module + " -> " + include.path);
      continue;
    }
    if (target == file.module) continue;
    if (!row->second.contains(tableName(target)) || tableName(target) == tableName(file.module)) {
      result.push_back(where + file.module + " -> " + target);
    } else if (!isPublicHeader) {
      result.push_back(where + file.module + " -> private header " + include.path);
    }
  }
  return result;
}

TEST(LayeringTest, EveryIncludeFollowsTheModuleTable) {
  const std::filesystem::path root = STRATOS_SOURCE_DIR;
  std::size_t files = 0;
  for (const char* folder :
       {"libstratos/include", "libstratos/src", "libstratos/testing", "stratos-server"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".hpp" && extension != ".cpp")) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      ++files;
      for (const std::string& violation :
           violationsIn(std::filesystem::relative(entry.path(), root), text.str())) {
        ADD_FAILURE() << violation;
      }
    }
  }
  EXPECT_GT(files, 50U) << "the sources were not found below " << root;
}

TEST(LayeringTest, EveryCMakeModuleFollowsTheModuleTable) {
  std::istringstream modules(STRATOS_MODULE_USES);
  std::string entry;
  std::size_t count = 0;
  while (modules >> entry) {
    ++count;
    const std::string name = entry.substr(0, entry.find(':'));
    // CMake target names hold no slash: ext/cloud_foundry is ext_cloud_foundry there.
    const std::string module = name.starts_with("ext") ? "ext" : name;
    ASSERT_TRUE(table().contains(module)) << name;
    std::istringstream uses(entry.substr(entry.find(':') + 1));
    for (std::string use; std::getline(uses, use, ',');) {
      EXPECT_TRUE(table().at(module).contains(use)) << "CMake: " << name << " -> " << use;
    }
  }
  EXPECT_GE(count, 5U);
}

TEST(LayeringTest, ReportsFileLineAndArrow) {
  EXPECT_THAT(violationsIn("libstratos/src/http/router.cpp",
                           "#include \"stratos/http/router.hpp\"\n\n"
                           "#include \"stratos/store/token_store.hpp\"\n"),
              ElementsAre("libstratos/src/http/router.cpp:3: http -> store"));
}

TEST(LayeringTest, ReportsSiblings) {
  EXPECT_THAT(violationsIn("libstratos/include/stratos/session/a.hpp",
                           "# include <stratos/auth/jwt.hpp>\n"),
              ElementsAre("libstratos/include/stratos/session/a.hpp:1: session -> auth"));
  EXPECT_THAT(
      violationsIn("libstratos/src/ext/git/a.cpp", "#include \"stratos/ext/metrics/a.hpp\"\n"),
      ElementsAre("libstratos/src/ext/git/a.cpp:1: ext/git -> ext/metrics"));
}

TEST(LayeringTest, ReportsPrivateHeadersOfAnotherModule) {
  EXPECT_THAT(violationsIn("libstratos/src/store/a.cpp", "#include \"db/sqlite_driver.hpp\"\n"),
              ElementsAre("libstratos/src/store/a.cpp:1: store -> private header "
                          "db/sqlite_driver.hpp"));
}

TEST(LayeringTest, ReportsForeignTypesInPublicHeaders) {
  for (const char* header :
       {"Poco/Net/Socket.h", "sqlite3.h", "libpq-fe.h", "openssl/ssl.h", "llhttp.h"}) {
    EXPECT_THAT(violationsIn("libstratos/include/stratos/http/a.hpp",
                             "#include <" + std::string(header) + ">\n"),
                ElementsAre("libstratos/include/stratos/http/a.hpp:1: public header -> " +
                            std::string(header)));
    EXPECT_THAT(
        violationsIn("libstratos/src/http/a.cpp", "#include <" + std::string(header) + ">\n"),
        IsEmpty());
  }
}

TEST(LayeringTest, ReportsUnknownModules) {
  EXPECT_THAT(violationsIn("libstratos/src/misc/a.cpp", ""),
              ElementsAre("libstratos/src/misc/a.cpp: no module of the table is called misc"));
  EXPECT_THAT(violationsIn("libstratos/src/base/a.cpp", "#include \"stratos/misc/a.hpp\"\n"),
              ElementsAre("libstratos/src/base/a.cpp:1: base -> stratos/misc/a.hpp"));
}

TEST(LayeringTest, AcceptsWhatTheTableAllows) {
  EXPECT_THAT(
      violationsIn("libstratos/src/auth/a.cpp",
                   "#include \"stratos/auth/a.hpp\"\n#include <map>\n#include <sys/stat.h>\n"
                   "#include \"auth/private.hpp\"\n#include \"stratos/store/a.hpp\"\n"),
      IsEmpty());
  EXPECT_THAT(violationsIn("stratos-server/src/main.cpp",
                           "#include \"stratos/ext/git/a.hpp\"\n#include \"config.hpp\"\n"),
              IsEmpty());
}

}  // namespace
}  // namespace stratos
