"""No page names a command, option, code, setting, schema or file that does not exist."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex

import pytest

import lockflight
from lockflight.app.explain import entries
from lockflight.app.realm.settings import SETTINGS
from lockflight.app.schema import names as schema_names
from lockflight.cli.arguments import make_parser
from lockflight.cli.table import COMMANDS, EXIT_CODES
from lockflight.errors import LockflightError
from lockflight.scan.table import CHECKS
from tests.docs.pages import PAGES, ROOT, WRITTEN, blocks, code, name, prose, read

CODE = re.compile(r"\bLF\d{4}\b")
VARIABLE = re.compile(r"\bLOCKFLIGHT_[A-Z_]+\b")
#: A command line: `lockflight` and what follows, up to where a shell or a sentence ends it.
LINE = re.compile(r"(?<![\w./-])lockflight ((?:[^\s`|;&>#()…]+ ?)+)")
FILE = re.compile(r"^(?:src|tests|docs|bench|examples|requirements|scripts)/[\w./-]*\w$")
#: Read by the source beside the settings.
OTHER_VARIABLES = {"LOCKFLIGHT_OIDC_TOKEN_FILE", "LOCKFLIGHT_DEBUG", "LOCKFLIGHT_PASSPHRASE"}


def parser_of(words):
    """(the parser of a command line, words that are its arguments), or why there is none."""
    entry = COMMANDS.get(words[0])
    if entry is None:
        return None, f"there is no command {words[0]!r}"
    if len(entry) == 3:
        command, rest = words[0], words[1:]
    else:
        if len(words) < 2 or words[1] not in entry[1]:
            return None, f"`{words[0]}` has no verb {' '.join(words[1:2])!r}"
        command, rest, entry = " ".join(words[:2]), words[2:], entry[1][words[1]]
    room, verb = entry[0].split(":")
    module = importlib.import_module(f"lockflight.cli.{room}")
    return (make_parser(command, entry, getattr(module, f"{verb}_arguments")), rest), ""


def wrong(line):
    """Why a command line of a page could not be typed; empty if it could."""
    try:
        words = shlex.split(line.rstrip(" .,:"))
    except ValueError:
        words = line.split()
    if not words or words[0] in {"--help", "--version", "COMMAND", lockflight.__version__}:
        return ""
    if words[0] in COMMANDS and len(COMMANDS[words[0]]) == 2 and len(words) == 1:
        return ""
    found, why = parser_of(words)
    if found is None:
        return why
    parser, rest = found
    rest = rest[: rest.index("--")] if "--" in rest else rest  # what follows is another command
    known = {option for action in parser._actions for option in action.option_strings}
    for word in rest:
        option = word.split("=")[0].rstrip(".,")
        if option.startswith("-") and len(option) > 1 and option not in known:
            return f"{option} is no option"
    return ""


def named(page):
    """Every command line that a page writes as code."""
    for text in code(read(page)):
        yield from (match[1].strip() for match in LINE.finditer(text))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page):
    # What the modules say of themselves is not what a reader types.
    if "modules" in page.parts:
        return
    assert not [f"lockflight {line}: {wrong(line)}" for line in named(page) if wrong(line)]


def hints(package):
    """Every text of the source that tells a user to type something."""
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in {"hint", "fix"}:
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{path.relative_to(package)}:{part.lineno}", part.value


def test_hints_name_commands_that_exist(project_root):
    """The first words only: in the source the rest may be filled in."""
    bad = []
    for place, text in hints(project_root / "src" / "lockflight"):
        for match in LINE.finditer(text):
            words = match[1].rstrip(" .,:").split()
            if not re.fullmatch(r"[a-z-]+", words[0]):
                continue
            entry = COMMANDS.get(words[0])
            verb = words[1] if len(words) > 1 else ""
            prose_follows = (
                text[: match.start()].rstrip()[-1:] not in {"", "`", ":", ";", ","} and entry is None
            )
            if not prose_follows and (entry is None or (len(entry) == 2 and verb and verb not in entry[1])):
                bad.append(f"{place}: lockflight {' '.join(words[:2])}")
    assert not bad


def test_console_and_shell_blocks_are_told_apart():
    for page in WRITTEN:
        for language, content in blocks(read(page)):
            assert language in {"console", "sh", "text", "yaml", "toml"}, f"{name(page)}: ```{language}"
            assert (language == "console") == content.startswith("$ "), f"{name(page)}: {content[:40]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_codes_exist(page):
    assert not {c for c in CODE.findall(read(page)) if c not in entries()}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_variables_exist(page):
    known = {setting.variable for setting in SETTINGS} | OTHER_VARIABLES
    levels = {"LOCKFLIGHT_"}  # the prefix, in prose about all of them
    assert not set(VARIABLE.findall(read(page))) - known - levels


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_files_exist(page):
    spans = [span for span in code(prose(read(page))) if FILE.fullmatch(span)]
    assert not [span for span in spans if not (ROOT / span).exists()]


def test_the_readme_lists_the_exit_codes():
    text = read(ROOT / "README.md")
    assert all(f"| {number} | {meaning} |" in text for number, meaning in EXIT_CODES)


def test_the_changelog_names_every_command_and_check():
    text = read(ROOT / "CHANGELOG.md")
    missing = [noun for noun in COMMANDS if not re.search(rf"`{noun}(?: |`)", text)]
    missing += [check for check in CHECKS if f"`{check}`" not in text]
    assert not missing


def test_schemas_are_printed_by_their_names(project_root):
    page = read(project_root / "docs" / "reference" / "schemas.md")
    assert not [schema for schema in schema_names() if f"| `{schema}` |" not in page]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("check . --env staging", ""),
        ("evidence export --out FILE", ""),
        ("evidence", ""),
        ("COMMAND --help", ""),
        ("chekc .", "there is no command 'chekc'"),
        ("evidence burn", "`evidence` has no verb 'burn'"),
        ("check . --frce", "--frce is no option"),
    ],
)
def test_a_wrong_command_is_seen(line, why):
    assert wrong(line) == why


def test_the_parsers_are_those_of_the_commands():
    (parser, rest), _ = parser_of(["check", ".", "--env", "staging"])
    assert isinstance(parser, argparse.ArgumentParser)
    assert parser.parse_args(rest).env == "staging"
    with pytest.raises(LockflightError):
        parser.parse_args([".", "--nothing"])
