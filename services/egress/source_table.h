// Which I/O thread a source belongs to: decided once, kept as long as the source is assigned, so
// that a path never has two homes. Read by whoever brings entries, written by the control thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/text.h"
#include "egress/addresses.h"

namespace sluice::egress {

class SourceTable {
 public:
  using Map = absl::flat_hash_map<std::string, size_t, StringHash, std::equal_to<>>;

  explicit SourceTable(size_t thread_count) : thread_count_(thread_count) {}

  // The home of each source, in the order given: the one it had, or the thread with the fewest. Not
  // seen by readers before Publish. Control thread.
  std::vector<size_t> Place(const std::vector<AssignedSource>& sources);
  // Readers see what Place decided last.
  void Publish();

  // What is published now; constant. Any thread.
  std::shared_ptr<const Map> Read() const;

 private:
  const size_t thread_count_;
  std::shared_ptr<const Map> placed_ = std::make_shared<const Map>();
  mutable std::mutex mutex_;
  std::shared_ptr<const Map> published_ = placed_;
};

}  // namespace sluice::egress
