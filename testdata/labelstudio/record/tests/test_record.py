"""Tests of the record: the log of statements, the row changes, the dumps, the comparison of two records."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import unittest
from pathlib import Path

from recorder import sequence, shape, statements, wal
from recorder.dumps import _loadable, _statements
from recorder.postgres import APPLICATION


def log(*entries: tuple[str, str], user: str = APPLICATION, severity: str = "LOG") -> str:
    """Returns CSV log lines of (session, message)."""
    out = io.StringIO()
    for session, message in entries:
        row = [""] * 26
        row[1], row[5], row[11], row[13] = user, session, severity, message
        csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue()


def said(session: str, *sql: str) -> str:
    """Returns the log of statements of one session."""
    return log(*((session, f"statement: {statement}") for statement in sql))


INSERT = 'INSERT INTO "task" ("id") VALUES (1) RETURNING "task"."id"'
UPDATE = """UPDATE "task" SET "data" = '{"a": "x
y"}'::jsonb WHERE "task"."id" = 1"""


class Changes(unittest.TestCase):
    def test_changes(self) -> None:
        for name, text, want in [
            ("alone", said("a", UPDATE), f"{UPDATE};\n\n"),
            ("reads are left out", said("a", 'SELECT 1 FROM "task"', "BEGIN", "COMMIT"), ""),
            ("other tables are left out", said("a", 'UPDATE "django_session" SET x = 1'), ""),
            ("names that begin alike", said("a", 'UPDATE "task_filter" SET x = 1'), ""),
            ("another user's", log(("a", f"statement: {UPDATE}"), user="recorder"), ""),
            (
                "transaction",
                said("a", "BEGIN", INSERT, 'SELECT 1 FROM "task"', UPDATE, "COMMIT"),
                f"BEGIN;\n{INSERT};\n{UPDATE};\nCOMMIT;\n\n",
            ),
            ("rolled back", said("a", "BEGIN", UPDATE, "ROLLBACK"), ""),
            ("rolled back, with an id", said("a", "BEGIN", INSERT, "ROLLBACK"), f"BEGIN;\n{INSERT};\nROLLBACK;\n\n"),
            (
                "savepoint around nothing",
                said("a", "BEGIN", 'SAVEPOINT "s1"', 'RELEASE SAVEPOINT "s1"', UPDATE, "COMMIT"),
                f"BEGIN;\n{UPDATE};\nCOMMIT;\n\n",
            ),
            (
                "savepoint rolled back",
                said("a", "BEGIN", 'SAVEPOINT "s1"', INSERT, 'ROLLBACK TO SAVEPOINT "s1"', "COMMIT"),
                f'BEGIN;\nSAVEPOINT "s1";\n{INSERT};\nROLLBACK TO SAVEPOINT "s1";\nCOMMIT;\n\n',
            ),
            (
                "in the order of the commits",
                said("a", "BEGIN", UPDATE) + said("b", INSERT) + said("a", "COMMIT"),
                f"{INSERT};\n\nBEGIN;\n{UPDATE};\nCOMMIT;\n\n",
            ),
            ("refused", said("a", UPDATE) + log(("a", "no such column"), severity="ERROR"), ""),
        ]:
            with self.subTest(name):
                self.assertEqual(want, statements.changes(text))

    def test_server_side_binding_is_not_recorded_silently(self) -> None:
        with self.assertRaises(RuntimeError):
            statements.changes(log(("a", 'execute <unnamed>: UPDATE "task" SET "id" = $1')))


class RowChanges(unittest.TestCase):
    def test_text_and_back(self) -> None:
        records = [
            "BEGIN",
            "table public.task: INSERT: id[integer]:1 data[text]:'a\nCOMMITTED\nb'",
            "table public.django_session: DELETE: id[integer]:1",
            "COMMIT",
            "BEGIN",
            "table public.django_session: DELETE: id[integer]:2",
            "COMMIT",
        ]
        want = [[records[1]]]
        self.assertEqual(want, wal.only_tables(records, wal.TABLES))
        self.assertEqual(want, wal.parse(wal.render(want)))
        self.assertEqual("", wal.render([]))


class Dumps(unittest.TestCase):
    def test_statements(self) -> None:
        dump = "--\n-- Name: x\n--\n\nSET a = 1;\nSET transaction_timeout = 0;\n\n\\restrict abc\n\n"
        copy = "COPY public.task (id) FROM stdin;\n-- not a comment\n\n\\."
        self.assertEqual(["SET a = 1;", copy], _statements(f"{dump}{copy}\n\n\\unrestrict abc\n"))

    def test_loadable(self) -> None:
        for statement, want in [
            ("ALTER TABLE x ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.task(id) DEFERRABLE;", True),
            ("ALTER TABLE x ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.elsewhere(id);", False),
            ("CREATE INDEX i ON public.task USING gin (upper(data) public.gin_trgm_ops);", False),
            ("CREATE INDEX i ON public.project USING gin (search_vector);", True),
        ]:
            with self.subTest(statement):
                self.assertEqual(want, _loadable(statement))


class Sequences(unittest.TestCase):
    def test_of_wal(self) -> None:
        first, later = "2026-11-23 11:17:08.1+00", "2026-11-23 11:17:08.2+00"
        wal = "\n".join(
            [
                "BEGIN", f"table public.task_completion: INSERT: id[integer]:14 updated_at[timestamp with time zone]:'{first}'", "COMMIT",
                "BEGIN", "table public.htx_user: UPDATE: id[integer]:1", "COMMIT",
                "BEGIN", f"table public.task: UPDATE: id[integer]:7 updated_at[timestamp with time zone]:'{first}' updated_by_id[integer]:1", "COMMIT",
                "BEGIN", f"table public.task: UPDATE: id[integer]:7 updated_at[timestamp with time zone]:'{later}' updated_by_id[integer]:1", "COMMIT",
                "BEGIN", f"table public.task: UPDATE: id[integer]:7 updated_at[timestamp with time zone]:'{later}' updated_by_id[integer]:null",
                "table public.task: DELETE: id[integer]:7", "table public.task: DELETE: id[integer]:8", "COMMIT",
            ]
        )  # fmt: skip
        want = ["INSERT task_completion", "counters of task", "stamp of task with user", "stamp of task, DELETE task, several"]
        self.assertEqual(want, sequence.of_wal(wal))

    def test_compare(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            old, new = Path(name) / "old", Path(name) / "new"
            one, other = ("BEGIN\ntable public.task: %s: id[integer]:7\nCOMMIT\n" % operation for operation in ("INSERT", "DELETE"))
            for folder, wal in ((old, one + one), (new, one + other + one)):
                (folder / "scenarios/01-x").mkdir(parents=True)
                (folder / "scenarios/01-x/wal.txt").write_text(wal)
            want = ["scenario 01-x: transaction 2 was INSERT task, is DELETE task (2 were, 3 are)"]
            self.assertEqual(want, sequence.compare(old, new))
            self.assertEqual([], sequence.compare(old, old))


class Shapes(unittest.TestCase):
    def test_compare(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            old, new = Path(name) / "old", Path(name) / "new"
            self._record(old, "id integer NOT NULL", [(1, {"task": {"id": 1, "data": {"x": 1}, "gone": 1}})])
            self._record(new, "id bigint NOT NULL", [(1, {"task": {"id": "1", "data": {"y": 1}}}), (2, {})])
            want = [
                "column task.id was integer NOT NULL, is bigint NOT NULL",
                "scenario 01-x: hook 2 now gets A",
                "A: $.task.gone is gone",
                "A: $.task.id was number, is string",
            ]
            self.assertEqual(want, shape.compare(old, new))
            self.assertEqual([], shape.compare(old, old))

    def _record(self, folder: Path, column: str, requests: list[tuple[int, dict[str, object]]]) -> None:
        scenario = folder / "scenarios" / "01-x"
        scenario.mkdir(parents=True)
        (folder / "schema.sql").write_text(f"CREATE TABLE public.task (\n    {column}\n);\n")
        expected = [{"hook": hook, "action": "A", "body": body} for hook, body in requests]
        (scenario / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    unittest.main()
