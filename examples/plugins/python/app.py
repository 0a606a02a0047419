"""Counters: a Loggia plugin in Python. Begin reading at `Handler`, at the end.

A storage call that fails raises `Err`, whose value is a case of `error` in types.wit.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import (
    Failure_Problem,
    Failure_Retry,
    Problem,
    Request,
    Response,
)
from wit_world.imports import storage
from wit_world.imports.storage import Page
from wit_world.imports.types import (
    Change_Delete,
    Change_Put,
    Error_Aborted,
    Error_Invalid,
    Error_PreconditionFailed,
    Expiry_Keep,
    Otherwise,
    Precondition_Absent,
    Precondition_Any,
    Value_Integer,
    Value_Text,
    Write,
)

MANIFEST = {
    "name": "counters",
    "version": "0.1.0",
    "summary": "Counters that lose no addition.",
    "collections": [{"name": "counter", "fields": {"value": "integer"}}],
    "statements": [
        {
            # Addition and look-up are one statement: what others add meanwhile is not lost.
            "name": "add",
            "update": "counter",
            "set": {"value": "value + :by"},
            "where": "id = :id",
        },
        {
            "name": "list",
            "select": "SELECT id AS name, value FROM counter",
            "where": ["starts_with(id, :prefix)"],
            "order": {"name": "name", "value": "value DESC"},
        },
    ],
    "operations": [
        {
            "name": "add",
            "method": "POST",
            "path": "/counters/{name}:add",
            "summary": "Add to a counter, which is 0 before.",
            "params": {
                "by": {
                    "type": "integer",
                    "minimum": -1_000_000,
                    "maximum": 1_000_000,
                    "default": 1,
                }
            },
        },
        {
            "name": "get-counter",
            "method": "GET",
            "path": "/counters/{name}",
            "summary": "Read a counter.",
        },
        {
            "name": "delete-counter",
            "method": "DELETE",
            "path": "/counters/{name}",
            "summary": "Delete a counter.",
        },
        {
            "name": "list-counters",
            "method": "GET",
            "path": "/counters",
            "summary": "List counters.",
            "params": {
                "prefix": {"type": "string"},
                "order": {"type": "string", "enum": ["name", "value"], "default": "name"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
                "cursor": {"type": "string"},
            },
        },
    ],
}


def add(request: Request) -> Response:
    name, by = request.path_params[0], int(first(request.query, "by"))
    args = [("id", Value_Text(name)), ("by", Value_Integer(by))]
    changed = storage.update_where("add", args, 1)
    if changed:
        return counter(200, name, changed[0].body, changed[0].version)
    body = json.dumps({"value": by})
    try:
        outcome = write(name, Change_Put(body), Precondition_Absent())
    except Err as error:
        if isinstance(error.value, Error_PreconditionFailed):
            # Another request has made the counter since we looked: the next run adds to it.
            raise Err(Failure_Retry()) from error
        raise
    return counter(201, name, body, outcome.value.version)


def get_counter(request: Request) -> Response:
    name = request.path_params[0]
    found = storage.get("counter", [name])[0]
    if found is None:
        raise not_found()
    return counter(200, name, found.body, found.version)


def delete_counter(request: Request) -> Response:
    outcome = write(request.path_params[0], Change_Delete(), Precondition_Any())
    if not outcome.value:
        raise not_found()
    return Response(204, [], b"")


def list_counters(request: Request) -> Response:
    prefix = first(request.query, "prefix")
    args = [("prefix", Value_Text(prefix))] if prefix else []
    page = Page(
        limit=int(first(request.query, "limit")),
        offset=0,
        order=first(request.query, "order"),
        after=first(request.query, "cursor"),
        total=False,
    )
    rows = storage.select("list", args, page)
    # The rows are JSON already: they are passed on as they are.
    return answer(200, f'{{"items":{rows.json},"next_cursor":{json.dumps(rows.next)}}}')


def write(id: str, change, condition):
    """One write, all or nothing."""
    return storage.apply([Write("counter", id, change, condition, Otherwise.FAIL, Expiry_Keep())])[0]


def first(pairs, name):
    return next((value for known, value in pairs if known == name), None)


def counter(status: int, name: str, body: str, version: int) -> Response:
    text = json.dumps({"name": name, "value": json.loads(body)["value"]})
    return answer(status, text, [("etag", f'"{version}"')])


def answer(status: int, text: str, headers=()) -> Response:
    return Response(status, [("content-type", "application/json"), *headers], text.encode())


def problem(status: int, code: str, detail: str) -> Err:
    return Err(Failure_Problem(Problem(status, code, detail, [], None)))


def not_found() -> Err:
    return problem(404, "not-found", "there is no such counter")


def failure(error: Err) -> Err:
    """What a failed storage call means to the client. Anything else is a fault of this plugin: it
    traps, which the client sees as 502 and the operator finds in the log."""
    match error.value:
        case Error_Invalid(fault):
            status = 400 if fault.code == "invalid-cursor" else 422
            return problem(status, fault.code, fault.detail)
        case Error_Aborted():
            return Err(Failure_Retry())
    return error


OPERATIONS = {
    "add": add,
    "get-counter": get_counter,
    "delete-counter": delete_counter,
    "list-counters": list_counters,
}


class Handler(exports.Handler):
    def describe(self) -> str:
        return json.dumps(MANIFEST)

    def handle(self, request: Request) -> Response:
        try:
            return OPERATIONS[request.operation](request)
        except Err as error:
            if isinstance(error.value, (Failure_Problem, Failure_Retry)):
                raise
            raise failure(error) from error

    def upgrade(self, collection: str, from_: int, bodies: list[str]):
        return [Err(f"{collection} has no version before {from_}") for _ in bodies]
