#!/bin/sh
# The releases that edml and its peers in the benchmark must share, as constraints.
set -eu
grep -E '^(fastavro|keras|numpy|onnxruntime|tensorflow)==' requirements/dev.txt | tr -d '\\'
