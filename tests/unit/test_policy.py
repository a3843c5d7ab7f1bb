import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest

from edml.application import Policy
from edml.errors import DeclarationError
from tests.parcels import parcels

DAY = timedelta(days=1)

WRONG: Mapping[str, tuple[Any, str]] = {
    "block": (timedelta(0), "policy.block is datetime.timedelta(0): expected a positive timedelta"),
    "clip": (0.0, "policy.clip is 0.0: expected a positive number"),
    "tolerance": (nan, "policy.tolerance is nan: expected a positive number"),
    "quiet_for": (DAY, "policy.quiet_for is 1 day, 0:00:00: expected more than a block"),
    "trial": ((2 * DAY, DAY), "expected the least and the longest time of a challenger"),
    "promote_error": (1.0, "policy.promote_error is 1.0: expected a probability between 0 and 1"),
    "most_change": (True, "policy.most_change is True: expected a positive number"),
    "rest": (7, "policy.rest is 7: expected a positive timedelta"),
    "schedule": (-DAY, "policy.schedule is datetime.timedelta(days=-1): expected a positive"),
    "renew": (1, "policy.renew is 1: expected True or False"),
    "training_s": (inf, "policy.training_s is inf: expected a positive number"),
    "training_mb": (-1, "policy.training_mb is -1: expected a positive number"),
}


@pytest.mark.parametrize("field", WRONG)
def test_wrong_policy(field: str) -> None:
    """A wrong field is told by its name, with what is expected."""
    wrong, message = WRONG[field]
    with pytest.raises(DeclarationError, match=re.escape(message)):
        replace(Policy(), **{field: wrong})


def test_errors_are_clipped_by_default_at_an_eighth_of_the_range() -> None:
    """What no outcome could tell needs a figure of its own."""
    assert parcels.clip == 9.0
    assert replace(parcels, policy=Policy(clip=2.0)).clip == 2.0
    outcome = replace(parcels.outcome, valid=(0.0, inf))
    with pytest.raises(DeclarationError, match=r"policy.clip is None where outcome.valid is"):
        replace(parcels, outcome=outcome)
    assert replace(parcels, outcome=outcome, policy=Policy(clip=2.0)).clip == 2.0


def test_a_block_is_made_of_windows() -> None:
    """A window that lay across two blocks would count for neither."""
    with pytest.raises(DeclarationError, match=r"policy.block is 0:25:00: expected a whole number"):
        replace(parcels, policy=Policy(block=timedelta(minutes=25)))
