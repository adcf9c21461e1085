"""The template by itself: Envoy takes it, its README knows it, and its two forms of each error agree."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from google.rpc import status_pb2

from tests.edge import dummies, envoys
from tests.edge.envoys import TEMPLATE, Files

PORTS = (1, 2, 3)
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


@pytest.fixture
def rendered(files: Files) -> str:
    return envoys.render(
        files, {service: [4, 5] for service in (*dummies.SERVICES, "auth_check")}, ports=PORTS
    )


@pytest.fixture
def config(rendered: str) -> dict[str, Any]:
    loaded = yaml.safe_load(rendered)
    assert isinstance(loaded, dict)
    return loaded


def test_envoy_takes_the_template(rendered: str, tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(rendered, "utf-8")
    finished = envoys.validate(path)
    assert finished.returncode == 0, finished.stderr


def test_envoy_refuses_a_misspelt_template(rendered: str, tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(rendered.replace("failure_mode_allow", "failure_mode_alow"), "utf-8")
    assert envoys.validate(path).returncode != 0


def test_every_placeholder_is_documented() -> None:
    names = {
        match["braced"] for match in Template.pattern.finditer(TEMPLATE.read_text("utf-8")) if match["braced"]
    }
    rows = re.findall(r"^\|([^|]*)\|", (TEMPLATE.parent / "README.md").read_text("utf-8"), re.MULTILINE)
    assert names == set(re.findall(r"`([A-Z_]+)`", " ".join(rows)))


def test_native_and_json_errors_say_the_same(config: dict[str, Any]) -> None:
    json_forms, native = {}, {}
    for mapper in envoys.http(config)["local_reply_config"]["mappers"]:
        form = mapper["body_format_override"].get("json_format")
        headers = {
            option["header"]["key"]: option["header"]["value"] for option in mapper.get("headers_to_add", ())
        }
        if form:
            json_forms[_key(form)] = form, headers
        elif headers:
            status = _decoded(headers["grpc-status-details-bin"])
            native[_key(status)] = mapper, status, headers
    assert set(json_forms) == set(native)
    for key, (mapper, status, headers) in native.items():
        form, json_headers = json_forms[key]
        assert status["details"] == form["details"]
        assert status["code"] == int(headers["grpc-status"])
        assert status["message"] == mapper["body_format_override"]["text_format_source"]["inline_string"]
        assert headers.get("retry-after") == json_headers.get("retry-after")
        assert ("retry-after" in headers) == (len(form["details"]) > 1)


def _key(status: dict[str, Any]) -> tuple[str, str]:
    """Tell an error from the others: some differ in their delay alone."""
    details = status["details"]
    return details[0]["reason"], details[1]["retryDelay"] if len(details) > 1 else ""


def _decoded(details: str) -> dict[str, Any]:
    padded = details + "=" * (-len(details) % 4)
    status = json_format.MessageToDict(status_pb2.Status.FromString(base64.b64decode(padded)))
    for detail in status["details"]:
        if detail["@type"] == ERROR_INFO:
            detail.setdefault("metadata", {})
    return status


def test_the_rpcs_with_an_http_path_are_routed_and_no_other(config: dict[str, Any]) -> None:
    with_http = {path for path, http in dummies.rpcs().items() if http}
    assert with_http
    assert with_http == _rpcs_routed(config)


def test_public_routes_are_those_of_the_contract(config: dict[str, Any]) -> None:
    public = {
        route["match"].get("path")
        for route in envoys.http(config)["route_config"]["virtual_hosts"][0]["routes"]
        if "ext_authz" in route.get("typed_per_filter_config", {}) and "route" in route
    }
    assert public == {
        "/scanmesh.auth.v1.SessionService/CreateSession",
        "/scanmesh.auth.v1.SessionService/RefreshSession",
        "/scanmesh.auth.v1.SessionService/GetJwks",
        "/scanmesh.billing.v1.BillingService/ListPlans",
        "/grpc.health.v1.Health/Check",
        "/v1/sessions",
        "/v1/sessions:refresh",
        "/.well-known/jwks.json",
        "/v1/plans",
    }


def test_each_rpc_is_routed_to_its_own_service(config: dict[str, Any]) -> None:
    for route in envoys.http(config)["route_config"]["virtual_hosts"][0]["routes"]:
        path = route["match"].get("path", "")
        if path.startswith("/scanmesh."):
            assert route["route"]["cluster"] == path.split(".")[1], path


def test_public_routes_are_limited_by_address(config: dict[str, Any]) -> None:
    for route in envoys.http(config)["route_config"]["virtual_hosts"][0]["routes"]:
        public = "route" in route and "ext_authz" in route.get("typed_per_filter_config", {})
        assert ("metadata" in route) == public, route["match"]


def _rpcs_routed(config: dict[str, Any]) -> set[str]:
    routes = envoys.http(config)["route_config"]["virtual_hosts"][0]["routes"]
    return {path for route in routes if (path := route["match"].get("path", "")).startswith("/scanmesh.")}
