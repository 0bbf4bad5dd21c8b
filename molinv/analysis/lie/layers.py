"""Charts and sentences on the symmetry of each layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...groups import Group
from ..intervals import Estimate, median
from ..section import Section, Series, plain
from ..wording import listed
from .derivatives import per_square
from .flow import Flow

_SEEN = 12  # largest number of stages named in a sentence


def layers(made: Section, group: Group, found: Flow, quiet: Sequence[int]) -> None:
    """Charts and sentences on the stages, for each unit of the generators that are not quiet."""
    made.numbers["layers"] = {
        "molecules": len(found.total),
        "stages": found.names,
        "actions": found.actions,
        "hidden": plain(found.hidden),
    }
    stages: dict[str, list[str]] = {}
    for name, action in sorted(zip(found.names, found.actions, strict=True), key=lambda p: p[1]):
        stages.setdefault(action, []).append(name)
    assumed = "Assumed actions on the stages' outputs: " + "; ".join(
        f"{action} ({listed(names)})" for action, names in stages.items()
    )
    made.chart(
        "lie_hidden",
        "How much each layer's output changes along a generator",
        "layer, in the order of execution",
        "E|L_X h|^2 / Var h",
        [
            Series(label, found.names, changes.nan_to_num(0).tolist(), style="points")
            for label, changes in zip(per_square(group), found.hidden, strict=True)
        ],
        caption=f"{assumed}. {len(found.total)} molecules, each in one random orientation; layers "
        "without a mark do not change.",
        log_y=True,
    )
    for unit in dict.fromkeys(group.units):
        chosen = [k for k, u in enumerate(group.units) if u == unit]
        through = _relative(found.through, found.total, chosen)
        share = _relative(found.shared, found.total, chosen)
        made.numbers["layers"][f"through, per {unit}"] = through.numbers()
        made.numbers["layers"][f"share, per {unit}"] = share.numbers()
        if set(chosen) <= set(quiet):
            continue  # shares of rounding
        along = listed([group.names[k] for k in chosen])
        made.chart(
            f"lie_layers_{unit.replace('-', '_')}",
            f"Which layer breaks the symmetry ({along})",
            "layer, in the order of execution",
            "share of L_X f (%)",
            [
                share.series("made by the layer itself", [*found.names, "outside"], "bar", 100),
                through.series("passes through the layer", found.names, "points", 100),
            ],
            caption="Medians over molecules. The bars of one molecule sum to 100 %; a layer below "
            "0 cancels what others make. Points: squared length of the part that passes through "
            f"a layer, relative to that of L_X f. {assumed}.",
        )
        made.findings.append(_sentence(found, share, chosen, along))
        if unit == "rad":
            parts = listed(_largest(found, share))
            made.numbers["verdict"] = (
                f"The dependence on orientation comes from the layers {parts}, measured on "
                f"{len(found.total)} molecules."
            )


def _largest(found: Flow, share: Estimate) -> list[str]:
    names = [*found.names, "outside of all layers"]
    order = share.value.abs().argsort(descending=True).tolist()
    return [
        f"{names[i]} ({share.text(i, unit='%', scale=100)})"
        for i in order[:_SEEN]
        if abs(float(share.value[i])) > 0.005
    ]


def _sentence(found: Flow, share: Estimate, chosen: list[int], along: str) -> str:
    changes = found.hidden[chosen].mean(0)
    seen = [i for i in range(len(changes)) if bool(changes[i].isfinite()) and changes[i] > 0]
    text = f"The symmetry ({along}) is broken by {listed(_largest(found, share))}"
    if not seen:
        return f"{text} ({len(found.total)} molecules)."
    first, last = seen[int(changes[seen].argmax())], seen[-1]
    return (
        f"{text}; E|L_X h|^2 / Var h is largest after {found.names[first]} "
        f"({float(changes[first]):.2g}) and {float(changes[last]):.2g} after {found.names[last]} "
        f"({len(found.total)} molecules in one random orientation each)."
    )


def _relative(part: Tensor, total: Tensor, chosen: list[int]) -> Estimate:
    """(s,): a part (m, s, k, t) of |L_X f|^2 over some generators, averaged over quantities."""
    top, bottom = part[:, :, chosen].sum(2), total[:, chosen].sum(1)[:, None]
    return median((top / torch.where(bottom == 0, 1.0, bottom)).mean(-1))
