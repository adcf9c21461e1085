"""`python -m services.ingest serve|provision`: the only place of ingest that constructs anything."""

from __future__ import annotations

from collections.abc import Mapping

from scanmesh.ingest.v1 import ingest_pb2_grpc

from services.chassis import bus, clock, process, subjects, telemetry
from services.chassis.identity import Verifier
from services.chassis.provision import provision
from services.chassis.server import Server
from services.chassis.settings import load
from services.ingest import publisher
from services.ingest.acceptor import Acceptor
from services.ingest.in_flight import InFlight
from services.ingest.servicer import IngestServicer
from services.ingest.settings import ProvisionSettings, Settings


async def serve(settings: Settings) -> None:
    """Take scans until stopped; the port opens once every stream and durable exists."""
    with telemetry.configured("ingest", settings):
        in_flight = InFlight(settings.max_in_flight_bytes)
        async with (
            bus.connected(settings.nats_url, "ingest") as nats,
            publisher.running(nats, in_flight) as scans,
        ):
            await nats.until_required(subjects.SCANS)
            server = Server(settings, verifier=Verifier.from_file(settings.identity_jwks))
            server.add(
                ingest_pb2_grpc.add_IngestServiceServicer_to_server,
                IngestServicer(Acceptor(scans), clock.now),
                needs=[lambda: nats.require(subjects.SCANS)],
            )
            await server.until_stopped()


async def make_streams(settings: ProvisionSettings) -> None:
    """Create every stream and durable of the mesh, or bring them up to date."""
    async with bus.connected(settings.nats_url, "provision") as nats:
        await nats.until_connected()
        await provision(nats.jetstream, subjects.STREAMS, max_bytes=settings.streams_max_bytes)


async def _serve(environ: Mapping[str, str]) -> None:
    await serve(load(Settings, prefix="INGEST_", environ=environ, known=[ProvisionSettings]))


async def _provision(environ: Mapping[str, str]) -> None:
    await make_streams(load(ProvisionSettings, prefix="INGEST_", environ=environ, known=[Settings]))


if __name__ == "__main__":
    process.main("ingest", {"serve": _serve, "provision": _provision})
