#include <map>
#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

// 0,1,2,5 → "0-2,5".
std::string Ranges(const std::vector<int>& rising) {
  std::string out;
  for (size_t i = 0; i < rising.size();) {
    size_t end = i;
    while (end + 1 < rising.size() && rising[end + 1] == rising[end] + 1) ++end;
    Append(out, out.empty() ? "" : ",", rising[i]);
    if (end > i) Append(out, "-", rising[end]);
    i = end + 1;
  }
  return out;
}

// Ids are `<name>/<number of the process>`: the number is shown only where two have the same name.
class ShortNames {
 public:
  explicit ShortNames(const v1::GetStatusResponse& status) {
    for (const v1::SchedulerStatus& scheduler : status.schedulers())
      ++seen_[Cut(scheduler.scheduler_id())];
    for (const v1::IngestStatus& ingest : status.ingests()) ++seen_[Cut(ingest.ingest_id())];
  }
  std::string operator()(const std::string& id) const {
    const auto found = seen_.find(Cut(id));
    return found != seen_.end() && found->second == 1 ? found->first : id;
  }

 private:
  static std::string Cut(const std::string& id) { return id.substr(0, id.find('/')); }
  std::map<std::string, int> seen_;
};

void PrintServices(const Context& context, const v1::GetStatusResponse& status) {
  std::map<std::string, std::vector<int>> shards;
  for (const v1::ShardStatus& shard : status.shards())
    shards[shard.owner()].push_back(shard.shard());
  const ShortNames name_of(status);

  Table table({"SERVICE", "NAME", "STATE", "POLICY", "IN FLIGHT", "ENTRIES", "SHARDS"});
  for (const v1::IngestStatus& ingest : status.ingests()) {
    table.Add({"ingest", name_of(ingest.ingest_id()), "alive", Cat(ingest.policy_revision()), "",
               "", ""});
  }
  for (const v1::SchedulerStatus& scheduler : status.schedulers()) {
    const auto& owned = shards[scheduler.scheduler_id()];
    table.Add({"scheduler", name_of(scheduler.scheduler_id()),
               scheduler.control() ? "control"
               : owned.empty()     ? "standby"
                                   : "active",
               Cat(scheduler.policy_revision()),
               scheduler.has_in_flight() ? Cat(scheduler.in_flight()) : "",
               scheduler.has_entries() ? Cat(scheduler.entries()) : "", Ranges(owned)});
  }
  for (const v1::EgressStatus& egress : status.egresses()) {
    const std::string heard = TimeText(egress.has_last_heartbeat_at(), egress.last_heartbeat_at());
    table.Add({"egress", egress.egress_id(),
               egress.connected() ? "connected" : Cat("lost, heard ", heard), "",
               Cat(egress.in_flight()), "", ""});
  }
  table.Print(context.io.out);
  const auto nobody = shards.find("");
  if (nobody != shards.end())
    context.io.out << "shards that nobody owns: " << Ranges(nobody->second) << "\n";
  context.io.out << "ingest at " << context.ingest << ": " << HealthText(context, context.ingest)
                 << "\n";
}

void PrintSources(const Context& context, const v1::GetStatusResponse& status) {
  Table table({"SOURCE", "ADDRESS", "EHLO", "HELD BY", "STATE", "DETAIL"});
  for (const v1::SourceStatus& source : status.sources()) {
    const bool elsewhere = source.bind() != source.address();
    table.Add({source.source(),
               elsewhere ? Cat(source.address(), " (binds ", source.bind(), ")") : source.address(),
               source.ehlo(), source.egress_id(), source.state(), source.detail()});
  }
  if (!table.empty()) {
    context.io.out << "\n";
    table.Print(context.io.out);
  }
}

void PrintQueue(const Context& context, const v1::GetStatusResponse& status) {
  Table table({"PROVIDER", "WAITING", "OLDEST ACCEPTED AT"});
  int64_t total = 0;
  for (const v1::ProviderQueue& queue : status.queue()) {
    total += queue.entries();
    table.Add({queue.provider(), Cat(queue.entries()),
               TimeText(queue.has_oldest_accepted_at(), queue.oldest_accepted_at())});
  }
  context.io.out << "\n";
  if (!table.empty()) table.Print(context.io.out);
  context.io.out << "waiting: " << total << "\n";
}

}  // namespace

int Status(const Context& context) {
  v1::GetStatusResponse status;
  if (const absl::Status got = AdminClient(context).Call(v1::GetStatusRequest(), &status);
      !got.ok()) {
    return Refuse(context, got);
  }
  if (context.json) {
    PrintJson(context.io.out, status);
    return kOk;
  }
  context.io.out << "policy revision " << status.policy_revision() << "\n\n";
  PrintServices(context, status);
  PrintSources(context, status);
  PrintQueue(context, status);
  return kOk;
}

}  // namespace sluice::ctl
