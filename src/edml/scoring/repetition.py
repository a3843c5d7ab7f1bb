"""Which new records repeat others, at a cost for each that its key's repetitions do not raise.

A repetition never counts, yet it makes later ones repetitions, too. To find all of a key that comes
thousands of times beside each other would take their number squared. So a repetition is *hidden*
where another record *stands for it*: one of the same chunk that came before it, is not hidden, is a
quarter of the reach older at most (or later), and is of an earlier event, or of the same event and
role. What the hidden one makes a repetition, that one does, too, but where it is out of reach and
the hidden one is not. Only if nothing else settles that are hidden records looked at.
"""

from typing import Final

import numpy as np

from edml.scoring.bounds import Bounds
from edml.scoring.chunk import Records
from edml.scoring.crowds import Crowds
from edml.scoring.growing import Flags, Integers, distinct, taken, words
from edml.scoring.hidden import Hidden
from edml.scoring.intake import repeats, since
from edml.scoring.rows import Found, Rows

FEW: Final = 8
"""Records of one key in a batch that are compared with each other, all with all."""


def tell(rows: Rows, new: Records, bounds: Bounds) -> Found:
    """Set the flags of new records, which are about to be added to ``rows``.

    Gives back pairs of records of either input that may belong together: for each record, a few.
    """
    new["counts"] = new["opens"] = True
    later, earlier, crowded = beside(new)
    hidden = Hidden(rows)
    if not crowded.size:
        found = rows.find(new)
    else:
        usual = np.ones(new.size, dtype=np.bool_)
        usual[crowded] = False
        few = usual.nonzero()[0]
        found = rows.find(taken(new, few))
        found = found._replace(new=few[found.new])
    last = np.full(later.size, len(rows.chunks) - 1)
    found = found.and_(Found(later, last, rows.height + earlier, taken(new, earlier)))
    alike = new["side"][found.new] == found.old["side"]
    if alike.any():
        _compare(rows, new, found.where(alike.nonzero()[0]), hidden, bounds)
        found = found.where((~alike).nonzero()[0])
    if crowded.size:
        found = found.and_(Crowds(rows, hidden, bounds).tell(new, crowded))
    # New records were found by one another before their flags were known.
    within = _within(rows, found).nonzero()[0]
    words(found.old)[within] = words(new)[found.number[within] - rows.height]
    return found


def beside(new: Records) -> tuple[Integers, Integers, Integers]:
    """Pairs (place of the later, of the earlier) of the same key; and the places of crowded keys.

    These have more than `FEW` records, and are not among the pairs.
    """
    bits = np.uint64(new.size.bit_length())
    # What is left of the key beside the place is enough to tell most keys apart; sorting such
    # numbers is several times faster than to sort places by keys.
    ordered = np.sort(((new["key"] >> bits) << bits) | np.arange(new.size, dtype=np.uint64))
    part = ordered >> bits
    same = part[1:] == part[:-1]
    if not same.any():
        return _NONE, _NONE, _NONE
    place = (ordered & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    crowded = _NONE
    if (part[FEW:] == part[:-FEW]).any():
        run = np.concatenate([[0], np.cumsum(~same)])
        many = np.bincount(run)[run] > FEW
        crowded = np.sort(place[many])
        part, place = part[~many], place[~many]
    later, earlier = [_NONE], [_NONE]
    for apart in range(1, FEW):
        at = (part[apart:] == part[:-apart]).nonzero()[0]
        if not at.size:
            break
        later.append(place[at + apart])
        earlier.append(place[at])
    one, other = np.concatenate(later), np.concatenate(earlier)
    equal = (new["key"][one] == new["key"][other]) & (new["check"][one] == new["check"][other])
    return one[equal], other[equal], crowded


def _compare(rows: Rows, new: Records, alike: Found, hidden: Hidden, bounds: Bounds) -> None:
    """Set the flags of new records by what the earlier of their input make of them."""
    place, old = alike.new, alike.old
    again, follows = repeats(taken(new, place), old, bounds)
    new["opens"][place[again | follows]] = False
    new["counts"][place[again]] = False
    if rows.hides:
        reached = since(new, bounds)[place]
        unsettled = new["counts"][place] & (old["source"] <= new["source"][place])
        unsettled &= (old["time"] < reached) & (old["time"] >= reached - rows.spacing)
        for each in distinct(place[unsettled])[0].tolist():
            one = new[each]
            repeated, followed = hidden.make(one, int(since(new[each : each + 1], bounds)[0]))
            one["counts"], one["opens"] = not repeated, one["opens"] and not (repeated or followed)
    if not again.any():
        return
    within = _within(rows, alike)
    counts = np.ones(place.size, dtype=np.bool_)
    counts[within] = new["counts"][alike.number[within] - rows.height]
    ours = taken(new, place)
    stands = (alike.chunk == len(rows.chunks) - 1) & counts & ~ours["counts"]
    stands &= (old["time"] >= ours["time"] - rows.spacing) & (old["partition"] == ours["partition"])
    stands &= (old["source"] < ours["source"]) | (
        (old["source"] == ours["source"]) & (old["role"] == ours["role"])
    )
    new["hidden"][place[stands]] = True


def _within(rows: Rows, found: Found) -> Flags:
    """The pairs of which both records are new."""
    flags: Flags = (found.chunk == len(rows.chunks) - 1) & (found.number >= rows.height)
    return flags


_NONE: Final[Integers] = np.empty(0, dtype=np.int64)
