"""Total charge and number of unpaired electrons of an input.

They are read from keys of extended XYZ comments and of ASE's objects and databases, in this order:

- `charge` or `total_charge`: the total charge in e.
- `multiplicity` or `spin_multiplicity`: 2S + 1, one more than the number of unpaired electrons.
- `spin`: programs write 2S + 1 or 2S under this name. The one whose parity fits the number of
  electrons is used. 0 is ignored.
- without these keys, the sums of ASE's initial charges and magnetic moments of the atoms, unless
  all are zero.

An input without a charge is neutral. If the number of unpaired electrons is not given, it is the
smallest possible: 1 for an odd number of electrons, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

CHARGES = ("charge", "total_charge")
MULTIPLICITIES = ("multiplicity", "spin_multiplicity")
SPIN = "spin"
NEUTRAL = (0, 0)  # charge and unpaired electrons of a neutral, closed-shell molecule
MOST = 99  # largest charge and number of unpaired electrons
MENTIONED = 3  # states listed in a sentence
ROUNDED = 0.05  # e; allowed rounding error of a sum of printed atomic charges

Said = tuple[int | None, int | None]  # charge and unpaired electrons, None if not given


def state_of(z: np.ndarray, charge: int | None, unpaired: int | None) -> tuple[int, int]:
    """Charge and unpaired electrons of atoms z (N,), with defaults for None."""
    charge = charge or 0
    return charge, (int(z.sum()) - charge) % 2 if unpaired is None else unpaired


def settled(z: np.ndarray, charge: int | None, unpaired: int | None) -> Said:
    """Check charge and unpaired electrons; the latter are filled in if only a charge is given.

    Raises InputError for values that are impossible for the electrons of atoms z (N,).
    """
    if charge is None and unpaired is None:
        return None, None
    q, n = state_of(z, charge, unpaired)
    electrons = int(z.sum()) - q
    if abs(q) > MOST or electrons < 0:
        raise InputError(f"expected a charge that its atoms can have, got {q:+d}: correct it")
    if not 0 <= n <= min(electrons, MOST) or (electrons - n) % 2:
        raise InputError(
            f"{n} unpaired electrons (multiplicity {n + 1}) do not fit the {electrons} electrons "
            f"of charge {q:+d}: correct the charge or the multiplicity"
        )
    return charge, n


def in_keys(
    keys: Mapping[str, Any], z: np.ndarray, charges: Any = None, moments: Any = None
) -> Said:
    """Charge and unpaired electrons from key-value pairs, else from sums over the atoms z (N,).

    `charges` and `moments` (N,) are the atoms' charges in e and magnetic moments. Raises
    InputError for a value that is not a whole number.
    """
    lower = {str(k).lower(): v for k, v in keys.items()}
    charge = _first(lower, CHARGES)
    if charge is None:
        charge = _sum(charges, "initial charges", "charge")
    multiplicity = _first(lower, MULTIPLICITIES)
    if multiplicity is not None:
        return charge, multiplicity - 1
    if spin := _first(lower, (SPIN,)):
        electrons = int(np.sum(z)) - (charge or 0)
        return charge, spin if (electrons - spin) % 2 == 0 else spin - 1
    moment = _sum(moments, "initial magnetic moments", "multiplicity")
    return charge, None if moment is None else abs(moment)


def of_mol(mol: Chem.Mol) -> Said:
    """Sums of formal charges and of radical electrons of an RDKit molecule.

    The second is None instead of 0: open valences may not be written down, so the parity of the
    number of electrons decides.
    """
    charge = sum(atom.GetFormalCharge() for atom in mol.GetAtoms())
    return charge, sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()) or None


def words(charge: int, unpaired: int) -> str:
    """A state in words, such as "charge +1 and 1 unpaired electron"."""
    ends = f"{unpaired or 'no'} unpaired electron{'s' if unpaired > 1 else ''}"
    return f"charge {charge:+d} and {ends}" if charge else f"no charge and {ends}"


def of_states(states: Iterable[tuple[int, int]]) -> str:
    """Molecules of these states in words, such as "neutral closed-shell molecules"."""
    made = sorted(states)
    if made == [NEUTRAL]:
        return "neutral closed-shell molecules"
    several = f"; {len(made) - MENTIONED} more" if len(made) > MENTIONED else ""
    return f"molecules with {'; '.join(words(*s) for s in made[:MENTIONED])}{several}"


def _first(keys: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """The whole number under the first of these keys; arrays (atom values) are skipped."""
    for name in names:
        value = keys.get(name)
        if value is None or np.size(value) != 1:
            continue
        text = str(np.ravel(value)[0]).strip()
        try:
            made = float(text)
        except ValueError:
            made = np.nan
        if not made.is_integer():  # false for inf and NaN as well
            raise InputError(f"expected a whole number as {name}, got {text[:20]!r}: correct it")
        return int(made)
    return None


def _sum(values: Any, what: str, key: str) -> int | None:
    """The sum of atom values, rounded to a whole number; None if all are 0."""
    if values is None or not np.size(values) or not np.any(values):
        return None
    total = float(np.sum(values))
    if not np.isfinite(total) or abs(total - round(total)) > ROUNDED:
        raise InputError(
            f"its {what} add up to {total:.3g}, not to a whole number: give the total as {key}"
        )
    return round(total)
