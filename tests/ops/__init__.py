"""The tests of the differentiable functions. A file's ``CASES`` is the table of its family."""

import importlib
import pkgutil

from numeric import Case


def all_cases() -> list[Case]:
    """The rows of every table, also of one that nobody has listed."""
    modules = [importlib.import_module(f"ops.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return [case for module in modules for case in getattr(module, "CASES", ())]
