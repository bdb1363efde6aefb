"""What the reference lacks is found without loading it, and named with the way to get it."""

import asyncio
import importlib.machinery
import importlib.util
import json
import struct
import subprocess
import sys

import pytest

from tests.engines import ROOT
from tests.tiny_gemma4.checkpoint import write_checkpoint
from tonearm.arms import ArmOptions, _jax_probe, load
from tonearm.arms._jax_probe import Found, Layout, Missing, digest, probe
from tonearm.errors import ArmUnavailable, UsageError

PLENTY = 1 << 40


@pytest.fixture
def installed(monkeypatch):
    """Pretend that a set of modules is installed and that memory abounds."""
    there = {"jax", "gemma"}

    def find_spec(name):
        return importlib.machinery.ModuleSpec(name, None) if name in there else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(_jax_probe, "available_bytes", lambda: PLENTY)
    return there


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model"))


def look(folder, tokenizer=None, *, double=False, **environ):
    return probe(folder, tokenizer, double=double, environ={"GEMMA_CACHE_DIR": "/none"} | environ)


def test_everything_is_found(installed, checkpoint):
    found = look(checkpoint)

    assert isinstance(found, Found)
    assert found.layout is Layout.FLAX
    assert found.tokenizer == (checkpoint / "tokenizer.model").resolve()
    assert found.config == (checkpoint / "config.json").resolve()
    assert found.weights_bytes > 6_000_000


@pytest.mark.parametrize("module", ["jax", "gemma"])
def test_a_missing_module_is_named_with_the_command_that_installs_it(installed, checkpoint, module):
    installed.remove(module)

    missing = look(checkpoint)

    assert isinstance(missing, Missing)
    assert missing.what == "module"
    assert missing.problem.endswith(f"{module} is not installed")
    assert 'pip install "tonearm[jax]"' in missing.fix


def test_a_folder_without_weights_is_named(installed, tmp_path):
    assert look(tmp_path / "gone").problem == f"{tmp_path / 'gone'}: no such folder"
    missing = look(tmp_path)
    assert (missing.what, "jax-native=FOLDER" in missing.fix) == ("checkpoint", True)
    assert "gcloud storage cp -r gs://gemma-data/checkpoints/gemma4-e2b-it" in missing.fix
    assert missing.problem.endswith("neither _METADATA nor *.safetensors")


@pytest.mark.parametrize(
    "content", [b"", b"\1", struct.pack("<Q", 1 << 60), b"\2" + bytes(7) + b"[]"]
)
def test_a_file_that_only_has_the_name_of_weights_is_named(installed, tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)

    missing = look(tmp_path)

    assert missing.what == "checkpoint"
    assert "model.safetensors" in missing.problem


@pytest.mark.parametrize("name", ["_METADATA", "_CHECKPOINT_METADATA"])
def test_orbax_is_known_by_its_metadata(installed, tmp_path, name):
    (tmp_path / name).write_text("{}")
    (tmp_path / "tokenizer.model").write_bytes(b"")

    assert look(tmp_path).layout is Layout.ORBAX


def test_names_with_dots_are_hugging_faces(installed, tmp_path):
    header = json.dumps({"__metadata__": {}, "model.norm.weight": {}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "tokenizer.model").write_bytes(b"")

    assert look(tmp_path).layout is Layout.HF


def test_the_tokenizer_is_looked_for_where_the_library_keeps_it(installed, checkpoint, tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes())

    missing = look(folder)
    assert missing.what == "tokenizer"
    assert "tokenizer=FILE" in missing.fix
    assert missing.fix.endswith(f"tokenizer_gemma4.model {folder / 'tokenizer.model'}")

    kept = tmp_path / "tokenizer" / "tokenizer_gemma4.model"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    assert look(folder, GEMMA_CACHE_DIR=str(tmp_path)).tokenizer == kept.resolve()


def test_a_named_tokenizer_is_the_only_one_that_counts(installed, checkpoint, tmp_path):
    missing = look(checkpoint, tmp_path / "gone.model")

    assert missing.problem == f"no tokenizer at {tmp_path / 'gone.model'}"


def test_too_little_memory_is_named_before_it_runs_out(installed, checkpoint, monkeypatch):
    size = look(checkpoint).weights_bytes
    monkeypatch.setattr(_jax_probe, "available_bytes", lambda: _jax_probe.ROOM + size * 3 // 2)

    assert isinstance(look(checkpoint), Found)
    missing = look(checkpoint, double=True)
    assert missing.what == "memory"
    assert "1.0 GiB are free" in missing.problem


def test_an_accelerator_has_memory_of_its_own(installed, checkpoint, monkeypatch):
    monkeypatch.setattr(_jax_probe, "available_bytes", lambda: 0)
    installed.add("jax_cuda13_plugin")

    assert isinstance(look(checkpoint), Found)


def test_memory_is_known_here():
    free = _jax_probe.available_bytes()

    assert free is None or free > 1 << 20


def test_a_digest_is_of_names_and_contents(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    first = digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest(tmp_path) != first
    (tmp_path / "b").rename(tmp_path / "a")
    assert digest(tmp_path) == first


def open_arm(spec):
    asyncio.run(load(spec, ArmOptions()).open([]))


def test_the_arm_says_what_the_probe_found(installed, tmp_path):
    with pytest.raises(
        ArmUnavailable, match=r"arm jax-native: env_missing \(checkpoint\): "
    ) as err:
        open_arm(f"jax-native={tmp_path}")
    assert err.value.exit_code == 4


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("jax-native", "needs a checkpoint"),
        ("jax-native=x,dtype=f16", "dtype=f16 is not one of bf16, f32"),
        ("jax-native=x,context=many", "context=many is not a number of tokens"),
    ],
)
def test_a_wrong_command_line_is_told_what_would_be_right(spec, words):
    with pytest.raises(UsageError, match=words):
        open_arm(spec)


def test_only_its_own_process_imports_the_library():
    """Neither the command line nor the arm itself pays for it, or talks to the network with it."""
    code = """if True:
        import sys
        import tonearm.commands, tonearm.commands.replay, tonearm.commands.bakeoff
        import tonearm.arms.jax_native, tonearm.arms.llama_cpp
        heavy = {"jax", "jaxlib", "gemma", "flax", "tensorflow", "xllamacpp", "sentencepiece"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
