"""One Envoy and one dummy of each service for all tests of the edge; each test finds the dummies as new."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from protos import generate
from tests.edge import dummies, envoys
from tests.edge.dummies import Dummy
from tests.edge.envoys import Edge, Files

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
def auth_server() -> Iterator[Dummy]:
    with dummies.serving(dummies.READY["auth"]) as dummy:
        yield dummy


@pytest.fixture(scope="session")
def ingest_server() -> Iterator[Dummy]:
    with dummies.serving(dummies.READY["ingest"]) as dummy:
        yield dummy


@pytest.fixture
def auth(auth_server: Dummy) -> Dummy:
    """The dummy auth: it knows `dummies.GOOD_KEY` and no other."""
    auth_server.forget()
    auth_server.replies["Check"] = dummies.check
    return auth_server


@pytest.fixture
def ingest(ingest_server: Dummy) -> Dummy:
    ingest_server.forget()
    return ingest_server


@pytest.fixture(scope="session")
def shared_edge(
    files: Files, auth_server: Dummy, ingest_server: Dummy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    with envoys.running(directory, files, auth=[auth_server.port], ingest=[ingest_server.port]) as edge:
        yield edge


@pytest.fixture
def edge(shared_edge: Edge, auth: Dummy, ingest: Dummy) -> Edge:
    """The Envoy in front of `auth` and `ingest`, address limit off."""
    return shared_edge


@pytest.fixture
def start_edge(files: Files, auth: Dummy, ingest: Dummy, tmp_path: Path) -> EdgeStarter:
    """Start another Envoy than the shared one; what is not said is as there."""

    def start(**others: Any) -> AbstractContextManager[Edge]:
        return envoys.running(tmp_path, files, **{"auth": [auth.port], "ingest": [ingest.port], **others})

    return start


@pytest.fixture
def client(edge: Edge) -> Iterator[httpx.Client]:
    """A caller over HTTP/1.1 with a good key."""
    with edge.client(headers=dummies.GOOD_KEY) as client:
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
