"""Charts and sentences of what each layer of a network does to its symmetry."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...groups import Group
from ..bootstrap import Estimate, of_means, plain
from ..learned.agreement import listed
from ..section import Chart, Section, Series
from ..settings import Settings
from .flow import Flow

_SEEN = 12  # stages that a sentence names at most


def layers(
    made: Section, group: Group, found: Flow, settings: Settings, quiet: Sequence[int]
) -> None:
    """Charts and sentences of the stages, for each unit of the generators that are not quiet."""
    actions = sorted(set(found.actions))
    made.numbers["layers"] = {
        "molecules": len(found.total),
        "stages": found.names,
        "actions": found.actions,
        "hidden": plain(found.hidden),
    }
    hidden = [
        Series(
            f"{n} (per {u}^2)", found.names, found.hidden[k].nan_to_num(0).tolist(), style="points"
        )
        for k, (n, u) in enumerate(zip(group.names, group.units, strict=True))
    ]
    assumed = "Assumed on what they hand on: " + "; ".join(
        f"{a} ({listed([n for n, b in zip(found.names, found.actions, strict=True) if a == b])})"
        for a in actions
    )
    made.figures.append(
        Chart(
            "lie_hidden",
            "How much each layer's output changes along a generator",
            "layer, in the order of execution",
            "E|L_X h|^2 / Var h",
            hidden,
            f"{assumed}. {len(found.total)} molecules, each in one random orientation; layers "
            "without a mark do not change at all.",
            log_y=True,
        )
    )
    for unit in dict.fromkeys(group.units):
        chosen = [k for k, u in enumerate(group.units) if u == unit]
        through, share = (
            _relative(found, part, chosen, settings) for part in ("through", "shared")
        )
        made.numbers["layers"][f"through, per {unit}"] = through.numbers()
        made.numbers["layers"][f"share, per {unit}"] = share.numbers()
        if set(chosen) <= set(quiet):
            continue  # shares of rounding
        names = [*found.names, "outside"]
        bars = Series("made by the layer itself", names, **share.series(scale=100), style="bar")
        points = Series(
            "comes through it", found.names, **through.series(scale=100), style="points"
        )
        along = listed([group.names[k] for k in chosen])
        made.figures.append(
            Chart(
                f"lie_layers_{unit.replace('-', '_')}",
                f"Which layer breaks the symmetry ({along})",
                "layer, in the order of execution",
                "share of L_X f (%)",
                [bars, points],
                "Bars add up to 100 % (below 0: a layer undoes what others make); points: squared "
                f"length of what comes through a layer, of that of L_X f. {assumed}.",
            )
        )
        made.findings.append(_sentence(found, share, chosen, along))
        if unit == "rad":
            made.numbers["verdict"] = _plainly(found, share)


def _plainly(found: Flow, share: Estimate) -> str:
    """The same without symbols, for the verdict."""
    made_by = listed([f"the stage {part}" for part in _largest(found, share)])
    return (
        f"What still depends on orientation is made by {made_by} of it "
        f"({len(found.total)} molecules)."
    )


def _largest(found: Flow, share: Estimate) -> list[str]:
    names = [*found.names, "outside of all layers"]
    order = share.value.abs().argsort(descending=True).tolist()
    return [
        f"{names[i]} {share.text(i, unit='%', scale=100)}"
        for i in order[:_SEEN]
        if abs(float(share.value[i])) > 0.005
    ]


def _sentence(found: Flow, share: Estimate, chosen: list[int], along: str) -> str:
    changes = found.hidden[chosen].mean(0)
    seen = [i for i in range(len(changes)) if bool(changes[i].isfinite()) and changes[i] > 0]
    text = f"What breaks the symmetry ({along}) is made by {listed(_largest(found, share))}"
    if not seen:
        return f"{text}, of {len(found.total)} molecules."
    first, last = seen[int(changes[seen].argmax())], seen[-1]
    return (
        f"{text}; E|L_X h|^2 / Var h is largest after {found.names[first]} "
        f"({float(changes[first]):.2g}) and {float(changes[last]):.2g} after {found.names[last]} "
        f"({len(found.total)} molecules in one random orientation each)."
    )


def _relative(found: Flow, part: str, chosen: list[int], settings: Settings) -> Estimate:
    """(s,): a part of E|L_X f|^2 over these generators, mean of the quantities' shares."""
    above = getattr(found, part)[:, :, chosen].sum(2)  # (m, s, t)
    below = found.total[:, chosen].sum(1)[:, None]

    def ratio(means: Tensor) -> Tensor:
        top, bottom = means[..., :-1, :], means[..., -1:, :]
        return (top / torch.where(bottom == 0, 1.0, bottom)).mean(-1)

    return of_means(ratio, torch.cat([above, below], 1), settings)
