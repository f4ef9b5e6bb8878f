import pytest

from benchmark.data.manifest import CLASSES
from benchmark.data.naming import FORMS, Labels, Named, Names
from benchmark.errors import InputError

PLAIN = Labels()


@pytest.mark.parametrize(("template", "path", "named"), [
    ("{case}_{cell}_{label}*.png", "P1_c3_12b.png", ("12", "c3", "P1")),
    ("{case}_{cell}_{label}*.png", "any/folder/P1_c3_1b.png", ("1", "c3", "P1")),
    ("{case}_{cell}_{label}*.png", "P1_c3_X-2.png", ("X", "c3", "P1")),
    ("{label}/{case}-{cell}_*.png", "crops/Y/a-b_1.png", ("Y", "b", "a")),
    ("{label}/*.png", "22/anything.png", ("22", "", "")),
    ("{case}/{cell}/{label}.*.tif", "p 1/cell.7/3.a.tif", ("3", "cell.7", "p 1")),
    ("{cell} {label}*.bmp", "007 21a.bmp", ("21", "007", "")),
    (r"re:(?P<case>\w+?)_(?P<label>\d+)_.*", "s1_7_z.png", ("7", "", "s1")),
])  # fmt: skip
def test_a_template_reads_the_end_of_a_path(template: str, path: str, named: tuple[str, str, str]) -> None:
    assert Names(template, PLAIN).read(path) == Named(*named)


@pytest.mark.parametrize(("form", "written", "name"), [
    ("plain", "9", "9"), ("padded", "09", "9"), ("chr", "chrX", "X"), ("numbers", "23", "X"), ("numbers", "02", "2"),
    ("from-zero", "0", "1"), ("from-zero", "22", "X"), ("from-zero", "23", "Y"),
])  # fmt: skip
def test_a_form_is_declared(form: str, written: str, name: str) -> None:
    assert Names("{label}/*", Labels(form)).read(f"{written}/a.png").label == name


def test_every_form_writes_every_class() -> None:
    assert all(set(form.values()) == set(CLASSES) for form in FORMS.values())


def test_what_is_given_comes_before_the_form() -> None:
    names = Names("{label}_{cell}.png", Labels("plain", {"A1": "1", "23": "X"}))
    assert [names.read(f"{one}_c.png").label for one in ("A1", "23", "2")] == ["1", "X", "2"]


@pytest.mark.parametrize(("template", "message"), [
    ("{case}_{cell}.png", "names must hold the label"),
    ("{label}_{patient}.png", "no such field; found '{patient}'; allowed: {label}, {cell}, {case}"),
    ("{label}_{cell}_{cell}.png", "a field twice; found '{cell}'"),
    ("{case}{cell}_{label}.png", "where this field ends is not said; found '{case}'"),
    ("{label}_{case}*.png", "where this field ends is not said"),
    ("{label}_{cell.png", "a brace without its other one"),
    ("re:(?P<label>\\d+", "not a regular expression"),
    ("re:(\\d+)", "names must hold the label"),
    ("re:(?P<label>a)(?P<sex>b)", "names must hold the label"),
    ("{label}" + "*" * 300, "too long; found '307 characters'"),
])  # fmt: skip
def test_wrong_templates_are_errors(template: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^names: ") as caught:
        Names(template, PLAIN)
    assert message in str(caught.value)


@pytest.mark.parametrize(("template", "path", "message"), [
    ("{label}/{cell}.png", "1.png", "1.png: names: the name does not fit; allowed: {label}/{cell}.png"),
    ("{label}/{cell}.png", "1/a.tif", "the name does not fit"),
    ("{case}_{cell}_{label}.png", "a_b_c_1.png", "the name does not fit; allowed: {case}_{cell}_{label}.png"),
    ("{case}_{cell}_{label}*.png", "a_b_123.png", "label: not a class as declared; found '123'"),
    ("{label}/*.png", "23/a.png", "found '23'; allowed: 1, 2,"),
    ("{label}/*.png", "01/a.png", "It is a class in the form padded or numbers or from-zero: --labels"),
    ("{label}/*.png", "chr1/a.png", "It is a class in the form chr: --labels. Or say which class it is: --label chr1=CLASS"),
    ("{label}/*.png", "other/a.png", "Or say which class it is: --label other=CLASS"),
    ("{label}/{cell}_*.png", "1/ _a.png", "cell: empty, or not printable; found ' '"),
    ("{label}/{cell}_*.png", "1/a\tb_a.png", "empty, or not printable"),
])  # fmt: skip
def test_wrong_paths_are_errors(template: str, path: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Names(template, PLAIN).read(path)
    assert message in str(caught.value)


def test_wrong_declarations_are_errors() -> None:
    with pytest.raises(InputError, match="labels: no such way to write classes; found 'roman'; allowed: plain, padded"):
        Labels("roman")
    with pytest.raises(InputError, match="label A1: no such class; found '25'; allowed: 1-22, X, Y"):
        Labels("plain", {"A1": "25"})
    with pytest.raises(InputError, match="not the name of a class in a path"):
        Labels("plain", {"a/b": "1"})
