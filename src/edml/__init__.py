"""Event-driven machine learning on Apache Kafka."""

__version__ = "0.1.0"
