// What the admin verbs may ask of the running scheduler: LiveState over the core, control and the leases.
#pragma once

#include <map>
#include <string>

#include "scheduler/admin/live_state.h"
#include "scheduler/admin/status.h"
#include "scheduler/control/control_loop.h"
#include "scheduler/core_loop.h"

namespace sluice::scheduler {

class Live final : public LiveState {
 public:
  Live(std::string id, std::string admin_endpoint, CoreLoop& loop, ControlLoop& control, StatusAdmin::ListLeases leases)
      : id_(std::move(id)),
        admin_endpoint_(std::move(admin_endpoint)),
        loop_(loop),
        control_(control),
        leases_(std::move(leases)) {}

  LiveSnapshot Snapshot() override;
  std::vector<std::string> AwaitPolicyRevision(int64_t revision, Duration patience) override;
  std::vector<std::string> AwaitConstraints(int64_t generation, Duration patience) override {
    return control_.AwaitConstraints(generation, patience);
  }
  std::vector<std::string> AwaitIngests(Duration patience) override { return control_.AwaitIngests(patience); }
  std::vector<std::string> AwaitSchedulers(Duration patience) override { return control_.AwaitSchedulers(patience); }
  bool IsControlOwner() override { return control_.has_control(); }
  std::string ControlEndpoint() override;
  // Of this scheduler; nothing when the core does not answer in time.
  std::map<std::string, Duration> DownPaths(const std::string& domain) const;

 private:
  const std::string id_, admin_endpoint_;
  CoreLoop& loop_;
  ControlLoop& control_;
  const StatusAdmin::ListLeases leases_;
};

}  // namespace sluice::scheduler
