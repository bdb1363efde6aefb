"""Whatever happens to the reference's process, its parent hears of it and goes on."""

import asyncio
import os
from pathlib import Path

import pytest

from tonearm.arms._jax_process import JaxProcess, ReferenceFailed, child_environ
from tonearm.errors import ArmError

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"ok": {"asked": asked, "size": len(line)}}), flush=True)
"""


def talk(code, *questions, timeout_s=30.0):
    """Return the answers of a process that runs some code."""

    async def main():
        process = JaxProcess("jax-native", timeout_s=timeout_s, command=("-c", code))
        await process.start(os.environ)
        try:
            return [await process.ask(name, fields) for name, fields in questions]
        finally:
            await process.close()

    return asyncio.run(main())


def test_questions_and_answers_are_lines_of_json_of_any_length():
    long = "\u2028é\n" * 100_000

    first, second = talk(ECHO, ("one", {"n": 1}), ("two", {"text": long}))

    assert first["asked"] == {"question": "one", "n": 1}
    assert second["asked"]["text"] == long


def test_questions_asked_at_once_are_answered_one_after_the_other():
    async def main():
        process = JaxProcess("jax-native", timeout_s=30.0, command=("-c", ECHO))
        await process.start(os.environ)
        asked = [process.ask("q", {"n": n}) for n in range(5)]
        answers = await asyncio.gather(*asked)
        await process.close()
        return [answer["asked"]["n"] for answer in answers]

    assert asyncio.run(main()) == list(range(5))


def test_a_reason_not_to_answer_has_a_name():
    code = 'input(); print(\'{"error": {"kind": "cache_too_short", "problem": "9 tokens"}}\')'

    with pytest.raises(ReferenceFailed, match="cache_too_short: 9 tokens") as err:
        talk(code, ("sample", {}))
    assert err.value.kind == "cache_too_short"


def test_the_last_words_of_a_dead_process_are_told():
    code = "import sys; input(); sys.exit('no such\\n  accelerator')"

    with pytest.raises(ArmError, match=r"ended with code 1: \.\.\. .*no such accelerator"):
        talk(code, ("open", {}))


@pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX")
def test_a_killed_process_is_explained():
    code = "import os, signal; input(); os.kill(os.getpid(), signal.SIGKILL)"

    with pytest.raises(ArmError, match="code -9, which is what happens when memory runs out"):
        talk(code, ("open", {}))


def test_a_dead_process_is_not_asked_again():
    async def main():
        process = JaxProcess("jax-native", timeout_s=30.0, command=("-c", "input()"))
        await process.start(os.environ)
        for _ in range(2):
            with pytest.raises(ArmError, match="ended with code 0"):
                await process.ask("open", {})
        await process.close()

    asyncio.run(main())


def test_silence_has_a_limit():
    with pytest.raises(ArmError, match=r"silent for 0 s, see --timeout"):
        talk("import sys\nfor line in sys.stdin: pass", ("open", {}), timeout_s=0.2)


def test_a_process_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("tonearm.arms._jax_process.STOP_S", 0.2)
    code = "import threading; threading.Event().wait()"

    assert talk(code) == []


def test_the_library_uses_the_tokenizer_that_it_is_given(tmp_path):
    """It would prefer a file of the same name in its own folder."""
    tokenizer = tmp_path / "tokenizer.model"
    tokenizer.write_bytes(b"")

    folder = child_environ({"GEMMA_CACHE_DIR": str(tmp_path)}, tokenizer)["GEMMA_CACHE_DIR"]

    assert not Path(folder, "tokenizer", "tokenizer.model").exists()
