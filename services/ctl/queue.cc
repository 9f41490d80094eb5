// What waits: by group, and entry by entry.
#include <ostream>
#include <thread>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/match.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

constexpr int kMostLooks = 1'000'000;

int TopOnce(const Context& context, AdminClient& client, const QueueOptions& options) {
  v1::SummarizeQueueRequest request;
  *request.mutable_filter() = MatchOf(options);
  request.set_group_by(options.by);
  request.set_max_groups(options.limit);
  v1::SummarizeQueueResponse response;
  if (const absl::Status status = client.Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
    return kOk;
  }
  Table table({options.by, "WAITING", "OLDEST ACCEPTED AT", "NEXT DUE AT"});
  int64_t total = 0;
  for (const auto& group : response.groups()) {
    total += group.entries();
    table.Add({Printable(group.name().empty() ? "-" : group.name()), Cat(group.entries()),
               TimeText(group.has_oldest_accepted_at(), group.oldest_accepted_at()),
               TimeText(group.has_next_due_at(), group.next_due_at())});
  }
  table.Print(context.io.out);
  context.io.out << "waiting in these: " << total << "\n";
  context.io.out.flush();
  return kOk;
}

}  // namespace

int QueueTop(const Context& context, const QueueOptions& options) {
  AdminClient client(context);
  int answer = TopOnce(context, client, options);
  if (options.watch.empty()) return answer;
  // Checked when the command line was read.
  const Duration interval = *ParseDuration(options.watch);
  for (int look = 0; answer == kOk && look < kMostLooks; ++look) {
    std::this_thread::sleep_for(interval);
    context.io.out << "\n";
    answer = TopOnce(context, client, options);
  }
  return answer;
}

int QueueList(const Context& context, const QueueOptions& options) {
  AdminClient client(context);
  v1::ListQueueRequest request;
  *request.mutable_filter() = MatchOf(options);
  v1::ListQueueResponse all;
  while (all.entries_size() < options.limit) {
    request.set_page_size(std::min(1'000, options.limit - all.entries_size()));
    v1::ListQueueResponse response;
    if (const absl::Status status = client.Call(request, &response); !status.ok()) return Refuse(context, status);
    all.mutable_entries()->MergeFrom(response.entries());
    request.set_page_token(response.next_page_token());
    all.set_next_page_token(response.next_page_token());
    if (response.next_page_token().empty()) break;
  }
  if (context.json) {
    PrintJson(context.io.out, all);
    return kOk;
  }
  Table table({"MESSAGE", "RECIPIENT", "STREAM", "CAMPAIGN", "ATTEMPTS", "ACCEPTED AT", "DUE AT", "LAST SOURCE", "HELD"});
  for (const v1::QueueEntry& entry : all.entries()) {
    table.Add({entry.message_id(), Printable(entry.recipient()), entry.stream(), Printable(entry.campaign()),
               Cat(entry.attempts()), TimeText(entry.has_accepted_at(), entry.accepted_at()),
               TimeText(entry.has_due_at(), entry.due_at()), entry.last_source(), entry.held()});
  }
  table.Print(context.io.out);
  if (!all.next_page_token().empty()) context.io.out << "there is more: --limit\n";
  return kOk;
}

}  // namespace sluice::ctl
