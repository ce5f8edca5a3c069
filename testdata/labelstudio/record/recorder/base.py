"""The data before the first scenario: users, organizations, projects, tasks, annotations and hooks.

The ids come from the sequences of an empty database and are part of the record: the scenarios name tasks, hooks and
annotations by them. `build` fails when one comes out otherwise.
"""

from __future__ import annotations

import random
from typing import Any

from .labelstudio import DATABASE, FIRST_USER, LabelStudio
from .postgres import Server

NEWS_CONFIG = """<View>
  <Labels name="label" toName="text"><Label value="PER"/><Label value="ORG"/><Label value="LOC"/></Labels>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text" choice="single">\
<Choice value="Positive"/><Choice value="Negative"/><Choice value="Neutral"/></Choices>
</View>"""
PLAIN_CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
)

LOCAL_FILES = {"set1/doc1.txt": "first\n", "set1/doc2.txt": "second\n", "set1/doc3.txt": "third\n"}


def sentiment(choice: str) -> dict[str, Any]:
    """A region of project 1: the text as a whole."""
    return {
        "id": "c1",
        "from_name": "sentiment",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [choice]},
    }


def entity(region: str, start: int, text: str, label: str) -> dict[str, Any]:
    """A region of project 1: some characters of the text."""
    value = {"start": start, "end": start + len(text), "text": text, "labels": [label]}
    return {"id": region, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def choice(value: str) -> dict[str, Any]:
    """A region of the other projects."""
    return {"id": "c1", "from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": [value]}}


def big_text() -> str:
    """A text that PostgreSQL moves out of line (TOAST): long, and of little use to a compressor. Always the same."""
    letters = random.Random(22)
    words = (
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=letters.randint(3, 12))) for _ in range(3200)
    )
    return "TOAST " + " ".join(words)[:24000]


class BaseError(RuntimeError):
    """Label Studio refused a part of the base, or gave it another id than expected."""


class _Builder:
    def __init__(self, server: Server, app: LabelStudio, hook_url: str) -> None:
        self._server = server
        self._app = app
        self._hook_url = hook_url

    def post(self, path: str, body: Any, user: int = 1, expect_id: int | None = None) -> Any:
        answer = self._app.call(user, "POST", path, body)
        if not 200 <= answer.status < 300:
            raise BaseError(f"POST {path} as user {user}: {answer.status} {answer.text[:2000]}")
        if expect_id is not None and answer.json.get("id") != expect_id:
            raise BaseError(f"POST {path}: expected id {expect_id}, got {answer.text[:200]}")
        return answer.json

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._server.connect(DATABASE) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def users(self) -> None:
        """Users 1 and 2 in organization 1, user 3 in an organization of its own."""
        names = [("second@example.com", "Zoë", "Ånnotator"), ("third@example.com", "Third", "")]
        for number, (email, first, last) in enumerate(names, start=2):
            body = {"email": email, "username": email, "first_name": first, "last_name": last}
            self.post("/api/users/", body, expect_id=number)
        self.sql(
            "INSERT INTO organization (title, created_at, updated_at, created_by_id, token)"
            " VALUES ('Other organization', now(), now(), 3, 'organization-token-2')"
        )
        self.sql("UPDATE organizations_organizationmember SET organization_id = 2 WHERE user_id = 3")
        # Label Studio looks for the hooks in the active organization of the user who calls.
        self.sql("UPDATE htx_user SET active_organization_id = CASE id WHEN 2 THEN 1 ELSE 2 END WHERE id IN (2, 3)")
        self._allow_tokens()
        for user in (2, 3):
            self._app.tokens[user] = self._token(user)

    def _allow_tokens(self) -> None:
        """Lets organization 2 use API tokens as organization 1 does: a row of its own with the same settings."""
        if not self.sql(
            "SELECT to_regclass('jwt_auth_jwtsettings') WHERE to_regclass('jwt_auth_jwtsettings') IS NOT NULL"
        ):
            return
        self.sql("DELETE FROM jwt_auth_jwtsettings WHERE organization_id = 2")
        self.sql(
            "INSERT INTO jwt_auth_jwtsettings SELECT (jsonb_populate_record(settings, '{\"organization_id\": 2}')).*"
            " FROM jwt_auth_jwtsettings settings WHERE organization_id = 1"
        )

    def _token(self, user: int) -> str:
        rows = self.sql("SELECT key FROM authtoken_token WHERE user_id = %s", user)
        if not rows:
            raise BaseError(f"user {user} has no API token")
        return str(rows[0][0])

    def projects(self) -> None:
        """Projects 1 to 3 with tasks 1 to 21."""
        news = {
            "title": "Newsroom",
            "description": "main project",
            "expert_instruction": "<b>Read</b> first",
            "color": "#FFA663",
            "label_config": NEWS_CONFIG,
        }
        self.post("/api/projects/", news, expect_id=1)
        self.post("/api/projects/", {"title": "Quiet", "label_config": PLAIN_CONFIG}, expect_id=2)
        doomed = {"title": "Doomed", "label_config": PLAIN_CONFIG, "maximum_annotations": 2}
        self.post("/api/projects/", doomed, expect_id=3)
        texts = [{"text": f"Base text {n}. Ada met IBM in Oslo.", "n": n} for n in range(1, 13)]
        self.post("/api/projects/1/import", [{"data": data} for data in texts])
        self.post("/api/projects/2/import", [{"data": {"text": f"Quiet {n}"}} for n in range(1, 4)])
        prediction = {"model_version": "m1", "score": 0.5, "result": [choice("A")]}
        self.post(
            "/api/projects/3/import",
            [{"data": {"text": f"Doomed {n}"}, "predictions": [prediction]} for n in range(1, 7)],
        )

    def annotations(self) -> None:
        """Annotations 1 to 11 and a draft."""

        def annotate(expect_id: int, task: int, user: int, result: list[Any], lead_time: float, **more: Any) -> None:
            body = {"result": result, "lead_time": lead_time, **more}
            self.post(f"/api/tasks/{task}/annotations/", body, user, expect_id)

        annotate(1, 1, 1, [sentiment("Positive"), entity("n1", 13, "Ada", "PER")], 12.345)
        annotate(2, 2, 1, [sentiment("Negative")], 10.5)
        annotate(3, 3, 1, [], 1, was_cancelled=True)
        annotate(4, 4, 1, [sentiment("Neutral")], 2)
        annotate(5, 4, 2, [sentiment("Positive")], 4.75)
        annotate(6, 5, 2, [entity("x4", 13, "Ada", "PER")], 0.333)
        annotate(7, 6, 2, [entity("x5", 13, "Ada", "PER")], 0.333)
        annotate(8, 13, 1, [choice("A")], 1.5)
        annotate(9, 16, 1, [choice("B")], 3)
        annotate(10, 17, 1, [choice("B")], 3)
        annotate(11, 16, 2, [choice("A")], 3)
        self.post("/api/tasks/18/drafts", {"result": [choice("A")], "lead_time": 2.5}, expect_id=1)

    def big_task(self) -> None:
        """Task 22 with annotation 12, both stored out of line."""
        text = big_text()
        self.post("/api/tasks/", {"project": 1, "data": {"text": text}}, expect_id=22)
        regions = [entity(f"r{n:05}", 6 + n, text[6 + n : 9 + n], "ORG") for n in range(600)]
        self.post("/api/tasks/22/annotations/", {"result": regions, "lead_time": 100}, expect_id=12)

    def elsewhere(self) -> None:
        """Project 4 of organization 2 with tasks 23 and 24."""
        self.post("/api/projects/", {"title": "Elsewhere", "label_config": PLAIN_CONFIG}, user=3, expect_id=4)
        self.post("/api/projects/4/import", [{"data": {"text": f"Elsewhere {n}"}} for n in (1, 2)], user=3)

    def hooks(self) -> None:
        """Hooks 1 to 10. The API refuses hooks without a project, so those are written into the table."""
        own = {"X-Team": "newsroom", "Authorization": "Bearer placeholder"}
        chosen = ["ANNOTATION_CREATED", "ANNOTATIONS_DELETED", "TASKS_CREATED"]
        self._project_hook(1, 1)
        self._project_hook(2, 1, send_payload=False)
        self._project_hook(3, 1, send_for_all_actions=False, actions=chosen)
        self._project_hook(4, 1, is_active=False)
        updates = ["PROJECT_UPDATED", "ANNOTATION_UPDATED"]
        self._project_hook(5, 1, send_for_all_actions=False, actions=updates, headers=own)
        self._organization_hook(6, 1)
        self._organization_hook(7, 1, ["PROJECT_CREATED", "PROJECT_DELETED", "TASKS_DELETED"], False, '{"X-Org": "1"}')
        self._project_hook(8, 3)
        self._project_hook(9, 1, send_for_all_actions=False)
        self._organization_hook(10, 2)

    def _project_hook(self, number: int, project: int, **settings: Any) -> None:
        body = {"url": f"{self._hook_url}{number}", "project": project, **settings}
        self.post("/api/webhooks/", body, expect_id=number)

    def _organization_hook(
        self,
        number: int,
        organization: int,
        actions: list[str] | None = None,
        payload: bool = True,
        headers: str = "{}",
    ) -> None:
        rows = self.sql(
            "INSERT INTO webhook (url, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at,"
            " organization_id) VALUES (%s, %s, %s, %s, true, now(), now(), %s) RETURNING id",
            f"{self._hook_url}{number}",
            payload,
            actions is None,
            headers,
            organization,
        )
        if rows != [(number,)]:
            raise BaseError(f"organization hook: expected id {number}, got {rows}")
        for action in actions or []:
            self.sql("INSERT INTO webhook_action (webhook_id, action) VALUES (%s, %s)", number, action)

    def redact(self) -> None:
        """Replaces what looks like a secret, before anything is recorded. API tokens are in a table left out."""
        self.sql("UPDATE htx_user SET password = '!no-password'")
        self.sql("UPDATE organization SET token = 'organization-token-' || id")
        self.sql("UPDATE project SET token = 'project-token-' || id")

    def check(self) -> None:
        """Fails when a sequence did not end where the scenarios expect it."""
        wanted = {"htx_user": 3, "organization": 2, "project": 4, "task": 24, "task_completion": 12, "webhook": 10}
        for table, highest in wanted.items():
            found = self.sql(f'SELECT max(id) FROM "{table}"')[0][0]
            if found != highest:
                raise BaseError(f"the last id of {table} is {found}, not {highest}")


def build(server: Server, app: LabelStudio, hook_url: str) -> None:
    """Makes the base in a fresh Label Studio. hook_url is what the hooks' ids are appended to."""
    for name, content in LOCAL_FILES.items():
        file = app.files / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    builder = _Builder(server, app, hook_url)
    builder.users()
    builder.projects()
    builder.annotations()
    builder.big_task()
    builder.elsewhere()
    builder.hooks()
    builder.redact()
    builder.check()


__all__ = ["FIRST_USER", "BaseError", "build", "choice", "entity", "sentiment"]
