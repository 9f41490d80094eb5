// One timer for a chain of bounded steps. Moving the deadline, as every step of a dialog does,
// costs a clock reading: the timer is armed only when it would otherwise fire too late, and when it
// fires early it looks at the deadline again.
#pragma once

#include <functional>
#include <memory>

#include <asio/any_io_executor.hpp>

#include "base/clock.h"

namespace sluice {

// Belongs to one executor with one thread. Destroying it in the callback is allowed.
class Deadline {
 public:
  // `on_expiry` runs on the executor, once for each time that a deadline passes.
  Deadline(const asio::any_io_executor& executor, std::function<void()> on_expiry);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // From now on; replaces the one before and forgets that it passed.
  void Set(Duration timeout);
  // There is no deadline until the next Set.
  void Clear();
  bool has_passed() const;

 private:
  struct Watch;
  std::shared_ptr<Watch> watch_;  // shared with the timer's handler, which may run after us
};

}  // namespace sluice
