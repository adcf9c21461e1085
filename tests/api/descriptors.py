"""The API as the tests look at it: what the .proto files define, comments included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

# The path of a comment is made of field numbers: those of FileDescriptorProto, of DescriptorProto, and at last the
# one that the values of an enum and the methods of a service share.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _NESTED_ENUMS, _ONEOFS = 2, 3, 4, 8
_MEMBERS = 2


@dataclass(frozen=True)
class Element:
    """A service, RPC, message, field, oneof, enum or value, with the comment above it."""

    name: str
    """Full name, such as `scanmesh.ingest.v1.Scan.scan_id`."""
    comment: str
    descriptor: object


@dataclass(frozen=True)
class Rpc:
    """An RPC and the HTTP routes it has."""

    name: str
    """As gRPC spells it: `scanmesh.ingest.v1.IngestService/SubmitScan`."""
    method: MethodDescriptorProto
    routes: tuple[http_pb2.HttpRule, ...]


@dataclass(frozen=True)
class Api:
    """Everything that the .proto files of one import root define."""

    files: tuple[FileDescriptorProto, ...]

    def elements(self) -> Iterator[Element]:
        for file in self.files:
            comments = {tuple(at.path): at.leading_comments.strip() for at in file.source_code_info.location}
            for path, name, descriptor in _file(file):
                yield Element(f"{file.package}.{name}", comments.get(path, ""), descriptor)

    def rpcs(self) -> Iterator[Rpc]:
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    name = f"{file.package}.{service.name}/{method.name}"
                    yield Rpc(name, method, tuple(_routes(method)))

    def messages(self) -> dict[str, DescriptorProto]:
        return {e.name: e.descriptor for e in self.elements() if isinstance(e.descriptor, DescriptorProto)}

    def fields(self) -> dict[str, FieldDescriptorProto]:
        return {
            e.name: e.descriptor for e in self.elements() if isinstance(e.descriptor, FieldDescriptorProto)
        }

    def enums(self) -> dict[str, EnumDescriptorProto]:
        return {
            e.name: e.descriptor for e in self.elements() if isinstance(e.descriptor, EnumDescriptorProto)
        }


def _routes(method: MethodDescriptorProto) -> Iterator[http_pb2.HttpRule]:
    if method.options.HasExtension(annotations_pb2.http):
        rule = method.options.Extensions[annotations_pb2.http]
        yield rule
        yield from rule.additional_bindings


Found = Iterator[tuple[tuple[int, ...], str, object]]


def _file(file: FileDescriptorProto) -> Found:
    for at, message in enumerate(file.message_type):
        yield from _message((_MESSAGES, at), message.name, message)
    for at, enum in enumerate(file.enum_type):
        yield from _enum((_ENUMS, at), enum.name, enum)
    for at, service in enumerate(file.service):
        yield (_SERVICES, at), service.name, service
        for index, method in enumerate(service.method):
            yield (_SERVICES, at, _MEMBERS, index), f"{service.name}.{method.name}", method


def _message(path: tuple[int, ...], name: str, message: DescriptorProto) -> Found:
    yield path, name, message
    for at, field in enumerate(message.field):
        yield (*path, _FIELDS, at), f"{name}.{field.name}", field
    # protoc makes a oneof for every `optional` field, and a message for every map: nobody wrote these.
    made = {field.oneof_index for field in message.field if field.proto3_optional}
    for at, oneof in enumerate(message.oneof_decl):
        if at not in made:
            yield (*path, _ONEOFS, at), f"{name}.{oneof.name}", oneof
    for at, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from _message((*path, _NESTED, at), f"{name}.{nested.name}", nested)
    for at, enum in enumerate(message.enum_type):
        yield from _enum((*path, _NESTED_ENUMS, at), f"{name}.{enum.name}", enum)


def _enum(path: tuple[int, ...], name: str, enum: EnumDescriptorProto) -> Found:
    yield path, name, enum
    for at, value in enumerate(enum.value):
        yield (*path, _MEMBERS, at), f"{name}.{value.name}", value
