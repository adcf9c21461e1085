"""Ways in which the books of a company may be wrong, planted into its stores behind everybody's back."""

from __future__ import annotations

from typing import NamedTuple

SOME = "scan_id = (SELECT min(scan_id::text)::uuid FROM ingest.scan_ids WHERE company_id = $1)"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8057"


class Tampering(NamedTuple):
    """A change of one company's rows behind everybody's back, and what is said of it."""

    table: str
    change: str
    subject: str
    problem: str


def _letter(consumer: str) -> str:
    """Copy the company's letter into one of another scan."""
    return f"""INSERT INTO ingest.dead_letters
        SELECT letter.company_id, gen_random_uuid(), id.scan_id, '{consumer}', 'INTERNAL', 3, fail_time,
            letter.message_id, letter.index, letter.scanner_id, letter.region, letter.lane, id.accept_time,
            letter.scan, letter.payload, NULL
        FROM ingest.dead_letters AS letter JOIN ingest.scan_ids AS id USING (company_id)
        WHERE company_id = $1 AND id.{SOME}"""


TAMPERINGS = [
    Tampering(
        "ingest.scan_events",
        f"""INSERT INTO ingest.scan_events SELECT company_id, accept_time + interval '1 ms', scan_id, scanner_id,
            kind, lane, region, scan_time, content FROM ingest.scan_events WHERE company_id = $1 AND {SOME}""",
        "scan ",
        "is stored more than once",
    ),
    Tampering(
        "ingest.scan_events",
        f"DELETE FROM ingest.scan_events WHERE company_id = $1 AND {SOME}",
        "scan ",
        "is in the deduplication, and not stored",
    ),
    Tampering(
        "ingest.scan_events",
        f"UPDATE ingest.scan_events SET lane = 'bulk' WHERE company_id = $1 AND {SOME}",
        "cell ",
        "the ledger does not bill what is stored",
    ),
    Tampering(
        "ingest.scan_ids",
        f"DELETE FROM ingest.scan_ids WHERE company_id = $1 AND {SOME}",
        "scan ",
        "is stored, and not in the deduplication as it is stored",
    ),
    Tampering(
        "ingest.scan_ids",
        f"UPDATE ingest.scan_ids SET accept_time = accept_time + interval '1 s' WHERE company_id = $1 AND {SOME}",
        "scan ",
        "is stored, and not in the deduplication as it is stored",
    ),
    Tampering(
        "ingest.scan_ids",
        f"UPDATE ingest.scan_ids SET dead = true WHERE company_id = $1 AND {SOME}",
        "scan ",
        "is dead, and has no open dead letter",
    ),
    Tampering(
        "ingest.dead_letters",
        _letter("ingest_recorder"),
        "scan ",
        "has an open dead letter of the recorder, and is not dead",
    ),
    Tampering(
        "ingest.dead_letters",
        f"UPDATE ingest.dead_letters SET scan_id = '{OTHER}' WHERE company_id = $1",
        f"scan {OTHER}",
        "has a dead letter because its id was used before, and it was not",
    ),
    Tampering(
        "ingest.dead_letters",
        _letter("enrichment_barcode"),
        "scan ",
        "has an open dead letter of enrichment, and did not fail there",
    ),
    Tampering(
        "enrichment.results",
        f"DELETE FROM enrichment.results WHERE company_id = $1 AND {SOME}",
        "scan ",
        "is stored, and has no result of enrichment",
    ),
    Tampering(
        "enrichment.results",
        f"UPDATE enrichment.results SET scan_id = '{OTHER}' WHERE company_id = $1 AND {SOME}",
        f"scan {OTHER}",
        "has a result of enrichment, and is not stored as that says",
    ),
    Tampering(
        "enrichment.results",
        f"UPDATE enrichment.results SET state = 'failed', tries = 3, result = NULL WHERE company_id = $1 AND {SOME}",
        "scan ",
        "failed in enrichment, and has no open dead letter",
    ),
    Tampering(
        "ingest.rollup_minutes",
        "UPDATE ingest.rollup_minutes SET recorded = recorded + 1 WHERE company_id = $1",
        "minute ",
        "the statistics do not count what there is",
    ),
    Tampering(
        "ingest.rollup_minutes",
        "DELETE FROM ingest.rollup_minutes WHERE company_id = $1",
        "minute ",
        "the statistics do not count what there is",
    ),
    Tampering(
        "ingest.rollup_hours",
        "UPDATE ingest.rollup_hours SET enriched = enriched - 1 WHERE company_id = $1",
        "hour ",
        "the statistics do not count what there is",
    ),
    Tampering(
        "ingest.rollup_hours",
        "UPDATE ingest.rollup_hours SET failed = failed + 1 WHERE company_id = $1",
        "hour ",
        "the statistics do not count what there is",
    ),
    Tampering(
        "billing.ledger",
        "DELETE FROM billing.ledger WHERE company_id = $1",
        "cell ",
        "the ledger does not bill what is stored",
    ),
    Tampering(
        "billing.ledger",
        """INSERT INTO billing.ledger (company_id, event_id, meter, quantity, cell_time, period, kind, region, lane,
            scanners, digest, record_time) SELECT company_id, gen_random_uuid(), meter, quantity, cell_time, period,
            kind, region, lane, scanners, digest, record_time FROM billing.ledger WHERE company_id = $1""",
        "cell ",
        "the ledger does not bill what is stored",
    ),
    Tampering(
        "billing.ledger",
        "UPDATE billing.ledger SET quantity = quantity + 1 WHERE company_id = $1",
        "usage event ",
        "is another quantity than its scanners add up to",
    ),
    Tampering(
        "billing.ledger",
        "UPDATE billing.ledger SET period = '2000-01' WHERE company_id = $1",
        "usage event ",
        "is in another month than it was accepted in",
    ),
    Tampering(
        "billing.totals",
        "UPDATE billing.totals SET quantity = quantity + 1 WHERE company_id = $1",
        "20",
        "the total is not what the ledger adds up to",
    ),
]
