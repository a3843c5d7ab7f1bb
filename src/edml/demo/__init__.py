"""The demo: all of edml in one terminal, in three minutes, with the real parts."""
