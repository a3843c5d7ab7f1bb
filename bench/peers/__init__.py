"""The peers: one file each, which says how it is started."""
