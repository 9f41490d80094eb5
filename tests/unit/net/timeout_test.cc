#include "net/timeout.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>

#include <asio/io_context.hpp>

#include "net/spawn.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DeadlineTest : public testing::Test {
 protected:
  asio::io_context io_;
  int expired_count_ = 0;
  std::unique_ptr<Deadline> deadline_ =
      std::make_unique<Deadline>(io_.get_executor(), [this] { ++expired_count_; });
};

TEST_F(DeadlineTest, PassesOnceForEachTimeItIsSet) {
  deadline_->Set(milliseconds(5));
  io_.run();
  EXPECT_EQ(expired_count_, 1);
  EXPECT_TRUE(deadline_->has_passed());
  deadline_->Set(milliseconds(5));
  EXPECT_FALSE(deadline_->has_passed());
  io_.restart();
  io_.run();
  EXPECT_EQ(expired_count_, 2);
}

TEST_F(DeadlineTest, MovesLaterWithoutFiringEarly) {
  const auto begin = std::chrono::steady_clock::now();
  deadline_->Set(milliseconds(5));
  deadline_->Set(milliseconds(60));
  io_.run();
  EXPECT_EQ(expired_count_, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(60));
}

TEST_F(DeadlineTest, MovesEarlierThanTheTimerWasArmedFor) {
  const auto begin = std::chrono::steady_clock::now();
  deadline_->Set(seconds(100));
  deadline_->Set(milliseconds(5));
  io_.run();
  EXPECT_EQ(expired_count_, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(50));
}

TEST_F(DeadlineTest, NeverPassesOnceCleared) {
  deadline_->Set(milliseconds(5));
  deadline_->Clear();
  io_.run();
  EXPECT_EQ(expired_count_, 0);
  EXPECT_FALSE(deadline_->has_passed());
}

TEST_F(DeadlineTest, MayBeDestroyedWhileArmedAndInItsOwnCallback) {
  deadline_->Set(seconds(100));
  deadline_.reset();
  io_.run();
  EXPECT_EQ(expired_count_, 0);

  std::unique_ptr<Deadline> own;
  own = std::make_unique<Deadline>(io_.get_executor(), [&own] { own.reset(); });
  own->Set(milliseconds(1));
  io_.restart();
  io_.run();
  EXPECT_EQ(own, nullptr);
}

asio::awaitable<void> Throw() {
  throw std::runtime_error("on purpose");
  co_return;
}

TEST(SpawnDeathTest, AbortsWithTheNameWhenACoroutineThrows) {
  EXPECT_DEATH(
      {
        asio::io_context io;
        Spawn(io.get_executor(), Throw(), "the thrower");
        io.run();
      },
      "coroutine 'the thrower' threw: on purpose");
}

}  // namespace
}  // namespace sluice
