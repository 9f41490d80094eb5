// What a message costs in allocations: the same few, whatever its size.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <asio/io_context.hpp>

#include "net/smtp_session.h"
#include "net/spawn.h"
#include "unit/net/patient_server.h"

namespace {
std::atomic<size_t> allocation_count{0}, allocated_bytes{0};
}  // namespace

void* operator new(size_t size) {
  ++allocation_count;
  allocated_bytes += size;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace sluice {
namespace {

struct Cost {
  size_t count = 0, bytes = 0;
};

class AllocationTest : public testing::Test {
 protected:
  void Open(std::string ehlo, std::string first_replies, std::string last_reply) {
    auto stream = std::make_unique<PatientServer>(io_.get_executor(), std::move(ehlo),
                                                  std::move(first_replies), std::move(last_reply));
    Spawn(io_.get_executor(), OpenOver(std::move(stream)), "open");
    io_.poll();  // not run: a timer of the session may be left
    ASSERT_NE(session_, nullptr);
  }

  // Of the last of a few messages: the first ones fill the buffers that are kept.
  Cost CostOf(size_t body_bytes, size_t recipient_count = 1) {
    const std::string body = "Subject: x\r\n\r\n" + std::string(body_bytes, 'x') + "\r\n";
    const std::string_view piece = body;
    const std::vector<std::string_view> recipients(recipient_count, "r@y.example");
    SmtpTransaction transaction;
    transaction.return_path = "a@x.example";
    transaction.recipients = recipients;
    transaction.content.pieces = std::span(&piece, 1);
    Cost cost;
    for (int i = 0; i < 4; ++i) {
      io_.restart();
      Spawn(io_.get_executor(), SendOver(transaction), "send");
      const size_t count = allocation_count, bytes = allocated_bytes;
      io_.poll();
      cost = {.count = allocation_count - count, .bytes = allocated_bytes - bytes};
      EXPECT_TRUE(delivered_);
    }
    return cost;
  }

  asio::awaitable<void> OpenOver(std::unique_ptr<Stream> stream) {
    SmtpSessionOptions options;
    options.ehlo = "client.example";
    options.mx_host = "mx.example";
    OpenResult opened = co_await SmtpSession::OpenOver(std::move(stream), std::move(options));
    session_ = std::move(opened.session);
  }
  asio::awaitable<void> SendOver(const SmtpTransaction& transaction) {
    const TransactionResult result = co_await session_->Send(transaction);
    delivered_ = result.recipients.front().is_delivered();
  }

  asio::io_context io_;
  std::unique_ptr<SmtpSession> session_;
  bool delivered_ = false;
};

TEST_F(AllocationTest, AMessageByBdatCostsTheSameFewAllocationsAtAnySize) {
  Open("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n250 2.0.0 queued\r\n", "");
  const Cost small = CostOf(100), large = CostOf(200'000);
  EXPECT_EQ(small.count, large.count);
  EXPECT_LT(large.bytes, 8'000U) << "no copy of the content is made";
  EXPECT_LE(large.count, 24U);
}

TEST_F(AllocationTest, AMessageByDataCostsTheSameFewAllocationsAtAnySize) {
  Open("250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 2.0.0 queued\r\n");
  const Cost small = CostOf(100), large = CostOf(200'000);
  EXPECT_EQ(small.count, large.count);
  EXPECT_LT(large.bytes, 8'000U);
  EXPECT_LE(large.count, 30U);
}

}  // namespace
}  // namespace sluice
