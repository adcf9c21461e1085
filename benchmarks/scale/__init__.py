"""What a scan costs as the mesh grows: `make bench-scale`.

Along each axis (companies, scanners, scans on record, kind of ids, replicas) the same loads are offered, far below what
the mesh takes, and the CPU of all its processes is counted until every scan is recorded, enriched and metered. A cell
is held against the base cells before and after it: one company with one scanner and nothing on record.

Scanners by the hundred thousand and scans by the million come by COPY, as the services would have written them.
"""
