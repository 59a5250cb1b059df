"""The README says what the program does."""

from pathlib import Path

from emulator.api.routes import OPERATIONS
from emulator.settings import ENVIRONMENT_PREFIX, Settings

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


def test_ci_runs_the_commands_that_the_readme_gives_for_set_up_and_tests() -> None:
    script = (_ROOT / ".ci" / "run").read_text()

    for command in (".venv/bin/pip install -c requirements.lock -e '.[dev]'", ".venv/bin/pytest"):
        assert command in _README
        assert command.replace("pip install", "pip install --quiet") in script
