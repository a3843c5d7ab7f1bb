"""How the features of the training rows were distributed: what drift is later measured against."""

import json
from typing import Any, Final

import numpy as np

from edml.application import Application, Category
from edml.trainer.dataset import Examples

QUANTILES: Final = 20


def distributions(application: Application, examples: Examples) -> str:
    """JSON by feature: ``counts`` by value of a category, ``quantiles`` (21 of them) of a number.

    The values that a category does not know are counted together, as ``other``.
    """
    found: dict[str, Any] = {}
    for name, column in application.columns.items():
        values = examples.features[name]
        if isinstance(column, Category):
            known = values.filter(values.is_in(list(column.values)))
            counts = {str(value): count for value, count in known.value_counts().iter_rows()}
            ordered = {
                str(each): counts[str(each)] for each in column.values if str(each) in counts
            }
            found[name] = {"counts": ordered, "other": len(values) - len(known)}
        else:
            levels = np.linspace(0, 1, QUANTILES + 1)
            found[name] = {"quantiles": np.quantile(values.to_numpy(), levels).tolist()}
    return json.dumps(found)
