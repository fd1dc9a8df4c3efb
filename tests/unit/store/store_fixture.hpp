#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "stratos/base/log.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"
#include "stratos/testing/test_database.hpp"

namespace stratos::store {

inline constexpr const char* kTestKey =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
inline constexpr const char* kOtherKey =
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// A fresh database of the dialect under test; derived fixtures migrate it when they need to.
class StoreFixture : public ::testing::TestWithParam<db::Dialect> {
 protected:
  void SetUp() override {
    if (!testing::TestDatabase::isAvailable(GetParam())) {
      GTEST_SKIP() << testing::TestDatabase::skipReason();
    }
    test_ = std::make_unique<testing::TestDatabase>(GetParam());
    database_ = test_->open();
    prepare();
  }
  virtual void prepare() {}

  void run(const std::string& sql, const db::Parameters& parameters = {}) {
    database_->connect().execute(sql, parameters);
  }
  std::int64_t count(const std::string& fromWhere) {
    return database_->connect().queryOne("SELECT count(*) AS n FROM " + fromWhere)->integer("n");
  }
  static std::vector<crypto::EncryptionKey> keys(const std::vector<std::string>& hex) {
    std::vector<crypto::EncryptionKey> ring;
    for (const std::string& key : hex) ring.push_back(crypto::EncryptionKey::fromHex(key));
    return ring;
  }

  std::unique_ptr<testing::TestDatabase> test_;
  std::unique_ptr<db::Database> database_;
  crypto::SystemRandom random_;
  NullLogSink log_;
};

/// With schema and cipher.
class MigratedFixture : public StoreFixture {
 protected:
  void prepare() override {
    (void)migrateSchema(*database_, log_);
    cipher_ =
        std::make_unique<crypto::TokenCipher>(openCipher(*database_, keys({kTestKey}), random_));
  }
  std::unique_ptr<crypto::TokenCipher> cipher_;
};

inline auto bothDialects() {
  return ::testing::Values(db::Dialect::Sqlite, db::Dialect::PostgreSql);
}
inline std::string dialectName(const ::testing::TestParamInfo<db::Dialect>& param) {
  return param.param == db::Dialect::Sqlite ? "Sqlite" : "PostgreSql";
}

}  // namespace stratos::store
