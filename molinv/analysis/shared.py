"""Report section: which invariances two models share.

STIR(B | A) is the linear CKA between B's features of x and of x', where x' looks the same to A.
It is 1 if B is invariant to everything that A is invariant to. Here x' is rotated by A's learned
distribution (by Haar without one), or its coordinates are optimised until A's features match.
Sources: Nanda et al. (ICML 2022, arXiv 2206.11939); CKA: Kornblith et al. (ICML 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from ase.data import covalent_radii
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..chem import xtb
from ..distributions import Conditional, Haar
from ..errors import InputError
from ..groups import SO3
from ..prediction.orbit_values import readout
from .intervals import short
from .lie.stages import attached
from .parts import Analysis
from .section import Section, Series
from .settings import Settings
from .subject import Subject, of_atoms

MOLECULES = 64  # largest number of molecules
JUDGED = 20  # largest number of molecules judged by xTB
SHUFFLES = 20  # random pairings for the floor
STEPS, RATE = 150, 0.05  # of Adam, in angstrom
SHAKEN = 0.1  # angstrom, standard deviation of the noise on the starting coordinates
BOND, CONTACT = 1.2, 1.5  # times the sum of covalent radii: the longest bond, the closest contact
SLACK = 0.05  # angstrom by which bonds may change without a penalty
WEIGHT = 10.0  # of squared violations (angstrom^2), relative to squared differences of features
KINDS = {"orbits": "orbits", "matched": "matched coordinates"}
READING = (
    "STIR(B | A) is 1 if B ignores every change that A ignores, and near the floor if B's view of "
    "these changes is unrelated. STIR(A | A) is 1 if the changes are hidden from A."
)


def section(one: Analysis, other: Analysis, settings: Settings) -> Section:
    """STIR in both directions, over orbits and matched coordinates, on the first's molecules.

    Raises InputError for crystals and for subjects that are not modules of coordinates alone.
    """
    a, b = one.subject, other.subject
    for subject in (a, b):
        if subject.module is None or subject.bind is not None:
            raise InputError(f"--shared: {subject.name} is not a module of coordinates alone.")
    if one.structures.cells or len(one.structures) < 3:
        raise InputError("--shared: expected at least 3 molecules, without cells.")
    pos, z = one.structures.batch(range(min(len(one.structures), MOLECULES)))
    made = Section("shared", "Which invariances the two models share", reading=READING)
    names = a.name, b.name if a.name != b.name else f"{b.name} (2)"
    tick = settings.progress("coordinates that look the same", 2 * STEPS)
    for first, second, (x, y) in ((a, b, names), (b, a, names[::-1])):
        draw = torch.Generator().manual_seed(settings.seed)
        kinds = {"orbits": orbit(first, pos, z, draw)}
        kinds["matched"] = matched(first, pos, z, draw, tick)
        for kind, alike in kinds.items():
            value, floor = stir(second, pos, alike, z, draw)
            itself, _ = stir(first, pos, alike, z, draw)
            away, energy = change(pos, alike, z), judged(pos, alike, z)
            found = {"stir": value, "floor": floor, "stir_of_itself": itself}
            made.numbers[f"{kind}: {y} | {x}"] = found | {"distances": away, "energy": energy}
            text = "" if energy is None else f", the GFN2-xTB energy by {short(energy)} eV"
            made.findings.append(
                f"STIR({y} | {x}) over {KINDS[kind]} is {value:.3f} (floor {floor:.3f}; STIR({x} | "
                f"{x}) {itself:.3f})."
            )
            if away > 1e-4:
                made.findings[-1] += (
                    f" Distances between atoms change by {short(away)} angstrom{text} (medians)."
                )
    if not xtb.is_installed():
        made.findings.append("Energies were not judged: pip install 'molinv[xtb]'.")
    keys, found = [*made.numbers], [*made.numbers.values()]
    made.chart(
        "shared",
        "Shared invariances",
        "B | A",
        "linear CKA between features",
        [
            Series("STIR(B | A)", keys, [n["stir"] for n in found], style="bar"),
            Series("floor: unrelated pairs", keys, [n["floor"] for n in found], style="points"),
            Series("STIR(A | A)", keys, [n["stir_of_itself"] for n in found], style="points"),
        ],
        caption=f"{len(z)} molecules. Features are the inputs of the last linear layer, averaged "
        "over atoms.",
    )
    return made


def stir(
    subject: Subject, pos: Tensor, alike: Tensor, z: Tensor, draw: torch.Generator
) -> tuple[float, float]:
    """CKA between the subject's features of pos and alike, and its mean over shuffled pairs."""
    with torch.no_grad():
        here, there = features(subject, pos, z), features(subject, alike, z)
    shuffled = [cka(here, there[torch.randperm(len(z), generator=draw)]) for _ in range(SHUFFLES)]
    return cka(here, there), sum(shuffled) / SHUFFLES


def cka(x: Float[Tensor, "m d"], y: Float[Tensor, "m e"]) -> float:
    """Linear CKA of the rows of x and y, from 0 to 1; 1 for constant features."""
    x, y = (v.double() - v.double().mean(0) for v in (x, y))
    size = (x.T @ x).norm() * (y.T @ y).norm()
    return float((x.T @ y).square().sum() / size) if size > 0 else 1.0


def features(
    subject: Subject, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]
) -> Float[Tensor, "b d"]:
    """Inputs of the last linear layer, averaged over atoms, differentiable; else the outputs.

    The layer is that of molinv's readout, or the last one that runs.
    """
    assert subject.module is not None
    last, seen = readout(subject.module), list[Tensor]()
    linear = [m for m in subject.module.modules() if isinstance(m, nn.Linear)]
    layers = linear if last is None else [last]
    hooks = (
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        for layer in layers
    )
    with attached(hooks):
        outputs = subject.call(pos.to(subject.device, subject.dtype), z.to(subject.device))
    found, inside = (seen[-1] if seen else outputs).cpu(), of_atoms(z)
    count = inside.sum(1, keepdim=True)
    if found.shape[:-1] == z.shape:
        return (found * inside[..., None]).sum(1) / count
    if found.ndim == 2 and len(found) == int(count.sum()):  # without padding
        rows = inside.nonzero()[:, 0]
        return found.new_zeros(len(z), found.shape[1]).index_add(0, rows, found) / count
    return found.reshape(len(z), -1)


def orbit(
    subject: Subject, pos: Float[Tensor, "m n 3"], z: Int64[Tensor, "m n"], draw: torch.Generator
) -> Float[Tensor, "m n 3"]:
    """Molecules moved by the subject's learned distribution, or by Haar (also if conditional)."""
    mu = subject.distribution
    if mu is None or mu.group.dim != 3 or isinstance(mu, Conditional):
        mu = Haar(SO3())
    with torch.no_grad():
        moved = Points().act(mu.group, mu.rsample(len(pos), draw), pos)
    return torch.where((z > 0)[..., None], moved, pos)


def matched(
    subject: Subject,
    pos: Float[Tensor, "m n 3"],
    z: Int64[Tensor, "m n"],
    draw: torch.Generator,
    tick: Callable[[int], None] = lambda done: None,
) -> Float[Tensor, "m n 3"]:
    """Coordinates that look the same to the subject, found from shaken and rotated ones by Adam.

    The loss is the squared difference of features, relative to their variance over molecules.
    Penalties keep bond lengths, and keep other atoms apart.
    """
    inside = (z > 0)[..., None]
    pairs = (inside & inside.mT).triu(1)
    radii = torch.from_numpy(covalent_radii)[z].to(pos)
    reach, length = radii[:, :, None] + radii[:, None], lengths(pos)
    bonds = pairs & (length < BOND * reach)
    least = torch.minimum(length, CONTACT * reach)
    with torch.no_grad():
        wanted = features(subject, pos, z)
        scale = (wanted - wanted.mean(0)).square().sum(1).mean().clamp_min(1e-12)
    noise = SHAKEN * torch.randn(pos.shape, generator=draw).to(pos)
    turned = (pos + noise) @ SO3().haar(len(pos), draw).to(pos).mT
    alike = torch.where(inside, turned, pos).requires_grad_()
    optimizer = torch.optim.Adam([alike], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        now = lengths(alike)
        stretched = ((now - length).abs() - SLACK).clamp_min(0)[bonds].square().sum()
        crowded = (least - now).clamp_min(0)[pairs & ~bonds].square().sum()
        away = (features(subject, alike, z) - wanted).square().sum() / scale
        alike.grad = torch.autograd.grad(away + WEIGHT * (stretched + crowded), alike)[0] * inside
        optimizer.step()
        schedule.step()
        tick(1)
    return alike.detach()


def lengths(pos: Float[Tensor, "m n 3"]) -> Float[Tensor, "m n n"]:
    """Distances between atoms, differentiable at 0."""
    return ((pos[:, :, None] - pos[:, None]).square().sum(-1) + 1e-12).sqrt()


def change(pos: Tensor, alike: Tensor, z: Tensor) -> float:
    """The median over molecules of the root mean square change of distances between atoms."""
    pairs = ((z > 0)[:, :, None] & (z > 0)[:, None]).triu(1)
    square = ((lengths(alike) - lengths(pos)).square() * pairs).sum((1, 2))
    return float((square / pairs.sum((1, 2)).clamp_min(1)).sqrt().median())


def judged(pos: Tensor, alike: Tensor, z: Tensor) -> float | None:
    """The median absolute change of the GFN2-xTB energy (eV); None if xTB gives none."""
    found = []
    for x, there, numbers in [*zip(pos, alike, z, strict=True)][: JUDGED * xtb.is_installed()]:
        k = numbers > 0
        try:
            one, other = (
                xtb.electronic(numbers[k].numpy(), p[k].double().numpy()) for p in (x, there)
            )
        except InputError:  # no convergence, or an odd number of electrons
            continue
        found.append(abs(float(other.molecule[4] - one.molecule[4])))
    return float(torch.tensor(found).median()) if found else None
