"""The merged ranges of a session against the plainest thing that can be right: a set of byte positions."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.received_ranges import ReceivedRanges

_LARGEST = 15
_POSITIONS = st.integers(0, _LARGEST)
_SIZES = st.integers(0, _LARGEST + 1)
_RANGES = st.lists(st.tuples(_POSITIONS, _POSITIONS).map(lambda pair: (min(pair), max(pair))), max_size=12)
_WIDE = st.integers(0, (1 << 64) - 2)

Range = tuple[int, int]


def runs(positions: set[int]) -> list[Range]:
    """The inclusive ranges of consecutive numbers in a set."""
    starts = sorted(position for position in positions if position - 1 not in positions)
    ends = sorted(position for position in positions if position + 1 not in positions)
    return list(zip(starts, ends, strict=True))


def taken_in(ranges: list[Range]) -> tuple[ReceivedRanges, set[int]]:
    """The ranges that do not overlap an earlier one, in both representations."""
    received, positions = ReceivedRanges(), set[int]()
    for start, end in ranges:
        chunk = set(range(start, end + 1))
        is_new = not chunk & positions
        assert received.add(start, end) is is_new
        if is_new:
            positions |= chunk
    return received, positions


@settings(deadline=None, max_examples=500)
@given(_RANGES)
@example([(0, 3), (4, 7)])  # touching, on the right
@example([(4, 7), (0, 3)])  # touching, on the left
@example([(0, 3), (8, 9), (4, 7)])  # closing a gap exactly
@example([(0, 0), (2, 2), (4, 4), (1, 1), (3, 3)])  # single bytes between single bytes
@example([(2, 9), (4, 5)])  # contained
@example([(2, 9), (2, 9)])  # the same again
@example([(4, 5), (2, 9)])  # containing
@example([(4, 7), (2, 4)])  # overlapping by one byte on the left
@example([(4, 7), (7, 9)])  # overlapping by one byte on the right
@example([(0, 1), (6, 7), (1, 6)])  # overlapping two neighbours
@example([(5, 15), (0, 5)])  # starting at 0: the original's unsigned arithmetic wraps here
def test_received_ranges_are_exactly_the_bytes_that_arrived(ranges: list[Range]) -> None:
    """Ranges are disjoint, ascending and never touch, whatever the order and overlap of what was sent."""
    received, positions = taken_in(ranges)
    assert list(received) == runs(positions)


@settings(deadline=None, max_examples=500)
@given(_RANGES, _POSITIONS, _POSITIONS, _SIZES)
@example([(4, 7)], 0, 3, 8)
@example([(4, 7)], 8, 9, 10)
@example([(4, 7)], 8, 10, 10)  # reaches past the end
@example([(4, 7)], 5, 6, 10)
@example([(4, 7)], 3, 4, 10)
@example([(4, 7)], 7, 8, 10)
@example([(4, 7)], 0, 9, 10)
@example([], 0, 0, 0)
@example([(0, 0)], 0, 0, 0)
def test_a_chunk_may_join_when_it_lies_inside_one_gap(ranges: list[Range], one: int, other: int, size: int) -> None:
    """Every byte of it is still missing; a file of size 0 takes 0-0 as often as it is sent (store 6.4)."""
    received, positions = taken_in(ranges)
    start, end = min(one, other), max(one, other)
    chunk = set(range(start, end + 1))
    expected = (start, end) == (0, 0) if size == 0 else chunk <= set(range(size)) - positions
    assert received.is_free(start, end, size) is expected


@settings(deadline=None, max_examples=500)
@given(_RANGES, _SIZES)
@example([], 0)
@example([(0, 0)], 0)
@example([], 1)
@example([(0, 9)], 10)
@example([(0, 10)], 10)  # a first chunk may end at the size itself
@example([(10, 10)], 10)  # or lie behind the file altogether
@example([(3, 10)], 10)
@example([(0, 2), (5, 6)], 10)
def test_gaps_are_what_is_missing_up_to_the_size(ranges: list[Range], size: int) -> None:
    """Ascending and inclusive; a file of size 0 lacks 0-0 for ever (store 6.4). No chunk ends behind the size."""
    received, positions = taken_in([chunk for chunk in ranges if chunk[1] <= size])
    assert received.gaps(size) == ([(0, 0)] if size == 0 else runs(set(range(size)) - positions))


@settings(deadline=None, max_examples=500)
@given(_RANGES, _SIZES)
@example([(0, 9)], 10)
@example([(0, 4), (5, 9)], 10)
@example([(0, 10)], 10)
@example([(1, 9)], 10)
@example([(0, 8)], 10)
@example([(0, 0)], 0)
@example([], 0)
def test_a_commit_needs_every_byte_and_not_one_more(ranges: list[Range], size: int) -> None:
    """No expected range is left and none reaches past the end; size 0 never gets there (store 6.4, 6.8)."""
    received, positions = taken_in(ranges)
    assert received.covers_exactly(size) is (size > 0 and positions == set(range(size)))


@settings(deadline=None, max_examples=300)
@given(_RANGES)
@example([])
def test_stored_ranges_come_back_and_go_on_growing(ranges: list[Range]) -> None:
    """A session read from the database is the one that was written, and takes in chunks as before."""
    received, positions = taken_in(ranges)
    restored = ReceivedRanges.from_bytes(received.to_bytes())
    assert list(restored) == runs(positions)
    for missing in restored.gaps(_LARGEST + 1):
        assert restored.add(*missing)
    assert list(restored) == [(0, _LARGEST)]


@settings(deadline=None, max_examples=300)
@given(st.lists(_WIDE, min_size=2, max_size=20, unique=True))
@example([0, (1 << 64) - 2])
def test_positions_of_64_bits_survive_storage(positions: list[int]) -> None:
    """The wire's numbers have 64 bits, so the stored form has too."""
    received = ReceivedRanges()
    ordered = sorted(positions)
    for start, end in zip(ordered[::2], ordered[1::2], strict=False):
        received.add(start, end)
    restored = ReceivedRanges.from_bytes(received.to_bytes())
    assert list(restored) == list(received)
    assert len(received.to_bytes()) == 16 * len(list(received))
