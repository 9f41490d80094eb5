// A real PostgreSQL for the tests of the storage layer: one throwaway cluster a binary, one
// database a test, made from a migrated template.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "storage/connection.h"
#include "storage/session.h"

namespace sluice::storage {

// Noon, so that neither end of the day is near.
inline constexpr Instant kNow = FromMicros(1'800'014'400'000'000);

class Cluster {
 public:
  // Started on the first call, stopped when the binary ends (also when it is killed). Null: no
  // PostgreSQL is installed.
  static Cluster* Get();
  ~Cluster();

  // A migrated database of its own.
  ConnectionOptions CreateDatabase();
  void DropDatabase(const ConnectionOptions& options);
  // SIGKILL for every server process.
  void Kill();
  void Start();

 private:
  Cluster() = default;
  bool Up();
  std::string Run(const std::string& arguments);
  std::string UrlOf(const std::string& database) const;

  std::string directory_;
  std::string url_;
  int databases_ = 0;
};

// Gives each test a fresh, migrated database with 16 shards, as of kNow.
class StorageTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  const ConnectionOptions& options() const { return options_; }
  // First column of the first row as text; runs on a connection of its own.
  std::string Query(const std::string& sql);
  int64_t Count(const std::string& table_and_where);
  void Exec(const std::string& sql);

 private:
  ConnectionOptions options_;
  std::unique_ptr<Session> session_;
};

}  // namespace sluice::storage
