"""Where networks run: named devices, and results that come back to the CPU."""

import pytest
import torch
from known import molecules
from torch import nn

from molinv import InputError
from molinv.analysis.callables import of_callable
from molinv.analysis.orbits import sweep
from molinv.analysis.produce import place
from molinv.cli import main


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, pos, z):
        return self.scale * (pos[..., 2] * (z > 0)).sum(1, keepdim=True)


@pytest.mark.parametrize("name", ["gpu", "xpu:7", "", "cuda:99"])
def test_an_unknown_device_gives_one_sentence(name, capsys):
    assert main(["analyse", "qm9", "--molecules", "2", "--device", name]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "expected auto or one of" in said[0]


def test_the_network_and_its_inputs_are_on_the_subject_s_device():
    seen = []

    class Spy(Net):
        def forward(self, pos, z):
            seen.append((pos.device.type, z.device.type, self.scale.device.type, pos.dtype))
            return torch.zeros(len(pos), 1)

    moved = of_callable(Spy()).on(torch.device("meta"))
    found = sweep(moved, molecules(3), 2)
    assert set(seen) == {("meta", "meta", "meta", torch.float32)}
    assert found.mean.device.type == "cpu"


def test_functions_stay_on_the_cpu_and_failures_elsewhere_are_errors():
    given = molecules(2)
    function = of_callable(lambda pos, z: pos[:, :1, 2])
    assert place(function, given, "auto") is function
    with pytest.raises(InputError, match="float64"):
        of_callable(Net(), dtype=torch.float64).on(torch.device("mps"))

    class Constant(Net):
        def forward(self, pos, z):
            return pos[:, :1, 2] + torch.ones(3).numpy().sum() + pos.numpy().sum()

    if torch.accelerator.is_available():
        with pytest.raises(InputError, match="use --device cpu"):
            place(of_callable(Constant()), given, "auto")


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator")
def test_an_accelerator_finds_what_the_cpu_finds():
    given = molecules(4)
    here, there = (sweep(place(of_callable(Net()), given, d), given, 3) for d in ("cpu", "auto"))
    torch.testing.assert_close(here.mean, there.mean, rtol=1e-4, atol=1e-4)
