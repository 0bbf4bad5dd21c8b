"""Messages and progress bars on standard error."""

from molinv.analysis.settings import bars
from molinv.screen import messages


def test_notebooks_get_messages_as_text_and_no_bars(monkeypatch, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    messages().print("a note")
    with bars() as begin:
        begin("orbits", 2)(1)
    shown = capsys.readouterr()
    assert (shown.out, shown.err.strip()) == ("", "a note")
