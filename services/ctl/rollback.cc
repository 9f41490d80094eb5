#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/diff.h"
#include "ctl/output.h"
#include "ctl/verbs.h"
#include "wire/policy_yaml.h"

namespace sluice::ctl {
namespace {

absl::Status Fetch(AdminClient& client, int64_t revision, v1::GetPolicyResponse* out) {
  v1::GetPolicyRequest request;
  request.set_revision(revision);
  return client.Call(request, out);
}

}  // namespace

int DiffRevisions(const Context& context, int64_t from, int64_t to) {
  AdminClient client(context);
  v1::GetPolicyResponse before, after;
  if (const absl::Status got = Fetch(client, to, &after); !got.ok()) return Refuse(context, got);
  const int64_t base = from != 0 ? from : after.revision().revision() - 1;
  if (base < 1) return RefuseUsage(context, "there is no revision before the first");
  if (const absl::Status got = Fetch(client, base, &before); !got.ok()) return Refuse(context, got);
  context.io.out << Diff(wire::WritePolicyYaml(before.policy()), wire::WritePolicyYaml(after.policy()));
  return kOk;
}

int Rollback(const Context& context, const RollbackOptions& options) {
  AdminClient client(context);
  v1::GetPolicyResponse current, earlier;
  if (const absl::Status got = Fetch(client, 0, &current); !got.ok()) return Refuse(context, got);
  const int64_t now = current.revision().revision();
  const int64_t target = options.revision != 0 ? options.revision : now - 1;
  if (target < 1 || target >= now) return RefuseUsage(context, Cat("takes a revision before ", now));
  if (const absl::Status got = Fetch(client, target, &earlier); !got.ok()) return Refuse(context, got);
  v1::ApplyPolicyRequest request;
  *request.mutable_policy() = earlier.policy();
  // Whoever applied something meanwhile is not overwritten.
  request.set_base_revision(now);
  request.set_author(Author(context, options.author));
  request.set_reason(options.reason.empty() ? Cat("back to revision ", target) : options.reason);
  v1::ApplyPolicyResponse applied;
  if (const absl::Status done = client.Call(request, &applied); !done.ok()) return Refuse(context, done);
  if (context.json) {
    PrintJson(context.io.out, applied);
    return kOk;
  }
  context.io.out << Diff(wire::WritePolicyYaml(current.policy()), wire::WritePolicyYaml(earlier.policy())) << "revision "
                 << applied.revision() << " applied: it says what revision " << target << " said\n";
  for (const std::string& name : applied.not_acknowledged()) {
    context.io.err << "not acknowledged yet: " << Printable(name) << "\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
