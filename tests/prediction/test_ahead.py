"""Reading in a thread does not change the items, their order or their end."""

import threading
import time

import pytest
from patience import PATIENCE, until

from molinv.errors import InputError
from molinv.prediction.library.ahead import PIECE, ahead


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 1000])
@pytest.mark.parametrize("most", [1, PIECE, 5000])
def test_all_items_arrive_once_and_in_order(count, most):
    assert list(ahead(iter(range(count)), most)) == list(range(count))


def test_an_error_is_raised_at_its_place_in_the_sequence():
    def failing():
        yield from range(PIECE + 3)
        raise InputError("the file ends here")

    seen = []
    with pytest.raises(InputError, match="ends here"):
        seen.extend(ahead(failing(), 100))
    assert seen == list(range(PIECE + 3))


def test_reading_stops_at_the_limit():
    read = []

    def counting():
        for i in range(10_000):
            read.append(i)
            yield i

    stream = ahead(counting(), 4 * PIECE)
    assert next(stream) == 0
    # four pieces in the queue, one waiting to be put there, one passed on
    until(lambda: len(read) >= 6 * PIECE)
    time.sleep(0.3)  # a reader without a limit would have read far more by now
    assert len(read) == 6 * PIECE
    stream.close()


def test_the_reader_ends_when_the_stream_is_closed():
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
