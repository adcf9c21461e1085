from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from scanmesh.auth.v1 import auth_pb2

from services.chassis import masks
from services.chassis.errors import InvalidArgument
from services.chassis.fields import Problems

MUTABLE = frozenset({"display_name", "type", "status", "location"})


def fields(*paths, **scanner):
    problems = Problems()
    named = masks.fields(problems, FieldMask(paths=paths), auth_pb2.Scanner(**scanner), MUTABLE)
    problems.raise_any()
    return named


def test_without_a_mask_every_populated_field_is_named():
    assert fields(display_name="x", type=auth_pb2.SCANNER_TYPE_DOCK) == ("display_name", "type")


def test_without_a_mask_what_cannot_be_changed_is_ignored():
    assert fields(scanner_id="x", company_id=3, display_name="x") == ("display_name",)


def test_a_mask_names_empty_fields_too_and_nothing_else():
    assert fields("location", display_name="x") == ("location",)


def test_an_enum_that_is_not_given_is_not_changed():
    assert fields("status", "location") == ("location",)


def test_a_path_named_twice_counts_once():
    assert fields("location", "location") == ("location",)


@pytest.mark.parametrize("path", ["scanner_id", "create_time", "nonsense", "location.x", "*", ""])
def test_a_path_that_cannot_be_changed_is_refused(path):
    with pytest.raises(InvalidArgument) as refused:
        fields(path, "location")
    assert [violation.field for violation in refused.value.violations] == ["update_mask"]
