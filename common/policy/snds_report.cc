#include "policy/snds_report.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/csv.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kMostRows = 100'000;
constexpr size_t kLegacyColumns = 14;
constexpr size_t kMostField = 500;
constexpr int64_t kMostCount = 1'000'000'000'000;

enum Column { kAddress, kPeriod, kRecipients, kMessages, kFilter, kComplaints, kTraps, kColumns };
constexpr std::array<std::string_view, kColumns> kNames = {"ip address",    "activity period", "rcpt commands", "data commands",
                                                           "filter result", "complaint rate",  "trap hits"};
constexpr std::array<size_t, kColumns> kLegacy = {0, 1, 3, 4, 6, 7, 10};
constexpr size_t kAbsent = SIZE_MAX;

std::string Trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\xef\xbb\xbf"), text.size());
  const size_t end = text.find_last_not_of(" \t\r");
  return end == std::string_view::npos || end < begin ? std::string() : std::string(text.substr(begin, std::min(end + 1 - begin, kMostField)));
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<uint32_t> Ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

// `10`, `1,234`; absent: no number.
std::optional<int64_t> Number(std::string text) {
  std::erase(text, ',');
  if (text.empty()) return 0;
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 0 || out > kMostCount) return std::nullopt;
  return out;
}

// `<0.1%`, `0.3%`, `None`, empty.
std::optional<double> Percent(std::string text) {
  if (text.starts_with('<') || text.starts_with('>')) text.erase(0, 1);
  if (!text.ends_with('%')) return std::nullopt;
  text.pop_back();
  text = Trim(text);
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || !(out >= 0 && out <= 100)) return std::nullopt;
  return out / 100;
}

bool LooksLikeAPage(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return begin != std::string_view::npos && text[begin] == '<';
}

template <class Visit>
absl::Status EachLine(std::string_view text, Visit visit) {
  if (LooksLikeAPage(text)) return absl::InvalidArgumentError("a web page, no report: the link has expired or nobody is signed in");
  int number = 0;
  while (auto fields = NextCsvRecord(text)) {
    ++number;
    for (std::string& field : *fields) field = Trim(field);
    if (fields->empty() || (fields->size() == 1 && fields->front().empty())) continue;
    if (static_cast<size_t>(number) > kMostRows) return absl::InvalidArgumentError(Cat("more than ", kMostRows, " rows"));
    RETURN_IF_ERROR(visit(number, *fields));
  }
  return absl::OkStatus();
}

absl::Status BadRow(int number, std::string_view what) { return absl::InvalidArgumentError(Cat("line ", number, ": ", what)); }

struct Shape {
  std::array<size_t, kColumns> at = kLegacy;
  size_t least = kLegacyColumns;

  // Whether `fields` is a heading; then its shape is taken.
  bool Read(const std::vector<std::string>& fields) {
    if (Lower(fields[0]) != kNames[kAddress]) return false;
    at.fill(kAbsent);
    least = 0;
    for (size_t i = 0; i < fields.size(); ++i) {
      const auto name = std::find(kNames.begin(), kNames.end(), Lower(fields[i]));
      if (name == kNames.end()) continue;
      at[static_cast<size_t>(name - kNames.begin())] = i;
      least = std::max(least, i + 1);
    }
    return true;
  }
  std::string Field(const std::vector<std::string>& fields, Column column) const {
    return at[column] < fields.size() ? fields[at[column]] : std::string();
  }
};

absl::StatusOr<SndsRow> RowOf(const Shape& shape, int number, const std::vector<std::string>& fields) {
  if (fields.size() < shape.least) return BadRow(number, Cat("has ", fields.size(), " columns of ", shape.least));
  SndsRow row{.address = shape.Field(fields, kAddress), .period = shape.Field(fields, kPeriod)};
  if (!Ipv4(row.address)) return BadRow(number, Cat(Quoted(row.address), " is no address"));
  const auto recipients = Number(shape.Field(fields, kRecipients)), messages = Number(shape.Field(fields, kMessages)),
             traps = Number(shape.Field(fields, kTraps));
  if (!recipients || !messages || !traps) return BadRow(number, "a count is no number");
  row.recipients = *recipients;
  row.messages = *messages;
  row.traps = *traps;
  row.filter = shape.Field(fields, kFilter);
  if (row.filter != "GREEN" && row.filter != "YELLOW" && row.filter != "RED" && !row.filter.empty()) {
    return BadRow(number, Cat(Quoted(row.filter), " is no filter result"));
  }
  row.complaint_rate = Percent(shape.Field(fields, kComplaints));
  return row;
}

}  // namespace

absl::StatusOr<std::vector<SndsRow>> ParseSndsReport(std::string_view text) {
  std::vector<SndsRow> rows;
  Shape shape;
  bool is_first = true;
  const absl::Status status = EachLine(text, [&](int number, const std::vector<std::string>& fields) -> absl::Status {
    if (std::exchange(is_first, false) && shape.Read(fields)) {
      const bool whole = shape.at[kRecipients] != kAbsent && shape.at[kMessages] != kAbsent && shape.at[kFilter] != kAbsent;
      return whole ? absl::OkStatus() : BadRow(number, "the heading lacks RCPT commands, DATA commands or Filter result");
    }
    ASSIGN_OR_RETURN(rows.emplace_back(), RowOf(shape, number, fields));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rows;
}

std::optional<SndsRow> SumUp(const std::vector<SndsRow>& rows, std::string_view address) {
  constexpr std::array<std::string_view, 4> kWorse = {"", "GREEN", "YELLOW", "RED"};
  const auto rank = [&](const SndsRow& row) { return std::find(kWorse.begin(), kWorse.end(), row.filter); };
  std::optional<SndsRow> sum;
  for (const SndsRow& row : rows) {
    if (row.address != address) continue;
    if (!sum) {
      sum = row;
      continue;
    }
    sum->recipients += row.recipients;
    sum->messages += row.messages;
    sum->traps += row.traps;
    if (rank(row) > rank(*sum)) sum->filter = row.filter;
    if (row.complaint_rate) sum->complaint_rate = std::max(sum->complaint_rate.value_or(0), *row.complaint_rate);
    sum->period = row.period;
  }
  return sum;
}

absl::StatusOr<std::vector<SndsBlock>> ParseSndsStatus(std::string_view text) {
  std::vector<SndsBlock> blocks;
  const absl::Status status = EachLine(text, [&](int number, const std::vector<std::string>& fields) -> absl::Status {
    // A heading, should there be one.
    if (number == 1 && !Ipv4(fields[0]) && fields.size() >= 3) return absl::OkStatus();
    if (fields.size() < 3 || !Ipv4(fields[0]) || !Ipv4(fields[1])) return BadRow(number, "is no range of addresses");
    const std::string blocked = Lower(fields[2]);
    if (blocked != "yes" && blocked != "no") return BadRow(number, Cat(Quoted(fields[2]), " is neither Yes nor No"));
    blocks.push_back({fields[0], fields[1], blocked == "yes", fields.size() > 3 ? fields[3] : std::string()});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return blocks;
}

const SndsBlock* FindSndsBlock(const std::vector<SndsBlock>& blocks, std::string_view address) {
  const auto wanted = Ipv4(std::string(address));
  if (!wanted) return nullptr;
  for (const SndsBlock& block : blocks) {
    if (*Ipv4(block.first) <= *wanted && *wanted <= *Ipv4(block.last)) return &block;
  }
  return nullptr;
}

}  // namespace sluice
