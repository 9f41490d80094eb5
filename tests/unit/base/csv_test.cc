#include "base/csv.h"

#include <gmock/gmock.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;

std::vector<std::vector<std::string>> All(std::string_view text) {
  std::vector<std::vector<std::string>> records;
  while (auto record = NextCsvRecord(text)) records.push_back(*std::move(record));
  return records;
}

TEST(CsvTest, ReadsFieldsAndLines) {
  EXPECT_THAT(All("a,b\r\nc,,d\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "", "d")));
  EXPECT_THAT(All("a,"), ElementsAre(ElementsAre("a", "")));
  EXPECT_THAT(All("\n\n"), ElementsAre(ElementsAre(""), ElementsAre("")));
  EXPECT_THAT(All(""), ElementsAre());
}

TEST(CsvTest, ReadsQuotedFields) {
  EXPECT_THAT(All("\"a,\"\"b\"\"\nc\",d"), ElementsAre(ElementsAre("a,\"b\"\nc", "d")));
}

TEST(CsvTest, EndsWithAQuoteThatIsNeverClosed) {
  EXPECT_THAT(All("a,\"b\nc"), ElementsAre(ElementsAre("a", "b\nc")));
}

TEST(CsvTest, ReadsWhatItWrote) {
  for (const std::string field : {"plain", "with, comma", "with \"quotes\"", "two\nlines", ""}) {
    EXPECT_THAT(All(CsvField(field) + ",x"), ElementsAre(ElementsAre(field, "x"))) << field;
  }
}

TEST(CsvTest, DropsFieldsBeyondItsBound) {
  EXPECT_EQ(All(std::string(1'000, ',')).at(0).size(), 256u);
}

}  // namespace
}  // namespace sluice
