#include "egress/peer_budgets.h"

namespace sluice::egress {

ConnectionBudget* PeerBudgets::Take(const std::string& address, size_t most, Path& path) {
  std::unique_ptr<ConnectionBudget>& budget = by_address_[address];
  if (budget == nullptr) budget = std::make_unique<ConnectionBudget>(most);
  budget->SetMost(most);
  return budget->Take(path) ? budget.get() : nullptr;
}

Path* PeerBudgets::GiveBack(const std::string& address) {
  const auto it = by_address_.find(address);
  if (it == by_address_.end()) return nullptr;
  Path* wanting = it->second->GiveBack();
  if (it->second->is_blank()) by_address_.erase(it);
  return wanting;
}

void PeerBudgets::Forget(Path& path) {
  for (auto& [address, budget] : by_address_) budget->Forget(path);
  absl::erase_if(by_address_, [](const auto& item) { return item.second->is_blank(); });
}

size_t PeerBudgets::used(const std::string& address) const {
  const auto it = by_address_.find(address);
  return it == by_address_.end() ? 0 : it->second->used();
}

}  // namespace sluice::egress
