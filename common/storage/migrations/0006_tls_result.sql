-- TLS sessions by recipient domain, day and outcome, for the reports that domains want (RFC 8460). Only domains with a
-- `_smtp._tls` record are counted; a month is kept.
create table tls_result (
  day date not null,
  domain text not null,
  report_to text not null,       -- `mailto:` and `https:` URIs, a blank between them
  policy_type text not null,     -- `sts`, `tlsa`, `no-policy-found`
  policy_text text not null,     -- lines of the policy
  failure text not null,         -- a result type of RFC 8460 §4.3; '' = success
  source_address text not null,  -- of failures, like all below
  mx_host text not null,
  mx_address text not null,
  detail text not null,
  sessions bigint not null
);
create unique index tls_result_key on tls_result
  (day, domain, policy_type, failure, md5(policy_text), source_address, mx_host, mx_address, md5(detail));
