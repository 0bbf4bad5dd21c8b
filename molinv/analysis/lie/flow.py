"""Where in a network L_X f comes from: the chain rule, stage by stage, with hooks.

With h the output of a stage and A_X its assumed action, L_X h = dh[X x] - A_X h. In another pass
the stage's output h gets the tangent A_X h, as if it were equivariant: L_X f then lacks what comes
through that stage. Stages are replaced so one after the other, in the order in which they run: each
further stage removes the part that it makes itself from inputs that move as assumed. Tangents are
linear, so these parts add up; the remainder is made outside of all stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import InputError, unknown
from ...groups import Group
from ..orbits import length_squared
from ..subject import Structures, Subject
from .derivatives import along, drawn_rotations
from .hidden import Hidden, default, rotation_vector
from .stages import Moments, Tap, attached, find


@dataclass(frozen=True, eq=False)
class Flow:
    """How L_X f passes through a network's stages.

    names, actions   of the s stages, in the order in which they first run
    hidden    (k, s) E|L_X h|^2 / Var h, both summed over the entries of the output
    through   (m, s, k, t) |the part of L_X f that comes through the stage|^2
    made      (m, s + 1, k, t) |the part that it makes itself|^2; last, outside of all stages
    shared    (m, s + 1, k, t) that part's inner product with L_X f: these add up to `total`
    total     (m, k, t) |L_X f|^2
    """

    names: list[str]
    actions: list[str]
    hidden: Float[Tensor, "k s"]
    through: Float[Tensor, "m s k t"]
    made: Float[Tensor, "m s1 k t"]
    shared: Float[Tensor, "m s1 k t"]
    total: Float[Tensor, "m k t"]


@torch.no_grad()
def flow(
    subject: Subject,
    structures: Structures,
    group: Group,
    actions: Mapping[str, Hidden] | None = None,
    seed: int = 0,
    batch_size: int = 256,
    tick: Callable[[int], None] = lambda molecules: None,
) -> Flow:
    """Trace L_X f through the stages of the subject's module, each molecule in a random pose.

    `actions` gives the action on stages' outputs by name; `hidden.default` has the others.
    Molecules of one size form a batch, so padding does not count. Raises InputError for a subject
    without a module, a module without stages and an unknown name of a stage.
    """
    root = subject.module
    if root is None:
        raise InputError(f"{subject.name} has no torch module: its layers cannot be looked into.")
    pos, z = structures.batch([0])
    stages = find(root, lambda: subject(pos, z))
    if not stages:
        raise InputError(f"{subject.name} calls no module of its own: there are no layers to see.")
    for name in actions or {}:
        if name not in stages:
            raise unknown("stage", name, stages)
    chosen = {n: (actions or {}).get(n, default(root, n, stage)) for n, stage in stages.items()}
    turns = drawn_rotations(len(structures), 1, seed)[0]
    moments = [Moments(group.k) for _ in stages]

    def block(index: Tensor, pos: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        pos = pos.double() @ turns[index].mT
        found = _block(subject, pos, z, group, list(stages.values()), chosen, moments)
        tick(len(index))
        return found

    sizes = structures.sizes
    same = [(sizes == size).nonzero()[:, 0] for size in sizes.unique()]
    blocks = [part for whole in same for part in whole.split(batch_size)]
    through, made, shared, total = structures.each(block, blocks)
    hidden = torch.stack([m.ratio() for m in moments], -1)
    names = [action.name for action in chosen.values()]
    return Flow(list(stages), names, hidden, through, made, shared, total)


def _block(
    subject: Subject,
    pos: Float[Tensor, "b n 3"],
    z: Tensor,
    group: Group,
    stages: list[nn.Module],
    chosen: Mapping[str, Hidden],
    moments: list[Moments],
) -> tuple[Tensor, ...]:
    """through, made, shared, total of some molecules of one size."""
    e, rows = len(subject.entries(1)), []
    for k, generator in enumerate(group.generators.detach()):
        vector = rotation_vector(group.linear(generator))
        taps = [Tap(a, vector) for a in chosen.values()]

        def without(
            *out: int, taps: list[Tap] = taps, generator: Tensor = generator
        ) -> Float[Tensor, "b t *e"]:
            for i, tap in enumerate(taps):
                tap.replaces = i in out
            hooks = (s.register_forward_hook(t) for s, t in zip(stages, taps, strict=True))
            with attached(hooks):
                return along(subject, pos, z, group, generator)[1]

        for tap, moment in zip(taps, moments, strict=True):
            tap.sees = lambda h, slope, moment=moment, k=k: moment.add(k, h, slope)
        whole = without()
        for tap in taps:
            tap.sees = None
        # nothing of L_X f comes through a stage whose output moves as assumed: constants, say
        live = [i for i, tap in enumerate(taps) if tap.breaks]
        through, made = ([torch.zeros_like(whole)] * len(taps) for _ in range(2))
        rest = whole
        for j, i in enumerate(live):
            through[i] = whole - without(i)
            left = without(*live[: j + 1])
            made[i], rest = rest - left, left
        every = torch.stack([*made, rest], 1)
        inner = every * whole[:, None]
        shared = inner.sum(tuple(range(-e, 0))) if e else inner
        lengths = [length_squared(v, e) for v in (torch.stack(through, 1), every, whole)]
        rows.append((*lengths[:2], shared, lengths[2]))
    return tuple(torch.stack(part, -2) for part in zip(*rows, strict=True))
