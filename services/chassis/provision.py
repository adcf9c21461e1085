"""Creates every stream and durable; idempotent, run before the services start and again at each deployment.

Provisioning never widens a filter: JetStream accepts an update that overlaps another durable's filter, though it
refuses the same at creation, and the messages of one lane would then be taken by two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from services.chassis import ids
from services.chassis.natslib import JetStreamContext, api, js_errors
from services.chassis.subjects import Durable, Stream

EPOCH = "scanmesh-epoch"
"""Metadata of a stream: a random id made with it. Sequence numbers mean something within one epoch only."""

_log = logging.getLogger(__name__)
_DUPLICATE_WINDOW_SECONDS = 120.0
"""How long a stream recognises a message id: longer than any publisher tries again."""


class ProvisioningError(Exception):
    """A stream or durable exists in a shape that cannot be changed safely; an operator must decide."""


async def provision(jetstream: JetStreamContext, streams: Sequence[Stream], *, max_bytes: int) -> None:
    """Create or update `streams` and their durables.

    Args:
        jetstream: a connection that may manage streams.
        streams: what must exist afterwards.
        max_bytes: the size of all streams of the mesh on disk, which must stay below the disk's reserve.

    Raises:
        ProvisioningError: a durable exists with another filter.
    """
    for stream in streams:
        await _stream(jetstream, stream, max_bytes)
        for durable in stream.durables:
            await _durable(jetstream, stream, durable)


async def _stream(jetstream: JetStreamContext, stream: Stream, max_bytes: int) -> None:
    queue = bool(stream.durables)
    config = api.StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=api.RetentionPolicy.WORK_QUEUE if queue else api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.NEW if queue else api.DiscardPolicy.OLD,
        max_bytes=max_bytes * stream.percent // 100,
        max_age=stream.max_age.total_seconds() if stream.max_age else 0,
        duplicate_window=_DUPLICATE_WINDOW_SECONDS,
        allow_msg_ttl=stream.expiring,
        storage=api.StorageType.FILE,
        # What makes a stream a bucket to every client that knows key-value buckets.
        max_msgs_per_subject=1 if stream.latest_only else -1,
        allow_rollup_hdrs=stream.latest_only,
        deny_delete=stream.latest_only,
        allow_direct=stream.latest_only,
    )
    try:
        existing = (await jetstream.stream_info(stream.name)).config
    except js_errors.NotFoundError:
        await jetstream.add_stream(config.evolve(metadata={EPOCH: ids.message_id()}))
        _log.info("stream created", extra={"stream": stream.name})
    else:
        await jetstream.update_stream(config.evolve(metadata=existing.metadata))


async def _durable(jetstream: JetStreamContext, stream: Stream, durable: Durable) -> None:
    config = api.ConsumerConfig(
        durable_name=durable.name,
        filter_subject=durable.subject,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=durable.ack_wait.total_seconds(),
        max_ack_pending=durable.max_ack_pending,
        # A message that reached a limit would stay in the stream, invisible to every pending count.
        max_deliver=-1,
    )
    try:
        existing = (await jetstream.consumer_info(stream.name, durable.name)).config.filter_subject
    except js_errors.NotFoundError:
        existing = durable.subject
        _log.info("durable created", extra={"stream": stream.name, "durable": durable.name})
    if existing != durable.subject:
        raise ProvisioningError(
            f"{stream.name}/{durable.name} filters {existing}, not {durable.subject}: drain it, then replace it"
        )
    await jetstream.add_consumer(stream.name, config)
