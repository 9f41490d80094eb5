// Making partitions without stopping anybody: a table on its own, then attached, which locks the
// parent only against other schema changes. Internal: shows pqxx.
#pragma once

#include <chrono>
#include <cstdint>
#include <pqxx/transaction_base>
#include <string>

#include "base/clock.h"

namespace sluice::storage {

using Day = std::chrono::sys_days;

std::string ContentPartitionName(int32_t part);
std::string EventPartitionName(Day day);
inline Day DayOf(Instant at) { return std::chrono::floor<std::chrono::days>(at); }

// The partition of `message` and its row in content_partition.
void CreateContentPartition(pqxx::transaction_base& tx, int32_t part, Instant now);
// False: it is there already.
bool CreateEventPartition(pqxx::transaction_base& tx, Day day);

}  // namespace sluice::storage
