from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.errors import EnvironmentProblem
from lockflight.store.log.address import fault, has_log, read_address, shown, write_address

GOOD = "postgresql://team@db.example:5433/lockflight?sslmode=verify-full"


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "postgres://db.example/x",
        "postgresql:///lockflight?host=%2Frun%2Fpostgresql",
        "postgresql://u:p%40ss@[::1]:5432/x?sslmode=require&sslrootcert=%2Fca.pem",
    ],
)
def test_an_address_is_taken_and_read_back(tmp_path, url):
    assert fault(url) == ""
    assert not has_log(tmp_path)
    write_address(tmp_path, url)
    assert has_log(tmp_path)
    assert read_address(tmp_path) == url
    assert (tmp_path / "store.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://h/x",
        "sqlite:///x",
        "h/x",
        "postgresql://h",
        "postgresql://h/",
        "postgresql://h/a/b",
        "postgresql://h:port/x",
        "postgresql://[::1/x",
        "postgresql://h/x?options=-csearch_path%3Dpublic",
        "postgresql://h/x?sslmode=require&sslmode=disable",
        "postgresql://h/x?sslmode",
        "postgresql://h/x#here",
        "postgresql://h/x?service=other",
    ],
)
def test_what_is_no_address_is_told(url):
    assert fault(url)


@given(st.text(max_size=60), st.text(min_size=8, max_size=20))
def test_a_password_is_never_shown(rest, secret):
    url = f"postgresql://u:{secret}@h/x?{rest}&password={secret}"
    for text in (shown(url), fault(url), shown(rest), fault(rest)):
        assert text is not None
    if secret.isalnum() and secret.isascii():
        assert secret not in shown(url) + fault(url)


def test_an_address_is_shown_without_its_secrets():
    assert shown("postgresql://u:hush@h:1/x?password=hush&sslmode=require") == "postgresql://u@h:1/x"
    assert shown("postgresql://u:hush@/x?host=%2Frun") == "postgresql://u@/x?host=/run"
    assert "hush" not in shown("u:hush@h")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"url = 5\n",
        b'url = "postgresql://h/x"\nmore = 1\n',
        b'url = "mysql://h/x"\n',
        b"\xff",
        b"url =",
        b"x" * 20_000,
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, content):
    (tmp_path / "store.toml").write_bytes(content)
    (tmp_path / "store.toml").chmod(0o600)
    with pytest.raises(EnvironmentProblem) as caught:
        read_address(tmp_path)
    assert caught.value.code == "LF5048"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_reach_is_refused(tmp_path, mode):
    write_address(tmp_path, GOOD)
    (tmp_path / "store.toml").chmod(mode)
    with pytest.raises(EnvironmentProblem) as caught:
        read_address(tmp_path)
    assert caught.value.code == "LF5048"


def test_two_logs_in_one_folder_are_one_too_many(tmp_path):
    write_address(tmp_path, GOOD)
    (tmp_path / "log.db").write_bytes(b"")
    with pytest.raises(EnvironmentProblem) as caught:
        read_address(tmp_path)
    assert caught.value.code == "LF5048"


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    write_address(tmp_path / "elsewhere", GOOD)
    (tmp_path / "store.toml").symlink_to(tmp_path / "elsewhere" / "store.toml")
    with pytest.raises(EnvironmentProblem) as caught:
        read_address(tmp_path)
    assert caught.value.code == "LF5048"


def test_where_no_address_is_the_log_is_in_the_folder(tmp_path):
    assert read_address(tmp_path) == ""
