#!/bin/sh
# Days of warmup, seconds long, on the real binaries: two sources, three providers, two schedulers; then any process (ingest, a scheduler,
# egress, PostgreSQL) is killed, and caps are lowered, at random moments of a seed. For no (source, provider, day), and no total, may the
# sink have counted more RCPT commands than the cap. Days without trouble use 99 % of theirs; on the others at most so much is unused as
# was granted and had not reached the sink when somebody was killed. Days struck so late that no time was left are told apart.
# At length: --days 60.
exec /usr/bin/python3 "$(dirname "$0")/warmup_exact.py" "$@"
