"""Scenarios about projects and about how tasks come into them."""

from __future__ import annotations

from .base import NEWS_CONFIG, PLAIN_CONFIG, sentiment
from .scenario import Scenario, patch, post, scenario

_WIDER_CONFIG = NEWS_CONFIG.replace(
    '<Label value="LOC"/>', '<Label value="LOC"/><Label value="DATE" background="#aabbcc"/>'
).replace('<Choice value="Neutral"/>', '<Choice value="Neutral"/><Choice value="Mixed"/>')

_IMPORT = "/api/projects/1/import"

PROJECTS: tuple[Scenario, ...] = (
    scenario(
        "project-create",
        post(
            "/api/projects/",
            {"title": "Brand new", "description": "created by the API", "label_config": PLAIN_CONFIG},
            keep="new_project",
        ),
    ),
    scenario("project-update-title", patch("/api/projects/1/", {"title": "Newsroom 2"})),
    scenario("project-update-label-config", patch("/api/projects/1/", {"label_config": _WIDER_CONFIG})),
    scenario(
        "project-update-settings",
        patch(
            "/api/projects/1/",
            {
                "description": "settings changed",
                "expert_instruction": "<p>Be careful</p>",
                "show_instruction": True,
                "show_skip_button": False,
                "color": "#617ADA",
                "sampling": "Uniform sampling",
                "enable_empty_annotation": False,
            },
        ),
    ),
    scenario("project-noop-patch", patch("/api/projects/1/", {"title": "Newsroom 2"})),
    scenario(
        "project-update-skip-button-back",
        patch("/api/projects/1/", {"show_skip_button": True, "enable_empty_annotation": True}),
    ),
)

IMPORTS: tuple[Scenario, ...] = (
    scenario(
        "task-create-post",
        post("/api/tasks/", {"project": 1, "data": {"text": "posted one by one"}}, keep="posted"),
    ),
    scenario("import-1", post(_IMPORT, [{"data": {"text": "imported alone"}}])),
    scenario("import-3", post(_IMPORT, [{"data": {"text": f"imported {n}", "n": n}} for n in (1, 2, 3)])),
    scenario(
        "import-3-flat",
        post(_IMPORT, [{"text": f"flat {n}", "extra": {"k": [n, None, True]}} for n in (1, 2, 3)]),
    ),
    scenario(
        "import-csv-upload",
        post(_IMPORT, file=("news.csv", 'text,n\n"first, with comma",1\nsecond,2\n')),
    ),
    scenario(
        "import-undefined-txt",
        post(
            _IMPORT,
            file=("lines.txt", "line one\nline two\n"),
            keep_rows=("line", "SELECT id FROM task WHERE project_id = 1 ORDER BY id DESC LIMIT 1"),
        ),
    ),
    scenario(
        "annotate-undefined-task",
        post("/api/tasks/{line[0]}/annotations/", {"result": [sentiment("Positive")], "lead_time": 1}),
    ),
    scenario("import-100", post(_IMPORT, [{"data": {"text": f"bulk {n}", "n": n}} for n in range(100)])),
    scenario(
        "import-meta",
        post(
            _IMPORT,
            [{"data": {"text": "with meta"}, "meta": {"source": "wire", "tags": ["a", "b"], "score": 0.1}}],
        ),
    ),
    scenario("task-update-data", patch("/api/tasks/{posted}/", {"data": {"text": "posted, then edited"}})),
    scenario("task-update-meta", patch("/api/tasks/{posted}/", {"meta": {"reviewed": True}})),
)
