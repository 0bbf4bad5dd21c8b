"""Makes calculators from what a name stands for: ASE's, and torch-sim's models as such.

Does not import molinv: `elsewhere_worker.py` uses it in environments without molinv.
"""

from __future__ import annotations

import sys
from typing import Any


def made(found: Any, arguments: dict[str, Any]) -> Any:
    """A calculator itself, or what a class or function returns for the arguments."""
    found = adapted(found)
    if isinstance(found, type) or not hasattr(found, "calculate"):
        found = adapted(found(**arguments))
    return found


def adapted(found: Any) -> Any:
    """The same object, or the calculator of a torch-sim model."""
    module = sys.modules.get("torch_sim.models.interface")  # was imported to make a model
    return TorchSim(found) if module and isinstance(found, module.ModelInterface) else found


class TorchSim:
    """A torch-sim model with the part of ASE's interface that analyses need.

    Source: `torch_sim.models.interface.ModelInterface` (torchsim.github.io/torch-sim).
    """

    def __init__(self, model: Any):
        self.model, self.results, self.title = model, dict[str, Any](), type(model).__name__
        has = {"energy": True, "forces": model.compute_forces, "stress": model.compute_stress}
        self.implemented_properties = [name for name, there in has.items() if there]

    def calculate(self, atoms: Any, properties: Any = (), system_changes: Any = ()) -> None:
        """Compute all properties of atoms into `results`."""
        from torch_sim.io import atoms_to_state  # pyright: ignore[reportMissingImports]

        state = atoms_to_state(atoms, self.model.device, self.model.dtype)
        found = {name: value.detach().cpu().numpy() for name, value in self.model(state).items()}
        self.results = found | {name: found[name][0] for name in {"energy", "stress"} & {*found}}
