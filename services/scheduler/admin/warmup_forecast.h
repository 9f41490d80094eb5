// When mail that waits for an allowance will have it, as the caps stand today. Pure.
#pragma once

#include <optional>

#include "policy/warmup.h"
#include "scheduler/admin/warmup.h"

namespace sluice::scheduler {

// Fills what is forecast of `standing`: when it is warm, its next grant, and the last of what waits. `total` is the ledger's row of
// the address.
void Forecast(const WarmupPlan& plan, const storage::LedgerDay& day, const std::optional<storage::LedgerRow>& total,
              WarmupStanding& standing);

}  // namespace sluice::scheduler
