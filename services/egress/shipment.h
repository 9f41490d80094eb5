// What goes over a connection in one transaction: entries of one message on one path, and the bytes
// that are the same for all of them.
#pragma once

#include <memory>
#include <vector>

#include "egress/render.h"
#include "egress/work.h"

namespace sluice::egress {

struct Shipment {
  std::vector<EntryPtr> entries;
  std::unique_ptr<Rendered> rendered;  // points into the content of the first entry

  bool empty() const { return entries.empty(); }
};

}  // namespace sluice::egress
