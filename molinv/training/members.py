"""Load a model or an ensemble from its folder; ensemble.json lists the members and digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from ..atomic import edited
from ..errors import InputError
from .saved import ENSEMBLE, Saved, load_molecules, sealed, write_json

FORMAT = 1
_FOLDER = re.compile(r"member_\d{1,4}")


class Member(TypedDict):
    """A trained member: its folder (relative), its seed, and the digest of its weights."""

    folder: str
    seed: int
    sha256: str


def load_model(path: str | Path, trust: bool = False) -> Saved:
    """Load the model of molecules in a folder, or the ensemble, which predicts its members' mean.

    Members may differ in architecture, but not in targets and split. The card of an ensemble is
    the first member's, with the number of `members`, their total number of parameters, their mean
    extents (if all have the same ones) and a digest of all weights. Raises InputError as
    `saved.load` does, and for an ensemble that is damaged or not fully trained.
    """
    folder = Path(path)
    if not is_ensemble(folder):
        return load_molecules(folder, trust)
    asked, listed = read_members(folder)
    if len(listed) < asked:
        raise InputError(
            f"{folder} is an ensemble with {len(listed)} of {asked} members trained: resume it "
            "with the command that began it."
        )
    members = tuple(load_molecules(folder / member["folder"], trust) for member in listed)
    cards = [member.card for member in members]
    for member, card in zip(listed, cards, strict=True):
        if card["sha256"] != member["sha256"]:
            raise InputError(
                f"the weights in {folder / member['folder']} are not those that {ENSEMBLE} lists: "
                "restore them, or run the command again that trained the ensemble."
            )
    if len({card.get("split") for card in cards}) > 1:
        raise InputError(f"the members of {folder} were trained on different data: train again.")
    together: dict[str, Any] = {"sha256": digest(listed), "members": len(members)}
    if all("parameters" in card for card in cards):
        together["parameters"] = sum(card["parameters"] for card in cards)
    extents = cards[0].get("extents")
    if len({frozenset(card.get("extents", ())) for card in cards}) > 1:
        together["extents"] = {}  # the members have different distributions
    elif extents:
        means = {n: sum(c["extents"][n]["value"] for c in cards) / len(cards) for n in extents}
        together["extents"] = {n: e | {"value": means[n]} for n, e in extents.items()}
    return replace(members[0], card=cards[0] | together, members=members)


def first_member(path: str | Path) -> Path:
    """The folder of an ensemble's first member; a single model's own folder."""
    folder = Path(path)
    return folder / read_members(folder)[1][0]["folder"] if is_ensemble(folder) else folder


def is_ensemble(folder: str | Path) -> bool:
    """Whether a folder has an ensemble.json."""
    return (Path(folder) / ENSEMBLE).is_file()


def read_members(folder: Path) -> tuple[int, list[Member]]:
    """The intended number of members, and the trained members.

    Raises InputError if ensemble.json is missing, damaged or edited.
    """
    path = folder / ENSEMBLE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, asked = content["format"], int(content["asked"])
        listed = [
            Member(folder=str(m["folder"]), seed=int(m["seed"]), sha256=str(m["sha256"]))
            for m in content["members"]
        ]
        changed = edited(content) or not all(_FOLDER.fullmatch(m["folder"]) for m in listed)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): run its command again.") from error
    if version != FORMAT:
        raise InputError(
            f"{path} has format {version}, this molinv reads {FORMAT}: use the molinv that wrote "
            "it."
        )
    if changed:
        raise InputError(f"{path} was edited since it was written: restore it, or train again.")
    return asked, listed


def write_members(folder: Path, asked: int, members: Sequence[Member]) -> None:
    """Write ensemble.json: the intended number of members, and the trained members."""
    content = {"format": FORMAT, "asked": asked, "members": list(members)}
    write_json(folder / ENSEMBLE, sealed(content))


def digest(members: Sequence[Member]) -> str:
    """One digest for the weights of all members."""
    return hashlib.sha256(" ".join(m["sha256"] for m in members).encode()).hexdigest()
