"""Plans as other services know them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf import duration_pb2
from google.protobuf.message import DecodeError
from scanmesh.billing.v1 import billing_pb2, events_pb2

from services.chassis.plans import COMPLETE, UNKNOWN, OverQuota, Plan, Plans, company_key, plan_key
from services.chassis.subjects import Lane


@pytest.fixture
def offered() -> Plans:
    """The catalogue has been heard, and nothing else."""
    made = Plans(bus=None)  # type: ignore[arg-type]  # nothing is read from it here
    _offer(made, "starter", is_default=True, scan_quota=100, over_quota=billing_pb2.OVER_QUOTA_REFUSE)
    _offer(made, "enterprise", lane="premium", over_quota=billing_pb2.OVER_QUOTA_NONE)
    return made


@pytest.fixture
def plans(offered: Plans) -> Plans:
    """Everything has been heard."""
    offered.learn(COMPLETE, b"epoch")
    offered.loaded.set()
    return offered


def _offer(
    plans: Plans, name: str, *, is_default: bool = False, lane: str = "standard", **fields: int
) -> None:
    plan = billing_pb2.Plan(plan=name, lane=lane, retention=duration_pb2.Duration(seconds=86_400), **fields)
    offered = events_pb2.PlanOffered(plan=plan, is_default=is_default)
    plans.learn(plan_key(name), offered.SerializeToString())


def _subscribe(plans: Plans, plan: str, revision: int, *, ended: bool = False) -> None:
    state = billing_pb2.SUBSCRIPTION_STATE_ENDED if ended else billing_pb2.SUBSCRIPTION_STATE_ACTIVE
    told = events_pb2.SubscriptionChanged(company_id=7, plan=plan, state=state, revision=revision)
    plans.learn(company_key(7), told.SerializeToString())


def test_before_billing_has_told_anything_nobody_is_held_to_anything() -> None:
    assert Plans(bus=None).of(7) == UNKNOWN  # type: ignore[arg-type]
    assert UNKNOWN.scan_quota is None


def test_a_company_is_held_to_nothing_until_all_that_billing_told_has_been_heard(offered: Plans) -> None:
    offered.loaded.set()
    assert (offered.of(7), offered.complete) == (UNKNOWN, False)
    offered.learn(COMPLETE, b"epoch")
    assert (offered.of(7).name, offered.complete) == ("starter", True)


def test_what_stood_in_the_bucket_behind_the_word_complete_is_heard_first(offered: Plans) -> None:
    offered.learn(COMPLETE, b"epoch")
    assert (offered.of(7), offered.complete) == (UNKNOWN, False)
    _subscribe(offered, "enterprise", 2)
    offered.loaded.set()
    assert (offered.of(7).name, offered.of(8).name) == ("enterprise", "starter")


def test_a_company_that_subscribed_has_its_plan_at_once(offered: Plans) -> None:
    _subscribe(offered, "enterprise", 2, ended=True)
    assert (offered.of(7).name, offered.of(7).ended) == ("enterprise", True)


def test_a_company_that_never_subscribed_is_on_the_default_plan(plans: Plans) -> None:
    assert plans.of(7) == Plan(
        "starter", 100, None, None, OverQuota.REFUSE, Lane.STANDARD, timedelta(days=1), ended=False
    )


def test_a_subscription_counts_and_only_the_newest(plans: Plans) -> None:
    _subscribe(plans, "enterprise", 2)
    assert (plans.of(7).name, plans.of(7).lane, plans.of(8).name) == ("enterprise", Lane.PREMIUM, "starter")
    _subscribe(plans, "starter", 1)
    assert plans.of(7).name == "enterprise"


def test_an_ended_subscription_says_so(plans: Plans) -> None:
    _subscribe(plans, "enterprise", 1, ended=True)
    assert plans.of(7).ended
    assert not plans.of(8).ended


def test_a_plan_changed_in_the_catalogue_changes_for_who_is_on_it(plans: Plans) -> None:
    _subscribe(plans, "enterprise", 1)
    _offer(plans, "enterprise", scan_quota=5, over_quota=billing_pb2.OVER_QUOTA_BILL)
    assert (plans.of(7).scan_quota, plans.of(7).over_quota) == (5, OverQuota.BILL)


def test_other_bytes_are_told_apart_from_an_entry(plans: Plans) -> None:
    with pytest.raises(DecodeError):
        plans.learn(company_key(7), b"\xff\xff")
