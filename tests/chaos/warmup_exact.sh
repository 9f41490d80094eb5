#!/bin/sh
# Days of warmup, seconds long, on the real binaries: two sources, three providers, two schedulers; then any process is killed and caps
# are lowered at random. For no (source, provider, day), and no total, may the sink have counted more RCPT commands than the cap; days
# without trouble use 99 % of theirs. At length: --days 60.
exec /usr/bin/python3 "$(dirname "$0")/warmup_exact.py" "$@"
