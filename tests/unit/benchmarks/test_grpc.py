from __future__ import annotations

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata

from benchmarks.client.answer import Duty, Fate
from benchmarks.client.grpc import failure


def error(*details, metadata=(), code=grpc.StatusCode.UNAVAILABLE):
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="no")
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    if details:
        metadata = (*metadata, ("grpc-status-details-bin", status.SerializeToString()))
    return AioRpcError(code, Metadata(), Metadata(*metadata), "no")


def test_an_error_with_details_is_read_as_its_json_is():
    info = error_details_pb2.ErrorInfo(reason="NOT_DURABLE", domain="scanmesh.dev")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    read = failure(error(info, retry))
    assert (read.fate, read.reason, read.retry_delay, read.malformed) == (
        Fate.UNKNOWN,
        "NOT_DURABLE",
        1.5,
        False,
    )
    assert failure(error(info)).duty is Duty.DROP


@pytest.mark.parametrize(("metadata", "malformed"), [((("server", "envoy"),), True), ((), False)])
def test_an_error_without_details_is_nonsense_if_the_edge_sent_it(metadata, malformed):
    read = failure(error(metadata=metadata))
    assert (read.fate, read.reason, read.malformed) == (Fate.UNKNOWN, "", malformed)


def test_whoever_says_it_a_deadline_of_the_callers_own_is_no_breach():
    late = error(metadata=(("server", "envoy"),), code=grpc.StatusCode.DEADLINE_EXCEEDED)
    assert (failure(late).fate, failure(late).malformed) == (Fate.UNKNOWN, False)
