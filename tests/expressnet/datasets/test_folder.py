import pytest

from expressnet import datasets, labels
from expressnet.datasets import folder


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def _described(source):
    return [(record.uri, record.label, record.source_split) for record in source.records]


def test_class_folders_are_read(tmp_path):
    source = folder.scan(str(_touch(tmp_path, "happy/b.jpg", "happy/a.PNG", "Angry/c.jpg")))
    assert _described(source) == [
        ("Angry/c.jpg", "anger", "none"),
        ("happy/a.PNG", "happy", "none"),
        ("happy/b.jpg", "happy", "none"),
    ]
    assert source.layout == "<class>/<image>"
    assert source.classes == ("anger", "happy")
    assert source.dataset_id == "folder"
    assert source.records[0].read() == b"Angry/c.jpg"


def test_published_splits_above_the_class_folders_are_kept(tmp_path):
    source = folder.scan(str(_touch(tmp_path, "train/happy/a.jpg", "train/sad/b.jpg", "test/happy/c.jpg")))
    assert _described(source) == [
        ("test/happy/c.jpg", "happy", "test"),
        ("train/happy/a.jpg", "happy", "train"),
        ("train/sad/b.jpg", "sad", "train"),
    ]
    assert source.layout == "{train,test}/<class>/<image>"


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_published_split_alone_is_one(tmp_path, split):
    source = folder.scan(str(_touch(tmp_path, f"{split}/happy/a.jpg")))
    assert _described(source) == [(f"{split}/happy/a.jpg", "happy", split)]


@pytest.mark.parametrize("spelling", [*labels.CLASSES_8, *labels.ALIASES])
def test_every_known_spelling_may_name_a_folder(tmp_path, spelling):
    source = folder.scan(str(_touch(tmp_path, f"{spelling.upper()}/a.jpg")))
    assert source.classes == (labels.canonical(spelling),)


def test_two_spellings_of_a_class_are_one_class(tmp_path):
    source = folder.scan(str(_touch(tmp_path, "angry/a.jpg", "anger/b.jpg")))
    assert source.classes == ("anger",)
    assert len(source.records) == 2


def test_the_systems_own_files_are_passed_over_and_counted(tmp_path):
    _touch(tmp_path, "happy/a.jpg", ".DS_Store", "happy/.hidden.jpg", "happy/Thumbs.db", "desktop.ini")
    source = folder.scan(str(tmp_path))
    assert [record.uri for record in source.records] == ["happy/a.jpg"]
    assert source.num_ignored == 4


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    _touch(tmp_path, "elsewhere/a.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "happy").symlink_to(tmp_path / "elsewhere")
    assert [record.uri for record in folder.scan(str(tmp_path / "root")).records] == ["happy/a.jpg"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"is empty\. Expected <class>/<image> or {train,test}/<class>/<image> below"),
        (["smile/a.jpg"], r"Folder 'smile' in .* is no expression class\. Known classes: anger \(angry\), contempt,"),
        (["train/smile/a.jpg"], r"Folder 'train/smile' in .* is no expression class"),
        (["val/happy/a.jpg"], r"Folder 'val' in .* does DATA_URI point one level too high or too low\?"),
        (["a.jpg"], r"a\.jpg is a file where a class folder was expected"),
        (["happy/a.jpg", "notes.txt"], r"notes\.txt is a file where a class folder was expected"),
        (["train/a.jpg"], r"a\.jpg is a file where a class folder was expected"),
        (["train"], r"train is a file"),
        (["happy/more/a.jpg"], r"Folder 'happy/more' in .* lies inside a class folder; expected images there"),
        (["happy/.DS_Store", "sad/a.jpg"], r"Class folder 'happy' in .* is empty\. Put images in it or remove it"),
    ],
)
def test_another_layout_is_refused_with_the_culprit(tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        folder.scan(str(_touch(tmp_path, *names)))


def test_split_folders_without_classes_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="has class folders but no file in them"):
        folder.scan(str(tmp_path))


def test_a_file_is_no_folder(tmp_path):
    _touch(tmp_path, "photos.zip")
    with pytest.raises(ValueError, match=r"photos\.zip is a file\. Expected <class>/<image>"):
        folder.scan(str(tmp_path / "photos.zip"))


@pytest.mark.parametrize("name", datasets.NAMES)
def test_a_path_with_nothing_at_it_is_named_with_the_layouts(tmp_path, name):
    module = datasets.find(name)
    with pytest.raises(FileNotFoundError, match=r"DATA_URI names .*gone, but nothing is there\. Expected one of: "):
        module.scan(str(tmp_path / "gone"))


@pytest.mark.parametrize("name", datasets.NAMES)
def test_a_remote_address_is_no_local_path(name):
    with pytest.raises(ValueError, match="must be a local path; got 'gs://bucket/photos'"):
        datasets.find(name).scan("gs://bucket/photos")


@pytest.mark.parametrize("name", ["fer2013", "folder"])
def test_a_data_set_that_is_not_embedded_needs_an_address(name):
    with pytest.raises(ValueError, match=f"DATASET={name} needs DATA_URI=<path of your copy>"):
        datasets.find(name).scan("")


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Unknown data set 'imagenet'; known are demo, fer2013, folder"):
        datasets.find("imagenet")


@pytest.mark.parametrize("name", datasets.NAMES)
def test_every_data_set_says_what_people_should_know(name):
    about = datasets.find(name).ABOUT
    assert about.name == name
    assert all((about.title, about.licence, about.layouts))
