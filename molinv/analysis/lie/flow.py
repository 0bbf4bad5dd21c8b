"""The parts of L_X f that come from each stage of a network: the chain rule, with hooks.

Let h be the output of a stage and A_X its assumed action, so L_X h = dh[X x] - A_X h. A further
pass sets the tangent of h to A_X h, as if the stage were equivariant; L_X f then lacks the part
that comes through that stage. Stages are replaced one after the other, in the order in which they
run. Each replacement removes the part that this stage makes itself from inputs that move as
assumed. Tangents are linear, so the parts add up; the remainder is made outside of all stages.
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
    """The parts of L_X f by stage.

    names, actions   of the s stages, in the order in which they first run
    hidden    (k, s) E|L_X h|^2 / Var h, both summed over the entries of the output
    through   (m, s, k, t) |the part of L_X f that comes through the stage|^2
    made      (m, s + 1, k, t) |the part made by the stage itself|^2; last: outside of all stages
    shared    (m, s + 1, k, t) that part's inner product with L_X f; they sum to `total`
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
    """Trace L_X f through the stages of the subject's module, for molecules in random orientations.

    `actions` gives actions on the outputs of stages by name; the default is `hidden.default`.
    A batch holds molecules of one size, so there is no padding. Raises InputError for a subject
    without a module, a module without stages and an unknown stage.
    """
    root = subject.module
    if root is None:
        raise InputError(f"{subject.name} is not a torch module, so it has no layers to trace.")
    pos, z = structures.batch([0])
    stages = find(root, lambda: subject(pos, z))
    if not stages:
        raise InputError(f"{subject.name} calls no submodules, so it has no layers to trace.")
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
    """through, made, shared and total for molecules of one size."""
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
        # no part of L_X f comes through a stage whose output moves as assumed
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
