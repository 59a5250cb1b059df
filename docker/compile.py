"""Compiles what a running emulator loads of this environment; part of building the image."""

import sys
from importlib import import_module
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file

from sqlalchemy import create_engine

from emulator.testing import EmulatorThread

for name in ("emulator.command.cli", "emulator.serving.workers"):
    import_module(name)
create_engine("postgresql+psycopg://")
with EmulatorThread():
    pass
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or ""
    if file.startswith(sys.prefix) and file.endswith(".py"):
        compile_file(file, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, doraise=True)
