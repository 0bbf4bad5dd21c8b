"""Convert spellings of units to molinv's spelling."""

from __future__ import annotations

import re

from ..errors import InputError
from .targets import Target

_SPELLINGS = {
    "eV": ("ev", "electronvolt"),
    "meV": ("mev",),
    "Ha": ("ha", "hartree", "hartrees", "eh", "e_h"),
    "Ry": ("ry", "rydberg"),
    "kcal": ("kcal",),
    "cal": ("cal",),
    "kJ": ("kj",),
    "J": ("J",),
    "mol": ("mol",),
    "angstrom": ("A", "Å", "å", "Å", "ang", "angstrom", "angstroms", "ångström"),
    "a0": ("a0", "bohr", "a_0"),
    "e": ("e",),
    "D": ("D", "debye"),
    "K": ("K",),
}
_KNOWN = {given: unit for unit, spellings in _SPELLINGS.items() for given in spellings}
_OTHERS = ("MeV", "Cal")  # mega-electronvolt and kilocalorie
_PART = re.compile(r"(?P<over>/?)\s*(?P<open>\(?)(?P<text>[^\s/*·()]+)(?P<close>\)*)\s*[*·]?\s*")
_POWER = re.compile(r"(.*?)\^?([-⁻]?[1-9¹²³])")


def spelled(unit: str) -> str:
    """A unit in molinv's spelling: "ev" is eV, "kcal mol-1 A^-1" is kcal/mol/angstrom.

    A unit with an unknown part is returned unchanged.
    """
    top, below, at, inside = [], [], 0, False
    text = unit.strip().replace("**", "^")
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return unit.strip()
        at = part.end()
        inside = inside or bool(part["over"] and part["open"])
        name, power = _parsed(part["text"])
        if not name:
            return unit.strip()
        under = bool(part["over"]) or inside
        (below if under != (power < 0) else top).append((name, abs(power)))
        inside = inside and not part["close"]
    written = [[n if p == 1 else f"{n}^{p}" for n, p in parts] for parts in (top, below)]
    return "/".join([" ".join(written[0]) or "1", *written[1]]) if text else ""


def check_forces(energy: Target, forces: Target) -> None:
    """Raise InputError if the forces' unit is not the energy's unit over angstrom."""
    of, given = spelled(energy.unit), spelled(forces.unit)
    expected = f"{of}/angstrom"
    bare, _, length = given.rpartition("/")  # for an energy in an unknown unit
    if given and given != expected and f"{bare.strip()}/{spelled(length)}" != expected:
        raise InputError(
            f"the forces {forces.name!r} are in {forces.unit}, but the energy {energy.name!r} is "
            f"in {energy.unit or 'no unit'}: expected {energy.unit or 'no unit'}/angstrom."
        )


def _known(text: str) -> str:
    """molinv's spelling of a single unit, "" if unknown; single letters are case-sensitive."""
    if text in _OTHERS:
        return ""
    return _KNOWN.get(text if len(text) == 1 else text.lower(), "")


def _parsed(text: str) -> tuple[str, int]:
    """A unit and its power; the unit is "" if it is unknown."""
    if name := _known(text):
        return name, 1
    match = _POWER.fullmatch(text)
    if match is None:
        return "", 1
    return _known(match[1]), int(match[2].translate(str.maketrans("⁻¹²³", "-123")))
