from __future__ import annotations

import json
from pathlib import Path

from deploy.local import nats
from services.chassis.subjects import CONTROL, SCANS
from tests.unit.deploy.sites import site


def test_configuration_acknowledges_only_what_is_on_disk(tmp_path: Path) -> None:
    configuration = json.loads(nats.configuration(site(tmp_path)))
    assert configuration["jetstream"]["sync_interval"] == "always"
    assert configuration["jetstream"]["store_dir"].startswith(str(tmp_path))
    assert configuration["listen"].startswith("127.0.0.1:")
    assert configuration["http"].startswith("127.0.0.1:")


def test_every_user_has_a_password_of_its_own(tmp_path: Path) -> None:
    users = json.loads(nats.configuration(site(tmp_path)))["authorization"]["users"]
    assert {user["user"] for user in users} == {"inspector", "provisioner", "auth", "ingest"}
    assert len({user["password"] for user in users}) == len(users)


def test_services_publish_their_own_subjects_and_read_their_own_inbox() -> None:
    allowed = nats.permissions()
    assert set(SCANS.subjects) <= set(allowed["ingest"]["publish"]["allow"])
    assert not set(CONTROL.subjects) & set(allowed["ingest"]["publish"]["allow"])
    assert set(CONTROL.subjects) <= set(allowed["auth"]["publish"]["allow"])
    assert not set(SCANS.subjects) & set(allowed["auth"]["publish"]["allow"])
    for user in ("provisioner", "auth", "ingest"):
        assert allowed[user]["subscribe"]["allow"] == [f"_INBOX_{user}.>"]


def test_no_service_may_change_a_stream_or_delete_a_consumer() -> None:
    for user in ("auth", "ingest"):
        for subject in nats.permissions()[user]["publish"]["allow"]:
            assert not subject.startswith(
                ("$JS.API.>", "$JS.API.*", "$JS.API.STREAM.*", "$JS.API.CONSUMER.*")
            )
            assert not any(verb in subject for verb in ("DELETE", "PURGE", "UPDATE", "STREAM.CREATE"))


def test_odd_path_is_written_so_that_nats_reads_it(tmp_path: Path) -> None:
    text = nats.configuration(site(tmp_path / 'a "b" ü'))
    assert "\\u" not in text
    assert json.loads(text)["jetstream"]["store_dir"].endswith('a "b" ü/data/nats')
