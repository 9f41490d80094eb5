#include <ostream>

#include "base/status.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"
#include "mail/header_address.h"
#include "mail/limits.h"
#include "sluice/v1/submission.pb.h"

namespace sluice::ctl {
namespace {

bool IsFromLine(std::string_view line) {
  constexpr std::string_view kName = "from:";
  if (line.size() < kName.size()) return false;
  for (size_t i = 0; i < kName.size(); ++i) {
    const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] + 32) : line[i];
    if (c != kName[i]) return false;
  }
  return true;
}

// The body of the first From field, folded as it stands; empty when there is none.
std::string FromField(std::string_view message) {
  std::string out;
  bool inside = false;
  while (!message.empty()) {
    const size_t end = std::min(message.find('\n'), message.size());
    std::string_view line = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) break;
    const bool folded = line.front() == ' ' || line.front() == '\t';
    if (inside && !folded) break;
    if (inside) {
      Append(out, "\r\n", line);
    } else if (IsFromLine(line)) {
      inside = true;
      out = line.substr(5);
    }
  }
  return out;
}

absl::StatusOr<std::string> ReturnPathOf(const std::string& content) {
  const auto from = ParseMailboxList(FromField(content));
  if (from.ok()) return from->front().ToString();
  return absl::InvalidArgumentError(Cat("no return path can be taken from the From field (",
                                        from.status().message(), "); give --from"));
}

void PrintResult(const Context& context, const SendOptions& options,
                 const v1::SubmitResult& result) {
  if (context.json) return PrintJson(context.io.out, result);
  context.io.out << result.message_id() << (result.repeated() ? " (accepted earlier)" : "") << "\n";
  for (const v1::RecipientVerdict& verdict : result.refused()) {
    const auto index = static_cast<size_t>(verdict.index());
    context.io.err << "not sent to "
                   << (index < options.to.size() ? Printable(options.to[index]) : "?") << ": "
                   << Printable(verdict.reason()) << ": " << Printable(verdict.description())
                   << "\n";
  }
}

}  // namespace

int Send(const Context& context, const SendOptions& options) {
  if (context.key.empty()) {
    return RefuseUsage(context,
                       "no API key; give --key or SLUICE_KEY (`sluicectl key create` makes one)");
  }
  const auto content = ReadInput(context, options.file, limits::kContentBytes);
  if (!content.ok()) return RefuseUsage(context, View(content.status().message()));
  v1::SubmitRequest request;
  v1::Submission& submission = *request.mutable_submission();
  submission.set_content(*content);
  submission.set_stream(options.stream);
  submission.set_campaign(options.campaign);
  submission.set_idempotency_key(options.idempotency_key);
  submission.set_return_path(options.return_path);
  if (options.return_path.empty()) {
    const auto return_path = ReturnPathOf(*content);
    if (!return_path.ok()) return RefuseUsage(context, View(return_path.status().message()));
    submission.set_return_path(*return_path);
  }
  for (const std::string& address : options.to) submission.add_recipients()->set_address(address);

  v1::SubmitResponse response;
  if (const absl::Status status = CallSubmit(context, request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  PrintResult(context, options, response.result());
  return response.result().refused().empty() ? kOk : kRefused;
}

}  // namespace sluice::ctl
