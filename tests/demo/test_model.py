"""The model files of the package."""

import pytest

from tests.engines import tiny_gguf
from tonearm.demo.model import KINDS, packaged, unpack


@pytest.mark.parametrize("kind", KINDS)
def test_a_packaged_file_is_what_the_script_builds(kind):
    with packaged(kind) as path:
        assert path.read_bytes() == tiny_gguf("model", kind).read_bytes(), "run scripts/demo-models"


def test_a_file_is_copied_to_where_llama_cpp_can_read_it(tmp_path):
    path = unpack("q4_0", tmp_path)

    assert path.parent == tmp_path
    assert path.read_bytes()[:4] == b"GGUF"
