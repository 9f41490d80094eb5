#include <cstdio>
#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

// "10:00:00.123456", UTC.
std::string TimeOfDay(int64_t micros) {
  constexpr int64_t kSecond = 1'000'000;
  const int64_t second = micros / kSecond % 86'400;
  char text[40];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%06d", static_cast<int>(second / 3600),
                static_cast<int>(second / 60 % 60), static_cast<int>(second % 60),
                static_cast<int>(micros % kSecond));
  return text;
}

std::string_view Sign(v1::TraceDirection direction) {
  switch (direction) {
    case v1::TRACE_DIRECTION_SENT:
      return ">";
    case v1::TRACE_DIRECTION_RECEIVED:
      return "<";
    default:
      return "-";
  }
}

void Print(std::ostream& out, const v1::TraceLine& line) {
  out << TimeOfDay(line.at_micros()) << " " << Printable(line.source()) << " "
      << Printable(line.mx_host()) << "[" << Printable(line.mx_address()) << "] "
      << Printable(line.egress_id()) << "#" << line.connection() << " " << Sign(line.direction())
      << " " << Printable(line.text()) << "\n";
}

}  // namespace

int Trace(const Context& context, const TraceOptions& options) {
  if (options.source.empty() && options.domain.empty()) {
    return RefuseUsage(context, "name a --source or a --domain: all dialogs at once are too many");
  }
  v1::TraceRequest request;
  request.mutable_filter()->set_source(options.source);
  request.mutable_filter()->set_domain(options.domain);
  const absl::Status status =
      CallTrace(context, request, options.length, [&](const v1::TraceResponse& response) {
        if (context.json) {
          PrintJson(context.io.out, response);
        } else {
          for (const v1::TraceLine& line : response.lines()) Print(context.io.out, line);
        }
        if (response.dropped() > 0) {
          context.io.err << response.dropped() << " lines left out: they came faster than they can be shown\n";
        }
        context.io.out.flush();
      });
  return status.ok() ? kOk : Refuse(context, status);
}

}  // namespace sluice::ctl
