#include "ctl/app.h"

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "ctl/verbs.h"
#include "wire/service_main.h"

namespace sluice::ctl {
namespace {

// Command line and environment → options of the verb that was chosen.
class App {
 public:
  explicit App(const Io& io) : context_{.io = io} {
    app_.description("Sluice from the command line. Exit codes: 0 done, 1 refused, 2 wrong usage.");
    app_.set_version_flag("--version", Cat("sluicectl ", wire::Version()));
    app_.require_subcommand(1);
    // Options of the whole are taken after the verb, too.
    app_.fallthrough();
    AddCommon();
    AddPolicyVerbs();
    AddConstraintVerbs();
    AddExplain();
    AddKeyVerbs();
    AddSend();
    AddWarmupVerbs();
    AddSuppressionVerbs();
    AddTlsReportVerbs();
    AddTrace();
    AddQueueVerbs();
    AddOperationVerbs();
    AddReputationVerbs();
    app_.add_subcommand("status", "Services, shards, sources and who holds them, queue by provider")
        ->callback([this] { run_ = [this] { return Status(context_); }; });
  }

  int Run(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      context_.timeout = *ParseDuration(timeout_);
    } catch (const CLI::ParseError& error) {
      // --help and --version come this way, too.
      return app_.exit(error, context_.io.out, context_.io.err) == 0 ? kOk : kUsage;
    }
    return run_();
  }

 private:
  void FromEnv(const char* name, std::string& field) {
    const char* value = context_.io.env(name);
    if (value != nullptr && *value != '\0') field = value;
  }

  void AddCommon() {
    FromEnv("SLUICE_ADMIN", context_.admin);
    FromEnv("SLUICE_INGEST", context_.ingest);
    FromEnv("SLUICE_KEY", context_.key);
    app_.add_option("--admin", context_.admin, "AdminService of a scheduler; SLUICE_ADMIN")
        ->capture_default_str();
    app_.add_option("--ingest", context_.ingest, "SubmissionService of ingest; SLUICE_INGEST")
        ->capture_default_str();
    app_.add_flag("--json", context_.json, "Answers as JSON");
    app_.add_option("--timeout", timeout_, "For each call")
        ->capture_default_str()
        ->check([](const std::string& text) {
          const auto duration = ParseDuration(text);
          return duration.ok() && *duration > Duration::zero() ? std::string()
                                                               : "takes a duration such as 10s";
        });
    app_.add_option("--ca", context_.tls.ca,
                    "PEM file of authorities to trust; default the system's");
    app_.add_option("--cert", context_.tls.cert, "PEM file of our certificate");
    app_.add_option("--cert-key", context_.tls.key, "PEM file of its private key");
    app_.add_flag_callback(
        "--plaintext",
        [this] { context_.tls.plaintext = context_.tls.plaintext_beyond_loopback = true; },
        "No TLS, also beyond this host; local addresses need no flag");
  }

  void AddPolicyVerbs() {
    CLI::App* apply =
        app_.add_subcommand("apply", "Checks a policy, shows what changes, puts it in force");
    apply->add_option("-f,--file", apply_.file, "Policy in YAML; - is standard input")->required();
    apply->add_option("--author", apply_.author, "Default user@host");
    apply->add_option("--reason", apply_.reason, "Kept in the history");
    apply->add_option("--base", apply_.base,
                      "Refuse unless this revision is current; default the one compared with");
    apply->add_flag("--dry-run", apply_.dry_run, "Stop after showing what changes");
    apply->callback([this] { run_ = [this] { return Apply(context_, apply_); }; });

    CLI::App* validate = app_.add_subcommand("validate", "Checks a policy file; asks nobody");
    validate->add_option("-f,--file", file_, "Policy in YAML; - is standard input")->required();
    validate->callback([this] { run_ = [this] { return Validate(context_, file_); }; });

    CLI::App* get = app_.add_subcommand("get", "The policy in force, as YAML");
    get->add_option("--revision", revision_, "An earlier one")->check(CLI::NonNegativeNumber);
    get->callback([this] { run_ = [this] { return Get(context_, revision_); }; });

    CLI::App* history = app_.add_subcommand("history", "Policies applied so far, newest first");
    history->add_option("--limit", limit_, "At most this many")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000));
    history->callback([this] { run_ = [this] { return History(context_, limit_); }; });
  }

  void AddExplain() {
    CLI::App* diff = app_.add_subcommand("diff", "What changed between two revisions of the policy");
    diff->add_option("--from", from_, "Default the one before")->check(CLI::NonNegativeNumber);
    diff->add_option("--revision", revision_, "Default the current one")->check(CLI::NonNegativeNumber);
    diff->callback([this] { run_ = [this] { return DiffRevisions(context_, from_, revision_); }; });
    CLI::App* rollback = app_.add_subcommand("rollback", "Applies an earlier policy again");
    rollback->add_option("revision", rollback_.revision, "Default the one before the current one")
        ->check(CLI::NonNegativeNumber);
    rollback->add_option("--author", rollback_.author, "Default user@host");
    rollback->add_option("--reason", rollback_.reason, "Kept in the history");
    rollback->callback([this] { run_ = [this] { return Rollback(context_, rollback_); }; });
    CLI::App* explain = app_.add_subcommand(
        "explain", "Which route, pool, source and limits a message has, and what it waits for");
    explain->add_option("message", explain_.message, "Its id; or describe one by the options");
    explain->add_option("--to", explain_.to, "Recipient");
    explain->add_option("--from", explain_.from, "Sender's address");
    explain->add_option("--tenant", explain_.tenant, "As named in the policy");
    explain->add_option("--stream", explain_.stream, "As named in the policy");
    explain->add_option("--campaign", explain_.campaign, "The client's tag");
    explain->add_option("--tag", explain_.tags, "Header kept as tag, name=value");
    explain->callback([this] { run_ = [this] { return Explain(context_, explain_); }; });
  }

  static void AddScope(CLI::App* verb, ScopeOptions& scope) {
    verb->add_option("--source", scope.source, "One of our IPs, as named in the policy");
    verb->add_option("--provider", scope.provider, "Such as google, or other");
    verb->add_option("--pool", scope.pool, "As named in the policy");
    verb->add_option("--tenant", scope.tenant, "As named in the policy");
    verb->add_option("--stream", scope.stream, "As named in the policy");
    verb->add_option("--campaign", scope.campaign, "The client's tag");
    verb->add_option("--domain", scope.domain, "Of recipients");
    verb->add_option("--site", scope.site, "MX host set, as explain shows it");
    verb->add_option("--sender-domain", scope.sender_domain, "Of senders");
  }

  void AddConstraintVerbs() {
    CLI::App* suspend = app_.add_subcommand(
        "suspend", "Stops sending: of a source, pool, stream …; all that is named must match");
    AddScope(suspend, suspend_.scope);
    suspend->add_option("--for", length_, "Such as 2h; default until resumed");
    suspend->add_option("--reason", suspend_.reason, "Shown in the list");
    suspend->add_option("--author", suspend_.author, "Default user@host");
    suspend->callback([this] {
      run_ = [this] {
        if (!length_.empty()) {
          const auto length = ParseDuration(length_);
          if (!length.ok()) return RefuseUsage(context_, "--for takes a duration such as 2h");
          suspend_.length = *length;
        }
        return Suspend(context_, suspend_);
      };
    });
    CLI::App* resume = app_.add_subcommand("resume", "Lifts what suspend has made");
    resume->add_option("id", resume_.id, "As `constraints` shows it; or name the same scope");
    AddScope(resume, resume_.scope);
    resume->add_option("--author", resume_.author, "Default user@host");
    resume->callback([this] { run_ = [this] { return Resume(context_, resume_); }; });
    CLI::App* list = app_.add_subcommand("constraints", "Everything that holds mail back now");
    AddScope(list, suspend_.scope);
    list->callback([this] { run_ = [this] { return Constraints(context_, suspend_.scope); }; });
  }

  static void AddSubject(CLI::App* verb, ScopeOptions& scope) {
    verb->add_option("--source", scope.source, "One of our IPs, as named in the policy");
    verb->add_option("--provider", scope.provider, "Such as google; left out: everywhere");
    verb->add_option("--tenant", scope.tenant, "As named in the policy");
    verb->add_option("--sender-domain", scope.sender_domain, "A sending domain");
  }

  void AddReputationVerbs() {
    CLI::App* all = app_.add_subcommand("reputation", "How sources, tenants and sending domains stand, and why");
    all->fallthrough();
    AddSubject(all, reputation_.scope);
    all->add_flag("--all", reputation_.all, "Good signals, too");
    CLI::App* override = all->add_subcommand("override", "Puts your word above the judged state, for a time");
    AddSubject(override, reputation_.scope);
    override->add_option("--state", reputation_.state, "healthy, watch, throttled, suspended, quarantined; left out: lifts the override");
    override->add_option("--for", length_, "Such as 2h; default until lifted");
    override->add_option("--reason", reputation_.reason, "Shown to everybody")->required();
    override->add_option("--author", reputation_.author, "Default user@host");
    override->callback([this] { overrides_ = true; });
    all->callback([this] {
      run_ = [this] {
        if (!overrides_) return Reputation(context_, reputation_);
        if (!length_.empty()) {
          const auto length = ParseDuration(length_);
          if (!length.ok()) return RefuseUsage(context_, "--for takes a duration such as 2h");
          reputation_.length = *length;
        }
        return OverrideHealth(context_, reputation_);
      };
    });
    CLI::App* feedback = app_.add_subcommand("feedback", "Reports a bounce or complaint message (DSN, ARF)");
    feedback->add_option("file", file_, "The message (.eml); - is standard input")->required();
    feedback->callback([this] { run_ = [this] { return ReportFeedback(context_, file_); }; });
  }

  void AddLimits(CLI::App* verb) {
    const auto add = [&](const char* name, int64_t& value, const char* help) {
      verb->add_option(name, value, help)->check(CLI::NonNegativeNumber);
    };
    add("--messages-per-second", key_.messages_per_second, "Submissions");
    add("--bytes-per-second", key_.bytes_per_second, "Of requests");
    add("--message-bytes", key_.message_bytes, "Largest content");
  }

  void AddKeyVerbs() {
    CLI::App* key = app_.add_subcommand("key", "API keys of tenants");
    key->require_subcommand(1);
    key->fallthrough();
    CLI::App* create = key->add_subcommand("create", "Prints a new secret, once");
    create->add_option("--tenant", key_.tenant, "As named in the policy; * reads the events of all, and does nothing else")->required();
    create->add_option("--label", key_.label, "What it is for");
    AddLimits(create);
    create->callback([this] { run_ = [this] { return KeyCreate(context_, key_); }; });
    CLI::App* limit = key->add_subcommand("limit", "What a key may submit at each ingest; what is left out has no limit");
    limit->add_option("id", key_.id, "As `key list` shows it")->required();
    AddLimits(limit);
    limit->callback([this] { run_ = [this] { return KeyLimit(context_, key_); }; });
    CLI::App* list = key->add_subcommand("list", "Keys, revoked ones included");
    list->add_option("--tenant", tenant_, "Only this tenant's");
    list->callback([this] { run_ = [this] { return KeyList(context_, tenant_); }; });
    CLI::App* revoke = key->add_subcommand("revoke", "Ends a key for good");
    revoke->add_option("id", id_, "As `key list` shows it")->required();
    revoke->callback([this] { run_ = [this] { return KeyRevoke(context_, id_); }; });
  }

  void AddSend() {
    CLI::App* send = app_.add_subcommand("send", "Submits one message");
    send->add_option("file", send_.file, "Message (.eml); - is standard input")->required();
    send->add_option("--to", send_.to, "Recipients, comma-separated or repeated")
        ->required()
        ->delimiter(',');
    send->add_option("--stream", send_.stream, "Kind of mail, as named in the policy")->required();
    send->add_option("--from", send_.return_path,
                     "Return path, <> for none; default the From field's address");
    send->add_option("--campaign", send_.campaign, "Tag to hold, cancel and count by");
    send->add_option("--idempotency-key", send_.idempotency_key, "The same key sends once");
    send->add_option("--key", context_.key, "API key; SLUICE_KEY");
    send->callback([this] { run_ = [this] { return Send(context_, send_); }; });
  }

  void AddTlsReportVerbs() {
    CLI::App* all = app_.add_subcommand("tlsrpt", "TLS reports that recipient domains want");
    all->require_subcommand(1);
    all->fallthrough();
    const auto verb = [&](const char* name, const char* help, auto run) {
      CLI::App* one = all->add_subcommand(name, help);
      one->add_option("--day", tls_report_.day, "UTC, such as 2026-11-25")->required();
      one->callback([this, run] { run_ = [this, run] { return run(context_, tls_report_); }; });
      return one;
    };
    const auto takes_reporter = [&](CLI::App* one) {
      one->add_option("--organization", tls_report_.organization, "Who reports")->required();
      one->add_option("--contact", tls_report_.contact, "Address for questions; From of the mail")
          ->required();
    };
    verb("list", "Domains and what their sessions came to", TlsReportList);
    CLI::App* show = verb("show", "The document for one domain", TlsReportShow);
    show->add_option("domain", tls_report_.domain, "Recipient domain")->required();
    takes_reporter(show);
    CLI::App* send = verb("send", "Submits the reports as mail; again is safe", TlsReportSend);
    send->add_option("--domain", tls_report_.domain, "Only this recipient domain");
    takes_reporter(send);
    send->add_option("--stream", tls_report_.stream, "Kind of mail, as named in the policy")
        ->required();
    send->add_option("--key", context_.key, "API key; SLUICE_KEY");
  }

  void AddTrace() {
    CLI::App* trace = app_.add_subcommand("trace", "Live SMTP dialogs, without bodies and secrets");
    trace->add_option("--source", trace_.source, "One of our IPs, as named in the policy");
    trace->add_option("--domain", trace_.domain, "Of recipients");
    trace->add_option("--for", length_, "Such as 30s; default until interrupted");
    trace->callback([this] {
      run_ = [this] {
        if (!length_.empty()) {
          const auto length = ParseDuration(length_);
          if (!length.ok()) return RefuseUsage(context_, "--for takes a duration such as 30s");
          trace_.length = *length;
        }
        return Trace(context_, trace_);
      };
    });
  }

  void AddWarmupVerbs() {
    CLI::App* all = app_.add_subcommand("warmup", "Addresses that grow into their volume");
    all->require_subcommand(1);
    all->fallthrough();
    const auto verb = [&](const char* name, const char* help, auto run, bool needs_source) {
      CLI::App* one = all->add_subcommand(name, help);
      one->add_option("source", warmup_.source, "As named in the policy")->required(needs_source);
      one->add_option("--provider", warmup_.provider, "Only at this provider");
      one->callback([this, run] { run_ = [this, run] { return run(context_, warmup_); }; });
      return one;
    };
    verb("status", "Stage, cap, use and last judgement", WarmupStatus, false);
    verb("history", "What was decided and why, newest first", WarmupHistory, false)
        ->add_option("--limit", warmup_.limit, "At most this many")
        ->check(CLI::Range(1, 1'000));
    const auto order = [&](const char* name, const char* help, auto run) {
      CLI::App* one = verb(name, help, run, true);
      one->add_option("--reason", warmup_.reason, "Kept in the history");
      return one;
    };
    order("start", "Begins on a date, or begins again", WarmupStart)
        ->add_option("--date", warmup_.date, "YYYY-MM-DD; default today (UTC)");
    order("hold", "Keeps the stage, whatever is seen", WarmupHold);
    order("resume", "Judges again; ends a suspension and what refusals suspended", WarmupResume);
    order("set-stage", "Upwards from the next day, downwards at once", WarmupSetStage)
        ->add_option("--stage", warmup_.stage, "From 1")
        ->required();
    order("skip", "Warm from the next day; needs a reason", WarmupSkip);
    CLI::App* simulate = all->add_subcommand("simulate", "Plays a plan against modelled providers; asks nobody");
    simulate->add_option("--plan", warmup_.plan, "A shipped plan, or one of --file")->capture_default_str();
    simulate->add_option("-f,--file", warmup_.file, "Policy in YAML with the plan");
    simulate->add_option("--volume", warmup_.volume, "Messages a day")->capture_default_str()->check(CLI::Range(1, 100'000'000));
    simulate->add_option("--traffic", warmup_.traffic, "Shares such as google=40,ms-consumer=25,other=35; default the usual of consumers");
    simulate->add_option("--days", warmup_.days)->capture_default_str()->check(CLI::Range(1, 365));
    simulate->add_option("--seed", warmup_.seed)->capture_default_str();
    simulate->add_option("--growth", warmup_.growth, "Growth that the providers allow, times the usual")->check(CLI::Range(0.01, 10.0));
    simulate->add_option("--svg", warmup_.svg, "Writes the plot there, too");
    simulate->callback([this] { run_ = [this] { return WarmupSimulate(context_, warmup_); }; });
  }

  void AddSuppressionVerbs() {
    CLI::App* all = app_.add_subcommand("suppression", "Addresses that are not sent to");
    all->require_subcommand(1);
    all->fallthrough();
    const auto verb = [&](const char* name, const char* help, auto run) {
      CLI::App* one = all->add_subcommand(name, help);
      one->add_option("--tenant", suppression_.tenant, "Only for this tenant; default all");
      one->callback([this, run] { run_ = [this, run] { return run(context_, suppression_); }; });
      return one;
    };
    const auto takes_addresses = [&](CLI::App* one) {
      return one->add_option("addresses", suppression_.addresses, "Comma-separated or repeated")
          ->delimiter(',');
    };
    const auto takes_reason = [&](CLI::App* one) {
      one->add_option("--reason", suppression_.reason,
                      "bounce, complaint, unsubscribe or manual (default)");
      one->add_option("--detail", suppression_.detail, "What a person should read");
      one->add_option("--expires", suppression_.expires, "Removed after this long, such as 90d")
          ->check([](const std::string& text) {
            return ParseDuration(text).ok() ? std::string() : "takes a duration such as 90d";
          });
    };
    CLI::App* list = verb("list", "Who, why, since when and until when", SuppressionList);
    list->add_option("address", suppression_.addresses, "Only this one")->expected(0, 1);
    CLI::App* add = verb("add", "Stops mail to addresses", SuppressionAdd);
    takes_addresses(add)->required();
    takes_reason(add);
    takes_addresses(verb("remove", "Allows mail to addresses again", SuppressionRemove))->required();
    takes_addresses(verb("erase", "Forgets the text of addresses, which stay suppressed by their hash",
                         SuppressionErase))
        ->required();
    CLI::App* import = verb("import", "Adds from a file", SuppressionImport);
    import->add_option("file", suppression_.file,
                       "CSV with a heading, or an address a line; - is standard input")
        ->required();
    takes_reason(import);
    verb("export", "Everything as CSV, as import takes it", SuppressionExport);
  }

  void TakesMatch(CLI::App* verb) {
    verb->add_option("--tenant", queue_.tenant, "Only this tenant's");
    verb->add_option("--stream", queue_.stream, "Only of this stream");
    verb->add_option("--campaign", queue_.campaign, "Only of this campaign");
    verb->add_option("--domain", queue_.domain, "Only to this recipient domain");
    verb->add_option("--provider", queue_.provider, "Only to this provider");
    verb->add_option("--source", queue_.source, "Only what this source tried last");
  }

  void AddQueueVerbs() {
    CLI::App* queue = app_.add_subcommand("queue", "What waits");
    queue->require_subcommand(1);
    queue->fallthrough();
    const auto verb = [&](const char* name, const char* help, auto run) {
      CLI::App* one = queue->add_subcommand(name, help);
      TakesMatch(one);
      one->add_option("--limit", queue_.limit, "At most this many")->check(CLI::Range(1, 100'000));
      one->callback([this, run] { run_ = [this, run] { return run(context_, queue_); }; });
      return one;
    };
    CLI::App* top = verb("top", "The largest groups", QueueTop);
    top->add_option("--by", queue_.by, "provider, tenant, stream, campaign, domain, sender_domain or source")
        ->capture_default_str();
    top->add_option("--watch", queue_.watch, "Again and again, at this interval")
        ->check([](const std::string& text) {
          const auto duration = ParseDuration(text);
          return duration.ok() && *duration >= std::chrono::seconds(1) ? std::string()
                                                                       : "takes a duration of a second or more";
        });
    verb("list", "Entry by entry, oldest first", QueueList);
  }

  void AddOperationVerbs() {
    const auto verb = [&](const char* name, const char* help, auto run) {
      CLI::App* one = app_.add_subcommand(name, help);
      TakesMatch(one);
      one->add_option("--site", queue_.site, "Only to this site");
      one->add_option("--pool", queue_.pool, "Only what goes to this pool");
      one->add_option("--message", queue_.message, "Only this message's");
      one->add_option("--reason", queue_.reason, "Kept with the operation and in the audit log");
      one->add_flag("--wait", queue_.wait, "Until it has ended");
      one->callback([this, run] { run_ = [this, run] { return run(context_, queue_); }; });
      return one;
    };
    verb("cancel", "Ends mail that waits, without a bounce", Cancel);
    verb("bounce", "Ends mail that waits as bounced", Bounce);
    verb("move", "Sends mail that waits through another pool", Move)
        ->add_option("--to", queue_.to_pool, "The pool to move to")
        ->required();
    verb("retry", "Tries mail that was deferred now", RetryNow);
    verb("release", "Lets mail go that is held for a person", ReleaseHeld);

    CLI::App* operations = app_.add_subcommand("operations", "Orders on many entries, and how far they have come");
    operations->require_subcommand(1);
    operations->fallthrough();
    CLI::App* list = operations->add_subcommand("list", "Newest first");
    list->add_option("--limit", limit_, "At most this many")->capture_default_str()->check(CLI::Range(1, 1'000));
    list->callback([this] { run_ = [this] { return OperationList(context_, limit_); }; });
    CLI::App* show = operations->add_subcommand("show", "One of them");
    show->add_option("id", id_, "As `operations list` shows it")->required();
    show->callback([this] { run_ = [this] { return OperationShow(context_, id_); }; });
    CLI::App* stop = operations->add_subcommand("stop", "Ends it; what was done stays done");
    stop->add_option("id", id_, "As `operations list` shows it")->required();
    stop->callback([this] { run_ = [this] { return OperationStop(context_, id_); }; });
  }

  CLI::App app_;
  Context context_;
  QueueOptions queue_;
  KeyOptions key_;
  ApplyOptions apply_;
  SendOptions send_;
  SuppressionOptions suppression_;
  TlsReportOptions tls_report_;
  TraceOptions trace_;
  WarmupOptions warmup_;
  SuspendOptions suspend_;
  ReputationOptions reputation_;
  bool overrides_ = false;
  RollbackOptions rollback_;
  ExplainOptions explain_;
  ResumeOptions resume_;
  std::string timeout_ = "30s", file_, length_, tenant_, id_;
  int64_t revision_ = 0, from_ = 0;
  int limit_ = 20;
  std::function<int()> run_ = [] { return kUsage; };
};

}  // namespace

int Run(int argc, const char* const* argv, const Io& io) { return App(io).Run(argc, argv); }

}  // namespace sluice::ctl
