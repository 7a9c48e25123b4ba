"""Values that the shell completes from a running gateway."""

import pytest

from gateway.cli import main

Out = pytest.CaptureFixture[str]


def completed(words: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> list[str]:
    monkeypatch.setenv("_VIDEO_GATEWAY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit):
        main([])
    out, err = capsys.readouterr()
    assert err == ""
    return out.split()


@pytest.mark.parametrize("option", ["--model", "-m"])
def test_models_are_those_of_the_key(option: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    shown = completed(f"video-gateway submit cat {option} wan2.6-", monkeypatch, capsys)
    assert "wan2.6-t2v" in shown
    assert all(name.startswith("wan2.6-") for name in shown)
    assert completed(f"video-gateway submit cat {option} jimeng-", monkeypatch, capsys) == []


def test_url_and_key_of_the_line_win(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("GATEWAY_URL", "http://127.0.0.1:1")
    line = f"video-gateway submit cat --url {url} --key session --model jimeng-video-3.0-f"
    assert completed(line, monkeypatch, capsys) == ["jimeng-video-3.0-fast"]


def test_gateway_that_is_away_or_refuses_gives_nothing(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("GATEWAY_URL", "http://127.0.0.1:1")
    assert completed("video-gateway submit cat --model w", monkeypatch, capsys) == []
    monkeypatch.setenv("GATEWAY_URL", url)
    assert completed("video-gateway submit cat --model w", monkeypatch, capsys) == []
    monkeypatch.setenv("GATEWAY_URL", "no url")
    assert completed("video-gateway accounts check m", monkeypatch, capsys) == []
