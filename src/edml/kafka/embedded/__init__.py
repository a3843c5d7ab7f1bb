"""A real Apache Kafka and a real schema registry on this machine, without Docker or a JDK."""

from edml.kafka.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
