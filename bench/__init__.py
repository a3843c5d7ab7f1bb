"""How fast edml is, beside its peers and the limits: `python -m bench`, or `make bench`."""
