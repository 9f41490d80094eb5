#include "scheduler/core_loop.h"

namespace sluice::scheduler {
namespace {
constexpr auto kPatience = std::chrono::milliseconds(50);
}

CoreLoop::CoreLoop(Core& core, Mailbox& mailbox) : core_(core), mailbox_(mailbox) {
  thread_ = std::thread([this] {
    bool more = false;
    while (!mailbox_.closed()) {
      for (Mailbox::Call& call : mailbox_.Take(more ? Duration(0) : core_.Patience(kPatience))) call();
      more = core_.Turn();
    }
  });
}

void CoreLoop::Stop() {
  mailbox_.Close();
  if (thread_.joinable()) thread_.join();
}

bool CoreLoop::Run(std::function<void(Core&)> call, Duration patience) const {
  const auto run = [&core = core_, call = std::move(call)] {
    call(core);
    return true;
  };
  return mailbox_.Ask(run, patience).has_value();
}

CoreSnapshot CoreLoop::Snapshot() const {
  auto snapshot = std::make_shared<CoreSnapshot>();
  return Run([snapshot](Core& core) { *snapshot = core.Snapshot(); }, std::chrono::seconds(2)) ? *snapshot
                                                                                              : CoreSnapshot{};
}

}  // namespace sluice::scheduler
