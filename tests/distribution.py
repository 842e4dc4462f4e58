"""Which tests go to one process of pytest-xdist together, and which of them first.

The marker `xdist_group` has no effect with pytest 9.2 (pytest-xdist issue 1386), and it could not say what is long. So
`tests.conftest` puts this scheduler in the place of that of `--dist loadgroup`.
"""

import re
from fnmatch import fnmatchcase

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = {
    "tests/security/test_two_organisations.py": "organisations",
    "tests/security/test_matrix.py": "matrix",
    "tests/security/test_matrix_finds_holes.py": "holes",
    "tests/security/test_hidden_fields.py": "hidden",
    "tests/datastore/test_*plans.py": "plans",
    "tests/gateway/test_explorer.py": "live",
    "tests/gateway/test_app.py": "live",
    "tests/gateway/test_transport.py": "live",
    "tests/test_operations.py": "operations",
}
"""Pattern of files -> the name of what their tests share, which takes long to set up. The tests of one name that run on
the same database in the same execution stay in one process. They begin in this order, before all others: what is long
must not be what is left at the end."""
VARIANTS = ("planned", "standard", "sqlite", "postgresql")


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out what belongs together at once, and every other test by itself, in the order of the collection."""

    def __init__(self, config: object, log: object = None) -> None:
        super().__init__(config, log)
        self.config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """The name of what a test is handed out with."""
    file, _, name = nodeid.partition("::")
    together = next((each for pattern, each in TOGETHER.items() if fnmatchcase(file, pattern)), None)
    if together is None:
        return nodeid
    words = re.split(r"[][-]", name)
    return " ".join([together, *(each for each in VARIANTS if each in words)])


def place(nodeid: str) -> int:
    """Where a test stands among the others: those that belong together before those that stand alone."""
    file = nodeid.partition("::")[0]
    matching = (place for place, pattern in enumerate(TOGETHER) if fnmatchcase(file, pattern))
    return next(matching, len(TOGETHER))
