"""The stages of a network, and hooks that observe or replace their outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .forward import join, split
from .hidden import Hidden


def find(root: nn.Module, run: Callable[[], object]) -> dict[str, nn.Module]:
    """The stages of a module, in the order in which `run` first calls them.

    Stages are the children, with lists and dicts of modules unrolled. The children of a single
    child replace it.
    """
    prefix, module, found = "", root, {}
    while called := _called(module, prefix, run):
        found = called
        if len(called) > 1:
            break
        ((name, module),) = called.items()
        prefix = f"{name}."
    return found


def _called(module: nn.Module, prefix: str, run: Callable[[], object]) -> dict[str, nn.Module]:
    """The children that `run` calls, in that order."""
    called: dict[str, nn.Module] = {}

    def note(name: str, stage: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(*_: object) -> None:
            called.setdefault(name, stage)

        return stage.register_forward_pre_hook(hook)

    with attached(note(name, stage) for name, stage in _children(module, prefix)):
        run()
    return called


class Tap:
    """A hook on one stage that observes L_X h, and can set it to zero."""

    def __init__(self, action: Hidden, vector: Float[Tensor, " 3"]):
        self.action, self.vector = action, vector
        self.replaces, self.breaks = False, False
        self.sees: Callable[[list[Tensor], list[Tensor]], None] | None = None

    def __call__(self, module: nn.Module, inputs: object, output: object) -> object:
        values, tangents = split(output)
        assumed = self.action.act(self.vector, values)
        if self.sees is not None:
            slopes = [t - a for t, a in zip(tangents, assumed, strict=True)]
            self.breaks |= any(bool((s != 0).any()) for s in slopes)
            self.sees(values, slopes)
        return join(output, assumed) if self.replaces else None


class Moments:
    """Running sums of a stage's outputs: their variance and E|L_X h|^2, entries summed.

    The last axis of a tensor holds channels, all others are rows. If the last axis holds atoms, its
    length differs between molecules, and averages are taken over molecules of one length.
    """

    def __init__(self, k: int):
        self.k = k
        self.sums: dict[tuple[int, int], list[Tensor]] = {}  # rows, sum, squares, slopes

    def add(self, k: int, h: list[Tensor], slope: list[Tensor]) -> None:
        for i, (part, change) in enumerate(zip(h, slope, strict=True)):
            if not part.numel():
                continue
            flat = part.cpu().double().reshape(-1, part.shape[-1] if part.ndim > 1 else 1)
            slopes = flat.new_zeros(self.k)
            slopes[k] = change.cpu().double().square().sum()
            new = [flat.new_tensor(len(flat)), flat.sum(0), flat.square().sum(0)]
            new = [*(n if k == 0 else torch.zeros_like(n) for n in new), slopes]
            old = self.sums.get((i, flat.shape[1]), [torch.zeros(())] * 4)
            self.sums[i, flat.shape[1]] = [a + b for a, b in zip(old, new, strict=True)]

    def ratio(self) -> Float[Tensor, " k"]:
        """E|L_X h|^2 / Var h by generator, over all output tensors; NaN for a constant output."""
        slope, variance = torch.zeros(self.k).double(), torch.zeros(()).double()
        for i in {tensor for tensor, _ in self.sums}:
            parts = [v for key, v in self.sums.items() if key[0] == i]
            rows = sum(float(n) for n, *_ in parts)
            spread = [(square - s.square() / n).clamp_min(0).sum() for n, s, square, _ in parts]
            variance += torch.stack(spread).sum() / rows
            slope += torch.stack([change for *_, change in parts]).sum(0) / rows
        return slope / variance if variance > 0 else slope * torch.nan


def _children(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _children(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


@contextmanager
def attached(hooks: Iterable[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    """As a context: attaches the hooks."""
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook.remove)
        yield
