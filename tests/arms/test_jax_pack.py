"""Sequences are packed without loss, and each is found in its row."""

from hypothesis import given
from hypothesis import strategies as st

from tonearm.arms._jax_pack import LENGTHS, PLACES, batches, bucket, rows

sequences = st.lists(st.lists(st.integers(0, 2), max_size=5), max_size=12)


@given(sequences)
def test_every_sequence_begins_its_row(packed):
    found = rows(packed)

    assert sorted(n for row in found for n in row.members) == list(range(len(packed)))
    for row in found:
        for n in row.members:
            assert list(row.ids[: len(packed[n])]) == packed[n]


@given(sequences)
def test_no_row_begins_another(packed):
    ids = [row.ids for row in rows(packed)]

    assert not any(a != b and b[: len(a)] == a for a in ids for b in ids)
    assert len(set(ids)) == len(ids)


def test_turns_of_a_conversation_share_a_row():
    conversation = list(range(100))

    (row,) = rows([conversation[:10], conversation[:60], conversation])

    assert row.ids == tuple(conversation)


def test_few_lengths_stand_for_all():
    assert {bucket(n) for n in range(1, 2000)} == {128, 192, 256, 384, 512, 768, 1024, 1536, 2048}
    assert bucket(LENGTHS[-1] + 1) == LENGTHS[-1] + 1


def test_batches_hold_every_row_within_the_memory_that_attention_may_take():
    packed = rows([[n] * length for n in range(20) for length in (50, 900, 5000)])

    made = list(batches(packed))

    assert sorted(r.ids for _, _, part in made for r in part) == sorted(r.ids for r in packed)
    for length, size, part in made:
        assert all(len(row.ids) <= length for row in part)
        assert len(part) <= size
        assert size == 1 or size * length * length <= PLACES
