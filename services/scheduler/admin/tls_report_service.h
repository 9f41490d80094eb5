// The TlsReportService face, on the admin port. gRPC stays in the .cc.
#pragma once

#include <memory>

#include "storage/tls_result_store.h"

namespace grpc {
class Service;
}

namespace sluice::scheduler {

class TlsReportFace {
 public:
  virtual ~TlsReportFace() = default;
  virtual grpc::Service& service() = 0;
};

// `store` outlives it; its server must be drained before it is destroyed.
std::unique_ptr<TlsReportFace> MakeTlsReportFace(storage::TlsResultStore& store);

}  // namespace sluice::scheduler
