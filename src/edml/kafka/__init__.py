"""Kafka behind the ports of the shell: the only room that knows it."""
