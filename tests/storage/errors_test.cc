// What the storage layer makes of what PostgreSQL says, and the wire format of its array
// parameters.
#include "storage/errors.h"

#include <gtest/gtest.h>

#include <pqxx/transaction>

#include "base/text.h"
#include "storage/binary_array.h"
#include "storage/cluster.h"
#include "storage/connection_pool.h"
#include "storage/in_transaction.h"
#include "storage/mail.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

using Code = absl::StatusCode;

class ErrorsTest : public StorageTest {
 protected:
  void SetUp() override {
    StorageTest::SetUp();
    if (IsSkipped()) return;
    auto session = Session::Open(options());
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
  }
  void TearDown() override {
    session_.reset();
    StorageTest::TearDown();
  }
  // What a transaction answers in which PostgreSQL raises this state.
  absl::Status Raise(const std::string& sqlstate, int* runs = nullptr) {
    return RunTransaction(*session_, "test", [&](pqxx::transaction_base& tx) {
      if (runs != nullptr) ++*runs;
      tx.exec(Cat("do $$ begin raise exception 'told\nrow data' using errcode = '", sqlstate,
                  "'; end $$"));
      return absl::OkStatus();
    });
  }

  std::unique_ptr<Session> session_;
};

TEST_F(ErrorsTest, EveryStateOfPostgresHasItsCode) {
  const std::pair<const char*, Code> expected[] = {
      {"53100", Code::kResourceExhausted},  // Disk full.
      {"53200", Code::kResourceExhausted},  // Out of memory.
      {"53300", Code::kResourceExhausted},  // Too many connections.
      {"22021", Code::kInvalidArgument},    // Not UTF-8.
      {"23514", Code::kInvalidArgument},    // A check failed.
      {"54000", Code::kInvalidArgument},    // Too large for its index.
      {"23505", Code::kAlreadyExists},      {"57014", Code::kUnavailable},  // Statement timeout.
      {"55P03", Code::kUnavailable},                                        // Lock timeout.
      {"25006", Code::kUnavailable},                                        // A standby.
      {"57P01", Code::kUnavailable},         // Shut down by an administrator.
      {"42P01", Code::kFailedPrecondition},  // No such table.
      {"XX001", Code::kDataLoss},           {"XX000", Code::kInternal},
  };
  for (const auto& [state, code] : expected) {
    const absl::Status status = Raise(state);
    EXPECT_EQ(status.code(), code) << state << " " << status;
  }
}

TEST_F(ErrorsTest, MessagesNameTheTransactionAndKeepRowsOut) {
  const absl::Status status = Raise("23514");
  EXPECT_EQ(View(status.message()), "test: told");
}

TEST_F(ErrorsTest, ALostTransactionIsRunThreeTimesThenAborted) {
  for (const char* state : {"40001", "40P01"}) {
    int runs = 0;
    EXPECT_EQ(Raise(state, &runs).code(), Code::kAborted);
    EXPECT_EQ(runs, 3);
  }
  int runs = 0;
  EXPECT_EQ(Raise("23505", &runs).code(), Code::kAlreadyExists);
  EXPECT_EQ(runs, 1);
}

TEST_F(ErrorsTest, AnErrorOfTheBodyRollsBack) {
  const absl::Status status = RunTransaction(*session_, "test", [](pqxx::transaction_base& tx) {
    tx.exec0("insert into writer values (7, 'epoch')");
    return absl::CancelledError("no");
  });
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(Count("writer"), 0);
}

// Killed while it commits: the row may be there or not, and that is what the code says.
TEST_F(ErrorsTest, AConnectionLostInsideCommitIsInDoubt) {
  Exec(
      "create function die() returns trigger language plpgsql as"
      " $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
      "create constraint trigger die after insert on writer deferrable initially deferred"
      " for each row execute function die()");
  const absl::Status status = RunTransaction(*session_, "test", [](pqxx::transaction_base& tx) {
    tx.exec0("insert into writer values (7, 'epoch')");
    return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), Code::kUnknown) << status;
  EXPECT_FALSE(session_->is_open());
  EXPECT_EQ(Raise("23505").code(), Code::kUnavailable);
}

TEST_F(ErrorsTest, AStatementThatTakesTooLongIsUnavailable) {
  ConnectionOptions hurried = options();
  hurried.statement_timeout = std::chrono::milliseconds(50);
  auto session = Session::Open(hurried);
  ASSERT_TRUE(session.ok()) << session.status();
  const absl::Status status = RunTransaction(**session, "test", [](pqxx::transaction_base& tx) {
    tx.exec1("select pg_sleep(60)");
    return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), Code::kUnavailable) << status;
}

TEST_F(ErrorsTest, ASessionMakesNothingButFlushedCommits) {
  auto lax = Session::Open({.url = options().url + " options='-c synchronous_commit=off'"});
  ASSERT_TRUE(lax.ok()) << lax.status();
  pqxx::work tx((*lax)->connection());
  EXPECT_EQ(tx.exec1("show synchronous_commit")[0].as<std::string>(), "on");
}

TEST_F(ErrorsTest, AWrongUrlIsNamed) {
  EXPECT_EQ(Session::Open({.url = "nonsense"}).status().code(), Code::kInvalidArgument);
}

// ---- arrays -----------------------------------------------------------------------------------

class ArrayTest : public ErrorsTest {
 protected:
  template <class Array>
  std::string Text(Array& array, const std::string& type) {
    Parameters parameters;
    parameters.Add(array);
    pqxx::work tx(session_->connection());
    return tx.exec_params1(Cat("select ($1::", type, "[])::text"), parameters.dynamic())[0].c_str();
  }
};

TEST_F(ArrayTest, EveryTypeArrivesAsItWasMeant) {
  BinaryArray<bool> bools;
  bools.Add(true), bools.AddNull(), bools.Add(false);
  EXPECT_EQ(Text(bools, "boolean"), "{t,NULL,f}");
  BinaryArray<int16_t> shorts;
  shorts.Add(-32768), shorts.Add(32767);
  EXPECT_EQ(Text(shorts, "smallint"), "{-32768,32767}");
  BinaryArray<int32_t> ints;
  ints.Add(-2147483647 - 1), ints.Add(2147483647);
  EXPECT_EQ(Text(ints, "int"), "{-2147483648,2147483647}");
  BinaryArray<int64_t> longs;
  longs.Add(-1), longs.Add(0x7edcba9876543210);
  EXPECT_EQ(Text(longs, "bigint"), "{-1,9141386507638288912}");
  BinaryArray<sluice::storage::Text> texts;
  texts.Add(""), texts.Add("NULL"), texts.AddNull(), texts.Add("a\"b\\c,{}"), texts.AddOrNull("");
  EXPECT_EQ(Text(texts, "text"), R"x({"","NULL",NULL,"a\"b\\c,{}",NULL})x");
  BinaryArray<Bytes> bytes;
  bytes.Add(std::string_view("\0\xff", 2)), bytes.AddOrNull("");
  EXPECT_EQ(Text(bytes, "bytea"), R"x({"\\x00ff",NULL})x");
  BinaryArray<Hash128> hashes;
  hashes.Add({.high = 0x0123456789abcdef, .low = 0xfedcba9876543210});
  EXPECT_EQ(Text(hashes, "uuid"), "{01234567-89ab-cdef-fedc-ba9876543210}");
  BinaryArray<Instant> instants;
  instants.Add(FromMicros(-1)), instants.Add(FromMicros(1'800'000'000'123'456)), instants.AddNull();
  EXPECT_EQ(Text(instants, "timestamptz"),
            R"x({"1969-12-31 23:59:59.999999+00","2027-01-15 08:00:00.123456+00",NULL})x");
}

TEST_F(ArrayTest, AnEmptyArrayAndAClearedOneAreEmpty) {
  BinaryArray<int64_t> array;
  EXPECT_EQ(Text(array, "bigint"), "{}");
  array.AddNull();
  array.Clear();
  EXPECT_EQ(Text(array, "bigint"), "{}");
  array.Add(5);
  EXPECT_EQ(Text(array, "bigint"), "{5}");
}

// micros() must be exact for every instant that the queue may hold.
TEST_F(ArrayTest, InstantsComeBackToTheMicrosecond) {
  BinaryArray<Instant> array;
  std::vector<int64_t> expected;
  for (int64_t micros = 1; micros < 7'000'000'000'000'000; micros = micros * 3 + 7) {
    expected.push_back(micros);
    array.Add(FromMicros(micros));
  }
  for (int64_t i = 0; i < 1000; ++i) {
    expected.push_back(1'800'000'000'000'000 + i * 999'983);
    array.Add(FromMicros(expected.back()));
  }
  Parameters parameters;
  parameters.Add(array);
  pqxx::work tx(session_->connection());
  const auto back = IntsOf(tx.exec_params1(
      "select array(select micros(t) from unnest($1::timestamptz[]) t)", parameters.dynamic())[0]);
  ASSERT_EQ(back.size(), expected.size());
  for (size_t i = 0; i < back.size(); ++i) EXPECT_EQ(back[i], expected[i]);
}

// Commits of this test's own would wait for the standby that is not there: it only reads while one is named.
TEST_F(StorageTest, OnlyCommitsThatWaitForAStandbyAreFineWhereOneIsRequired) {
  const auto check = [&] {
    ConnectionPool pool(options(), 1);
    return CheckSyncStandby(pool);
  };
  const auto says = [&](std::string_view word) { return check().message().find(AbslView(word)) != absl::string_view::npos; };
  EXPECT_EQ(check().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(says("synchronous_standby_names is empty"));

  Exec("alter system set synchronous_standby_names = 'standby1'");
  Exec("select pg_reload_conf()");
  while (says("is empty")) {
  }
  EXPECT_TRUE(check().ok()) << check();
  Exec("alter system reset synchronous_standby_names");
  Exec("select pg_reload_conf()");
  while (check().ok()) {
  }
}

}  // namespace
}  // namespace sluice::storage
