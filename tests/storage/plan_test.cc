// Every hot statement goes by primary key (or its index), whatever the statistics say: here there
// are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/nontransaction>
#include <pqxx/result_iterator.hxx>
#include <regex>
#include <sstream>

#include "base/text.h"
#include "storage/accept_sql.h"
#include "storage/cluster.h"
#include "storage/event_sql.h"
#include "storage/feedback_sql.h"
#include "storage/inbox_columns.h"
#include "storage/mail.h"
#include "storage/read_sql.h"
#include "storage/settle_sql.h"

namespace sluice::storage {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

struct Statement {
  const char* name;
  const char* sql;
  Planning planning = Planning::kByKey;
};

const Statement kStatements[] = {
    {"accept", sql::kAccept},
    {"earlier", sql::kEarlier},
    {"settle", sql::kSettle, Planning::kByKeyHashed},
    {"still_there", sql::kStillThere, Planning::kByKeyHashed},
    {"note", sql::kNote, Planning::kByKeyHashed},
    {"take_inbox", sql::kTakeInbox, Planning::kByKeyHashed},
    {"post_notes", sql::kPostNotes},
    {"last_seq", sql::kLastSeq, Planning::kByKeyHashed},
    {"trim_batches", sql::kTrimBatches},
    {"trim_writers", sql::kTrimWriters, Planning::kByKeyHashed},
    {"marks", sql::kMarks},
    {"tail", sql::kTail},
    {"load_range", sql::kLoadRange},
    {"fetch_entries", sql::kFetchEntries},
    {"fetch_messages", sql::kFetchMessages},
    {"read_events", sql::kReadEvents},
    {"events_of_message", sql::kEventsOfMessage},
    {"last_seqs", sql::kLastSeqs},
    {"oldest_seqs", sql::kOldestSeqs},
    {"tally_range", sql::kTallyRange},
    {"tally_done", sql::kTallyDone},
    {"tally_counts", sql::kTallyCounts},
    {"tally_bounces", sql::kTallyBounces},
};

class PlanTest : public StorageTest {
 protected:
  std::string Explain(const Statement& statement) {
    const char* const hash = statement.planning == Planning::kByKeyHashed ? "on" : "off";
    pqxx::nontransaction(session_->connection()).exec(Cat("set enable_hashjoin = ", hash));
    const absl::Status prepared = session_->Prepare(statement.name, statement.sql);
    EXPECT_TRUE(prepared.ok()) << prepared;
    pqxx::nontransaction tx(session_->connection());
    std::string plan;
    for (const pqxx::row& row :
         tx.exec(Cat("explain (costs off) execute ", statement.name, Nulls(statement.sql)))) {
      Append(plan, row[0].c_str(), "\n");
    }
    return plan;
  }

  void SetUp() override {
    StorageTest::SetUp();
    if (IsSkipped()) return;
    auto session = Session::Open(options(), Planning::kByKey);
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    for (int part : {2, 3}) {
      Exec(Cat("create table message_", part,
               " (like message including all);"
               "alter table message attach partition message_",
               part, " for values in (", part, ")"));
    }
  }
  void TearDown() override {
    session_.reset();
    StorageTest::TearDown();
  }

 private:
  static std::string Nulls(const std::string& sql) {
    int most = 0;
    const std::regex parameter(R"(\$([0-9]+))");
    for (std::sregex_iterator it(sql.begin(), sql.end(), parameter), end; it != end; ++it) {
      most = std::max(most, std::stoi((*it)[1]));
    }
    std::string out;
    for (int i = 0; i < most; ++i) out += i == 0 ? "(null" : ", null";
    return most == 0 ? "" : out + ")";
  }

  std::unique_ptr<Session> session_;
};

// Lines of scans of the large tables that have no condition on their index; joined by hash or loop,
// none is read whole.
std::vector<std::string> UnboundedScans(const std::string& plan) {
  const std::regex scan(
      R"(.*Scan.* on (queue_entry|message|submission|event|accept_batch|event_inbox)(_[0-9]+)?( .*)?)");
  std::vector<std::string> lines, found;
  std::istringstream in(plan);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  lines.push_back("");
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    if (std::regex_match(lines[i], scan) &&
        !std::regex_search(lines[i + 1], std::regex("Index Cond|TID Cond"))) {
      found.push_back(lines[i]);
    }
  }
  return found;
}

class HotStatementsTest : public PlanTest {
 protected:
  void ExpectKeys() {
    for (const Statement& statement : kStatements) {
      const std::string plan = Explain(statement);
      SCOPED_TRACE(Cat(statement.name, "\n", plan));
      EXPECT_THAT(UnboundedScans(plan), testing::IsEmpty());
      EXPECT_THAT(plan, Not(HasSubstr("Merge Join")));
      EXPECT_THAT(plan, Not(ContainsRegex("Join Filter: \\([^(]*=")))
          << "part of a key is compared row by row";
    }
  }
  void Fill(int messages) {
    auto writer = OpenAcceptWriter(options(), kNow);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int shard = 0; shard < 4; ++shard) {
      std::vector<AcceptedMessage> batch;
      for (int i = 0; i < messages; ++i) {
        batch.push_back(MakeMessage(1, static_cast<uint64_t>(shard * messages + i)));
      }
      ASSERT_TRUE((*writer)->Accept(shard, batch).ok());
    }
    Exec(
        "insert into event select shard, id & 1000000, accepted_at, id, id, 1, 'delivered', 1, '', "
        "250, 1,"
        " false, tenant, stream, campaign, recipient, '', '', '', '', '', '', '', '', '', '', '', "
        "'', null, null"
        " from queue_entry, lateral (select (id >> 56)::smallint as shard) s");
  }
};

TEST_F(HotStatementsTest, GoByTheirKeysWithoutStatistics) { ExpectKeys(); }

// As autovacuum leaves tables that happened to be empty: whatever is planned then must hold for
// millions.
TEST_F(HotStatementsTest, GoByTheirKeysWithStatisticsOfEmptyTables) {
  Exec("vacuum analyze");
  ExpectKeys();
}

TEST_F(HotStatementsTest, GoByTheirKeysWithStatisticsOfTinyTables) {
  Fill(1);
  Exec("vacuum analyze");
  ExpectKeys();
}

TEST_F(HotStatementsTest, GoByTheirKeysWithStatisticsOfFullTables) {
  Fill(2000);
  Exec("vacuum analyze");
  ExpectKeys();
}

// Keys must go into the index in the order in which they were sorted.
TEST_F(PlanTest, AcceptInsertsKeysInTheOrderGiven) {
  const std::string plan = Explain({"accept", sql::kAccept});
  const std::string fresh =
      plan.substr(plan.find("CTE fresh"), plan.find("CTE contents") - plan.find("CTE fresh"));
  EXPECT_THAT(fresh, HasSubstr("Nested Loop"));
  EXPECT_THAT(fresh, HasSubstr("Function Scan on k"));
  EXPECT_THAT(fresh, Not(HasSubstr("Sort")));
}

TEST_F(PlanTest, TheCheckFindsAFullScan) {
  EXPECT_THAT(UnboundedScans("Seq Scan on queue_entry q\n"), testing::SizeIs(1));
  EXPECT_THAT(UnboundedScans("Index Only Scan using event_pkey on event_20270115 e\n"),
              testing::SizeIs(1));
  EXPECT_THAT(UnboundedScans(
                  "Index Scan using queue_entry_pkey on queue_entry q\n  Index Cond: (id = i.id)"),
              testing::IsEmpty());
}

}  // namespace
}  // namespace sluice::storage
