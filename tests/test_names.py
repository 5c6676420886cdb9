import pytest

from minigan.names import find_name

NAMES = ("minimax", "non-saturating")


@pytest.mark.parametrize("spelling", ["non-saturating", "NON_SATURATING", "NonSaturating"])
def test_case_and_dashes_do_not_matter(spelling):
    assert find_name(spelling, NAMES, "objective") == "non-saturating"


def test_an_unknown_name_is_told_the_nearest_and_all():
    with pytest.raises(ValueError) as error:
        find_name("minmax", NAMES, "objective")
    assert str(error.value) == (
        "unknown objective 'minmax': did you mean 'minimax'? known are minimax, non-saturating"
    )


def test_a_name_like_no_other_is_told_all():
    with pytest.raises(ValueError, match="unknown objective 'xyz': known are minimax, non-sat"):
        find_name("xyz", NAMES, "objective")
