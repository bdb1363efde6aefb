"""The folders, the links and pyproject.toml tell the same story."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TABLE = PROJECT["tool"]["setuptools"]
ROOMS = sorted(d for d in TABLE["package-dir"].values() if d != "tonearm")

linked = pytest.mark.skipif(
    not (ROOT / "tonearm" / "proxy").is_dir(), reason="no symlinks in this copy"
)


@linked
@pytest.mark.parametrize("room", ROOMS)
def test_room_is_linked(room):
    assert (ROOT / "tonearm" / room).resolve() == ROOT / room


@linked
def test_every_package_is_listed():
    """setuptools leaves an unlisted package out of the wheel without a word."""
    inits = [p for room in ROOMS for p in (ROOT / room).rglob("__init__.py")]
    shell = [p.relative_to(ROOT) for p in (ROOT / "tonearm").rglob("__init__.py")]
    names = {".".join(("tonearm", *p.parent.relative_to(ROOT).parts)) for p in inits}
    names |= {".".join(p.parent.parts) for p in shell if p.parts[1] not in ROOMS}

    assert names == set(TABLE["packages"])


def test_the_proxy_room_hides_no_module():
    """``mitmdump -s`` puts proxy/ first on sys.path, so its file names count."""
    stems = {p.stem for p in (ROOT / "proxy").glob("*.py")} - {"__init__"}
    required = {re.split(r"[<>=! ]", d)[0].lower() for d in PROJECT["project"]["dependencies"]}

    assert not stems & (sys.stdlib_module_names | required)


@pytest.fixture
def packed(wheel):
    """Names of the files in the wheel."""
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_holds_every_module_and_nothing_else(packed):
    modules = {
        f"tonearm/{p.relative_to(ROOT)}" for room in ROOMS for p in (ROOT / room).rglob("*.py")
    }
    shell = (p.relative_to(ROOT) for p in (ROOT / "tonearm").rglob("*.py"))
    modules |= {str(p) for p in shell if p.parts[1] not in ROOMS}

    packed = {name for name in packed if ".dist-info/" not in name}
    assert {name for name in packed if name.endswith(".py")} == modules
    assert {name.partition("/")[0] for name in packed} == {"tonearm"}


def test_the_wheel_holds_the_data(packed):
    names = set(packed)

    assert "tonearm/py.typed" in names
    assert "tonearm/bakeoff/tasks.json" in names
    assert {"tonearm/demo/tiny-gemma4-f16.gguf", "tonearm/demo/tiny-gemma4-q4_0.gguf"} <= names
    assert any(re.fullmatch(r"tonearm/templates/gemma4/\w+\.jinja", name) for name in names)


def test_the_exported_requirements_are_current(uv):
    """``requirements.lock`` is what the resolver chooses today from pyproject.toml."""
    command = [uv, "export", "--quiet", "--no-header", "--no-emit-project", "--no-default-groups"]
    exported = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    committed = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert committed == exported, "run scripts/lock"
    assert "://" not in committed
