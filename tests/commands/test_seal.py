"""Cassettes are packed and unpacked by name, or a shelf at a time."""

import argparse

import pytest

from tests.tapes import exchange, says, user, write
from tonearm.commands import seal, unseal
from tonearm.errors import CassetteError


def run(module, *words):
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    args = parser.parse_args([module.__name__.rpartition(".")[2], *map(str, words)])
    return args.run(args)


def test_a_shelf_is_sealed_and_unsealed(tmp_path, capsys):
    plain = [
        write(tmp_path / name, [exchange([user("q")], says("x"))]) for name in ("a.yaml", "b.yaml")
    ]
    before = [path.read_bytes() for path in plain]

    assert run(seal, tmp_path) == 0
    assert capsys.readouterr().out.split() == [f"{path}.zst" for path in plain]
    assert not any(path.exists() for path in plain)

    assert run(unseal, *plain) == 0
    assert capsys.readouterr().out.split() == [str(path) for path in plain]
    assert [path.read_bytes() for path in plain] == before


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CassetteError, match="no such file or folder"):
        run(seal, tmp_path / "gone.yaml")
