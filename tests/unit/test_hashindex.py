"""The hash index: numbers in order of adding, found by hash, in little memory."""

from __future__ import annotations

import hashlib
import tracemalloc

from convenio.core.hashindex import HashIndex


def digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def test_every_hash_is_found_under_the_number_it_got() -> None:
    index = HashIndex()
    assert [index.add(digest(n)) for n in range(5000)] == list(range(5000))
    assert [index.find(digest(n)) for n in range(5000)] == list(range(5000))
    assert [index[n] for n in (0, 4999)] == [digest(0), digest(4999)]
    assert index.find(digest(5000)) is None


def test_of_equal_hashes_the_first_is_found_also_after_growing() -> None:
    index = HashIndex()
    for n in (7, 8, 7, *range(100, 400)):
        index.add(digest(n))
    assert index.find(digest(7)) == 0


def test_a_skipped_number_is_nobodys() -> None:
    index = HashIndex()
    index.skip()
    index.add(digest(1))
    for n in range(100, 400):
        index.add(digest(n))
    assert index.find(bytes(32)) is None
    assert index.find(digest(1)) == 1


def test_hashes_that_begin_alike_are_told_apart() -> None:
    index = HashIndex()
    alike = [bytes(8) + digest(n)[8:] for n in range(200)]
    for each in alike:
        index.add(each)
    assert [index.find(each) for each in alike] == list(range(200))


def test_a_hash_takes_less_than_60_bytes() -> None:
    index, digests = HashIndex(), [digest(n) for n in range(20_000)]
    tracemalloc.start()
    for each in digests:
        index.add(each)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 60 * len(digests)
