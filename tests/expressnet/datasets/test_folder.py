import pytest

from expressnet.datasets import catalog, labels
from tests.look_alikes import touch


def _described(source):
    return [(record.uri, record.label, record.source_split) for record in source.records]


def test_class_folders_are_read(scan, tmp_path):
    source = scan("folder", touch(tmp_path, "happy/b.jpg", "happy/a.PNG", "Angry/c.jpg"))
    assert _described(source) == [
        ("Angry/c.jpg", "anger", "none"),
        ("happy/a.PNG", "happy", "none"),
        ("happy/b.jpg", "happy", "none"),
    ]
    assert source.layout == "<class>/<image>"
    assert source.classes == ("anger", "happy")
    assert source.dataset_id == "folder"
    assert source.records[0].read() == b"Angry/c.jpg"


def test_published_splits_above_the_class_folders_are_kept(scan, tmp_path):
    source = scan("folder", touch(tmp_path, "train/happy/a.jpg", "train/sad/b.jpg", "test/happy/c.jpg"))
    assert _described(source) == [
        ("test/happy/c.jpg", "happy", "test"),
        ("train/happy/a.jpg", "happy", "train"),
        ("train/sad/b.jpg", "sad", "train"),
    ]
    assert source.layout == "{train,test}/<class>/<image>"


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_published_split_alone_is_one(scan, tmp_path, split):
    source = scan("folder", touch(tmp_path, f"{split}/happy/a.jpg"))
    assert _described(source) == [(f"{split}/happy/a.jpg", "happy", split)]


@pytest.mark.parametrize("spelling", [*labels.CLASSES_8, *labels.ALIASES])
def test_every_known_spelling_may_name_a_folder(scan, tmp_path, spelling):
    source = scan("folder", touch(tmp_path, f"{spelling.upper()}/a.jpg"))
    assert source.classes == (labels.canonical(spelling),)


def test_two_spellings_of_a_class_are_one_class(scan, tmp_path):
    source = scan("folder", touch(tmp_path, "angry/a.jpg", "anger/b.jpg"))
    assert source.classes == ("anger",)
    assert len(source.records) == 2


def test_the_systems_own_files_are_passed_over_and_counted(scan, tmp_path):
    touch(tmp_path, "happy/a.jpg", ".DS_Store", "happy/.hidden.jpg", "happy/Thumbs.db", "desktop.ini")
    source = scan("folder", tmp_path)
    assert [record.uri for record in source.records] == ["happy/a.jpg"]
    assert source.num_ignored == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [],
            r"found no file, it is empty\. Expected one of: <class>/<image>; {train,test}/<class>/<image>\. Put images",
        ),
        (
            ["smile/a.jpg"],
            r"Folder 'smile' in .* is not an expression class\. Known classes: anger \(angry\), contempt,",
        ),
        (["train/smile/a.jpg"], r"Folder 'train/smile' in .* is not an expression class"),
        (["val/happy/a.jpg"], r"Folder 'val' in .* does DATA_URI point one level too high or too low\?"),
        (["a.jpg"], r"a\.jpg in .* is a file where a class folder was expected"),
        (["happy/a.jpg", "notes.txt"], r"notes\.txt in .* is a file where a class folder was expected"),
        (["train/a.jpg"], r"a\.jpg in .* is a file where a class folder was expected"),
        (["train"], r"train in .* is a file where a class folder was expected"),
        (
            ["happy/more/a.jpg"],
            r"happy/more/a\.jpg in .* lies in a folder inside a class folder; expected images there",
        ),
        (["happy/.DS_Store", "sad/a.jpg"], r"Folder 'happy' in .* is empty\. Put images in it or remove it"),
    ],
)
def test_another_layout_is_refused_with_the_culprit(scan, tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        scan("folder", touch(tmp_path, *names))


def test_split_folders_without_classes_are_refused(scan, tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="Folder 'train' in .* is empty"):
        scan("folder", tmp_path)


def test_a_file_is_no_folder(scan, tmp_path):
    touch(tmp_path, "photos.zip")
    with pytest.raises(ValueError, match=r"photos\.zip in .* is a file where a class folder was expected"):
        scan("folder", tmp_path / "photos.zip")


@pytest.mark.parametrize("name", catalog.NAMES)
def test_a_path_with_nothing_at_it_is_named(scan, tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"DATA_URI names .*gone, but nothing is there\. Data is read from"):
        scan(name, tmp_path / "gone")


@pytest.mark.parametrize("name", [name for name in catalog.NAMES if name != "demo"])
def test_a_data_set_that_is_not_embedded_needs_an_address(scan, name):
    with pytest.raises(ValueError, match=f"DATASET={name} needs DATA_URI=<where your copy lies>"):
        scan(name)


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Unknown data set 'imagenet'; known are demo, affectnet7, affectnet8, rafdb"):
        catalog.find("imagenet")


@pytest.mark.parametrize("name", catalog.NAMES)
def test_every_data_set_says_what_people_should_know(name):
    about = catalog.find(name).ABOUT
    assert about.name == name
    assert all((about.title, about.licence, about.layouts))
