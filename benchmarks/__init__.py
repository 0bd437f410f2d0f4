"""What this program does per second, each figure beside the limit of the same machine, same run.

Ratios count, not digits: disks, processors and neighbours differ. Ours and the limit are measured
in turns, and the median of the turns is shown. Repeat with `./run bench`; docs/performance.md keeps
the figures of a run. `store`, `partner_http` and `verify` go deeper and are run by themselves.
"""
