// Who starts on a restored database finds everything suspended, once.
#include "storage/restore_guard.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/cluster.h"
#include "storage/connection_pool.h"
#include "storage/constraint_store.h"

namespace sluice::storage {
namespace {

class RestoreGuardTest : public StorageTest {
 protected:
  bool Held() {
    const auto held = HoldIfRestored(options(), kNow);
    EXPECT_TRUE(held.ok()) << held.status();
    return held.ok() && *held;
  }
};

TEST_F(RestoreGuardTest, WhoCameFirstAndWhoComesAgainIsNotHeld) {
  EXPECT_FALSE(Held());
  EXPECT_FALSE(Held());
  EXPECT_EQ(Count("sending_constraint"), 0);
}

TEST_F(RestoreGuardTest, AnotherDatabaseIsHeldOnceUntilSomebodyLiftsIt) {
  ConnectionPool pool(options(), 2);
  const auto constraints = MakeConstraintStore(pool);
  EXPECT_FALSE(Held());
  for (const char* found : {"", "7000000000000000000/5/16400"}) {
    Exec(Cat("update database_identity set identity = '", found, "'"));
    const int64_t before = *constraints->Generation();
    EXPECT_TRUE(Held());
    EXPECT_GT(*constraints->Generation(), before) << "schedulers that run see it";
    EXPECT_FALSE(Held()) << "the next one to start";
    const auto in_force = constraints->List(kNow);
    ASSERT_TRUE(in_force.ok()) << in_force.status();
    ASSERT_EQ(in_force->constraints.size(), 1u) << "a restart lifts nothing";
    const Constraint& hold = in_force->constraints[0];
    EXPECT_TRUE(hold.scope.empty());
    EXPECT_TRUE(hold.value.suspend);
    EXPECT_EQ(hold.cause, ConstraintCause::kOperator);
    EXPECT_FALSE(hold.until.has_value());
    EXPECT_EQ(constraints->End(ConstraintCause::kOperator, {hold.id})->ids.size(), 1u);
    EXPECT_FALSE(Held()) << "lifted is lifted";
    EXPECT_EQ(Count("sending_constraint"), 0);
  }
}

TEST_F(RestoreGuardTest, TheTableMadeAnewIsAnotherDatabase) {
  EXPECT_FALSE(Held());
  Exec("create table copy (like database_identity including all)");
  Exec("insert into copy select * from database_identity");
  Exec("drop table database_identity");
  Exec("alter table copy rename to database_identity");
  EXPECT_TRUE(Held());
}

TEST_F(RestoreGuardTest, NobodyElseMayHoldEverything) {
  EXPECT_FALSE(Held());
  ConnectionPool pool(options(), 1);
  const auto constraints = MakeConstraintStore(pool);
  EXPECT_TRUE(absl::IsInvalidArgument(constraints->Put(ConstraintCause::kOperator, {{.value = {.suspend = true}}}).status()));
}

}  // namespace
}  // namespace sluice::storage
