// Entries of one I/O thread whose recipient domain's wishes about TLS are not known yet, and those
// wishes for a short while once they are. Belongs to that thread; credit bounds the entries.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/text.h"
#include "egress/domain_tls.h"
#include "egress/work.h"

namespace sluice::egress {

class WaitingRoom {
 public:
  // What was found is asked for again after this long.
  static constexpr Duration kKnownFor = std::chrono::seconds(10);
  static constexpr size_t kMostKnown = 10'000;

  // Asks about a domain; the answer comes to Arrived, later and on the room's thread.
  using Ask = std::function<void(const std::string& domain)>;
  explicit WaitingRoom(Ask ask) : ask_(std::move(ask)) {}

  // With `tls` set, or null: it waits here.
  EntryPtr Pass(EntryPtr entry, SteadyInstant now);
  // The entries that waited for it, `tls` set.
  std::vector<EntryPtr> Arrived(DomainTlsPtr tls, SteadyInstant now);

  // Takes out entries that `filter` says yes to.
  template <class Filter>
  std::vector<EntryPtr> Extract(const Filter& filter);

 private:
  struct Known {
    DomainTlsPtr tls;
    SteadyInstant until;
  };
  const Ask ask_;
  absl::flat_hash_map<std::string, Known, StringHash, std::equal_to<>> known_;
  absl::flat_hash_map<std::string, std::vector<EntryPtr>, StringHash, std::equal_to<>> waiting_;
};

template <class Filter>
std::vector<EntryPtr> WaitingRoom::Extract(const Filter& filter) {
  std::vector<EntryPtr> taken;
  // A domain without entries stays: its answer is on its way.
  for (auto& [domain, entries] : waiting_) {
    std::erase_if(entries, [&](EntryPtr& entry) {
      if (!filter(*entry)) return false;
      taken.push_back(std::move(entry));
      return true;
    });
  }
  return taken;
}

}  // namespace sluice::egress
