#include <ostream>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"
#include "wire/policy_yaml.h"

namespace sluice::ctl {

int Get(const Context& context, int64_t revision) {
  v1::GetPolicyRequest request;
  request.set_revision(revision);
  v1::GetPolicyResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
    return kOk;
  }
  const v1::PolicyRevision& about = response.revision();
  context.io.out << "# revision " << about.revision() << ", "
                 << TimeText(about.has_applied_at(), about.applied_at()) << ", by "
                 << Printable(about.author());
  if (!about.reason().empty()) context.io.out << ": " << Printable(about.reason());
  context.io.out << "\n" << wire::WritePolicyYaml(response.policy());
  return kOk;
}

}  // namespace sluice::ctl
