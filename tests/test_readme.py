"""The README says what the program does."""

from pathlib import Path

from emulator.api.routes import OPERATIONS
from emulator.client import Control
from emulator.settings import ENVIRONMENT_PREFIX, Settings
from emulator.testing import plugin

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text()


def test_every_setting_is_in_the_readme_with_its_option_variable_and_meaning() -> None:
    for name, field in Settings.model_fields.items():
        row = next((line for line in _README.splitlines() if line.startswith(f"| `--{name.replace('_', '-')}` |")), "")

        assert f"`{ENVIRONMENT_PREFIX}{name.upper()}`" in row, name
        assert str(field.description) in row, name


def test_every_operation_is_in_the_readme_with_its_request() -> None:
    for operation in OPERATIONS:
        path = operation.path.replace("{content_path:content}", "{path}").replace(":content}", "}")

        assert f"`{operation.verb} {path}" in _README, operation.name


def test_every_option_of_the_pytest_marker_is_in_the_readme() -> None:
    for option in plugin.OPTIONS:
        assert f"\n| `{option}` | " in _README, option


def test_everything_python_can_do_with_a_store_is_in_the_readme() -> None:
    for name in vars(Control):
        assert name.startswith("_") or f"`{name}(" in _README or f"`{name}`" in _README, name


def test_every_recipe_is_in_the_readme() -> None:
    recipes = list((_ROOT / "tests" / "recipes").glob("with_*"))
    assert recipes
    for recipe in recipes:
        assert f" {recipe.name}" in _README


def test_ci_runs_the_commands_that_the_readme_gives_for_set_up_and_tests() -> None:
    script = (_ROOT / ".ci" / "run").read_text()

    for command in (".venv/bin/pip install -c requirements.lock -e '.[dev]'", ".venv/bin/pytest"):
        assert command in _README
        assert command.replace("pip install", "pip install --quiet") in script
