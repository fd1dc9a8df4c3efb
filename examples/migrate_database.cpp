// Brings a console's database up to date from a program of your own, and says what was done.

#include <iostream>

#include "stratos/base/error.hpp"
#include "stratos/store/schema.hpp"

using namespace stratos;

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "migrate-database.db";
  try {
    NullLogSink log;
    const auto database = db::Database::openSqlite({.file = file});
    const store::SchemaReport report = store::migrateSchema(*database, log);
    std::cout << file << (report.wasEmpty ? " was empty; " : " existed; ")
              << report.upstreamApplied + report.ownApplied << " steps applied, now at version "
              << store::reportedSchemaVersion(*database) << '\n';
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
