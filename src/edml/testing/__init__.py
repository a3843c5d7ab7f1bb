"""Try a component without a broker: a log in memory, a clock that stands still, crashes on demand.

Here a component counts words. It is fed, it dies at the worst moment, and nothing is counted twice:

>>> import polars as pl
>>> from edml.component import Step
>>> from edml.events import Outputs
>>> class Count:
...     name = "count"
...
...     def initial(self):
...         return 0
...
...     def step(self, state, batch, now):
...         if not batch.rows:
...             return Step(state)
...         state += batch.rows
...         return Step(
...             state,
...             Outputs({"totals": pl.DataFrame({"total": [state]})}),
...             note={0: {"count": state}},
...         )
...
...     def keep(self, state, partitions):
...         return state if 0 in partitions else 0
...
...     def restore(self, state, partition, note):
...         return note.get("count", 0)
...
...     def settle(self, state):
...         return state
>>> driver = Driver(Count())
>>> driver.pipe("words", [{"word": "log"}, {"word": "event"}])
>>> driver.append("words", [{"word": "fold"}])
>>> driver.crash(Crash.AFTER_OUTPUTS)
>>> driver.run()
>>> driver.read("totals")["total"].to_list()
[2, 3]
"""

from edml.runtime.clock import ManualClock
from edml.testing.broker import MemoryBroker
from edml.testing.crash import Crash
from edml.testing.driver import Driver
from edml.testing.log import MemoryLog

__all__ = ["Crash", "Driver", "ManualClock", "MemoryBroker", "MemoryLog"]
