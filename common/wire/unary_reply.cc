#include "wire/unary_reply.h"

#include <grpcpp/support/server_callback.h>

#include "base/check.h"
#include "wire/status.h"

namespace sluice::wire {

UnaryReply::~UnaryReply() {
  if (reactor_ != nullptr) {
    reactor_->Finish(ToGrpc(absl::InternalError("the call was given up without an answer")));
  }
}

void UnaryReply::Finish(const absl::Status& status) {
  SLUICE_CHECK(reactor_ != nullptr);
  std::exchange(reactor_, nullptr)->Finish(ToGrpc(status));
}

}  // namespace sluice::wire
