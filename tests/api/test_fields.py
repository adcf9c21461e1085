"""Names and types of fields are the contract's. Fields may be added; those listed here may not go or change."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from tests.api.descriptors import Api

TOKENS = "access_token access_expire_time refresh_token refresh_expire_time"

FIELDS = {
    "auth.v1.CreateSessionRequest": "email password",
    "auth.v1.CreateSessionResponse": TOKENS,
    "auth.v1.RefreshSessionRequest": "refresh_token",
    "auth.v1.RefreshSessionResponse": TOKENS,
    "auth.v1.Company": "company_id display_name status region allowed_cidrs create_time",
    "auth.v1.User": "user_id company_id email role status password",
    "auth.v1.Scanner": "scanner_id company_id display_name type location region firmware_version status"
    " create_time last_seen_time",
    "auth.v1.RegisterScannerResponse": "scanner api_key",
    "auth.v1.RotateApiKeyRequest": "company_id scanner_id overlap",
    "auth.v1.RotateApiKeyResponse": "api_key previous_expire_time",
    "auth.v1.RevokeApiKeysResponse": "revoked_count",
    "auth.v1.ListApiKeysResponse": "api_keys",
    "auth.v1.ApiKey": "key_id create_time last_used_time expire_time",
    "auth.v1.ListAuditEventsResponse": "audit_events next_page_token",
    "ingest.v1.Scan": "scan_id scan_time location operator attributes barcode company_id scanner_id kind lane"
    " region accept_time",
    "ingest.v1.Barcode": "data symbology_identifier format",
    "ingest.v1.SubmitScanRequest": "scan bulk",
    "ingest.v1.SubmitScanResponse": "scan_id accept_time",
    "ingest.v1.SubmitScansRequest": "scans bulk",
    "ingest.v1.SubmitScansResponse": "accepted_count rejections",
    "ingest.v1.Rejection": "index scan_id reason violations retry_delay",
    "ingest.v1.Violation": "field description",
    "ingest.v1.SubmitLegacyScanResponse": "success scan_id event_id timestamp message",
    "ingest.v1.ListScansRequest": "company_id scanner_id kind start_time end_time page_size page_token",
    "ingest.v1.ListScansResponse": "scans next_page_token",
    "ingest.v1.GetScanStatsRequest": "company_id scanner_id kind region bucket start_time end_time",
    "ingest.v1.GetScanStatsResponse": "buckets",
    "ingest.v1.StatsBucket": "start_time scanner_id kind region recorded enriched failed",
    "ingest.v1.DeadLetter": "dead_letter_id scan_id consumer reason tries fail_time",
    "ingest.v1.ReplayDeadLettersResponse": "replayed_count",
    "ratelimit.v1.GetLimitsRequest": "company_id scanner_id",
    "ratelimit.v1.Limit": "name limit source remaining reset_time",
    "ratelimit.v1.SetLimitOverrideRequest": "company_id scanner_id name value",
    "ratelimit.v1.SetLimitOverrideResponse": "limit",
    "ratelimit.v1.SpendRequest": "spend_id company_id scanner_id region cost partial",
    "ratelimit.v1.SpendResponse": "granted accept_time limits",
    "ratelimit.v1.SpendLimit": "name limit remaining retry_delay",
    "ratelimit.v1.RefundRequest": "spend_id count",
    "enrichment.v1.Enrichment": "scan_id kind enrich_time product",
    "enrichment.v1.Product": "gtin format check_digit_valid symbology gs1_prefix_country",
    "billing.v1.Plan": "plan monthly_price scan_quota scanner_quota region_quota over_quota overage_price"
    " overage_unit lane retention",
    "billing.v1.Subscription": "company_id plan state start_time pending_plan",
    "billing.v1.GetUsageRequest": "company_id period",
    "billing.v1.GetUsageResponse": "period as_of_time usage",
    "billing.v1.Usage": "meter quantity included overage",
    "billing.v1.Invoice": "invoice_id number company_id period state lines subtotal tax total",
    "billing.v1.InvoiceLine": "description meter quantity unit_price amount",
}

ENUMS = {
    "auth.v1.CompanyStatus": "COMPANY_STATUS_ ACTIVE SUSPENDED",
    "auth.v1.ScannerStatus": "SCANNER_STATUS_ ACTIVE DISABLED",
    "auth.v1.UserStatus": "USER_STATUS_ ACTIVE DISABLED",
    "auth.v1.Role": "ROLE_ VIEWER ADMIN PLATFORM_ADMIN",
    "auth.v1.ScannerType": "SCANNER_TYPE_ HANDHELD VEHICLE AGENT DOCK FIXED",
    "billing.v1.OverQuota": "OVER_QUOTA_ REFUSE BILL NONE",
    "billing.v1.SubscriptionState": "SUBSCRIPTION_STATE_ ACTIVE ENDED",
    "billing.v1.InvoiceState": "INVOICE_STATE_ PREVIEW OPEN FINAL",
}

TIMESTAMP = ".google.protobuf.Timestamp"
OLD_GATEWAY = {"scanmesh.ingest.v1.SubmitLegacyScanResponse.timestamp"}
"""Named by what old devices expect, not by our rules."""


@pytest.mark.parametrize("name", FIELDS)
def test_a_message_has_the_fields_of_the_contract(api: Api, name: str) -> None:
    names = {field.name for field in api.messages()[f"scanmesh.{name}"].field}

    assert set(FIELDS[name].split()) <= names


@pytest.mark.parametrize("name", ENUMS)
def test_a_closed_set_has_the_values_of_the_contract(api: Api, name: str) -> None:
    prefix, *values = ENUMS[name].split()
    numbers = {value.name: value.number for value in api.enums()[f"scanmesh.{name}"].value}

    assert set(numbers) == {prefix + value for value in ("UNSPECIFIED", *values)}
    assert numbers[prefix + "UNSPECIFIED"] == 0


def test_a_scan_holds_no_enum(api: Api) -> None:
    """One unknown name would make the edge refuse a whole batch."""
    assert not [field for field in _within(api, "scanmesh.ingest.v1.Scan") if _is(field, "ENUM")]


def test_times_are_timestamps_and_only_they_are_called_so(api: Api) -> None:
    fields = {name: field for name, field in api.fields().items() if name not in OLD_GATEWAY}

    assert [
        name for name, field in fields.items() if (field.type_name == TIMESTAMP) != name.endswith("_time")
    ] == []


def test_company_ids_are_numbers_and_other_ids_text(api: Api) -> None:
    ids = {name: field for name, field in api.fields().items() if field.name.endswith("_id")}

    assert [
        name
        for name, field in ids.items()
        if not _is(field, "INT32" if field.name == "company_id" else "STRING")
    ] == []


def test_counts_are_wide(api: Api) -> None:
    counted = ("_count", "scan_quota", "scanner_quota", "region_quota", ".quantity", ".remaining", ".cost")
    counts = {name: field for name, field in api.fields().items() if name.endswith(counted)}

    assert [name for name, field in counts.items() if not _is(field, "INT64")] == []


def test_nothing_is_a_float(api: Api) -> None:
    assert [name for name, field in api.fields().items() if _is(field, "FLOAT") or _is(field, "DOUBLE")] == []


def test_every_list_has_pages(api: Api) -> None:
    few = {"ListApiKeys", "ListPlans"}  # bounded by what they list
    fields = {name: {field.name for field in message.field} for name, message in api.messages().items()}
    lists = [rpc for rpc in api.rpcs() if rpc.method.name.startswith("List") and rpc.method.name not in few]

    assert len(lists) == 6
    for rpc in lists:
        assert {"page_size", "page_token"} <= fields[rpc.method.input_type.lstrip(".")], rpc.name
        assert "next_page_token" in fields[rpc.method.output_type.lstrip(".")], rpc.name


def _is(field: FieldDescriptorProto, kind: str) -> bool:
    return field.type == FieldDescriptorProto.Type.Value(f"TYPE_{kind}")


def _within(api: Api, name: str) -> Iterable[FieldDescriptorProto]:
    messages = api.messages()
    for field in messages[name].field:
        yield field
        if field.type_name.lstrip(".") in messages:
            yield from _within(api, field.type_name.lstrip("."))
