"""README says what is so: its commands, its table, its code, its pictures."""

import json
import re
import shlex
from pathlib import Path

import pytest

from infovae_core import config
from infovae_core.catalogue import SETS
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.metrics import METRICS
from infovae_core.networks import NETWORKS
from infovae_core.objectives import OBJECTIVES
from infovae_core.toys import LINEAR

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_table_of_objectives_is_the_registry():
    rows = re.findall(r"^\| (.+?) \| \$(.+?)\$ \| (.+?) \|$", README, re.MULTILINE)
    assert rows == [(o.title, o.formula, o.source) for o in OBJECTIVES.values()]


def test_table_of_data_sets_is_the_catalogue():
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", README, re.MULTILINE)
    assert rows == [
        (s.title, name, f"{s.train:,} + {s.test:,}", " × ".join(map(str, s.shape)), s.source)
        for name, s in SETS.items()
        if name != "files"
    ]


def test_numbers_of_the_linear_gaussian_set_are_those_of_its_formulas():
    docs = (ROOT / "docs/data.md").read_text()
    assert f"| {LINEAR.information:.4f} nats |" in docs
    assert f"| {-LINEAR.entropy:.4f} nats |" in docs


@pytest.mark.parametrize(
    ("header", "names"),
    [("| network |", NETWORKS), ("| likelihood |", LIKELIHOODS)],
)
def test_tables_of_networks_and_likelihoods_name_them_all(header, names):
    rows = README[README.index(header) :].split("\n\n")[0].splitlines()[2:]
    first = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert first == [*names]


def test_table_of_metrics_names_them_all():
    table = README[README.index("| question | metrics |") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(METRICS)


def test_config_in_readme_is_valid():
    [record] = map(json.loads, blocks("json"))
    assert config.RunConfig.model_validate(record).epochs == record["training"]["epochs"]


@pytest.mark.parametrize("code", blocks("python"), ids=["objective", "training"])
def test_code_in_readme_runs(code, monkeypatch, capsys):
    monkeypatch.setattr("infovae_core.objectives.OBJECTIVES", dict(OBJECTIVES))
    names = {"__name__": "readme"}
    exec(code, names)
    if "WassersteinAE" in names:
        assert names["WassersteinAE"](lam=3).latex() == r"D + 3\,\mathrm{MMD}^2"
    else:
        assert "distortion" in capsys.readouterr().out


def test_commands_in_readme_are_understood(tmp_path, monkeypatch):
    from infovae_core.__main__ import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(blocks("json")[0])
    lines = [shlex.split(line) for block in blocks("bash") for line in block.splitlines()]
    ours = [words[3:] for words in lines if words[:3] == ["python", "-m", "infovae_core"]]
    commands = {"train", "list", "resume", "repeat", "evaluate", "export"}
    assert {words[0] for words in ours} == commands
    for words in ours:
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0


def test_pictures_and_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
