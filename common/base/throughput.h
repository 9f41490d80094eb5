// How the kernel shares processors between a process of ours and its neighbours.
#pragma once

namespace sluice {

// Threads started from here on do not interrupt whoever runs when they have something to do (SCHED_BATCH, sched(7)): they wait
// for a free processor or the end of its turn, a few milliseconds at most. Work then gathers and is done in batches. For a
// process that is woken for every message; one that others wait for is better without. Nothing changes while a processor is
// idle. Needs no privilege. A policy that somebody else has chosen for the process (chrt, systemd's CPUSchedulingPolicy) stays.
void PreferThroughput();

}  // namespace sluice
