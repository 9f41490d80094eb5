// Egress between a fake scheduler and the rig's sink, all in this process, on loopback.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "egress/egress.h"
#include "rig/sink_loop.h"
#include "rig/transport.h"
#include "telemetry/metrics.h"
#include "unit/egress/fake_scheduler.h"

namespace sluice::egress {

// Knows the hosts it was told.
class FakeResolver final : public Resolver {
 public:
  explicit FakeResolver(std::map<std::string, AddressAnswer> hosts) : hosts_(std::move(hosts)) {}
  void ResolveMx(std::string_view domain, MxCallback callback) override;
  void ResolveAddresses(std::string_view host, AddressFamily family,
                        AddressCallback callback) override;

 private:
  const std::map<std::string, AddressAnswer> hosts_;
};

// The sink on 127.0.0.1, any port.
class TestSink {
 public:
  explicit TestSink(const std::string& script_yaml = "");
  ~TestSink();
  int port() const { return port_; }
  uint64_t Get(rig::Count which, const std::string& source_ip) const;
  uint64_t Total(rig::Count which) const;

 private:
  SystemClock clock_;
  rig::SslContext tls_;
  std::unique_ptr<rig::SinkLoop> loop_;
  int port_ = 0;
  std::thread thread_;
};

// A source with rules of its own.
struct TrialSource {
  v1::AssignedSource source;
  int connections = 20;
  int messages_per_connection = 0;
  int recipients_per_transaction = 100;
  std::string rate = {}, connection_rate = {}, bytes_rate = {};
};

class EgressRig {
 public:
  struct Settings {
    std::string sink_script;
    std::map<std::string, AddressAnswer> hosts;
    Duration idle = std::chrono::seconds(10);
    bool testing = true;
    bool use_tls = false;
    int64_t credit_entries = 2000;
  };
  EgressRig() : EgressRig(Settings()) {}
  explicit EgressRig(Settings settings);
  ~EgressRig();

  // The sources' rules again, with others of theirs.
  void Shape(const std::vector<TrialSource>& sources);
  FakeScheduler& scheduler() { return *scheduler_; }
  TestSink& sink() { return *sink_; }
  Egress& egress() { return *egress_; }
  std::string LogText() const { return log_.Text(); }

  // Connected, owner of shard 0, with these sources assigned.
  void Begin(const std::vector<TrialSource>& sources);

 private:
  SystemClock clock_;
  CapturingSink log_;
  CapturingSink lines_;
  Logger logger_{log_, clock_, "egress"};
  telemetry::DeliveryLog delivery_log_{lines_, clock_, {}};
  telemetry::Metrics metrics_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<TestSink> sink_;
  std::unique_ptr<FakeScheduler> scheduler_;
  std::unique_ptr<Egress> egress_;
  int64_t shapings_ = 1'000;
};

TrialSource SourceAt(const std::string& name, const std::string& address, int connections = 20);
// A message of its own with one entry, to be sent by `source` over `mx_hosts`.
void AddMessage(v1::DeliverResponse& batch, uint64_t id, const std::string& source,
                const std::vector<std::string>& mx_hosts = {"127.0.0.1"});
// The entry of AddMessage without its content.
v1::Release& AddRelease(v1::DeliverResponse& batch, uint64_t id, const std::string& source,
                        const std::vector<std::string>& mx_hosts = {"127.0.0.1"});
void AddContent(v1::DeliverResponse& batch, uint64_t id, const std::string& text);

}  // namespace sluice::egress
