"""The shell that every component runs in: it reads, steps, writes, commits. It knows no Kafka."""
