#include <algorithm>
#include <chrono>
#include <functional>
#include <ostream>

#include <google/protobuf/util/time_util.h>

#include "base/csv.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMostFileBytes = size_t{1} << 30;
constexpr int kPartSize = 5'000;
// A server that never ends its list does not hang us.
constexpr int kMostPages = 1'000'000;

absl::Status EachSuppression(const Context& context, v1::ListSuppressionsRequest request,
                             const std::function<void(const v1::Suppression&)>& on_one) {
  AdminClient client(context);
  request.set_page_size(1'000);
  for (int page = 0; page < kMostPages; ++page) {
    v1::ListSuppressionsResponse response;
    RETURN_IF_ERROR(client.Call(request, &response));
    for (const v1::Suppression& one : response.suppressions()) on_one(one);
    request.set_page_token(response.next_page_token());
    if (request.page_token().empty()) break;
  }
  return absl::OkStatus();
}

std::string HexText(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

v1::Suppression WithOptions(const std::string& address, const SuppressionOptions& options) {
  v1::Suppression one;
  one.set_address(address);
  one.set_tenant(options.tenant);
  one.set_reason(options.reason);
  one.set_detail(options.detail);
  if (!options.expires.empty()) {
    // Checked when the command line was read.
    *one.mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(
        ToMicros(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) +
                 *ParseDuration(options.expires)));
  }
  return one;
}

// Sends and says what came of it.
int Update(const Context& context, const v1::UpdateSuppressionsRequest& request) {
  v1::UpdateSuppressionsResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    context.io.out << "added " << response.added_count() << ", removed " << response.removed_count()
                   << ", erased " << response.erased_count() << "\n";
  }
  for (const std::string& name : response.not_acknowledged()) {
    context.io.err << "not acknowledged by " << Printable(name) << "; it follows when it is back\n";
  }
  return kOk;
}

// Which column of the file is what; -1 = not there.
struct Columns {
  int address = 0, tenant = -1, reason = -1, expires_at = -1, detail = -1;
};

// A first line that names a column `address` is a heading; else every line begins with an address.
bool ReadHeading(const std::vector<std::string>& record, Columns& columns) {
  const auto find = [&](std::string_view name) {
    const auto it = std::find(record.begin(), record.end(), name);
    return it == record.end() ? -1 : static_cast<int>(it - record.begin());
  };
  if (find("address") < 0) return false;
  columns = {find("address"), find("tenant"), find("reason"), find("expires_at"), find("detail")};
  return true;
}

absl::StatusOr<v1::Suppression> ReadRecord(const std::vector<std::string>& record,
                                           const Columns& columns,
                                           const SuppressionOptions& options) {
  const auto field = [&](int column) {
    return column >= 0 && static_cast<size_t>(column) < record.size()
               ? record[static_cast<size_t>(column)]
               : std::string();
  };
  v1::Suppression one = WithOptions(field(columns.address), options);
  if (const std::string tenant = field(columns.tenant); !tenant.empty()) one.set_tenant(tenant);
  if (const std::string reason = field(columns.reason); !reason.empty()) one.set_reason(reason);
  if (const std::string detail = field(columns.detail); !detail.empty()) one.set_detail(detail);
  if (const std::string at = field(columns.expires_at); !at.empty()) {
    if (!TimeUtil::FromString(at, one.mutable_expires_at())) {
      return absl::InvalidArgumentError(
          Cat(Quoted(at), " is not a time; write it as 2026-12-31T00:00:00Z"));
    }
  }
  return one;
}

}  // namespace

int SuppressionList(const Context& context, const SuppressionOptions& options) {
  v1::ListSuppressionsRequest request;
  request.set_tenant(options.tenant);
  if (!options.addresses.empty()) request.set_address(options.addresses.front());
  v1::ListSuppressionsResponse all;
  const absl::Status status = EachSuppression(
      context, request, [&](const v1::Suppression& one) { *all.add_suppressions() = one; });
  if (!status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, all);
    return kOk;
  }
  Table table({"ADDRESS", "TENANT", "REASON", "SINCE", "UNTIL", "DETAIL"});
  for (const v1::Suppression& one : all.suppressions()) {
    table.Add({one.address().empty() ? "sha256:" + HexText(one.address_hash()) : one.address(),
               one.tenant().empty() ? "(all)" : one.tenant(), one.reason(),
               TimeText(one.has_created_at(), one.created_at()),
               TimeText(one.has_expires_at(), one.expires_at()), one.detail()});
  }
  table.Print(context.io.out);
  return kOk;
}

int SuppressionExport(const Context& context, const SuppressionOptions& options) {
  v1::ListSuppressionsRequest request;
  request.set_tenant(options.tenant);
  int64_t erased = 0;
  context.io.out << "address,tenant,reason,created_at,expires_at,detail\n";
  const absl::Status status = EachSuppression(context, request, [&](const v1::Suppression& one) {
    if (one.address().empty()) {
      ++erased;
      return;
    }
    context.io.out << CsvField(one.address()) << ',' << CsvField(one.tenant()) << ','
                   << one.reason() << ',' << TimeUtil::ToString(one.created_at()) << ','
                   << (one.has_expires_at() ? TimeUtil::ToString(one.expires_at()) : "") << ','
                   << CsvField(one.detail()) << '\n';
  });
  if (!status.ok()) return Refuse(context, status);
  if (erased > 0) context.io.err << erased << " erased addresses cannot be exported\n";
  return kOk;
}

int SuppressionAdd(const Context& context, const SuppressionOptions& options) {
  v1::UpdateSuppressionsRequest request;
  for (const std::string& address : options.addresses) {
    *request.add_add() = WithOptions(address, options);
  }
  return Update(context, request);
}

int SuppressionRemove(const Context& context, const SuppressionOptions& options) {
  v1::UpdateSuppressionsRequest request;
  for (const std::string& address : options.addresses) {
    v1::Suppression* one = request.add_remove();
    one->set_address(address);
    one->set_tenant(options.tenant);
  }
  return Update(context, request);
}

int SuppressionErase(const Context& context, const SuppressionOptions& options) {
  v1::UpdateSuppressionsRequest request;
  for (const std::string& address : options.addresses) request.add_erase(address);
  return Update(context, request);
}

int SuppressionImport(const Context& context, const SuppressionOptions& options) {
  const auto text = ReadInput(context, options.file, kMostFileBytes);
  if (!text.ok()) return RefuseUsage(context, View(text.status().message()));
  AdminClient client(context);
  Columns columns;
  v1::UpdateSuppressionsRequest request;
  int64_t line = 0, read = 0, added = 0;
  const auto flush = [&]() -> absl::Status {
    if (request.add_size() == 0) return absl::OkStatus();
    v1::UpdateSuppressionsResponse response;
    RETURN_IF_ERROR(client.Call(request, &response));
    read += request.add_size();
    added += response.added_count();
    request.clear_add();
    return absl::OkStatus();
  };
  std::string_view rest = *text;
  absl::Status status;
  while (status.ok()) {
    const auto record = NextCsvRecord(rest);
    if (!record) break;
    if (++line == 1 && ReadHeading(*record, columns)) continue;
    if (record->size() == 1 && record->front().empty()) continue;
    const auto one = ReadRecord(*record, columns, options);
    if (!one.ok()) {
      return RefuseUsage(context, Cat(options.file, ":", line, ": ", one.status().message()));
    }
    *request.add_add() = *one;
    if (request.add_size() == kPartSize) status = flush();
  }
  status.Update(flush());
  context.io.out << "read " << read << ", added " << added << "\n";
  if (status.ok()) return kOk;
  context.io.err << "stopped after record " << read << " of " << Printable(options.file)
                 << "; an import can be repeated\n";
  return Refuse(context, status);
}

}  // namespace sluice::ctl
