#!/bin/bash
# How throughput, cost and memory change as a deployment grows, one axis at a time, each point a system of its own.
#   tests/bench/growth.sh [--only backlog,tenants,…] [--runs 3] [--messages 40000] [--full] [--preset release] [--out deploy/docs/growth]
#  backlog     entries waiting for later, over a tenth as many domains          (0 to 1,000,000; --full: 10,000,000)
#  tenants     that the same mail belongs to; it waits, the time begins with the first delivery  (1 to 10,000)
#  domains     of the recipients, all new to the system                         (1 to 200,000)
#  sources     of the pool                                                      (1 to 1,000)
#  size        of a message                                                     (1 KB to 10 MB)
#  egresses    processes that share twelve sources                              (1 to 4)
#  recipients  of a message                                                     (1 to 100)
# CPU counts until the last delivery. A base point is measured before and after each axis: the range of those is the noise. Writes a table
# to stdout and a plot an axis to --out. Ends `growth: N axes`.
set -e
root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
"$root/deploy/packages.sh" bench
exec /usr/bin/python3 "$root/tests/bench/growth.py" "$@"
