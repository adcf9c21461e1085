"""`python -m benchmarks.books [--company ID …]`: exit 0 when all books agree, 1 when not, 2 when nothing can be said."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import asdict

from benchmarks import mesh
from benchmarks.books.audit import Report, audit
from benchmarks.books.settling import NotSettled
from benchmarks.tenants import ApiError
from deploy.local.failures import MeshError
from services.chassis.settings import SettingsError

AGREED, DIFFERENT, NOTHING_TO_SAY = range(3)


def main() -> int:
    """Audit the running mesh; answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.books")
    parser.add_argument(
        "--company", type=int, action="append", help="look at this company only; several may be"
    )
    companies: list[int] | None = parser.parse_args().company
    began = time.monotonic()
    try:
        report = asyncio.run(audit(mesh.running().describe(), companies=companies))
    except (MeshError, SettingsError, NotSettled, ApiError) as error:
        print(f"nothing can be said of the books: {error}", file=sys.stderr)
        return NOTHING_TO_SAY
    if companies and report.companies < len(set(companies)):
        print("one of these companies is none, or has never had a scan recorded", file=sys.stderr)
        return NOTHING_TO_SAY
    _print(report, time.monotonic() - began)
    return DIFFERENT if report.differences else AGREED


def _print(report: Report, seconds: float) -> None:
    counted = {name: count for name, count in asdict(report.counts).items() if count is not None}
    for name, count in counted.items():
        print(f"  {name.replace('_', ' '):<14} {count:>12}")
    for line in report.differences:
        print(line)
    print(f"{report.companies} companies, {len(report.differences)} differences, {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
