"""Arms by name."""

import pytest

from tonearm.arms import ARMS, ArmOptions, load
from tonearm.errors import UsageError


@pytest.mark.parametrize("name", ["ollama-json", "ollama-native"])
def test_an_arm_has_the_name_it_is_asked_for_by(name):
    assert load(name, ArmOptions()).name == name


def test_two_arms_of_one_kind_can_have_two_names():
    assert load("ollama-json", ArmOptions(name="old")).name == "old"


def test_an_unknown_arm_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no arm is called 'x'; there are ollama-json") as err:
        load("x=http://h", ArmOptions())
    assert all(name in str(err.value) for name in ARMS)
