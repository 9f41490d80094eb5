// The answer of one unary call, owed exactly once: moved to whoever will answer, and INTERNAL when
// it is dropped.
#pragma once

#include <utility>

#include "absl/status/status.h"

namespace grpc {
class ServerUnaryReactor;
}

namespace sluice::wire {

class UnaryReply {
 public:
  // Of CallbackServerContext::DefaultReactor(), which may be called once only: the method returns
  // the same pointer.
  explicit UnaryReply(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  UnaryReply(UnaryReply&& other) noexcept : reactor_(std::exchange(other.reactor_, nullptr)) {}
  UnaryReply& operator=(UnaryReply&&) = delete;
  ~UnaryReply();

  // Call once; the response message must be complete. Afterwards request and response may be gone.
  void Finish(const absl::Status& status);

 private:
  grpc::ServerUnaryReactor* reactor_;
};

}  // namespace sluice::wire
