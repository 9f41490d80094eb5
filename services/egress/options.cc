#include "egress/options.h"

namespace sluice::egress {
namespace {

constexpr int64_t kMostThreads = 64;

void BindTimeouts(Config& config, SmtpTimeouts& timeouts) {
  config.Bind("smtp.timeout.connect", timeouts.connect,
              "For the TCP connection, for each address.");
  config.Bind("smtp.timeout.banner", timeouts.banner, "For the greeting.");
  config.Bind("smtp.timeout.ehlo", timeouts.ehlo, "For the reply to EHLO and HELO.");
  config.Bind("smtp.timeout.starttls", timeouts.starttls,
              "For the reply to STARTTLS, and again for the handshake.");
  config.Bind("smtp.timeout.mail", timeouts.mail, "For the reply to MAIL.");
  config.Bind("smtp.timeout.rcpt", timeouts.rcpt, "For the reply to RCPT.");
  config.Bind("smtp.timeout.data", timeouts.data, "For the reply to DATA.");
  config.Bind("smtp.timeout.block", timeouts.block,
              "Between two blocks of content that the peer takes.");
  config.Bind("smtp.timeout.dot", timeouts.dot, "For the reply to the end of the content.");
  config.Bind("smtp.timeout.idle", timeouts.idle, "How long an unused connection is kept.");
}

void BindTls(Config& config, TlsClientOptions& tls) {
  config.Bind("smtp.tls.ca_file", tls.ca_file,
              "PEM file of the authorities that may vouch for MX hosts; default the system's.");
  config.Bind("smtp.tls.min_version", tls.min_version, "Lowest TLS version: 1.0 to 1.3.");
  config.Bind("smtp.tls.certificate", tls.certificate_file,
              "PEM file of a certificate for servers that ask for one; default none.");
  config.Bind("smtp.tls.key", tls.key_file, "PEM file of its private key.");
}

}  // namespace

EgressOptions::EgressOptions() { timeouts.idle = std::chrono::seconds(10); }

void EgressOptions::Bind(Config& config) {
  config.Bind(
      "egress_id", egress_id,
      "Name of this egress, stable over restarts, one process each; default the host's name.");
  config.Bind("schedulers", schedulers,
              "host:port of schedulers; every address that a name has is dialled.");
  dispatch.Bind(config, "dispatch");
  config.Bind("bind_addresses", bind_addresses,
              "Local addresses that may be bound; empty = any that a test bind proves.");
  config.Bind("dns.forwarders", dns_forwarders, "ADDR@PORT of resolvers; default the system's.");
  config.Bind("dns.trust_anchors", dns_trust_anchors,
              "File of DNSSEC trust anchors, such as /usr/share/dns/root.key: answers are validated, "
              "DANE is used. The forwarders must hand DNSSEC on. Default none.");
  config.Bind("lock.directory", lock_directory,
              "Where the lock file is that lets one process use an egress_id.");
  config.Bind("io_threads", io_threads, 0, kMostThreads, "I/O threads; 0 = one a core, at most 4.");
  config.Bind("credit.entries", credit_entries, 1, 1'000'000,
              "Entries held at once, for all schedulers together.");
  config.Bind("credit.bytes", credit_bytes, 1 << 20, int64_t{1} << 40,
              "Bytes of content held at once.");
  config.Bind("connections", connections, 1, 1'000'000,
              "SMTP connections at once, over all paths.");
  config.Bind("testing", testing,
              "Delivers to loopback and to its own addresses. Never for real mail.");
  config.Bind("smtp.port", smtp_port, 1, 65535, "Port of the MX hosts.");
  config.Bind("smtp.starttls", smtp_starttls, "Encrypts where the peer offers it.");
  config.Bind("smtp.secret_directory", secret_directory,
              "Where the password files of smart hosts are.");
  BindTls(config, smtp_tls);
  config.Bind("mta_sts.enabled", mta_sts, "Obeys the MTA-STS policies of recipient domains.");
  config.Bind("mta_sts.port", mta_sts_port, 1, 65535,
              "Port of the servers that hold them; another than 443 only for trials.");
  BindTimeouts(config, timeouts);
  config.Bind("dkim.directory", key_directory,
              "Where the key files are that the policy names; looked at every second.");
  config.Bind("dkim.threads", signer_threads, 0, kMostThreads,
              "Threads that sign; 0 = one for two cores.");
  config.Bind("token.file", token_file,
              "Secrets of the tokens in return paths and headers, one a line, newest first.");
  health.Bind(config);
  config.Bind("metrics.listen", metrics_listen, "HTTP address of /metrics; empty = none.");
  config.Bind("log.level", log_level, "debug, info, warn or error.");
  config.Bind("log.delivery", delivery_log,
              "The delivery log, one line an attempt: stderr, off, or a file to append to.");
  config.Bind("log.json", log_json, "One JSON object a line instead of logfmt.");
  config.Bind("log.redact_recipients", redact_recipients,
              "Writes ***@domain instead of addresses to the delivery log.");
  config.Bind("drain.grace", drain_grace,
              "On SIGTERM: how long transactions that have not sent their content may go on.");
  config.Bind("drain.past_dot", drain_past_dot,
              "On SIGTERM: how long to wait for the reply to content that was sent.");
  config.Bind("drain.reports", drain_reports,
              "On SIGTERM: how long to wait until the last reports are acknowledged.");
}

}  // namespace sluice::egress
