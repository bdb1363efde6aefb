"""Put the clients of the folder where their programs find them, each in an environment of its own.

What was put there once stays in the cache, so that only the first run of the tests asks a package
index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

from tests.engines import cache_folder, require

HERE = Path(__file__).parent
INSTALL_S = 600
STAMP = "installed"
"""A copy of the file that says what is in a folder, put there when all of it is."""


def program(group: str, name: str) -> list[str | Path]:
    """Return the command that runs a program of this folder, without its argument.

    Args:
        group: What the program needs: ``node``, a tool that is on the path, or a dependency group.
        name: Its file.
    """
    if group == "node":
        return [_tool("env"), f"NODE_PATH={_node_modules()}", _tool("node"), HERE / name]
    if Path(name).suffix == ".sh":
        _tool(group)
        return [_tool("sh"), HERE / name]
    return [_python(group), HERE / name]


def _python(group: str) -> Path:
    """Return the interpreter of a dependency group's environment."""
    folder = cache_folder() / "clients" / group
    project = HERE / "pyproject.toml"
    if not _is_current(folder, project):
        uv = os.environ.get("UV") or _tool("uv")
        options = ["--compile-bytecode", "--project", HERE, "--only-group", group]
        env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        env["UV_PROJECT_ENVIRONMENT"] = str(folder)
        _install([uv, "sync", *options], folder, project, env=env)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _node_modules() -> Path:
    """Return the folder of the packages for Node."""
    folder = cache_folder() / "clients" / "node"
    wanted = HERE / "package.json"
    if not _is_current(folder, wanted):
        npm = _tool("npm")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, folder)
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        _install([npm, "install", *options, "--prefix", folder], folder, wanted)
    return folder / "node_modules"


def _is_current(folder: Path, wanted: Path) -> bool:
    """Return whether a folder holds what a file asks for."""
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_bytes() == wanted.read_bytes()


def _install(
    command: list[str | Path], folder: Path, wanted: Path, *, env: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if done.returncode:
        _missing(f"{Path(command[0]).name} cannot install a client: {done.stderr[-500:]}")
    shutil.copy(wanted, folder / STAMP)


def _tool(name: str) -> str:
    return shutil.which(name) or _missing(f"no {name} here")


def _missing(reason: str) -> NoReturn:
    require("clients", reason)
