// Egresses, the sources they hold and the paths (source × site) over them: who can take an entry now.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "scheduler/path.h"
#include "scheduler/types.h"

namespace sluice::scheduler {

// Egresses that ended while they sent an entry, after which it is a suspect …
inline constexpr int kSuspectCrashes = 2;
// … and after which it is held for a person.
inline constexpr int kMostCrashes = 3;

using EgressNumber = uint16_t;
inline constexpr EgressNumber kNoEgress = UINT16_MAX;

// The two streams of one connected egress, as the core sees them. Thread-safe; never blocks.
class EgressPort {
 public:
  virtual ~EgressPort() = default;
  virtual void Send(DeliverBatch batch) = 0;
  virtual void SendHeartbeat(int64_t sent_at_micros, Duration valid_for) = 0;
  virtual void SendAssignment(const std::vector<AssignedSource>& sources) = 0;
  virtual void SendSigningKeys(const std::vector<SigningKey>& keys) = 0;
  // Answered by Core::OnOrderResult with the same number.
  virtual void SendShaping(int64_t number, const ShapingOrder& order) = 0;
  // Asks for a fresh inventory, too.
  virtual void SendShards(const std::vector<int>& shards) = 0;
  // Answered by Core::OnOrderResult with the same number. All that has not begun when `source` and `entries` are empty.
  virtual void SendRecall(int64_t number, const std::string& source, const std::vector<RecalledEntry>& entries) = 0;
  // Ends both streams.
  virtual void Close() = 0;
};

// Acknowledges the reports of one Deliver stream in order, whatever order they are settled in.
class ReportAcks {
 public:
  void Arrived(int64_t number);
  void Done(int64_t number);
  // Highest number up to which all are done, or -1 when that was answered before.
  int64_t TakeThrough();

 private:
  int64_t base_ = 1;             // First number not yet acknowledged.
  std::vector<bool> done_;       // From base_ on.
  int64_t last_taken_ = 0;
};

struct Egress {
  std::string id;
  uint64_t incarnation = 0;
  std::string version;
  std::shared_ptr<EgressPort> port;  // Null = lost.
  uint64_t session = 0;              // Rises with every connection: stale callbacks are told apart.
  std::vector<std::string> bind_addresses;
  int64_t credit_entries = 0, credit_bytes = 0;
  int64_t in_flight = 0, in_flight_bytes = 0;
  // An entry that ended egresses before (kSuspectCrashes) and is in flight here: at most one at a time, so that it is known whom
  // to blame. 0 = none.
  int64_t suspect = 0;
  SteadyInstant last_heard{}, lost_at{};
  bool draining = false;
  bool reconciled = false;          // Its first inventory on this connection was complete.
  bool inventory_complete = false;  // One was complete since the shards were last announced to it.
  std::vector<int64_t> inventory;   // While it comes in.
  ReportAcks acks;
  DeliverBatch out;                       // Sent at the end of the turn.
  struct SentContent {
    uint32_t entries = 0;  // In flight, that use it.
    int64_t bytes = 0;
  };
  absl::flat_hash_map<int64_t, SentContent> contents;  // By message id.
  absl::flat_hash_map<uint32_t, int64_t> by_tenant;    // In flight.
  int64_t probes = 0;                                  // In flight on paths that have yet to deliver.
  int64_t reported = 0;                                // Reports of this connection that are not settled.
  absl::flat_hash_map<uint32_t, int64_t> reported_by_tenant;

  bool connected() const { return port != nullptr; }
  bool HasCredit() const {
    return connected() && reconciled && !draining && free_credit() > 0 && in_flight_bytes < credit_bytes;
  }
  // It keeps a report until that is settled: what is in flight and what is reported must fit into what it holds.
  static constexpr int64_t kHeldPart = 3;
  int64_t free_credit() const { return std::min(credit_entries - in_flight, kHeldPart * credit_entries - in_flight - reported); }
  void Reported(uint32_t tenant) {
    ++reported;
    ++reported_by_tenant[tenant];
  }
  void Settled(uint32_t tenant) {
    --reported;
    if (const auto it = reported_by_tenant.find(tenant); --it->second == 0) reported_by_tenant.erase(it);
  }
  // A new connection: what was reported on the old one counts no more.
  void ForgetReported() {
    reported = 0;
    reported_by_tenant.clear();
  }
  // Nobody takes all of the credit, so that there is some for whoever comes next: a tenant at most four times what it leaves
  // free, a path as much as it leaves free, paths that have yet to deliver half of it together.
  static constexpr int64_t kTenantPart = 4;
  bool HasCreditFor(uint32_t tenant) const {
    const auto in_flight_of = by_tenant.find(tenant), reported_of = reported_by_tenant.find(tenant);
    const int64_t held = (in_flight_of == by_tenant.end() ? 0 : in_flight_of->second) +
                         (reported_of == reported_by_tenant.end() ? 0 : reported_of->second);
    return held == 0 || held < kTenantPart * free_credit();
  }
  int64_t free_probes() const { return std::max<int64_t>(1, credit_entries / 2) - probes; }
};

struct Source {
  std::string name;
  EgressNumber egress = kNoEgress;
  bool bound = false;
};

// Entries of one source in flight that limits of its egress count together, and how many of them it can use.
struct Room {
  int64_t in_flight = 0;
  std::optional<int64_t> most = {};  // Absent = nothing limits them.
};

// Not thread-safe.
class Fleet {
 public:
  EgressNumber EgressOf(const std::string& id);  // Made when new.
  EgressNumber FindEgress(const std::string& id) const;
  std::vector<Egress>& egresses() { return egresses_; }
  Egress& egress(EgressNumber number) { return egresses_[number]; }

  uint16_t SourceOf(const std::string& name);  // Made when new.
  Source& source(uint16_t number) { return sources_[number]; }
  const std::vector<Source>& sources() const { return sources_; }

  Path& path(uint16_t source, uint32_t site) { return paths_[Key(source, site)]; }
  void Delivered(uint16_t source, uint32_t site);
  // Connecting failed, see Path.
  void Failed(uint16_t source, uint32_t site, uint64_t attempt, uint64_t next, SteadyInstant now);
  // Sites with a path whose rest is over, once each time.
  std::vector<uint32_t> TakeRested(SteadyInstant now);
  // A person wants the site to be tried: whatever rests there is probed, and rests short again.
  void EndRests(uint32_t site);
  std::optional<SteadyInstant> NextRested() const;
  // How long the path rests still; zero when it is probed.
  Duration RestOf(uint16_t source, uint32_t site, SteadyInstant now) const;
  int64_t down_count() const { return down_count_; }
  // Forgets a path that is idle, unless it is one that fails or, of not too many, one that delivers.
  void Settle(uint16_t source, uint32_t site);
  // Paths that held much begin small again.
  void SlowStart();
  // The number will name another site.
  void ForgetSite(uint32_t site);
  size_t path_count() const { return paths_.size(); }

  // `group`: see Site::limit_group.
  bool HasRoom(uint16_t source, uint64_t group) const {
    const auto it = rooms_.find({source, group});
    return it == rooms_.end() || !it->second.most || it->second.in_flight < *it->second.most;
  }
  void EnterRoom(uint16_t source, uint64_t group) { ++rooms_[{source, group}].in_flight; }
  void LeaveRoom(uint16_t source, uint64_t group);
  void SetRoom(uint16_t source, uint64_t group, std::optional<int64_t> most);
  // It says anew what limits its sources.
  void ForgetRooms(EgressNumber egress);

  bool CanSend(uint16_t source) const {
    const Source& s = sources_[source];
    return s.bound && s.egress != kNoEgress && egresses_[s.egress].connected() &&
           egresses_[s.egress].reconciled;
  }
  // Connecting on it failed lately and has not yet worked often enough since.
  bool PathFails(uint16_t source, uint32_t site) const {
    const auto it = paths_.find(Key(source, site));
    return it != paths_.end() && it->second.window < Path::kFirst;
  }
  // Whatever the egress's credit says.
  bool PathIsOpen(uint16_t source, uint32_t site) const {
    const auto it = paths_.find(Key(source, site));
    return it == paths_.end() || it->second.HasRoom();
  }
  bool PathHasRoom(uint16_t source, uint32_t site) const {
    const auto it = paths_.find(Key(source, site));
    if (it == paths_.end()) return true;
    return it->second.HasRoom() && it->second.in_flight < egresses_[sources_[source].egress].free_credit();
  }
  bool PathIsDown(uint16_t source, uint32_t site) const {
    const auto it = paths_.find(Key(source, site));
    return it != paths_.end() && it->second.IsDown();
  }
  bool PathIsProven(uint16_t source, uint32_t site) const {
    const auto it = paths_.find(Key(source, site));
    return it != paths_.end() && it->second.proven;
  }
  int64_t FreeCredit() const;   // Of all egresses.
  int64_t FreeProbes() const;
  bool AnyCreditFor(uint32_t tenant) const;

 private:
  static uint64_t Key(uint16_t source, uint32_t site) { return uint64_t{source} << 32 | site; }
  std::vector<Egress> egresses_;
  absl::flat_hash_map<std::string, EgressNumber> egress_numbers_;
  std::vector<Source> sources_;
  absl::flat_hash_map<std::string, uint16_t> source_numbers_;
  absl::flat_hash_map<uint64_t, Path> paths_;
  // Key of the path, by when its rest ends; one that delivered meanwhile is still here.
  std::multimap<SteadyInstant, uint64_t> rests_;
  int64_t down_count_ = 0;
  absl::flat_hash_map<std::pair<uint16_t, uint64_t>, Room> rooms_;
};

}  // namespace sluice::scheduler
