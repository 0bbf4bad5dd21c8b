"""`molinv bench`: a benchmark is a package whose `main` has the command's flags as arguments."""

import inspect
from types import SimpleNamespace

import pytest

from molinv import bench
from molinv.cli import main


def test_help_lists_every_benchmark_with_a_line(capsys):
    assert main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    for name, text in bench.summaries().items():
        assert len(text) > 20
        assert f"{name} " in out
        assert text in out


@pytest.mark.parametrize("name", bench.available())
def test_every_flag_of_a_benchmark_is_explained(name, capsys):
    module = bench.find(name)
    assert module.__doc__
    parameters = inspect.signature(module.main).parameters
    assert next(iter(parameters)) == "out"
    assert all(p.default is not p.empty for p in parameters.values())
    with pytest.raises(SystemExit, match="0"):
        main(["bench", name, "--help"])
    out = capsys.readouterr().out
    assert module.__doc__.strip() in out
    for flag in parameters:
        assert f"--{flag}" in out
        explained = f"{flag}:" in module.main.__doc__ or f"`{flag}`" in module.main.__doc__
        assert explained, f"{name}: {flag} is not explained"


@pytest.mark.parametrize("arguments", [[], ["--out", "x"]])
def test_the_name_of_a_benchmark_is_required(arguments, capsys):
    assert main(["bench", *arguments]) == 2
    assert "demo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], {"out": "made", "minutes": 5.0, "quick": False}),
        (["--quick"], {"out": "made", "minutes": 5.0, "quick": True}),
        (["--quick", "--out", "b"], {"out": "b", "minutes": 5.0, "quick": True}),
        (["--quick", "false", "--minutes", "2"], {"out": "made", "minutes": 2.0, "quick": False}),
    ],
)
def test_flags_reach_the_benchmark(flags, expected, monkeypatch):
    called = []

    def made(out: str = "made", minutes: float = 5.0, quick: bool = False) -> None:
        called.append({"out": out, "minutes": minutes, "quick": quick})

    monkeypatch.setattr(bench, "find", lambda name: SimpleNamespace(main=made, __doc__="Text."))
    assert main(["bench", "made", *flags]) == 0
    assert called == [expected]


def test_dashes_and_underscores_are_equivalent_in_names():
    for name in bench.available():
        assert bench.find(name) is bench.find(name.replace("-", "_"))


def test_shared_files_are_not_benchmarks():
    names = bench.available()
    assert {"demo", "recover", "throughput"} <= set(names)
    assert not {"grid", "networks", "report"} & set(names)
