"""Workers with one state folder know it by one name."""

from millstream.runtime.home import home_of


def test_a_folder_keeps_its_name_and_another_has_another(tmp_path):
    first = home_of(tmp_path / "a", "app")
    assert first
    assert home_of(tmp_path / "a", "app") == first
    assert home_of(tmp_path / "b", "app") != first
    assert [each.name for each in (tmp_path / "a" / "workers" / "app").iterdir()] == ["home"]


def test_of_two_that_come_first_at_once_one_names_it(tmp_path, monkeypatch):
    home_of(tmp_path, "app")
    path = tmp_path / "workers" / "app" / "home"
    winner = path.read_text()
    monkeypatch.setattr("pathlib.Path.exists", lambda _self: False)
    assert home_of(tmp_path, "app") == winner
