from __future__ import annotations

from uuid import UUID

import pytest
from scanmesh.ingest.v1 import ingest_pb2

from benchmarks.bench.batches import template
from benchmarks.bench.scan_ids import ORDERED, SCATTERED, Minting, prefix


@pytest.mark.parametrize(("minting", "version"), [(ORDERED, 7), (SCATTERED, 4)])
def test_ids_are_uuids_of_their_version_and_none_comes_twice(minting: Minting, version: int):
    names = [prefix() for _ in range(10_000)]
    ids = [UUID(each) for name in names for each in minting.of_batch(name, 2)]
    ids += [UUID(minting.single()) for _ in range(1_000)]
    assert {(each.version, each.variant) for each in ids} == {(version, "specified in RFC 4122")}
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("minting", [ORDERED, SCATTERED])
def test_the_ids_of_a_batch_follow_from_its_name(minting: Minting):
    assert minting.of_batch(name := prefix(), 3) == minting.of_batch(name, 3)


@pytest.mark.parametrize("size", [3, 37])  # a length of 37 is written as a percent sign
def test_a_batch_is_the_template_with_its_ids(size: int):
    ids = SCATTERED.of_batch(prefix(), size)
    batch = ingest_pb2.SubmitScansRequest.FromString(
        template(size, bulk=True) % tuple(each.encode() for each in ids)
    )
    assert batch.bulk
    assert [scan.scan_id for scan in batch.scans] == ids
    assert {scan.barcode.data for scan in batch.scans} == {"4006381333931"}
