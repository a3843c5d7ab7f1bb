"""What runs as a child process: the peers themselves, and who sends and receives.

The Quix programs run in an environment without edml: `job` and `taxi` import nothing of it.
"""
