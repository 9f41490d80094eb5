#include "storage/migrate.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage/cluster.h"

namespace sluice::storage {
namespace {

class MigrateTest : public StorageTest {};

TEST_F(MigrateTest, MakesWhatTheServicesNeedToStart) {
  EXPECT_EQ(Query("select string_agg(shard::text, ',' order by shard) from shard_lease"),
            "-1,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15");
  EXPECT_EQ(Count("content_partition where part = 1 and closed_at is null"), 1);
  EXPECT_EQ(Count("pg_inherits where inhparent = 'message'::regclass"), 1);
  EXPECT_EQ(Count("pg_inherits where inhparent = 'event'::regclass"), 8);
  EXPECT_EQ(Count("submission_generation"), 1);
  EXPECT_TRUE(CheckSchema(options()).ok());
}

TEST_F(MigrateTest, ChangesNothingTheSecondTime) {
  ASSERT_TRUE(Migrate(options(), MigrateOptions{.shards = 32}, kNow).ok());
  EXPECT_EQ(Count("shard_lease"), 17);
  EXPECT_EQ(Count("schema_migration"), static_cast<int64_t>(Migrations().size()));
}

TEST_F(MigrateTest, ServesSeveralProcessesAtOnce) {
  Exec("drop schema public cascade; create schema public");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = Migrate(options(), MigrateOptions{}, kNow);
      EXPECT_TRUE(status.ok()) << status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count("shard_lease"), 17);
}

TEST_F(MigrateTest, RefusesAChangedOrNewerHistory) {
  Exec("update schema_migration set checksum = checksum + 1 where number = 1");
  EXPECT_TRUE(absl::IsFailedPrecondition(Migrate(options(), MigrateOptions{}, kNow)));
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckSchema(options())));
  Exec(
      "update schema_migration set checksum = checksum - 1 where number = 1;"
      "insert into schema_migration values (9999, 'future', 1, 'epoch')");
  EXPECT_TRUE(absl::IsFailedPrecondition(Migrate(options(), MigrateOptions{}, kNow)));
}

TEST_F(MigrateTest, SaysWhenTheDatabaseIsEmpty) {
  Exec("drop schema public cascade; create schema public");
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckSchema(options())));
}

TEST_F(MigrateTest, RefusesAnImpossibleNumberOfShards) {
  EXPECT_TRUE(absl::IsInvalidArgument(Migrate(options(), MigrateOptions{.shards = 0}, kNow)));
  EXPECT_TRUE(absl::IsInvalidArgument(Migrate(options(), MigrateOptions{.shards = 128}, kNow)));
}

}  // namespace
}  // namespace sluice::storage
