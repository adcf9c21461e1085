"""The demo company's scanners: one for each way in which scans can be sent."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.demo.edge import Edge

CAMERA = "Shelf camera"
DOCK = "Dock door"
TERMINAL = "Old terminal"
_KINDS: Mapping[str, str] = {
    CAMERA: "SCANNER_TYPE_FIXED",
    DOCK: "SCANNER_TYPE_DOCK",
    TERMINAL: "SCANNER_TYPE_VEHICLE",
}


def api_keys(operator: Edge, company: str) -> dict[str, str]:
    """Answer a key of each scanner by its name; those that are missing are registered.

    A key is shown once, so a scanner that is there already gets another one.

    Args:
        operator: an admin of the company.
        company: the path of the company.

    Raises:
        DemoError: the mesh does not let it.
    """
    listed = operator.get(f"{company}/scanners", params={"pageSize": "1000"})["scanners"]
    ids = {scanner["displayName"]: scanner["scannerId"] for scanner in listed}
    return {name: _api_key(operator, f"{company}/scanners", name, ids.get(name)) for name in _KINDS}


def _api_key(operator: Edge, scanners: str, name: str, scanner_id: str | None) -> str:
    if scanner_id is None:
        answer = operator.post(scanners, {"displayName": name, "type": _KINDS[name]})
    else:
        answer = operator.post(f"{scanners}/{scanner_id}:rotateApiKey", {})
    return str(answer["apiKey"])
