from __future__ import annotations

import json
from pathlib import Path

from deploy.local import nats
from deploy.local.roster import SERVICES
from services.chassis.subjects import (
    CONTROL,
    DEAD_LETTER_WRITTEN,
    DEADLETTER,
    ENRICHED,
    QUOTA_REACHED,
    RECORDED,
    SCANS,
    TALLY,
    USAGE,
)
from tests.unit.deploy.sites import site


def test_configuration_acknowledges_only_what_is_on_disk(tmp_path: Path) -> None:
    configuration = json.loads(nats.configuration(site(tmp_path)))
    assert configuration["jetstream"]["sync_interval"] == "always"
    assert configuration["jetstream"]["store_dir"].startswith(str(tmp_path))
    assert configuration["listen"].startswith("127.0.0.1:")
    assert configuration["http"].startswith("127.0.0.1:")


def test_every_user_has_a_password_of_its_own(tmp_path: Path) -> None:
    users = json.loads(nats.configuration(site(tmp_path)))["authorization"]["users"]
    assert {user["user"] for user in users} == {"inspector", "provisioner", *SERVICES}
    assert len({user["password"] for user in users}) == len(users)


def may_publish(user: str) -> set[str]:
    """What a user may publish, but for what it asks JetStream itself."""
    allowed = nats.permissions()[user]["publish"]["allow"]
    return {subject for subject in allowed if not subject.startswith("$JS.")}


def test_each_service_publishes_what_it_owns_and_nothing_else() -> None:
    told = set(CONTROL.subjects) - {QUOTA_REACHED}
    letters = {DEAD_LETTER_WRITTEN}
    assert may_publish("auth") == told
    assert may_publish("ingest") == {*SCANS.subjects, *RECORDED.subjects, *USAGE.subjects, *letters}
    assert may_publish("ratelimit") == set()
    assert may_publish("enrichment") == {*ENRICHED.subjects, *TALLY.subjects, *letters}
    assert may_publish("billing") == {"$KV.plans.>", "$KV.totals.>", QUOTA_REACHED, *letters}


def test_each_work_queue_is_taken_by_one_service() -> None:
    takers = {
        SCANS: "ingest",
        RECORDED: "enrichment",
        USAGE: "billing",
        TALLY: "ingest",
        DEADLETTER: "ingest",
    }
    for user in SERVICES:
        allowed = nats.permissions()[user]["publish"]["allow"]
        for queue, taker in takers.items():
            for durable in queue.durables:
                name = f"{queue.name}.{durable.name}"
                assert (f"$JS.API.CONSUMER.MSG.NEXT.{name}" in allowed) == (user == taker)
                assert (f"$JS.ACK.{name}.>" in allowed) == (user == taker)


def test_every_user_reads_its_own_inbox_only() -> None:
    for user in ("provisioner", *SERVICES):
        assert nats.permissions()[user]["subscribe"]["allow"] == [f"_INBOX_{user}.>"]


def test_no_service_may_change_a_stream_or_delete_a_consumer() -> None:
    for user in SERVICES:
        for subject in nats.permissions()[user]["publish"]["allow"]:
            assert not subject.startswith(
                ("$JS.API.>", "$JS.API.*", "$JS.API.STREAM.*", "$JS.API.CONSUMER.*")
            )
            if not subject.startswith("$JS.API.STREAM.MSG.DELETE."):  # of its own queues: `test_bus_users`
                assert not any(verb in subject for verb in ("DELETE", "PURGE", "UPDATE", "STREAM.CREATE"))


def test_only_who_takes_a_queue_may_remove_what_was_left_in_it() -> None:
    removing = {
        user: {subject.rpartition(".")[2] for subject in _published(user) if ".MSG.DELETE." in subject}
        for user in SERVICES
    }
    assert removing == {
        "auth": set(),
        "ingest": {"SCANS", "TALLY", "DEADLETTER"},
        "ratelimit": set(),
        "enrichment": {"RECORDED"},
        "billing": {"USAGE"},
    }


def _published(user: str) -> list[str]:
    return nats.permissions()[user]["publish"]["allow"]


def test_odd_path_is_written_so_that_nats_reads_it(tmp_path: Path) -> None:
    text = nats.configuration(site(tmp_path / 'a "b" ü'))
    assert "\\u" not in text
    assert json.loads(text)["jetstream"]["store_dir"].endswith('a "b" ü/data/nats')
