"""The wheel as a firmware author gets it: built, installed elsewhere, and the README's first call made with it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import grpc
import pytest
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc

from protos import generate

API_KEY = "kmp_scanner_1_0197a1b2-7c3d-4e4f-8a5b-6c7d8e9f0a1b"

# The editable install stays on the path behind the wheel, so the modules are asked where they came from.
BEFORE = "import sys; sys.path.insert(0, {target!r})\n"
AFTER = """
for name, module in sorted(sys.modules.items()):
    if name.startswith("scanmesh.") and getattr(module, "__file__", None):
        print("from", module.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release builds it."""
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(generate.HERE))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which nothing but the wheel is installed."""
    target = tmp_path_factory.mktemp("target")
    run(
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(target),
        str(wheel),
    )
    return target


def test_the_wheel_holds_modules_types_and_sources(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    sources = {
        path.relative_to(generate.HERE).as_posix() for path in (generate.HERE / "scanmesh").rglob("*.proto")
    }
    stem = {name.removesuffix(".proto") for name in sources}

    assert sources <= names
    assert {f"{name}_pb2.{suffix}" for name in stem for suffix in ("py", "pyi")} <= names
    assert {"scanmesh/ingest/v1/ingest_pb2_grpc.py", "scanmesh/ingest/v1/ingest_pb2_grpc.pyi"} <= names
    assert "scanmesh/py.typed" in names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = [name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name]

    assert [name for name in names if not name.startswith("scanmesh/")] == []
    assert [name for name in names if not name.endswith((".py", ".pyi", ".proto", "py.typed"))] == []


def test_the_wheel_asks_for_the_runtime_that_its_code_was_made_for(wheel: Path) -> None:
    """Generated code refuses to be imported under an older runtime than the tools that made it."""
    with ZipFile(wheel) as archive:
        (metadata,) = (
            archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")
        )
        messages = archive.read("scanmesh/ingest/v1/ingest_pb2.py").decode()
        stubs = archive.read("scanmesh/ingest/v1/ingest_pb2_grpc.py").decode()
    (protobuf,) = re.findall(r"^# Protobuf Python Version: ([\d.]+)$", messages, re.MULTILINE)
    (grpcio,) = re.findall(r"^GRPC_GENERATED_VERSION = '([\d.]+)'$", stubs, re.MULTILINE)

    assert f"Requires-Dist: protobuf>={protobuf}\n" in metadata
    assert f"Requires-Dist: grpcio>={grpcio}\n" in metadata


async def test_the_first_call_of_the_readme_works_with_the_wheel(installed: Path) -> None:
    device = Device()
    server = grpc.aio.server()
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(device, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        printed = await first_call(installed, port)
    finally:
        await server.stop(None)

    answer, *modules = printed.splitlines()
    assert answer.split() == [device.scan_id, "2026-11-22T00:00:00Z"]
    assert device.api_key == API_KEY
    assert f"from {installed}/scanmesh/ingest/v1/ingest_pb2_grpc.py" in modules
    assert [module for module in modules if not module.startswith(f"from {installed}/")] == []


class Device(ingest_pb2_grpc.IngestServiceServicer):  # the other RPCs stay UNIMPLEMENTED
    """Stands for the mesh, and remembers what the device sent."""

    scan_id = api_key = ""

    async def SubmitScan(
        self, request: ingest_pb2.SubmitScanRequest, context: grpc.aio.ServicerContext
    ) -> ingest_pb2.SubmitScanResponse:
        self.api_key = dict(context.invocation_metadata())["x-api-key"]
        self.scan_id = request.scan.scan_id
        response = ingest_pb2.SubmitScanResponse(scan_id=self.scan_id)
        response.accept_time.FromJsonString("2026-11-22T00:00:00Z")
        return response


async def first_call(target: Path, port: int) -> str:
    """Run the README's Python with the wheel in `target`, and answer what it prints."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (generate.HERE / "README.md").read_text(), re.DOTALL)
    environment = {**os.environ, "SCANMESH_EDGE": f"127.0.0.1:{port}", "SCANMESH_API_KEY": API_KEY}
    script = BEFORE.format(target=str(target)) + snippet + AFTER
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        script,
        env=environment,
        cwd=target,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), timeout=30)
    assert process.returncode == 0, err.decode()
    return out.decode()


def run(*arguments: str) -> None:
    """Run Python and show what it says only if it fails."""
    finished = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
