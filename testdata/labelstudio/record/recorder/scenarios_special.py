"""Scenarios about hooks that change, about values that are easily damaged, and about rarer calls."""

from __future__ import annotations

from .base import PLAIN_CONFIG, choice, sentiment
from .scenario import Kept, Scenario, Tolerance, delete, patch, post, scenario
from .scenarios_annotations import data_manager

HOOKS: tuple[Scenario, ...] = (
    scenario(
        "hook-deactivated",
        patch("/api/webhooks/1/", {"is_active": False}),
        patch("/api/webhooks/4/", {"is_active": True}),
        post("/api/tasks/11/annotations/", {"result": [sentiment("Negative")], "lead_time": 1}),
    ),
    scenario(
        "hook-reactivated",
        patch("/api/webhooks/1/", {"is_active": True}),
        patch("/api/webhooks/4/", {"is_active": False}),
        post("/api/tasks/12/annotations/", {"result": [sentiment("Negative")], "lead_time": 1}),
    ),
    scenario(
        "hook-added-changed-deleted",
        post(
            "/api/webhooks/",
            {
                "url": "<HOOK>11",
                "project": 2,
                "send_payload": True,
                "send_for_all_actions": False,
                "actions": ["ANNOTATION_CREATED"],
                "headers": {"X-Late": "yes"},
            },
            keep="late_hook",
        ),
        post("/api/tasks/14/annotations/", {"result": [choice("A")], "lead_time": 1}, keep="late"),
        patch(
            "/api/webhooks/{late_hook}/",
            {"actions": ["ANNOTATION_UPDATED"], "send_payload": False, "url": "<HOOK>11"},
        ),
        patch("/api/annotations/{late}/", {"result": [choice("B")]}),
        delete("/api/webhooks/{late_hook}/"),
        delete("/api/annotations/{late}/"),
    ),
)

_NUMBERS = [0.1, 1.0, 1e21, 1e-07, -0.0, 123456789012345678901234567890, 3e5]
_EXACT = {"x": 1.5e300, "y": 9007199254740993, "z": None, "w": 1.1}
_TEXT = 'Zażółć 日本語 🙂👩\u200d👩\u200d👧 \u202eRTL\u202c "quotes" \\ back\tslash\n<script>&amp;'

VALUES: tuple[Scenario, ...] = (
    scenario(
        "json-values",
        post(
            "/api/tasks/",
            {
                "project": 1,
                "data": {
                    "text": "numbers",
                    "f": _NUMBERS,
                    "n": None,
                    "b": [True, False],
                    "e": {},
                    "l": [],
                    "": "empty key",
                    "nul": "a b",
                },
            },
            keep="numbers",
        ),
    ),
    scenario(
        "json-values-annotation",
        post(
            "/api/tasks/{numbers}/annotations/",
            {"result": [{**sentiment("Positive"), "id": "z", "meta": _EXACT}], "lead_time": 0.1},
        ),
    ),
    scenario(
        "unicode-task-and-annotation",
        post("/api/tasks/", {"project": 1, "data": {"text": _TEXT, "ключ": "значение"}}, keep="unicode"),
        post(
            "/api/tasks/{unicode}/annotations/",
            {
                "result": [
                    {
                        **sentiment("Positive"),
                        "id": "é",
                        "value": {"choices": ["Positive"], "note": "𝕬 🙂 \u2028 line sep \x7f"},
                    }
                ],
                "lead_time": 2,
            },
        ),
    ),
    scenario(
        "toast-task-annotate",
        post("/api/tasks/22/annotations/", {"result": [sentiment("Positive")], "lead_time": 4}),
    ),
    scenario("toast-annotation-ground-truth", patch("/api/annotations/12/", {"ground_truth": True})),
    scenario("toast-annotation-replace-result", patch("/api/annotations/12/", {"result": [sentiment("Negative")]})),
    scenario("toast-task-meta", patch("/api/tasks/22/", {"meta": {"size": "still big"}})),
    scenario(
        "import-file-attach",
        post("/api/projects/1/import", file=("photo.txt", "plain text body as one file\n")),
    ),
)

_NEWEST_PROJECT = "SELECT id FROM task WHERE project_id = (SELECT max(id) FROM project) ORDER BY id"
_REIMPORT_FILES = "SELECT id FROM data_import_fileupload WHERE file LIKE '%r.csv'"

SPECIAL: tuple[Scenario, ...] = (
    scenario("overlap-change", patch("/api/projects/2/", {"maximum_annotations": 3})),
    scenario(
        "overlap-second-annotation",
        post("/api/tasks/13/annotations/", {"result": [choice("B")], "lead_time": 2}, user=2),
    ),
    scenario(
        "reimport",
        post("/api/projects/", {"title": "Reimport", "label_config": PLAIN_CONFIG}, keep="reimport"),
        post("/api/webhooks/", {"url": "<HOOK>12", "project": Kept("reimport")}),
        post(
            "/api/projects/{reimport}/import?commit_to_project=false",
            file=("r.csv", "text\none\ntwo\n"),
            keep_rows=("reimport_files", _REIMPORT_FILES),
        ),
        post(
            "/api/projects/{reimport}/reimport",
            {"file_upload_ids": Kept("reimport_files"), "files_as_tasks_list": False},
        ),
        tolerance=Tolerance("the tasks that a reimport replaces go silently", extra=("TASKS_DELETED",)),
    ),
    scenario(
        "project-wipe-tasks-api",
        delete("/api/projects/{reimport}/tasks/"),
        tolerance=Tolerance(
            "wiping a project is told to organization hooks only, without the project",
            extra=("TASKS_DELETED",),
            ignore=("$.project",),
        ),
    ),
    scenario(
        "import-preannotated",
        post(
            "/api/projects/1/import",
            [
                {
                    "data": {"text": "already labelled"},
                    "annotations": [
                        {
                            "result": [sentiment("Positive")],
                            "completed_by": 2,
                            "lead_time": 9.5,
                            "ground_truth": True,
                        }
                    ],
                    "predictions": [{"model_version": "v3", "score": 0.5, "result": [sentiment("Negative")]}],
                }
            ],
        ),
    ),
    scenario(
        "other-organization",
        post("/api/tasks/23/annotations/", {"result": [choice("A")], "lead_time": 1}, user=3, keep="elsewhere"),
        patch("/api/projects/4/", {"title": "Elsewhere, renamed"}, user=3),
        delete("/api/annotations/{elsewhere}/", user=3),
    ),
    scenario(
        "local-storage-sync",
        post(
            "/api/storages/localfiles/",
            {
                "project": 2,
                "path": "<FILES>/set1",
                "use_blob_urls": True,
                "regex_filter": ".*txt",
                "title": "folder",
            },
            keep="storage",
        ),
        post("/api/storages/localfiles/{storage}/sync", {}),
        tolerance=Tolerance(
            "each task comes in a transaction of its own, and one request has all of them",
            merge=("TASKS_CREATED",),
            ignore=("$.project.*",),
        ),
    ),
    scenario(
        "dm-experimental-actions",
        data_manager("add_data_field", 2, [13, 14], value_name="grade", value_type="Number", value="7"),
        data_manager("propagate_annotations", 2, [15], source_annotation_id=8),
        data_manager("rename_labels", 2, [13, 14, 15], old_label_name="A", new_label_name="B", control_tag="c"),
        tolerance=Tolerance(
            "propagated annotations are made silently", extra=("ANNOTATION_CREATED", "ANNOTATIONS_CREATED")
        ),
    ),
    scenario(
        "undefined-stored-then-config",
        post("/api/projects/", {"title": "No config yet"}, keep="bare"),
        post(
            "/api/projects/{bare}/import",
            file=("l.txt", "stored under the placeholder key\nsecond line\n"),
            keep_rows=("bare_tasks", _NEWEST_PROJECT),
        ),
        patch("/api/projects/{bare}/", {"label_config": PLAIN_CONFIG}),
        post("/api/tasks/{bare_tasks[0]}/annotations/", {"result": [choice("A")], "lead_time": 1}),
    ),
)

ENDINGS: tuple[Scenario, ...] = (
    scenario("project-delete", delete("/api/projects/3/")),
    scenario("project-delete-empty", delete("/api/projects/{new_project}/")),
    scenario(
        "failed-requests",
        post("/api/tasks/999999/annotations/", {"result": []}, status=404),
        patch("/api/projects/1/", {"label_config": "<View><Broken"}, status=400),
        post("/api/projects/1/import", [{"data": {"wrong_key": "x"}}], status=400),
        post(
            "/api/projects/1/import",
            [{"data": {"text": "ok"}, "annotations": [{"result": "not a list"}]}],
            status=400,
        ),
    ),
)
