#include "scheduler/core_loop.h"

#include <future>

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
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  mailbox_.Post([&core = core_, call = std::move(call), promise] {
    call(core);
    promise->set_value();
  });
  return future.wait_for(patience) == std::future_status::ready;
}

CoreSnapshot CoreLoop::Snapshot() const {
  auto snapshot = std::make_shared<CoreSnapshot>();
  return Run([snapshot](Core& core) { *snapshot = core.Snapshot(); }, std::chrono::seconds(2)) ? *snapshot
                                                                                              : CoreSnapshot{};
}

}  // namespace sluice::scheduler
