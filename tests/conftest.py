import pytest
from small_run import SMALL

from molinv.cli import main
from molinv.sharing import share_cores


@pytest.fixture(scope="session", autouse=True)
def shared_cores():
    """Tests that run networks themselves share cores with other processes, as the commands do."""
    with share_cores():
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run with two targets, trained for two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    code = main(["train", *SMALL, "--targets", "homo,U0", "--epochs", "2", "--out", str(folder)])
    assert code == 0
    return folder
