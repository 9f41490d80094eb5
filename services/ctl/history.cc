#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {

int History(const Context& context, int limit) {
  v1::ListPolicyRevisionsRequest request;
  request.set_page_size(std::min(limit, 1'000));
  v1::ListPolicyRevisionsResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
    return kOk;
  }
  Table table({"REVISION", "APPLIED AT", "AUTHOR", "REASON"});
  for (const v1::PolicyRevision& revision : response.revisions()) {
    table.Add({Cat(revision.revision()), TimeText(revision.has_applied_at(), revision.applied_at()),
               revision.author(), revision.reason()});
  }
  table.Print(context.io.out);
  return kOk;
}

}  // namespace sluice::ctl
