#include "settings.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/base/error.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SettingsTest : public ::testing::Test {
 protected:
  Settings with(SettingMap environment) {
    chain_.emplace(std::move(environment),
                   LookupPlaces{folder_.path() / "config.properties", folder_.path()});
    return Settings(*chain_);
  }
  template <class Call>
  std::string refusalOf(Call call) {
    try {
      static_cast<void>(call());
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
      return e.what();
    }
    return "(accepted)";
  }

  TemporaryFolder folder_;
  std::optional<LookupChain> chain_;
};

TEST_F(SettingsTest, ParsesFlagsAsUpstreamDoes) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True", " true "}) {
    EXPECT_TRUE(with({{"SKIP_SSL_VALIDATION", yes}}).flag("SKIP_SSL_VALIDATION")) << yes;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False", "", " "}) {
    EXPECT_FALSE(with({{"SKIP_SSL_VALIDATION", no}}).flag("SKIP_SSL_VALIDATION")) << no;
  }
  for (const char* bad : {"yes", "on", "tRUE", "2"}) {
    EXPECT_THAT(
        refusalOf([&] {
          return with({{"SKIP_SSL_VALIDATION", bad}}).flag("SKIP_SSL_VALIDATION");
        }),
        AllOf(HasSubstr("SKIP_SSL_VALIDATION"), HasSubstr(bad), HasSubstr("true or false")));
  }
}

TEST_F(SettingsTest, ParsesNumbersWithinTheirBounds) {
  EXPECT_EQ(with({}).integer("DB_PORT", 1, 65'535), 5432);
  EXPECT_EQ(with({{"DB_PORT", ""}}).integer("DB_PORT", 1, 65'535), 5432);
  EXPECT_EQ(with({{"DB_PORT", "65535"}}).integer("DB_PORT", 1, 65'535), 65'535);
  for (const char* bad : {"0", "65536", "-1", "5432x", "0x10", "1e3", "99999999999999999999"}) {
    EXPECT_THAT(refusalOf([&] {
                  return with({{"DB_PORT", bad}}).integer("DB_PORT", 1, 65'535);
                }),
                AllOf(HasSubstr("DB_PORT"), HasSubstr(bad), HasSubstr("from 1 to 65535")));
  }
}

TEST_F(SettingsTest, ParsesListsChoicesAndUrls) {
  EXPECT_THAT(with({{"ALLOWED_ORIGINS", " https://a , ,https://b"}}).list("ALLOWED_ORIGINS"),
              ElementsAre("https://a", "https://b"));
  EXPECT_THAT(with({{"ALLOWED_ORIGINS", ""}}).list("ALLOWED_ORIGINS"), IsEmpty());
  EXPECT_EQ(with({{"API_KEYS_ENABLED", ""}}).choice("API_KEYS_ENABLED"), "admin_only");
  EXPECT_THAT(refusalOf([&] {
                return with({{"API_KEYS_ENABLED", "All"}}).choice("API_KEYS_ENABLED");
              }),
              HasSubstr("disabled, admin_only, all_users"));
  EXPECT_EQ(with({{"UAA_ENDPOINT", "https://uaa.example.com/x"}}).url("UAA_ENDPOINT"),
            "https://uaa.example.com/x");
  EXPECT_THAT(refusalOf([&] {
                return with({{"UAA_ENDPOINT", "uaa.example.com"}}).url("UAA_ENDPOINT");
              }),
              HasSubstr("absolute http or https URL"));
}

TEST_F(SettingsTest, NeverShowsASecretValue) {
  for (const SettingInfo& info : knownSettings()) {
    if (info.type != SettingType::SecretText) continue;
    const Settings settings = with({{std::string(info.name), "hunter2"}});
    EXPECT_THAT(refusalOf([&] { return settings.integer(info.name, 0, 1); }),
                Not(HasSubstr("hunter2")));
  }
}

TEST_F(SettingsTest, HasADescriptionForEachSettingOnce) {
  std::set<std::string_view> names;
  for (const SettingInfo& info : knownSettings()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.description.empty()) << info.name;
    EXPECT_FALSE(info.group.empty()) << info.name;
  }
  EXPECT_THROW(static_cast<void>(settingInfo("NO_SUCH_SETTING")), Error);
}

TEST_F(SettingsTest, LetsTheDatabaseSpeakOnlyAboutSignIn) {
  EXPECT_TRUE(mayComeFromDatabase("UAA_ENDPOINT"));
  EXPECT_TRUE(mayComeFromDatabase("CONSOLE_ADMIN_SCOPE"));
  EXPECT_FALSE(mayComeFromDatabase("ENCRYPTION_KEY"));
  EXPECT_FALSE(mayComeFromDatabase("UI_PATH"));
  EXPECT_FALSE(mayComeFromDatabase("LD_PRELOAD"));
}

}  // namespace
}  // namespace stratos::server
