from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from agent.errors import UsageError
from agent.models.endpoint import Endpoint

URL = "http://127.0.0.1:8000/v1"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILE", "URL", "KEY", "NAME", *(field.upper() for field in Endpoint.model_fields)):
        monkeypatch.delenv(f"TUMORTRACE_MODEL_{name}", raising=False)


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        (URL, URL, None),
        (f"{URL}/", URL, None),
        (f"{URL}#tiny", URL, "tiny"),
        (f"{URL}#org/Model-8B", URL, "org/Model-8B"),
        (f"{URL}#two%20words", URL, "two words"),
        ("https://models.example:8443/a/v1#x", "https://models.example:8443/a/v1", "x"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", None),
    ],
)
def test_an_address_is_read(text: str, url: str, name: str | None) -> None:
    made = Endpoint.parse(text)
    assert (made.url, made.name) == (url, name)


@pytest.mark.parametrize(
    "text",
    ["", "gpt", "ftp://host/v1", "http://", "http:///v1", "http://host:port/v1", "http://host:99999/v1", "http://host",
     "http://host/", "http://host:0/v1", "http://host/v1?key=1", "http://ho st/v1", "http://host/v1\n", "//host/v1",
     "http://host/v1#\x07", "file:///etc/passwd", "http://host/" + "v" * 3000, "http://[::1/v1"],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint.parse(text)
    said = str(refused.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 400


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="TUMORTRACE_MODEL_KEY") as refused:
        Endpoint.parse("http://me:hunter2@host:8000/v1")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.toml"
    file.write_text('name = "file"\nsamples = 5\nseed = 7\nkey = "from-file"\n')
    monkeypatch.setenv("TUMORTRACE_MODEL_FILE", str(file))
    monkeypatch.setenv("TUMORTRACE_MODEL_SAMPLES", "3")
    monkeypatch.setenv("TUMORTRACE_MODEL_NAME", "environment")
    monkeypatch.setenv("TUMORTRACE_MODEL_CRITIC", "true")
    monkeypatch.setenv("TUMORTRACE_MODEL_IMAGES", "")
    made = Endpoint.parse(f"{URL}#argument")
    assert (made.name, made.samples, made.seed, made.critic, made.images) == ("argument", 3, 7, True, "auto")
    assert Endpoint.parse(URL).name == "environment"
    assert made.key is not None
    assert made.key.get_secret_value() == "from-file"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMPLES", "0"), ("SAMPLES", "many"), ("TIMEOUT_S", "-1"), ("TIMEOUT_S", "inf"), ("IMAGES", "maybe"),
        ("SEED", "-1"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TUMORTRACE_MODEL_{name}", value)
    with pytest.raises(UsageError, match=f"TUMORTRACE_MODEL_{name}"):
        Endpoint.parse(URL)


def test_a_file_that_cannot_be_used_is_named_without_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.toml"
    monkeypatch.setenv("TUMORTRACE_MODEL_FILE", str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        Endpoint.parse(URL)
    for text in ('key = "hunter2', 'unknown = "hunter2"\n', 'key = ["hunter2"]\n', "#" * 100_000):
        file.write_text(text)
        with pytest.raises(UsageError) as refused:
            Endpoint.parse(URL)
        assert "hunter2" not in str(refused.value)


def test_the_key_is_in_no_text_of_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORTRACE_MODEL_KEY", "hunter2")
    made = Endpoint.parse(URL)
    assert made.key is not None
    for text in (repr(made), str(made), made.model_dump_json(), str(made.model_dump())):
        assert "hunter2" not in text
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes, for workers of a cohort


@pytest.mark.parametrize(
    ("url", "local"),
    [(URL, True), ("http://localhost:1/v1", True), ("http://[::1]:1/v1", True), ("http://10.0.0.1/v1", False)],
)
def test_a_server_on_this_machine_is_known_as_such(url: str, local: bool) -> None:
    assert Endpoint(url=url).local is local


def test_further_fields_come_from_the_file_or_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.toml"
    file.write_text("[extra.chat_template_kwargs]\nenable_thinking = false\n")
    monkeypatch.setenv("TUMORTRACE_MODEL_FILE", str(file))
    assert Endpoint.parse(URL).extra == {"chat_template_kwargs": {"enable_thinking": False}}
    monkeypatch.setenv("TUMORTRACE_MODEL_EXTRA", '{"top_k": 20}')
    assert Endpoint.parse(URL).extra == {"top_k": 20}
    for wrong in ('{"messages": []}', "[1]", "{", "[" * 9000):
        monkeypatch.setenv("TUMORTRACE_MODEL_EXTRA", wrong)
        with pytest.raises(UsageError, match="TUMORTRACE_MODEL_EXTRA"):
            Endpoint.parse(URL)


@pytest.mark.parametrize("key", ["schlüssel-hunter2", "hunter2\n", " hunter2", "hun\tter2", "\x7fhunter2"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORTRACE_MODEL_KEY", key)
    with pytest.raises(UsageError, match="printable ASCII") as refused:
        Endpoint.parse(URL)
    assert "hunter2" not in str(refused.value)
