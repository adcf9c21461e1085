"""What Envoy reads JSON by: without a service it routes nothing, without a type an error has an empty body."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2

from protos import generate
from tests.api.descriptors import Api


@pytest.fixture
def files(tmp_path: Path) -> list[FileDescriptorProto]:
    """The files of the descriptor set, as `make protos` writes it."""
    generate.describe(generate.HERE, generate.described(), tmp_path / "set.binpb")
    return list(FileDescriptorSet.FromString((tmp_path / "set.binpb").read_bytes()).file)


def test_the_set_holds_every_service(api: Api, files: list[FileDescriptorProto]) -> None:
    services = {f"{file.package}.{service.name}" for file in files for service in file.service}

    assert services == {rpc.name.partition("/")[0] for rpc in api.rpcs()}


def test_the_set_holds_every_error_detail(files: list[FileDescriptorProto]) -> None:
    types = {f"{file.package}.{message.name}" for file in files for message in file.message_type}

    assert {f"google.rpc.{name}" for name in error_details_pb2.DESCRIPTOR.message_types_by_name} <= types
    assert "google.rpc.Status" in types


def test_the_set_holds_everything_it_refers_to(files: list[FileDescriptorProto]) -> None:
    assert {name for file in files for name in file.dependency} <= {file.name for file in files}
