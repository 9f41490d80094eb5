// The verbs of sluicectl, a file each. Every one answers the exit code: 0 done, 1 refused, 2 wrong
// usage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/context.h"

namespace sluice::ctl {

struct ApplyOptions {
  std::string file, author, reason;
  int64_t base = 0;  // 0 = the revision that the diff is shown against.
  bool dry_run = false;
};
// Validates, shows what changes, applies, names who has not acknowledged.
int Apply(const Context& context, const ApplyOptions& options);

// Reads and checks a file, asking nobody.
int Validate(const Context& context, const std::string& file);

// The policy as YAML; 0 = the current one.
int Get(const Context& context, int64_t revision);

// What changed between two revisions; `from` 0 = the one before `to`, `to` 0 = the current one.
int DiffRevisions(const Context& context, int64_t from, int64_t to);
struct RollbackOptions {
  int64_t revision = 0;  // 0 = the one before the current one.
  std::string author, reason;
};
// Applies an earlier policy again, as a new revision.
int Rollback(const Context& context, const RollbackOptions& options);
struct ExplainOptions {
  std::string message, tenant, stream, campaign, from, to;
  std::vector<std::string> tags;
};
// Route, members, limits and constraints of a message or a hypothetical one.
int Explain(const Context& context, const ExplainOptions& options);

int History(const Context& context, int limit);

struct ScopeOptions {
  std::string source, provider, pool, tenant, stream, campaign, domain, site, sender_domain;
};
struct SuspendOptions {
  ScopeOptions scope;
  std::string reason, author;
  Duration length{0};  // 0 = until resumed.
};
// Returns when it is true everywhere; kRefused when somebody has not acknowledged.
int Suspend(const Context& context, const SuspendOptions& options);
struct ResumeOptions {
  std::string id, author;
  ScopeOptions scope;
};
int Resume(const Context& context, const ResumeOptions& options);
// What holds mail back now; with a scope only what names it.
int Constraints(const Context& context, const ScopeOptions& scope);

struct KeyOptions {
  std::string id, tenant, label;
  int64_t messages_per_second = 0, bytes_per_second = 0, message_bytes = 0;  // 0 = no limit.
};
int KeyCreate(const Context& context, const KeyOptions& options);
// Puts these limits in place of the key's.
int KeyLimit(const Context& context, const KeyOptions& options);
int KeyList(const Context& context, const std::string& tenant);
int KeyRevoke(const Context& context, const std::string& id);

struct SendOptions {
  std::string file, stream, return_path, campaign, idempotency_key;
  std::vector<std::string> to;
};
int Send(const Context& context, const SendOptions& options);

int Status(const Context& context);

struct TlsReportOptions {
  std::string day;     // UTC, "2026-11-25"
  std::string domain;  // empty = every one
  std::string organization, contact, stream;
};
// Domains that want reports, with what their sessions came to.
int TlsReportList(const Context& context, const TlsReportOptions& options);
// The document for one domain.
int TlsReportShow(const Context& context, const TlsReportOptions& options);
// Submits the reports as mail; again is safe.
int TlsReportSend(const Context& context, const TlsReportOptions& options);

struct TraceOptions {
  std::string source, domain;
  Duration length{0};  // 0 = until interrupted.
};
// Live dialogs, a line each.
int Trace(const Context& context, const TraceOptions& options);

// Which mail is meant; empty fields match everything.
struct QueueOptions {
  std::string tenant, stream, campaign, domain, provider, site, pool, source, message;
  std::string by = "provider", to_pool, reason;
  int limit = 20;
  bool wait = false;
  std::string watch;  // An interval; empty = once.
};
// The groups that wait most, again and again with `watch`.
int QueueTop(const Context& context, const QueueOptions& options);
int QueueList(const Context& context, const QueueOptions& options);
// Begins an operation on what is meant; with `wait` until it has ended.
int Cancel(const Context& context, const QueueOptions& options);
int Bounce(const Context& context, const QueueOptions& options);
int Move(const Context& context, const QueueOptions& options);
int RetryNow(const Context& context, const QueueOptions& options);
int ReleaseHeld(const Context& context, const QueueOptions& options);
int OperationList(const Context& context, int limit);
int OperationShow(const Context& context, const std::string& id);
int OperationStop(const Context& context, const std::string& id);

struct ReputationOptions {
  ScopeOptions scope;
  bool all = false;  // Good signals, too.
  std::string state, reason, author;
  Duration length{0};  // 0 = until lifted.
};
// The matrix; of one source, provider or tenant also the replies behind it.
int Reputation(const Context& context, const ReputationOptions& options);
// Puts a person's word above the judged state; an empty one lifts it.
int OverrideHealth(const Context& context, const ReputationOptions& options);

// Reports a bounce or complaint message that came in another way; - is standard input.
int ReportFeedback(const Context& context, const std::string& file);

struct SuppressionOptions {
  std::vector<std::string> addresses;
  std::string tenant;   // Empty = all tenants.
  std::string reason, detail;
  std::string expires;  // A duration from now; empty = never.
  std::string file;
};
int SuppressionList(const Context& context, const SuppressionOptions& options);
int SuppressionAdd(const Context& context, const SuppressionOptions& options);
int SuppressionRemove(const Context& context, const SuppressionOptions& options);
int SuppressionErase(const Context& context, const SuppressionOptions& options);
// CSV with a heading, or an address a line; in parts, so that it may be repeated.
int SuppressionImport(const Context& context, const SuppressionOptions& options);
// CSV that import takes.
int SuppressionExport(const Context& context, const SuppressionOptions& options);

struct WarmupOptions {
  std::string source, provider, date, reason;
  int stage = 0, limit = 30;
  // simulate
  std::string plan = "default", file, svg;
  int64_t volume = 100'000;
  int days = 60;
  uint64_t seed = 1;
  double growth = 1;  // Times the growth that the modelled providers allow.
};
// Stage, cap, used, accepted, last judgement and why, forecast date.
int WarmupStatus(const Context& context, const WarmupOptions& options);
int WarmupHistory(const Context& context, const WarmupOptions& options);
int WarmupStart(const Context& context, const WarmupOptions& options);
int WarmupHold(const Context& context, const WarmupOptions& options);
int WarmupResume(const Context& context, const WarmupOptions& options);
int WarmupSetStage(const Context& context, const WarmupOptions& options);
int WarmupSkip(const Context& context, const WarmupOptions& options);
// Asks nobody: a plan against modelled providers.
int WarmupSimulate(const Context& context, const WarmupOptions& options);

}  // namespace sluice::ctl
