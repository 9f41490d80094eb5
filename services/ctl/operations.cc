// Orders on many entries: cancel, bounce, move, retry, release; and how far they have come.
#include <ostream>
#include <thread>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/match.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(300);
constexpr int kMostLooks = 36'000;  // Three hours.

std::string KindText(v1::OperationKind kind) {
  std::string name = v1::OperationKind_Name(kind).substr(std::string_view("OPERATION_KIND_").size());
  for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(c - 'A' + 'a');
  return name;
}

std::string StateText(const v1::Operation& operation) {
  if (operation.stopped()) return operation.has_ended_at() ? "stopped" : "stopping";
  return operation.has_ended_at() ? "ended" : "under way";
}

void Print(const Context& context, const std::vector<v1::Operation>& operations) {
  Table table({"OPERATION", "KIND", "STATE", "DONE", "TOO LATE", "STARTED AT", "AUTHOR", "WHAT"});
  for (const v1::Operation& one : operations) {
    table.Add({one.operation_id(), KindText(one.kind()), StateText(one), Cat(one.done_count()),
               Cat(one.too_late_count()), TimeText(one.has_started_at(), one.started_at()), Printable(one.author()),
               Printable(Cat(one.message_id().empty() ? "" : Cat("message ", one.message_id(), " "),
                             MatchText(one.filter()),
                             one.target_pool().empty() ? "" : Cat(" to ", one.target_pool()),
                             one.reason().empty() ? "" : Cat(" (", one.reason(), ")")))});
  }
  table.Print(context.io.out);
}

int Show(const Context& context, const v1::Operation& operation) {
  if (context.json) {
    PrintJson(context.io.out, operation);
  } else {
    Print(context, {operation});
  }
  return kOk;
}

int Start(const Context& context, const QueueOptions& options, v1::OperationKind kind) {
  v1::StartOperationRequest request;
  request.set_kind(kind);
  *request.mutable_filter() = MatchOf(options);
  request.set_message_id(options.message);
  request.set_target_pool(options.to_pool);
  request.set_reason(options.reason);
  AdminClient client(context);
  v1::StartOperationResponse response;
  if (const absl::Status status = client.Call(request, &response); !status.ok()) return Refuse(context, status);
  v1::Operation operation = response.operation();
  for (int look = 0; options.wait && !operation.has_ended_at() && look < kMostLooks; ++look) {
    std::this_thread::sleep_for(kLookEvery);
    v1::GetOperationRequest get;
    get.set_operation_id(operation.operation_id());
    v1::GetOperationResponse got;
    if (const absl::Status status = client.Call(get, &got); !status.ok()) return Refuse(context, status);
    operation = got.operation();
  }
  return Show(context, operation);
}

}  // namespace

int Cancel(const Context& context, const QueueOptions& options) {
  return Start(context, options, v1::OPERATION_KIND_CANCEL);
}
int Bounce(const Context& context, const QueueOptions& options) {
  return Start(context, options, v1::OPERATION_KIND_BOUNCE);
}
int Move(const Context& context, const QueueOptions& options) {
  return Start(context, options, v1::OPERATION_KIND_MOVE);
}
int RetryNow(const Context& context, const QueueOptions& options) {
  return Start(context, options, v1::OPERATION_KIND_RETRY_NOW);
}
int ReleaseHeld(const Context& context, const QueueOptions& options) {
  return Start(context, options, v1::OPERATION_KIND_RELEASE_HELD);
}

int OperationList(const Context& context, int limit) {
  v1::ListOperationsRequest request;
  request.set_page_size(limit);
  v1::ListOperationsResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    Print(context, {response.operations().begin(), response.operations().end()});
  }
  return kOk;
}

int OperationShow(const Context& context, const std::string& id) {
  v1::GetOperationRequest request;
  request.set_operation_id(id);
  v1::GetOperationResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  return Show(context, response.operation());
}

int OperationStop(const Context& context, const std::string& id) {
  v1::StopOperationRequest request;
  request.set_operation_id(id);
  v1::StopOperationResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  return Show(context, response.operation());
}

}  // namespace sluice::ctl
