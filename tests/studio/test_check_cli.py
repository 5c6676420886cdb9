import pytest

from minigan.autograd import op
from minigan.check import library
from minigan.studio import cli


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(library, "EXAMPLES", library.EXAMPLES[:3])


def test_the_command_prints_the_table(few, capsys):
    assert cli.main(["check"]) == 0
    out, err = capsys.readouterr()
    assert out.split()[:2] == ["function", "orders"]
    assert "3 functions, 0 wrong" in out and err == ""


def test_the_order_can_be_chosen(few, capsys):
    assert cli.main(["check", "--order", "1"]) == 0
    assert "1, 2" not in capsys.readouterr().out
    assert cli.main(["check", "--order", "9"]) == 2


def test_a_wrong_gradient_fails(few, capsys, monkeypatch):
    wrong = op(lambda g, y, x: g * 1.0001, latex="")(lambda x: x * 1.0)
    bad = library.EXAMPLES[0]._replace(name="bad", f=wrong)
    monkeypatch.setattr(library, "EXAMPLES", (*library.EXAMPLES, bad))
    assert cli.main(["check"]) == 1
    assert "! bad" in capsys.readouterr().out
