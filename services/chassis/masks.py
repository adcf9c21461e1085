"""Update masks (AIP-134): which fields of a resource an update changes.

Envoy passes on whatever mask it is given and derives none from the body, so both are decided here: without a mask
every populated field that may be changed is, and the others are ignored, since a client that sends back what it has
read means no harm; a mask that names what cannot be changed is refused.
"""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.chassis.fields import Problems


def fields(
    problems: Problems, mask: FieldMask, resource: Message, mutable: frozenset[str]
) -> tuple[str, ...]:
    """Answer the names of the fields to change, sorted; what the mask may not name is noted in `problems`."""
    populated = {field.name for field, _ in resource.ListFields()}
    if not mask.paths:
        return tuple(sorted(populated & mutable))
    known = resource.DESCRIPTOR.fields_by_name
    for path in sorted(set(mask.paths) - mutable):
        problems.add("update_mask", f"`{path}` {'cannot be changed' if path in known else 'is no field'}")
    # An enum's zero is "not given", so naming it changes nothing.
    named = mutable.intersection(mask.paths)
    return tuple(sorted(name for name in named if name in populated or known[name].enum_type is None))
