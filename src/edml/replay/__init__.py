"""Past events and outcomes, written to the log at their own pace or faster."""
