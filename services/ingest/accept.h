// The path of a submission through ingest: check, admission, group commit, answer. One object for
// the process.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "ingest/admission.h"
#include "ingest/directory.h"
#include "ingest/group_commit.h"
#include "ingest/key_budgets.h"
#include "ingest/pending_quota.h"
#include "ingest/submission.h"
#include "ingest/submit.h"

namespace sluice::ingest {

// Thread-safe; what it refers to must outlive it and every frame begun.
class Accept {
 public:
  Accept(const DirectoryHolder& directory, const storage::SuppressionSet& suppressions,
         Admission& admission, PendingQuota& quota, GroupCommit& commit, const SubmitRules& rules, const Clock& clock)
      : directory_(directory),
        suppressions_(suppressions),
        admission_(admission),
        quota_(quota),
        commit_(commit),
        rules_(rules),
        clock_(clock) {}

  // Whose request it is, and the room for it.
  struct Admitted {
    std::shared_ptr<const Directory> directory;
    Directory::Caller caller;  // Lives as long as the directory.
    Ticket ticket;
  };
  // Quick; to be asked before a request is queued anywhere. Errors: UNAUTHENTICATED,
  // RESOURCE_EXHAUSTED: no room, or the key is at its rate.
  std::variant<Admitted, SubmitError> Admit(const SecretHash& secret, size_t request_bytes,
                                            size_t submissions);
  // The tenant of a key; nothing when the key is not valid.
  std::optional<std::string> TenantOf(const SecretHash& secret) const;
  // Whose events a key reads: its tenant's; empty = everybody's; nothing when it is not valid.
  std::optional<std::string> ReaderOf(const SecretHash& secret) const;
  // What a caller without a tenant is told: that the key is wrong, or that keys are not known yet.
  SubmitError NotAdmitted() const;

  // One outcome per submission, in their order. Called once: by Run itself when nothing had to be
  // committed, else on a writer thread of the group commit.
  using OnDone = std::function<void(std::vector<SubmitOutcome>)>;
  // `submissions` (at least one) are not needed any more when it returns. Does the work of checking
  // and compressing: not for a thread of the transport.
  void Run(Admitted admitted, std::span<const SubmissionRequest> submissions, OnDone on_done);

 private:
  const DirectoryHolder& directory_;
  const storage::SuppressionSet& suppressions_;
  Admission& admission_;
  PendingQuota& quota_;
  GroupCommit& commit_;
  const SubmitRules rules_;
  const Clock& clock_;
  MessageIdTokens tokens_;
  KeyBudgets budgets_;
};

// What the store's answer means to the client. `refused` are the recipients left out before.
SubmitOutcome ToOutcome(absl::StatusOr<storage::AcceptOutcome> outcome,
                        std::vector<Verdict> refused);

}  // namespace sluice::ingest
