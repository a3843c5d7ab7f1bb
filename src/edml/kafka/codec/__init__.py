"""Avro in the Confluent wire format, a whole batch at once.

`decode` makes a frame of values and says which are bad, `encode` makes values of a frame,
`avro_schema` derives the schema of a typed event class.
"""
