"""Backtesting: what was on the log, or in a folder, predicted once more; pure arithmetic alone."""
