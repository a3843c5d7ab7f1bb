"""How good the closed loop keeps a model over years of event time, beside simpler ways."""
