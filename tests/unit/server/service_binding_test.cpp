#include "service_binding.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_config.hpp"
#include "stratos/base/error.hpp"
#include "temporary_folder.hpp"

namespace stratos::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

template <class Call>
std::string refusalOf(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "one line";
    return e.what();
  }
  return "nothing was refused";
}

/// host|port|user|password|database|sslmode
std::string summaryOf(const BoundDatabase& bound) {
  const db::PostgreSqlOptions& o = bound.options;
  return o.host + "|" + std::to_string(o.port) + "|" + o.user + "|" + o.password.reveal() + "|" +
         o.database + "|" + bound.sslMode;
}

TEST(PostgreSqlUriTest, EveryFormIsReadOrRefused) {
  struct Case {
    const char* uri;
    const char* expected;  // The summary, or part of the refusal.
  };
  const Case good[] = {
      {"postgres://u:p@h/d", "h|5432|u|p|d|"},
      {"postgresql://u:p@h:6432/d", "h|6432|u|p|d|"},
      {"POSTGRES://u:p@h/d", "h|5432|u|p|d|"},
      {"postgres://u%40x:p%2Fw%3F%25%20+@h/d%2F2", "h|5432|u@x|p/w?% +|d/2|"},
      {"postgres://u:p@w@h/d", "h|5432|u|p@w|d|"},
      {"postgres://u:p:q@h/d", "h|5432|u|p:q|d|"},
      {"postgres://u@h/d", "h|5432|u||d|"},
      {"postgres://u:p@h/d?sslmode=verify-full", "h|5432|u|p|d|verify-full"},
      {"postgres://u:p@h/d?reconnect=true&sslmode=require&x", "h|5432|u|p|d|require"},
      {"postgres://u:p@/d?host=%2Fvar%2Frun", "/var/run|5432|u|p|d|"},
      {"postgres://u:p@/d?host=/var/run&port=5433", "/var/run|5433|u|p|d|"},
      {"postgresql:///d?host=/run&user=u&password=p%26q", "/run|5432|u|p&q|d|"},
      {"postgres://u:p@%2Fvar%2Frun/d", "/var/run|5432|u|p|d|"},
      {"postgres://u:p@[::1]:6432/d", "::1|6432|u|p|d|"},
      {"postgres://u:p@[::1]/d", "::1|5432|u|p|d|"},
      {"postgres://u:p@h:/d", "h|5432|u|p|d|"},
      {"postgres://u:p@h/?dbname=d", "h|5432|u|p|d|"},
  };
  for (const Case& each : good) {
    EXPECT_EQ(summaryOf(parsePostgreSqlUri(each.uri)), each.expected) << each.uri;
  }
  const Case bad[] = {
      {"mysql://u:hush@h/d", "not one of PostgreSQL"},
      {"u:hush@h/d", "not one of PostgreSQL"},
      {"postgres://u:hush@/d", "no host"},
      {"postgres://u:hush@h", "no database"},
      {"postgres://u:hush@h/", "no database"},
      {"postgres://:hush@h/d", "no user"},
      {"postgres://h/d", "names no user"},
      {"postgres://u:hu/sh@h/d", "names no user"},
      {"postgres://u:hush@h:0/d", "port"},
      {"postgres://u:hush@h:70000/d", "port"},
      {"postgres://u:hush@h:54x/d", "port"},
      {"postgres://u:hush%2@h/d", "%-escape"},
      {"postgres://u:hush%zz@h/d", "%-escape"},
      {"postgres://u:hush@h/d?sslmode=%1", "%-escape"},
      {"postgres://u:hush@[::1/d", "bracket"},
      {"postgres://u:hush@[::1]x/d", "cannot be read"},
      {"postgres://u:hush@h1,h2/d", "several hosts"},
      {"postgres://u:hush%00@h/d", "NUL"},
  };
  for (const Case& each : bad) {
    EXPECT_THAT(refusalOf([&] { static_cast<void>(parsePostgreSqlUri(each.uri)); }),
                AllOf(HasSubstr(each.expected), Not(HasSubstr("hu"))))
        << each.uri;
  }
}

/// An instance as Cloud Foundry writes it.
std::string instance(const std::string& name, const std::string& tags,
                     const std::string& credentials) {
  return R"({"name": ")" + name + R"(", "tags": [)" + tags + R"(], "credentials": )" + credentials +
         "}";
}
const std::string kUri = R"({"uri": "postgres://u:hush@h/d"})";
const std::string kMySql = R"({"uri": "mysql://u:hush@h/d"})";

TEST(ServiceBindingTest, CredentialsAreReadWholeOrNotAtAll) {
  struct Case {
    const char* credentials;
    const char* expected;
  };
  const Case good[] = {
      {R"({"uri": "postgres://x", "hostname": "h", "port": "6432", "username": "u",
           "password": "p%40", "dbname": "d"})",
       "h|6432|u|p%40|d|"},
      {R"({"hostname": "h", "port": 6432, "username": "u", "password": "p", "dbname": "d"})",
       "h|6432|u|p|d|"},
      {R"({"host": "h", "user": "u", "password": "p", "database": "d"})", "h|5432|u|p|d|"},
      {R"({"hostname": "half", "uri": "postgres://u:p@h/d"})", "h|5432|u|p|d|"},
      {R"({"hostname": "half", "username": "half", "password": "half", "dbname": "half",
           "port": 0, "uri": "postgresql://u:p@h/d"})",
       "h|5432|u|p|d|"},
      {R"({"hostname": "h", "port": 1, "username": "u", "password": "p", "dbname": "d",
           "uri": "postgres://a:b@c/d?sslmode=require"})",
       "h|1|u|p|d|require"},
      {R"({"uri": "postgres://u:p@h/d?sslmode=require", "sslmode": "verify-ca"})",
       "h|5432|u|p|d|verify-ca"},
  };
  for (const Case& each : good) {
    const auto bound = findBoundDatabase(
        R"({"a": [)" + instance("db", R"("postgresql")", each.credentials) + "]}");
    ASSERT_TRUE(bound) << each.credentials;
    EXPECT_EQ(summaryOf(*bound), each.expected) << each.credentials;
    EXPECT_EQ(bound->service, "db");
  }
  const Case bad[] = {
      {R"({})", "no host"},
      {R"({"hostname": "h", "password": "hush", "dbname": "d"})", "no user"},
      {R"({"hostname": "h", "username": "u", "password": "hush"})", "no database"},
      {R"({"hostname": "h", "username": "u", "password": "hush", "dbname": "d", "port": "x"})",
       "port"},
      {R"({"hostname": "h", "username": "u", "password": "hush", "dbname": ["d"]})", "no database"},
      {R"({"hostname": "h", "uri": "postgres://u:hush@/d"})", "no host"},
  };
  for (const Case& each : bad) {
    const std::string document =
        R"({"a": [)" + instance("my-db", R"("postgresql")", each.credentials) + "]}";
    EXPECT_THAT(refusalOf([&] { static_cast<void>(findBoundDatabase(document)); }),
                AllOf(HasSubstr("\"my-db\""), HasSubstr(each.expected), Not(HasSubstr("hush"))))
        << each.credentials;
  }
}

TEST(ServiceBindingTest, TheOnlyDatabaseOrTheTaggedOneIsChosen) {
  const std::string redis = instance("cache", "", R"({"uri": "redis://x"})");
  const auto nameOf = [](const std::string& document) {
    const auto bound = findBoundDatabase(document);
    return bound ? bound->service : "none";
  };
  EXPECT_EQ(nameOf("{}"), "none");
  EXPECT_EQ(nameOf(R"({"redis": [)" + redis + "]}"), "none");
  EXPECT_EQ(nameOf(R"({"redis": [)" + redis + R"(], "pg": [)" + instance("one", "", kUri) + "]}"),
            "one");
  EXPECT_EQ(nameOf(R"({"user-provided": [)" + redis + "," + instance("ups", "", kUri) + "]}"),
            "ups");
  EXPECT_EQ(
      nameOf(R"({"pg": [)" + instance("a", "", kUri) + "," + instance("b", R"("Stratos")", kUri) +
             R"(], "mysql": [)" + instance("c", "", kMySql) + "]}"),
      "b");
  EXPECT_EQ(nameOf(R"({"pg": [{"credentials": )" + kUri + "}]}"), "pg") << "named by its label";
  EXPECT_EQ(
      nameOf(R"({"user-provided": [)" +
             instance("plain", R"("stratos")",
                      R"({"hostname": "h", "username": "u", "password": "p", "dbname": "d"})") +
             "]}"),
      "plain");
  EXPECT_EQ(nameOf(R"({"user-provided": [)" +
                   instance("settings", R"("stratos")", R"({"UAA_ENDPOINT": "https://x"})") + "]}"),
            "none");
}

TEST(ServiceBindingTest, WhatCannotBeUsedIsRefusedByName) {
  const auto refusal = [](const std::string& document) {
    return refusalOf([&] { static_cast<void>(findBoundDatabase(document)); });
  };
  const std::string pg = instance("first", "", kUri) + "," + instance("second", "", kUri);
  EXPECT_THAT(refusal(R"({"pg": [)" + pg + "]}"),
              AllOf(HasSubstr("\"first\""), HasSubstr("\"second\""), HasSubstr("none"),
                    HasSubstr("stratos"), Not(HasSubstr("hush"))));
  const std::string both =
      instance("first", R"("stratos")", kUri) + "," + instance("second", R"("stratos")", kUri);
  EXPECT_THAT(refusal(R"({"pg": [)" + both + "]}"), HasSubstr("more than one"));
  for (const char* scheme : {"mysql", "mysql2", "mariadb"}) {
    EXPECT_THAT(refusal(R"({"p": [)" +
                        instance("old-db", "",
                                 R"({"uri": ")" + std::string(scheme) + R"(://u:hush@h/d"})") +
                        "]}"),
                AllOf(HasSubstr("\"old-db\""), HasSubstr("MySQL"), Not(HasSubstr("hush"))));
  }
  EXPECT_THAT(refusal(R"({"p": [)" + instance("old-db", R"("mysql")", "{}") + "]}"),
              HasSubstr("MySQL"));
  for (const char* garbage : {"", "hush", "[]", "{\"hush\": ", "\"hush\"", "null"}) {
    EXPECT_THAT(refusal(garbage), AllOf(HasSubstr("VCAP_SERVICES"), Not(HasSubstr("hush"))))
        << garbage;
  }
}

/// How the bindings meet the other settings.
class BoundConfigTest : public ::testing::Test {
 protected:
  DatabaseConfig config(SettingMap environment) {
    environment.try_emplace("SQLITE_DB_DIR", folder_.path().string());
    const LookupChain chain(std::move(environment),
                            LookupPlaces{folder_.path() / "none", folder_.path() / "secrets"});
    Warnings warnings;
    return loadDatabaseConfig(Settings(chain), warnings);
  }
  TemporaryFolder folder_;
};

TEST_F(BoundConfigTest, ABindingWinsOverTheOtherSettingsAndMayComeFromAFile) {
  const std::string document =
      R"({"pg": [)" + instance("db", "", R"({"uri": "postgres://u:p@h/d?sslmode=require"})") + "]}";
  const std::string file = (folder_.path() / "vcap.json").string();
  std::ofstream(file) << document;
  for (const SettingMap& place :
       {SettingMap{{"VCAP_SERVICES", document}}, SettingMap{{"VCAP_SERVICES_FILE_PATH", file}}}) {
    SettingMap environment = place;
    environment.insert({{"DB_HOST", "ignored"}, {"DATABASE_PROVIDER", "mysql"}});
    const DatabaseConfig bound = config(environment);
    EXPECT_EQ(bound.dialect, db::Dialect::PostgreSql);
    EXPECT_EQ(bound.postgreSql.host, "h");
    EXPECT_EQ(bound.postgreSql.sslMode, "require");
    EXPECT_EQ(bound.service, "db");
    environment["DB_SSL_MODE"] = "verify-full";
    EXPECT_EQ(config(environment).postgreSql.sslMode, "verify-full");
  }
}

TEST_F(BoundConfigTest, NothingFallsBackToSqlite) {
  const auto refusal = [&](const SettingMap& environment) {
    return refusalOf([&] { static_cast<void>(config(environment)); });
  };
  EXPECT_THAT(refusal({{"VCAP_SERVICES_FILE_PATH", "/nowhere/vcap.json"}}),
              HasSubstr("/nowhere/vcap.json"));
  const std::string weak =
      R"({"pg": [)" + instance("db", "", R"({"uri": "postgres://u:hush@h/d?sslmode=prefer"})") +
      "]}";
  EXPECT_THAT(refusal({{"VCAP_SERVICES", weak}}),
              AllOf(HasSubstr("\"db\""), HasSubstr("DB_SSL_MODE"), Not(HasSubstr("hush"))));
  EXPECT_EQ(config({{"VCAP_SERVICES", weak}, {"DB_SSL_MODE", "disable"}}).postgreSql.sslMode,
            "disable");
  EXPECT_EQ(config({{"VCAP_SERVICES", "{}"}}).dialect, db::Dialect::Sqlite) << "nothing is bound";
}

TEST_F(BoundConfigTest, LimitsComeFromTheSettings) {
  const DatabaseConfig limits = config({{"DATABASE_PROVIDER", "pgsql"},
                                        {"DB_HOST", "h"},
                                        {"DB_USER", "u"},
                                        {"DB_DATABASE_NAME", "d"},
                                        {"STRATOS_DB_STATEMENT_TIMEOUT_IN_SECS", "7"},
                                        {"STRATOS_DB_MAX_CONNECTIONS", "3"}});
  EXPECT_EQ(limits.postgreSql.statementTimeout, std::chrono::seconds{7});
  EXPECT_EQ(limits.pool.maxConnections, 3U);
  EXPECT_EQ(config({}).pool.maxConnections, 16U);
}

}  // namespace
}  // namespace stratos::server
