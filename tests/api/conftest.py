"""What the tests of the API look at, made from the .proto files once."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protos import generate
from tests.api.descriptors import Api


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The published API."""
    return _read(generate.HERE, "scanmesh", tmp_path_factory.mktemp("api") / "api.binpb")


def _read(root: Path, package: str, scratch: Path) -> Api:
    options = ["--include_source_info", f"--descriptor_set_out={scratch}"]
    generate.protoc(root, options, generate.sources(root, package))
    return Api(tuple(FileDescriptorSet.FromString(scratch.read_bytes()).file))
