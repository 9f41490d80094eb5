#include "wire/health.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <future>

#include "wire/status.h"

namespace sluice::wire {

absl::StatusOr<bool> IsServing(const std::shared_ptr<grpc::Channel>& channel, Duration timeout) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  // HealthCheckRequest with the empty service name is no bytes.
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return FromGrpc(status);
  // HealthCheckResponse is one enum, field 1: SERVING = 1.
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok() || slices.empty()) return false;
  const grpc::Slice& bytes = slices[0];
  return bytes.size() >= 2 && bytes.begin()[0] == 0x08 && bytes.begin()[1] == 0x01;
}

}  // namespace sluice::wire
