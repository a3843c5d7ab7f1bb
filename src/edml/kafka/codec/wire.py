"""The Confluent wire format: magic byte 0, the schema id as 4 bytes (big endian), the Avro datum.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import struct

MAGIC = 0
HEADER = struct.Struct(">bI")


def header(schema_id: int) -> bytes:
    """Give back the five bytes that stand before each datum of this schema."""
    return HEADER.pack(MAGIC, schema_id)


def schema_id(value: bytes | None) -> int | str:
    """Give back the id of the schema that the value was written with, or why there is none."""
    if value is None:
        return "the value is null (a tombstone), where an event is expected"
    if not value:
        return "the value is empty, where an event is expected"
    if value[0] != MAGIC:
        return (
            f"the value begins with byte 0x{value[0]:02x}, not with the magic byte 0x00 of Avro "
            "in the Confluent wire format"
        )
    if len(value) < HEADER.size:
        return f"the value is {len(value)} bytes long, too short for its {HEADER.size}-byte header"
    return int.from_bytes(value[1 : HEADER.size], "big")
