"""Who comes from another MTA finds what it had: every pool, rotation, transport-map, provider and domain directive of the three is in the
first column of its table in deploy/docs/policy.md, if only to say that there is nothing like it."""
import re

import tree

DOC = "deploy/docs/policy.md"
DIRECTIVES = {
    "Postfix": """
        smtp_bind_address smtp_bind_address_enforce smtp_helo_name transport_maps sender_dependent_default_transport_maps randmap pipemap
        header_checks default_destination_rate_delay transport_rate_delay default_destination_recipient_limit
        default_destination_concurrency_limit default_destination_concurrency_failed_cohort_limit""",
    "PowerMTA": """
        virtual-mta virtual-mta-pool smtp-source-host domain-key X-Virtual-MTA process-x-virtual-mta default-virtual-mta domain-macro queue-to
        smtp-pattern-list source-ip-max-msg-rate source-ip-max-smtp-out source-ip-max-connect-rate source-ip-max-data-volume-rate weight
        max-smtp-out backoff-max-smtp-out max-msg-per-connection max-rcpt-per-transaction max-rcpt-per-message max-msg-rate
        backoff-max-msg-rate max-connect-rate backoff-max-connect-rate max-data-volume-rate backoff-max-data-volume-rate retry-after
        backoff-retry-after retry-recipients-after retry-after-dns-error bounce-after backoff-to-normal-after
        backoff-to-normal-after-delivery backoff-notify backoff-reroute-to-virtual-mta reroute-to-virtual-mta
        backoff-upon-all-sources-disabled reenable-source-ip-after disable-source-ip smtp-421-means-mx-unavailable bounce-upon-no-mx
        bounce-upon-5xx-greeting bounce-upon-transfer-failure assume-delivery-upon-data-termination-timeout max-errors-per-connection
        smtp-out-rampup-interval connection-idle-timeout queue-priority connect-timeout smtp-greeting-timeout data-send-timeout
        smtp-data-termination-timeout max-events-recorded track-recipient-events retry-upon-new-mail disable-mx-rollup mode=backoff
        bounce-rcpt bounce-queue skip-mx max-cold-virtual-mta-msg auto-cold-virtual-mta cold-virtual-mta bounce-category-patterns""",
    "KumoMTA": """
        make_egress_source make_egress_pool source_address ehlo_domain remote_port socks5_proxy_server ha_proxy_server
        suspend_when_unplumbed suspend_when_proxy_unhealthy entries weight get_queue_config egress_pool retry_interval max_retry_interval
        max_age max_message_rate protocol reap_interval refresh_interval refresh_strategy strategy timerwheel_tick_interval shrink_policy
        provider_name requeue_message max_ready MXSuffix DomainSuffix HostName mx_rollup connection_limit additional_connection_limits
        max_connection_rate source_selection_rate additional_message_rate_throttles additional_source_selection_rates
        max_deliveries_per_connection max_recipients_per_batch consecutive_connection_failures_before_delay connect_timeout banner_timeout
        ehlo_timeout mail_from_timeout rcpt_to_timeout data_timeout data_dot_timeout rset_timeout starttls_timeout auth_timeout idle_timeout
        system_shutdown_timeout dispatcher_progress_watchdog_timeout enable_tls opportunistic_tls_reconnect_on_failed_handshake
        remember_broken_tls enable_mta_sts enable_dane tls_prefer_openssl tls_certificate tls_private_key smtp_port
        smtp_auth_plain_username smtp_auth_plain_password allow_smtp_auth_plain_without_tls enable_pipelining enable_rset
        ignore_8bit_checks use_lmtp prohibited_hosts skip_hosts ip_lookup_strategy reconnect_strategy try_next_host_on_transport_error
        low_memory_reduction_policy no_memory_reduction_policy readyq_pool_name provider_connection_limit provider_max_message_rate
        provider_source_selection_rate replace_base max_burst trigger Suspend SetConfig SetDomainConfig SuspendTenant SuspendCampaign Bounce
        BounceTenant BounceCampaign rebind xfer""",
}


def first_column(text, peer):
    """What its table names, as one text; empty without a table."""
    part = re.search(r"^## Coming from %s$(.*?)(?=^## |\Z)" % peer, text, re.M | re.S)
    rows = re.findall(r"^\| (.+?) \| .+\|$", part.group(1), re.M) if part else []
    return "\n".join(re.sub(r"…", "", row) for row in rows)


def check(root):
    text, found = tree.read(root, DOC), []
    for peer, names in DIRECTIVES.items():
        named = first_column(text, peer)
        for name in names.split():
            if not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(name), named):
                found.append(f"{DOC}:1: `{name}` of {peer} is in no row of its table")
    return found
