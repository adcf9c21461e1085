"""The mutants by name: which rule each breaks, where it is planted, and which faults expose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.plants.site.planted import Plant

_MUTANTS = "benchmarks.mutants"
_HAND_OVER = "services.ingest.recorder:Recorder._hand_over"
_OWNERS = "services.ingest.store_record:_owners"
_PUBLISH = "services.chassis.bus:Bus.publish"
_LOST = "accepted, and neither stored nor in a dead letter"
_RESULT = "is stored, and has no result of enrichment"
_STATISTICS = "the statistics do not count what there is"
_BILL = "the ledger does not bill what is stored"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One wrong implementation."""

    name: str
    breaks: str
    """The rule that it breaks, as the real ones keep it."""
    found_as: str
    """What a difference says that it leaves."""
    part: str
    """The process that is wrong, by its name in mesh.json."""
    plants: tuple[Plant, ...]
    targets: tuple[str, ...] = ()
    """The processes whose faults expose it; none = scans alone do."""
    acts: tuple[str, ...] = ("kill",)
    """The faults that do, as chaos names them."""


def _instead(target: str, replacement: str) -> Plant:
    return Plant(target=target, act="replace", value=f"{_MUTANTS}.{replacement}", call=0)


_ALL = (
    Mutant(
        name="refund_on_unknown",
        breaks="a scan whose publish ended unknown may be stored: its spend is not given back",
        found_as="knows of less than is in the ledger",
        part="ingest",
        plants=(_instead(_PUBLISH, "acceptor:refund_on_unknown"),),
        targets=("nats",),
        acts=("stop",),
    ),
    Mutant(
        name="accepted_before_ack",
        breaks="a scan is accepted when the stream has acknowledged it",
        found_as=_LOST,
        part="ingest",
        plants=(_instead(_PUBLISH, "acceptor:accepted_before_ack"),),
        targets=("ingest",),
    ),
    Mutant(
        name="message_id_from_scans",
        breaks="the id of a message does not derive from what a client chose",
        found_as=_LOST,
        part="ingest",
        plants=(_instead(_PUBLISH, "acceptor:message_id_from_scans"),),
    ),
    Mutant(
        name="ack_before_commit",
        breaks="a message of SCANS is acknowledged after the transaction that decides it",
        found_as=_LOST,
        part="ingest-recorder",
        plants=(_instead("services.ingest.recorder:Recorder.handle", "work:ack_before_commit"),),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="ack_before_publish",
        breaks="a message of SCANS is acknowledged after RECORDED and USAGE are",
        found_as=_RESULT,
        part="ingest-recorder",
        plants=(_instead(_HAND_OVER, "recorder:ack_before_publish"),),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="won_from_returning",
        breaks="what a message has won is read back by its id, not taken from what was inserted now",
        found_as=_RESULT,
        part="ingest-recorder",
        plants=(_instead(_OWNERS, "recorder:won_from_returning"), _instead(_HAND_OVER, "window:before")),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="rollups_from_won",
        breaks="rollups count what is inserted now, not what a message has won",
        found_as=_STATISTICS,
        part="ingest-recorder",
        plants=(_instead(_OWNERS, "recorder:rollups_from_won"), _instead(_HAND_OVER, "window:before")),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="scan_join_by_id",
        breaks="a message wins a scan by id and index: the same id twice in it is one scan",
        found_as=_BILL,
        part="ingest-recorder",
        plants=(_instead("services.ingest.ownership:decide", "recorder:scan_join_by_id"),),
    ),
    Mutant(
        name="usage_from_sent",
        breaks="usage counts the scans that a message has won, not those it holds",
        found_as=_BILL,
        part="ingest-recorder",
        plants=(_instead("services.ingest.derivation:derive", "recorder:usage_from_sent"),),
    ),
    Mutant(
        name="random_event_ids",
        breaks="the id of a derived event derives from what the event is derived from",
        found_as=_BILL,
        part="ingest-recorder",
        plants=(
            _instead("services.ingest.derivation:_id", "event_ids:random_id"),
            _instead(_HAND_OVER, "window:after"),
        ),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="tally_ack_before_commit",
        breaks="a message of TALLY is acknowledged after the transaction that counts it",
        found_as=_STATISTICS,
        part="ingest-recorder",
        plants=(_instead("services.ingest.consumer_tally:TallyConsumer.handle", "work:ack_before_commit"),),
        targets=("ingest-recorder",),
    ),
    Mutant(
        name="enrichment_ack_before_commit",
        breaks="a message of RECORDED is acknowledged after its results are stored",
        found_as=_RESULT,
        part="enrichment-worker",
        plants=(_instead("services.enrichment.worker:Enricher.handle", "work:ack_before_commit"),),
        targets=("enrichment-worker",),
    ),
    Mutant(
        name="random_tally_ids",
        breaks="the id of a tally derives from the event whose results it counts",
        found_as=_STATISTICS,
        part="enrichment-worker",
        plants=(
            _instead("services.enrichment.events:derived_id", "event_ids:random_id"),
            _instead("services.enrichment.worker:Enricher._tell", "window:after"),
        ),
        targets=("enrichment-worker",),
    ),
    Mutant(
        name="ledger_ack_before_commit",
        breaks="a message of USAGE is acknowledged after its events are in the ledger",
        found_as=_BILL,
        part="billing-ledger",
        plants=(_instead("services.billing.consumer:UsageHandler.handle", "work:ack_before_commit"),),
        targets=("billing-ledger",),
    ),
    Mutant(
        name="ledger_forgets_ids",
        breaks="the ledger holds an event once, however often it comes",
        found_as=_BILL,
        part="billing-ledger",
        plants=(
            _instead("services.billing.store_ledger:LedgerStore.append", "ledger:ledger_forgets_ids"),
            _instead("services.billing.consumer:UsageHandler.handle", "window:after"),
        ),
        targets=("billing-ledger",),
    ),
)
MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for mutant in _ALL}
