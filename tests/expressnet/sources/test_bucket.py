import pytest

from benchmarks import drill_bucket
from expressnet.config.ingest import IngestConfig
from expressnet.sources import places
from tests.made import object_store
from tests.made.faulty_proxy import FaultyProxy


@pytest.fixture(scope="module")
def server():
    """The address of a real object store on this machine."""
    with object_store.running() as url:
        yield url


@pytest.fixture
def direct(server, monkeypatch):
    """The store without a proxy before it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server)


@pytest.fixture(scope="module")
def stored(server):
    """Forty objects below gs://stored/set, by name."""
    objects = drill_bucket.contents(40, 20_000, seed=5)
    drill_bucket.upload(objects, "stored")
    return objects


@pytest.fixture
def through(server, monkeypatch):
    """`through(0.5)` puts a proxy that spoils half of the downloads before the store."""
    proxies = []

    def put(rate, **settings):
        proxies.append(FaultyProxy(server, rate, seed=4, stall_s=0.6, **settings))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxies[-1].url)
        return proxies[-1]

    yield put
    for proxy in proxies:
        proxy.close()


def _place(uri, spool, **settings):
    return places.locate(uri, spool, IngestConfig(**{"stall_s": 0.3, "deadline_s": 20.0, **settings}))


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_every_object_arrives_whole_whatever_fails_on_the_way(stored, through, tmp_path, rate):
    through(rate)
    tree = _place("gs://stored/set", tmp_path).fetch()
    assert {f"set/{file.path}": file.read() for file in tree.files} == stored
    assert all(int(file.generation) > 0 for file in tree.files)


def test_what_arrived_is_not_fetched_again(stored, through, tmp_path):
    proxy = through(0.0)
    _place("gs://stored/set", tmp_path).fetch()
    before = proxy.downloads.total()
    _place("gs://stored/set", tmp_path).fetch()
    assert proxy.downloads.total() == before == len(stored)


def test_half_an_object_is_continued_and_a_damaged_one_fetched_again(stored, through, tmp_path):
    proxy = through(0.0)
    tree = _place("gs://stored/set", tmp_path).fetch()
    half, damaged = sorted(tree.files, key=lambda file: -file.size)[:2]
    half.local.with_name(half.local.name + ".partial").write_bytes(half.read()[: half.size // 2])
    half.local.unlink()
    damaged.local.write_bytes(bytes(damaged.size))
    proxy.served.clear()
    again = _place("gs://stored/set", tmp_path).fetch()
    assert {f"set/{file.path}": file.read() for file in again.files} == stored
    assert sum(proxy.served.values()) == half.size - half.size // 2 + damaged.size


def test_where_nothing_arrives_the_error_comes_in_time_and_says_how_far_it_got(stored, through, tmp_path):
    through(1.0, faults=("503", "flipped"))
    place = _place("gs://stored/set", tmp_path, deadline_s=1.0)
    with pytest.raises(
        ConnectionError, match=r"Nothing new arrived from gs://stored for 1 s; 0 of 40 objects are here"
    ):
        place.fetch()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".partial"] == []


def test_an_object_that_changes_after_it_was_listed_is_named(direct, tmp_path):
    drill_bucket.upload({"a.jpg": b"old", "b.jpg": b"old"}, "changing")
    place = _place("gs://changing", tmp_path)
    drill_bucket.put({"b.jpg": b"new"}, "changing")
    with pytest.raises(ValueError, match=r"gs://changing/b\.jpg changed or vanished since it was listed"):
        place.fetch()
    assert place.version != _place("gs://changing", tmp_path).version


def test_one_object_may_be_named_and_is_released_afterwards(stored, through, tmp_path):
    through(0.0)
    name = next(iter(stored))
    place = _place(f"gs://stored/{name}", tmp_path)
    (file,) = place.fetch().files
    assert (file.path, file.read()) == (name.rsplit("/", 1)[-1], stored[name])
    place.release()
    assert not file.local.exists()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("gs://stored/nothing", "holds no object. Is the prefix spelled right"),
        ("gs://Stored/set", "Expected gs://bucket/prefix with a bucket's name in lower case"),
        ("gs:///etc/passwd", "Expected gs://bucket/prefix"),
        ("gs://user@stored/set", "Expected gs://bucket/prefix"),
        ("gs://stored:80/set", "Expected gs://bucket/prefix"),
        ("gs://nobucketofthisname/set", "There is no bucket nobucketofthisname|holds no object"),
    ],
)
def test_an_address_of_nothing_is_refused(stored, through, tmp_path, uri, message):
    through(0.0)
    with pytest.raises(ValueError, match=message):
        _place(uri, tmp_path)


def test_names_that_lead_out_of_a_folder_are_refused_by_the_listing(direct, through, tmp_path):
    drill_bucket.upload({"set/a\\..\\b.jpg": b""}, "hostile")
    proxy = through(0.0)
    with pytest.raises(ValueError, match="has a backslash"):
        _place("gs://hostile/set", tmp_path)
    assert proxy.downloads.total() == 0


def test_more_objects_than_allowed_are_refused_before_any_is_fetched(stored, through, tmp_path):
    proxy = through(0.0)
    with pytest.raises(ValueError, match="holds more than 10 objects"):
        _place("gs://stored/set", tmp_path, max_files=10)
    assert proxy.downloads.total() == 0


def test_no_storage_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="gs://stored/set could not be listed within 1 s"):
        _place("gs://stored/set", tmp_path, deadline_s=1.0)
    assert list(tmp_path.iterdir()) == []
