from __future__ import annotations

from uuid import UUID

from scanmesh.ingest.v1 import ingest_pb2

from benchmarks.bench.batches import request
from benchmarks.bench.scan_ids import PLACEHOLDER, positions, prefix


def test_prefixes_make_uuids_of_version_7_and_none_twice():
    last = positions(1)[0]
    ids = [UUID(prefix() + last) for _ in range(20_000)]
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == len(ids)


def test_a_batch_is_the_template_with_other_ids():
    first = prefix()
    batch = ingest_pb2.SubmitScansRequest.FromString(
        request(3, bulk=True).replace(PLACEHOLDER.encode(), first.encode())
    )
    assert batch.bulk
    assert [scan.scan_id for scan in batch.scans] == [f"{first}{n:012x}" for n in range(3)]
    assert {scan.barcode.data for scan in batch.scans} == {"4006381333931"}
