"""Scenarios about annotations, drafts and predictions, and about what the Data Manager does to many at once."""

from __future__ import annotations

from typing import Any

from .base import entity, sentiment
from .scenario import Call, Kept, Scenario, Tolerance, delete, patch, post, put, scenario


def data_manager(action: str, project: int, included: Any, **more: Any) -> Call:
    """A bulk action of the Data Manager on some tasks of a project."""
    body = {
        "ordering": [],
        "selectedItems": {"all": False, "included": included},
        "filters": {"conjunction": "and", "items": []},
        **more,
    }
    return post(f"/api/dm/actions?id={action}&project={project}", body)


_FIRST = "/api/annotations/{first}/"

ANNOTATIONS: tuple[Scenario, ...] = (
    scenario(
        "annotation-create",
        post(
            "/api/tasks/7/annotations/",
            {"result": [sentiment("Positive"), entity("n1", 13, "Ada", "PER")], "lead_time": 12.345},
            keep="first",
        ),
    ),
    scenario(
        "annotation-create-skip",
        post("/api/tasks/8/annotations/", {"result": [], "was_cancelled": True, "lead_time": 0.5}, keep="skipped"),
    ),
    scenario("annotation-update-patch", patch(_FIRST, {"result": [sentiment("Negative")], "lead_time": 20})),
    scenario("annotation-update-same-result", patch(_FIRST, {"result": [sentiment("Negative")], "lead_time": 20})),
    scenario(
        "annotation-update-put",
        put(
            _FIRST,
            {
                "task": 7,
                "result": [sentiment("Neutral")],
                "was_cancelled": False,
                "ground_truth": False,
                "lead_time": 21.5,
            },
        ),
    ),
    scenario("annotation-skip-existing", patch(_FIRST, {"was_cancelled": True, "result": [sentiment("Neutral")]})),
    scenario("annotation-unskip-patch", patch(_FIRST, {"was_cancelled": False})),
    scenario(
        "annotation-unskip-convert-to-draft",
        post("/api/annotations/{skipped}/convert-to-draft", {}),
        tolerance=Tolerance(
            "the application looks the ids up after they are deleted, and so sends nothing",
            extra=("ANNOTATIONS_DELETED",),
        ),
    ),
    scenario("annotation-ground-truth", patch(_FIRST, {"ground_truth": True})),
    scenario(
        "annotation-second-user",
        post(
            "/api/tasks/7/annotations/",
            {"result": [sentiment("Positive")], "lead_time": 3},
            user=2,
            keep="second",
        ),
    ),
    scenario("annotation-other-user-edits", patch(_FIRST, {"result": [sentiment("Positive")]}, user=2)),
    scenario(
        "draft-create",
        post("/api/tasks/9/drafts", {"result": [sentiment("Positive")], "lead_time": 1.5}, keep="draft"),
    ),
    scenario("draft-update", patch("/api/drafts/{draft}/", {"result": [sentiment("Negative")], "lead_time": 2.5})),
    scenario(
        "annotation-create-from-draft",
        post(
            "/api/tasks/9/annotations/",
            {"result": [sentiment("Negative")], "lead_time": 3.5, "draft_id": Kept("draft")},
        ),
    ),
    scenario("annotation-delete", delete("/api/annotations/{second}/")),
    scenario(
        "prediction-create",
        post(
            "/api/predictions/",
            {"task": 10, "result": [sentiment("Mixed")], "score": 0.87, "model_version": "v1"},
        ),
    ),
    scenario(
        "annotation-create-with-prediction",
        post("/api/tasks/10/annotations/", {"result": [sentiment("Mixed")], "lead_time": 2}),
    ),
)


def _predicted(number: int) -> dict[str, Any]:
    result = [{**sentiment("Positive"), "id": f"p{number}"}]
    prediction = {"model_version": "v2", "score": number / 4, "result": result}
    return {"data": {"text": f"pre {number}"}, "predictions": [prediction]}


DATA_MANAGER: tuple[Scenario, ...] = (
    scenario(
        "import-with-predictions",
        post(
            "/api/projects/1/import",
            [_predicted(number) for number in (1, 2, 3)],
            keep_rows=("predicted", "SELECT task_id FROM prediction WHERE model_version = 'v2' ORDER BY task_id"),
        ),
    ),
    scenario(
        "dm-predictions-to-annotations",
        data_manager("predictions_to_annotations", 1, Kept("predicted")),
        tolerance=Tolerance(
            "the payload is made before the counters are updated",
            ignore=("$.task[[]*].is_labeled", "$.task[[]*].total_annotations", "$.project.finished_task_number"),
        ),
    ),
    scenario(
        "dm-delete-annotations",
        data_manager("delete_tasks_annotations", 1, [1, 2, 4]),
        tolerance=Tolerance(
            "the payload is made before the counters are updated", ignore=("$.project.finished_task_number",)
        ),
    ),
    scenario("dm-delete-predictions", data_manager("delete_tasks_predictions", 1, Kept("predicted"))),
    scenario("task-delete", delete("/api/tasks/{posted}/")),
    scenario("task-delete-annotated", delete("/api/tasks/5/")),
    scenario(
        "dm-delete-tasks",
        data_manager("delete_tasks", 1, [Kept("predicted"), 6]),
    ),
)
