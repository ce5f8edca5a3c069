"""The scenarios, in the order in which they run: later ones build on earlier ones.

The order and the names are those of testdata/labelstudio/scenarios, and so is what each is for: its NOTES.md says
what is not as one would think. The numbers of the folders come from the order.
"""

from __future__ import annotations

from .scenario import Scenario
from .scenarios_annotations import ANNOTATIONS, DATA_MANAGER
from .scenarios_projects import IMPORTS, PROJECTS
from .scenarios_special import ENDINGS, HOOKS, SPECIAL, VALUES

ALL: tuple[Scenario, ...] = PROJECTS + IMPORTS + ANNOTATIONS + DATA_MANAGER + HOOKS + VALUES + SPECIAL + ENDINGS


def numbered() -> list[tuple[str, Scenario]]:
    """Returns every scenario with the name of its folder, such as 07-task-create-post."""
    return [(f"{number:02}-{scenario.name}", scenario) for number, scenario in enumerate(ALL, start=1)]
