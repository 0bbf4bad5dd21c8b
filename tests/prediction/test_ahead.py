"""Reading in a thread changes neither the items nor their order nor their end."""

import threading
import time

import pytest
from patience import PATIENCE, until

from molinv.errors import InputError
from molinv.prediction.library.ahead import PIECE, ahead


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 1000])
@pytest.mark.parametrize("most", [1, PIECE, 5000])
def test_everything_comes_once_and_in_order(count, most):
    assert list(ahead(iter(range(count)), most)) == list(range(count))


def test_an_error_comes_in_its_place():
    def failing():
        yield from range(PIECE + 3)
        raise InputError("the file ends here")

    seen = []
    with pytest.raises(InputError, match="ends here"):
        seen.extend(ahead(failing(), 100))
    assert seen == list(range(PIECE + 3))


def test_no_more_is_read_than_was_allowed():
    read = []

    def counting():
        for i in range(10_000):
            read.append(i)
            yield i

    stream = ahead(counting(), 4 * PIECE)
    assert next(stream) == 0
    until(lambda: len(read) >= 6 * PIECE)  # four wait, one is in hand, one was handed over
    time.sleep(0.3)  # a reader that does not stop has read far more by then
    assert len(read) == 6 * PIECE
    stream.close()


def test_a_reader_that_is_left_ends():
    readers = []

    def noted():
        readers.append(threading.current_thread())
        yield from range(10**9)

    stream = ahead(noted(), PIECE)
    next(stream)
    (reader,) = readers
    assert reader is not threading.current_thread()
    assert reader.is_alive()
    stream.close()
    reader.join(PATIENCE)
    assert not reader.is_alive()
