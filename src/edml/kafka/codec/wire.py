"""The Confluent wire format: magic byte 0, the schema id as 4 bytes (big endian), the Avro datum.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""

import struct

MAGIC = 0
HEADER = struct.Struct(">bI")


class MalformedError(Exception):
    """Why a value is no record. ``path`` leads to the field, from the inside out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.path))}: {self.what}" if self.path else self.what


def header(schema_id: int) -> bytes:
    """Give back the five bytes that stand before each datum of this schema."""
    return HEADER.pack(MAGIC, schema_id)


def schema_id(value: bytes | None) -> int:
    """Give back the id of the schema that the value was written with.

    Raises:
        MalformedError: the value is not in the wire format.
    """
    if value is None:
        raise MalformedError("the value is null (a tombstone), where an event is expected")
    if not value:
        raise MalformedError("the value is empty, where an event is expected")
    if value[0] != MAGIC:
        raise MalformedError(
            f"the value begins with byte 0x{value[0]:02x}, where Avro in the Confluent wire format "
            "begins with the magic byte 0x00"
        )
    if len(value) < HEADER.size:
        raise MalformedError(
            f"the value is {len(value)} bytes long, and its header alone takes {HEADER.size}"
        )
    return int.from_bytes(value[1 : HEADER.size], "big")
