// Twice a second: every scheduler follows the policy revision and the assignments; the owner of the `control` lease also gives sources
// to egresses, keeps their leases alive, and looks after the partitions.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/assignment.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "storage/assignment_store.h"
#include "storage/connection.h"
#include "storage/constraint_store.h"
#include "storage/node_store.h"
#include "storage/policy_store.h"
#include "storage/suppression_set.h"
#include "storage/upkeep.h"

namespace sluice::scheduler {

struct ControlOptions {
  std::string id;        // Of this process, in service_node.
  std::string endpoint;  // Where its Admin is dialled.
  Duration assignment_lease = std::chrono::seconds(15);
  Duration upkeep_every = std::chrono::minutes(1);
  storage::ContentUpkeep content;
  // Each round, after the policy was followed.
  std::function<absl::Status(const PolicyDocument&, bool has_control)> warmup = {};
  // At the end of each round; what fails is tried again in the next.
  std::function<absl::Status(const PolicyDocument&)> tell_pending = {};
};

class ControlLoop {
 public:
  // `parse` reads the stored document.
  using ParsePolicy = std::function<absl::StatusOr<PolicyDocument>(const std::string& json)>;
  ControlLoop(ControlOptions options, storage::ConnectionOptions connection, storage::PolicyStore& policies,
              storage::AssignmentStore& assignments, storage::NodeStore& nodes, storage::ConstraintStore& constraints,
              storage::SuppressionStore& suppression_store, storage::SuppressionSet& suppressions, ParsePolicy parse,
              Core& core, Mailbox& mailbox, const Clock& clock, const Logger& log);
  ~ControlLoop();
  // Ends the thread; before the core's thread ends.
  void Stop();

  // Thread-safe.
  void SetControl(bool held);
  bool has_control() const;
  void OnAssignmentResult(const std::string& egress, const std::string& source, int64_t epoch, bool bound,
                          const std::string& error);
  // Looks at everything now instead of at the next half second.
  void Hurry();
  // Returns when every scheduler and ingest that lives acts on the policy of `revision` (or a later one) and the egresses have
  // their assignments; names who is missing at the deadline.
  std::vector<std::string> AwaitRevision(int64_t revision, Duration patience);
  // Returns when no scheduler and no egress that lives sends against the constraints of `generation`; names who may at the deadline.
  std::vector<std::string> AwaitConstraints(int64_t generation, Duration patience);
  // Returns when every ingest that lives acts on everything committed before the call; names who does not.
  std::vector<std::string> AwaitIngests(Duration patience) { return AwaitActing("ingest", patience); }
  std::vector<std::string> AwaitSchedulers(Duration patience) { return AwaitActing("scheduler", patience); }

 private:
  struct Result {
    std::string egress, source;
    int64_t epoch = 0;
    bool bound = false;
    std::string error;
  };
  // What an egress was told last, in this session.
  struct Told {
    uint64_t session = 0;
    std::vector<AssignedSource> sources = {};
    std::optional<ShapingOrder> shaping = {};
  };
  void SendShaping(const Core::ConnectedEgress& egress, const std::vector<AssignedSource>& sources, Told& told);
  void Run();
  absl::Status Round();
  absl::Status FollowPolicy();
  absl::Status FollowConstraints();
  // Gives the egresses a moment to answer what the core has asked back.
  void AwaitEgresses();
  std::optional<Core::Acted> AskCore();
  absl::Status Beat();
  std::vector<std::string> BehindConstraints(int64_t generation);
  std::vector<std::string> Behind(int64_t revision);
  std::vector<std::string> AwaitActing(std::string_view kind, Duration patience);
  absl::Status RecordResults();
  absl::Status Assign(std::vector<storage::SourceAssignment>& current);
  absl::Status SendAssignments(const std::vector<storage::SourceAssignment>& current,
                               const std::vector<Core::ConnectedEgress>& egresses);
  // Before the assignment of a session: nothing may leave unsigned because the keys came later.
  void SendSigningKeys(const std::vector<Core::ConnectedEgress>& egresses);
  void Upkeep();
  std::vector<Core::ConnectedEgress> Egresses();

  const ControlOptions options_;
  const storage::ConnectionOptions connection_;
  storage::PolicyStore& policies_;
  storage::AssignmentStore& assignments_;
  storage::NodeStore& nodes_;
  storage::SuppressionStore& suppression_store_;
  storage::SuppressionSet& suppressions_;
  storage::ConstraintStore& constraints_;
  const ParsePolicy parse_;
  Core& core_;
  Mailbox& mailbox_;
  const Clock& clock_;
  const Logger& log_;

  PolicyDocument policy_;
  absl::flat_hash_map<std::string, const SourcePolicy*> sources_by_name_;  // Into policy_.
  std::vector<Constraint> in_force_;
  BindFailures bind_failures_;
  std::map<std::string, Told> told_;
  std::map<std::string, std::pair<uint64_t, std::vector<SigningKey>>> told_keys_;
  std::unique_ptr<storage::Upkeep> upkeep_;
  SteadyInstant upkeep_at_{}, beat_at_{};
  storage::ServiceNode beat_;
  int64_t generation_ = 0;  // Of the constraints in the core.
  Instant round_at_{};  // What was committed before is in force by the next beat.

  mutable std::mutex mutex_;
  std::condition_variable wake_, changed_;
  bool control_ = false, stop_ = false, hurry_ = false;
  int64_t revision_ = 0;       // In force in the core.
  int64_t told_revision_ = 0;  // All egresses have its assignments.
  std::vector<Result> results_;
  std::thread thread_;
};

}  // namespace sluice::scheduler
