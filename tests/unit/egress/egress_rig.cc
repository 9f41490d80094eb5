#include "unit/egress/egress_rig.h"

#include "base/check.h"
#include "base/text.h"
#include "rig/address.h"

namespace sluice::egress {

void FakeResolver::ResolveMx(std::string_view, MxCallback callback) { callback(MxAnswer()); }

void FakeResolver::ResolveAddresses(std::string_view host, AddressFamily,
                                    AddressCallback callback) {
  const auto found = hosts_.find(std::string(host));
  callback(found == hosts_.end() ? AddressAnswer() : found->second);
}

TestSink::TestSink(const std::string& script_yaml) {
  rig::SessionContext context;
  auto script = rig::Script::Parse(script_yaml, "script");
  SLUICE_CHECK(script.ok());
  context.script = *script;
  auto tls = rig::MakeTlsContext({});
  SLUICE_CHECK(tls.ok());
  tls_ = *std::move(tls);
  loop_ =
      std::make_unique<rig::SinkLoop>(rig::LoopOptions(), std::move(context), clock_, tls_.get());
  const auto fd = rig::Listen(*rig::SocketAddress::Parse("127.0.0.1:0"), false);
  SLUICE_CHECK(fd.ok());
  port_ = rig::SocketAddress::Local(*fd).port();
  loop_->AddListener(*fd);
  thread_ = std::thread([this] { loop_->Run(); });
}

TestSink::~TestSink() {
  loop_->Stop();
  thread_.join();
}

uint64_t TestSink::Get(rig::Count which, const std::string& source_ip) const {
  std::map<std::string, rig::CountValues> by_source;
  loop_->sources().AddTo(by_source);
  return by_source.contains(source_ip) ? by_source[source_ip][static_cast<size_t>(which)] : 0;
}

uint64_t TestSink::Total(rig::Count which) const {
  std::map<std::string, rig::CountValues> by_source;
  loop_->sources().AddTo(by_source);
  uint64_t total = 0;
  for (const auto& [ip, values] : by_source) total += values[static_cast<size_t>(which)];
  return total;
}

EgressRig::EgressRig(Settings settings) {
  sink_ = std::make_unique<TestSink>(settings.sink_script);
  scheduler_ = std::make_unique<FakeScheduler>();
  if (settings.use_tls) tls_ = *TlsContext::CreateClient();
  EgressOptions options;
  options.egress_id = "test";
  options.schedulers = {scheduler_->address()};
  options.dispatch.plaintext = true;
  options.io_threads = 2;
  options.testing = settings.testing;
  options.smtp_port = sink_->port();
  options.timeouts.idle = settings.idle;
  options.credit_entries = settings.credit_entries;
  options.drain_grace = std::chrono::seconds(1);
  egress_ = std::make_unique<Egress>(
      options, EgressParts{.clock = clock_,
                           .logger = logger_,
                           .resolver = std::make_unique<FakeResolver>(std::move(settings.hosts)),
                           .tls = tls_.get(),
                           .https = nullptr,
                           .delivery_log = &delivery_log_,
                           .metrics = metrics_});
}

EgressRig::~EgressRig() {
  egress_.reset();
  scheduler_.reset();
}

void EgressRig::Shape(const std::vector<TrialSource>& sources) {
  v1::Shaping shaping;
  shaping.set_generation(++shapings_);
  for (const TrialSource& trial : sources) {
    v1::ShapingRule& rule = *shaping.add_rules()->mutable_rule();
    rule.mutable_match()->set_source(trial.source.name());
    rule.set_connections(trial.connections);
    rule.set_messages_per_connection(trial.messages_per_connection);
    rule.set_recipients_per_transaction(trial.recipients_per_transaction);
    rule.set_rate(trial.rate);
    // The shipped limit would be felt by tests of other things.
    rule.set_connection_rate(trial.connection_rate.empty() ? "100k/s" : trial.connection_rate);
    rule.set_bytes_rate(trial.bytes_rate);
  }
  scheduler_->Shape(shaping);
  SLUICE_CHECK(scheduler_->WaitUntil([&](const Heard& heard) {
    return std::find(heard.orders_done.begin(), heard.orders_done.end(), shapings_) != heard.orders_done.end();
  }));
}

void EgressRig::Begin(const std::vector<TrialSource>& sources) {
  SLUICE_CHECK(scheduler_->WaitUntil([](const Heard& heard) { return heard.deliver_count > 0; }));
  scheduler_->Own({0});
  Shape(sources);
  std::vector<v1::AssignedSource> assigned;
  for (const TrialSource& trial : sources) assigned.push_back(trial.source);
  scheduler_->Assign(assigned);
  SLUICE_CHECK(scheduler_->WaitUntil(
      [&](const Heard& heard) { return heard.assignment_results.size() >= sources.size(); }));
}

TrialSource SourceAt(const std::string& name, const std::string& address, int connections) {
  v1::AssignedSource source;
  source.set_name(name);
  source.set_bind_address(address);
  source.set_ehlo(name + ".example.com");
  source.set_epoch(1);
  return {.source = std::move(source), .connections = connections};
}

v1::Release& AddRelease(v1::DeliverResponse& batch, uint64_t id, const std::string& source,
                        const std::vector<std::string>& mx_hosts) {
  v1::Release& release = *batch.add_releases();
  release.set_queue_entry_id(id);
  release.set_message_id(id);
  release.set_attempt_id(id + 1'000'000);
  release.set_attempt(1);
  release.set_recipient(Cat("r", id, "@example.com"));
  release.set_source(source);
  release.set_provider("other");
  release.set_site("mx.example.com");
  for (const std::string& host : mx_hosts) release.add_mx_hosts(host);
  release.set_not_after_micros(4'000'000'000'000'000);
  release.set_tenant("shop");
  release.set_stream("marketing");
  release.set_pool("warm");
  return release;
}

void AddContent(v1::DeliverResponse& batch, uint64_t id, const std::string& text) {
  v1::ContentChunk& chunk = *batch.add_contents();
  chunk.set_message_id(id);
  chunk.set_return_path("bounces@shop.example");
  chunk.set_last(true);
  chunk.mutable_content()->set_encoding(v1::CONTENT_ENCODING_IDENTITY);
  chunk.mutable_content()->set_data(text);
  chunk.mutable_content()->set_size_bytes(static_cast<int64_t>(text.size()));
  chunk.mutable_content()->set_prepended_headers("X-Sluice: 1\r\n");
}

void AddMessage(v1::DeliverResponse& batch, uint64_t id, const std::string& source,
                const std::vector<std::string>& mx_hosts) {
  AddContent(batch, id, Cat("From: shop@shop.example\r\nSubject: ", id, "\r\n\r\nHello\r\n"));
  AddRelease(batch, id, source, mx_hosts);
}

}  // namespace sluice::egress
