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
};

const Statement kStatements[] = {
    {"accept", sql::kAccept},
    {"earlier", sql::kEarlier},
    {"settle", sql::kSettle},
    {"still_there", sql::kStillThere},
    {"note", sql::kNote},
    {"last_seq", sql::kLastSeq},
    {"trim_batches", sql::kTrimBatches},
    {"trim_writers", sql::kTrimWriters},
    {"marks", sql::kMarks},
    {"tail", sql::kTail},
    {"load_range", sql::kLoadRange},
    {"fetch_entries", sql::kFetchEntries},
    {"fetch_messages", sql::kFetchMessages},
    {"read_events", sql::kReadEvents},
    {"events_of_message", sql::kEventsOfMessage},
    {"last_seqs", sql::kLastSeqs},
    {"oldest_seqs", sql::kOldestSeqs},
};

class PlanTest : public StorageTest {
 protected:
  std::string Explain(const Statement& statement) {
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
    auto session = Session::Open(options(), Planning::kPrimaryKeyOnly);
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

// Lines of scans of the large tables that have no condition on their index.
std::vector<std::string> UnboundedScans(const std::string& plan) {
  const std::regex scan(
      R"(.*Scan.* on (queue_entry|message|submission|event|accept_batch)(_[0-9]+)?( .*)?)");
  std::vector<std::string> lines, found;
  std::istringstream in(plan);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  lines.push_back("");
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    if (std::regex_match(lines[i], scan) && lines[i + 1].find("Index Cond") == std::string::npos) {
      found.push_back(lines[i]);
    }
  }
  return found;
}

TEST_F(PlanTest, HotStatementsGoByTheirKeys) {
  for (const Statement& statement : kStatements) {
    const std::string plan = Explain(statement);
    SCOPED_TRACE(Cat(statement.name, "\n", plan));
    EXPECT_THAT(UnboundedScans(plan), testing::IsEmpty());
    EXPECT_THAT(plan, Not(HasSubstr("Hash Join")));
    EXPECT_THAT(plan, Not(HasSubstr("Merge Join")));
    EXPECT_THAT(plan, Not(ContainsRegex("Join Filter: \\([^(]*=")))
        << "part of a key is compared row by row";
  }
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
