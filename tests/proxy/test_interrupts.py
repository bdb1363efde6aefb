"""Signals are handed on, and none is missed."""

import asyncio
import os
import signal

import pytest

from tests.proxy.harness import run
from tonearm.proxy.interrupts import Interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends itself POSIX signals")


def test_signals_that_come_before_anybody_cares_wait():
    async def scenario():
        found = asyncio.Queue()
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
            interrupts.hand_to(found.put_nowait)
            os.kill(os.getpid(), signal.SIGINT)
            return await found.get(), await found.get()

    assert run(scenario()) == (signal.SIGTERM, signal.SIGINT)


def test_what_the_caller_ignores_stays_ignored_and_the_rest_is_put_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        term = signal.getsignal(signal.SIGTERM)

        async def scenario():
            with Interrupts():
                assert signal.getsignal(signal.SIGTERM) is not term
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

        run(scenario())
        assert signal.getsignal(signal.SIGTERM) is term
    finally:
        signal.signal(signal.SIGHUP, before)
