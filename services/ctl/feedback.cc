// A bounce or complaint that reached somebody else's mailbox, told to Sluice.
#include <ostream>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

constexpr size_t kMostBytes = 1 << 20;

}  // namespace

int ReportFeedback(const Context& context, const std::string& file) {
  auto message = ReadInput(context, file, kMostBytes);
  if (!message.ok()) return Refuse(context, message.status());
  v1::ReportFeedbackRequest request;
  request.add_feedback()->set_raw(*std::move(message));
  v1::ReportFeedbackResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) return Refuse(context, status);
  if (context.json) {
    PrintJson(context.io.out, response);
  } else if (response.matched_count() == 0) {
    context.io.out << "nothing of ours: no genuine token in it, or nothing to act on\n";
  } else {
    context.io.out << (response.repeated_count() > 0 ? "known already\n" : "recorded\n");
  }
  return response.matched_count() > 0 ? kOk : kRefused;
}

}  // namespace sluice::ctl
