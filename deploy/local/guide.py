"""What a person is told about a running mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def addresses(description: Mapping[str, Any]) -> str:
    """Answer where the mesh can be reached, from its mesh.json."""
    edge = description["edge"]
    return "\n".join(
        [
            f"  edge       {edge['http']}  (HTTP/1.1, h2c, gRPC)",
            f"             {edge['https']}  (TLS 1.3, CA {edge['ca']})",
            f"  Envoy      {edge['admin']}",
            *(f"  {name:<10} {', '.join(each)}" for name, each in description["services"].items()),
        ]
    )


def next_step(description: Mapping[str, Any]) -> str:
    """Answer commands to try."""
    edge, demo = description["edge"], description["demo"]
    return f"""
Try some of your own:

  EDGE={edge["http"]}
  KEY='X-API-Key: {demo["api_key"]}'
  ID=$(cat /proc/sys/kernel/random/uuid)
  curl $EDGE/v1/scans -H "$KEY" -d '{{"scanId": "'$ID'", "barcode": {{"data": "4006381333931"}}}}'
  curl $EDGE/v1/scans/$ID -H "$KEY"
  curl $EDGE/v1/scans/$ID/enrichment -H "$KEY"
  curl $EDGE/v1/plans
"""
