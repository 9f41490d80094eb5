#include <google/protobuf/util/message_differencer.h>

#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/diff.h"
#include "ctl/output.h"
#include "ctl/policy_file.h"
#include "ctl/verbs.h"
#include "wire/policy_yaml.h"

namespace sluice::ctl {
namespace {

void PrintApplied(const Context& context, const v1::ApplyPolicyResponse& applied) {
  if (context.json) return PrintJson(context.io.out, applied);
  context.io.out << "revision " << applied.revision() << " applied\n";
  for (const std::string& name : applied.not_acknowledged()) {
    context.io.err << "not acknowledged yet: " << Printable(name) << "\n";
  }
}

}  // namespace

int Apply(const Context& context, const ApplyOptions& options) {
  v1::ApplyPolicyRequest request;
  if (const int code = ReadPolicyFile(context, options.file, request.mutable_policy()); code != kOk)
    return code;

  AdminClient client(context);
  v1::GetPolicyResponse current;
  const absl::Status got = client.Call(v1::GetPolicyRequest(), &current);
  if (!got.ok() && !absl::IsNotFound(got)) return Refuse(context, got);
  // A weight of 0 is not the absence of one: only what is equal says the same.
  const bool same = got.ok() && google::protobuf::util::MessageDifferencer::Equals(
                                    current.policy(), request.policy());
  if (!context.json) {
    const std::string before = wire::WritePolicyYaml(current.policy());
    context.io.out << Diff(before, wire::WritePolicyYaml(request.policy()));
  }
  if (same) {
    v1::ApplyPolicyResponse nothing;
    nothing.set_revision(current.revision().revision());
    if (context.json) {
      PrintJson(context.io.out, nothing);
    } else {
      context.io.out << "no change: revision " << nothing.revision() << " says the same\n";
    }
    return kOk;
  }
  if (options.dry_run) return kOk;

  request.set_base_revision(options.base != 0 ? options.base : current.revision().revision());
  request.set_author(Author(context, options.author));
  request.set_reason(options.reason);
  v1::ApplyPolicyResponse applied;
  if (const absl::Status status = client.Call(request, &applied); !status.ok())
    return Refuse(context, status);
  PrintApplied(context, applied);
  return kOk;
}

}  // namespace sluice::ctl
