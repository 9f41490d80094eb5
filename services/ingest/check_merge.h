// Merge fields at submit: the content is compiled once, and each recipient's values are held against
// it, so that nothing is accepted that cannot be rendered.
#pragma once

#include "ingest/submission.h"
#include "ingest/violations.h"
#include "mail/content.h"
#include "mail/policy_document.h"

namespace sluice::ingest {

// `request.merge` is set and `facts` are of its content. Adds what is wrong, naming field and
// recipient.
void CheckMerge(const SubmissionRequest& request, const TenantPolicy& tenant,
                const ContentFacts& facts, Violations& wrong);

}  // namespace sluice::ingest
