"""One Envoy and one dummy of each service for all tests of the edge; each test finds the dummies as new."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import grpc
import httpx
import pytest

from protos import generate
from tests.edge import doorkeepers, dummies, envoys
from tests.edge.doorkeepers import Doorkeeper
from tests.edge.dummies import Dummy
from tests.edge.envoys import Change, Edge, Files

EdgeStarter = Callable[..., AbstractContextManager[Edge]]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A self-signed certificate and the descriptors of all protos."""
    directory = tmp_path_factory.mktemp("files")
    files = Files(directory / "cert.pem", directory / "key.pem", directory / "scanmesh.binpb")
    published = generate.sources(generate.HERE, "scanmesh")
    generate.describe(generate.HERE, [*published, *generate.ERROR_DETAILS], files.descriptors)
    make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    paths = ["-keyout", str(files.key), "-out", str(files.certificate)]
    subprocess.run(["openssl", *make, *names, *paths], check=True, capture_output=True)
    return files


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Dummy]]:
    """One dummy of each service, by its name."""
    with ExitStack() as stack:
        yield {
            service: stack.enter_context(dummies.serving(dummies.READY.get(service, "")))
            for service in dummies.SERVICES
        }


@pytest.fixture(scope="session")
def shared_doorkeeper() -> Iterator[Doorkeeper]:
    with doorkeepers.serving() as doorkeeper:
        yield doorkeeper


@pytest.fixture
def services(servers: dict[str, Dummy]) -> dict[str, Dummy]:
    """The dummies, as new."""
    for dummy in servers.values():
        dummy.forget()
    return servers


@pytest.fixture
def doorkeeper(shared_doorkeeper: Doorkeeper) -> Doorkeeper:
    """What answers the edge's checks, as new: it knows `doorkeepers.GOOD_KEY` and no other."""
    shared_doorkeeper.forget()
    return shared_doorkeeper


@pytest.fixture
def auth(services: dict[str, Dummy]) -> Dummy:
    return services["auth"]


@pytest.fixture
def ingest(services: dict[str, Dummy]) -> Dummy:
    return services["ingest"]


@pytest.fixture(scope="session")
def shared_edge(
    files: Files,
    servers: dict[str, Dummy],
    shared_doorkeeper: Doorkeeper,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Edge]:
    upstreams = _ports(servers, shared_doorkeeper)
    with envoys.running(tmp_path_factory.mktemp("edge"), files, upstreams) as edge:
        yield edge


@pytest.fixture
def edge(shared_edge: Edge, services: dict[str, Dummy], doorkeeper: Doorkeeper) -> Edge:
    """The Envoy in front of `services` and `doorkeeper`, address limit off."""
    return shared_edge


@pytest.fixture
def start_edge(
    files: Files, services: dict[str, Dummy], doorkeeper: Doorkeeper, tmp_path: Path
) -> EdgeStarter:
    """Start another Envoy than the shared one; services whose ports are not given are those of the shared one."""

    def start(
        *, limit: int = 0, change: Change | None = None, **others: list[int]
    ) -> AbstractContextManager[Edge]:
        upstreams = {**_ports(services, doorkeeper), **others}
        return envoys.running(tmp_path, files, upstreams, limit=limit, change=change)

    return start


@pytest.fixture
def client(edge: Edge) -> Iterator[httpx.Client]:
    """A caller over HTTP/1.1 with a good key."""
    with edge.client(headers=doorkeepers.GOOD_KEY) as client:
        yield client


@pytest.fixture
def stranger(edge: Edge) -> Iterator[httpx.Client]:
    """A caller over HTTP/1.1 without a credential."""
    with edge.client() as client:
        yield client


@pytest.fixture
def channel(edge: Edge) -> Iterator[grpc.Channel]:
    """A native gRPC channel to the edge."""
    with grpc.insecure_channel(f"127.0.0.1:{edge.port}") as channel:
        yield channel


def _ports(services: Mapping[str, Dummy], doorkeeper: Doorkeeper) -> dict[str, list[int]]:
    return {**{service: [dummy.port] for service, dummy in services.items()}, "auth_check": [doorkeeper.port]}
