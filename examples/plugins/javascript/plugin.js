// Bookmarks: a Loggia plugin in JavaScript. Begin reading at `handle`, at the end.
//
// A storage call that fails throws an error whose `payload` is the case of `error` in types.wit.
import { apply, get, select } from "loggia:plugin/storage@0.1.0";

const UNSAFE = "Besides http and https, a link can hold a script.";

const MANIFEST = {
  name: "bookmarks",
  version: "0.1.0",
  summary: "Bookmarks with tags.",
  collections: [
    {
      name: "bookmark",
      fields: { title: "text", url: "text", tags: "text[]" },
      indexes: [{ name: "tags", contains: ["tags"] }],
      schema: {
        type: "object",
        required: ["title", "url"],
        properties: {
          title: { type: "string", minLength: 1 },
          url: { type: "string", pattern: "^https?://", description: UNSAFE },
          tags: { type: "array", items: { type: "string" } },
        },
        additionalProperties: false,
      },
    },
  ],
  statements: [
    {
      name: "list",
      select: "SELECT id, title, url, tags FROM bookmark",
      where: ["array_has_all(tags, :tags)"],
      order: { title: "title" },
    },
  ],
  operations: [
    {
      name: "put-bookmark",
      method: "PUT",
      path: "/bookmarks/{id}",
      summary: "Store a bookmark; If-Match and If-None-Match: * are heeded.",
      request: { content_type: "application/json" },
    },
    { name: "get-bookmark", method: "GET", path: "/bookmarks/{id}", summary: "Read a bookmark." },
    {
      name: "delete-bookmark",
      method: "DELETE",
      path: "/bookmarks/{id}",
      summary: "Delete a bookmark.",
    },
    {
      name: "list-bookmarks",
      method: "GET",
      path: "/bookmarks",
      summary: "List bookmarks by title.",
      params: {
        tag: { type: "array", items: { type: "string" }, description: "All of them." },
        limit: { type: "integer", minimum: 1, maximum: 1000, default: 50 },
        cursor: { type: "string" },
      },
    },
  ],
};

const OPERATIONS = {
  "put-bookmark": put,
  "get-bookmark": read,
  "delete-bookmark": remove,
  "list-bookmarks": list,
};

function put(request) {
  const body = new TextDecoder().decode(request.body);
  const written = write(request, { tag: "put", val: body }, condition(request)).val;
  return empty(written.created ? 201 : 204, etag(written.version));
}

function read(request) {
  const [found] = get("bookmark", [id(request)]);
  if (!found) throw notFound();
  return json(200, found.body, etag(found.version));
}

function remove(request) {
  const wasThere = write(request, { tag: "delete" }, condition(request)).val;
  if (!wasThere) throw notFound();
  return empty(204);
}

function list(request) {
  const tags = all(request.query, "tag");
  const page = {
    limit: Number(first(request.query, "limit")),
    offset: 0,
    order: undefined,
    after: first(request.query, "cursor"),
    total: false,
  };
  const args = tags.length > 0 ? [["tags", { tag: "texts", val: tags }]] : [];
  const rows = select("list", args, page);
  // The rows are JSON already: they are passed on as they are.
  return json(200, `{"items":${rows.json},"next_cursor":${JSON.stringify(rows.next ?? null)}}`);
}

// One write, all or nothing.
function write(request, change, condition) {
  const [outcome] = apply([
    {
      collection: "bookmark",
      id: id(request),
      change,
      condition,
      otherwise: "fail",
      expiry: { tag: "keep" },
    },
  ]);
  return outcome;
}

// What If-Match and If-None-Match demand of the write.
function condition(request) {
  if (first(request.headers, "if-none-match") === "*") return { tag: "absent" };
  const match = first(request.headers, "if-match");
  if (match === undefined) return { tag: "any" };
  if (match === "*") return { tag: "present" };
  const version = /^"(\d{1,19})"$/.exec(match);
  if (!version) throw problem(412, "precondition-failed", "If-Match holds no ETag of a bookmark");
  return { tag: "version", val: BigInt(version[1]) };
}

function id(request) {
  return request.pathParams[0];
}

function all(pairs, name) {
  return pairs.filter(([known]) => known === name).map(([, value]) => value);
}

function first(pairs, name) {
  return all(pairs, name)[0];
}

function etag(version) {
  return [["etag", `"${version}"`]];
}

function empty(status, headers = []) {
  return { status, headers, body: new Uint8Array() };
}

function json(status, text, headers = []) {
  const body = new TextEncoder().encode(text);
  return { status, headers: [["content-type", "application/json"], ...headers], body };
}

// Thrown by a handler; everything that it wrote is undone.
class Failure extends Error {
  constructor(payload) {
    super(payload.tag);
    this.payload = payload;
  }
}

function problem(status, code, detail, headers = []) {
  const val = { status, code, detail, headers, extensions: undefined };
  return new Failure({ tag: "problem", val });
}

function notFound() {
  return problem(404, "not-found", "there is no such bookmark");
}

// What a failed storage call means to the client. Anything else is a fault of this plugin: it
// traps, which the client sees as 502 and the operator finds in the log.
function failure(error) {
  const { tag, val } = error.payload ?? {};
  switch (tag) {
    case "precondition-failed": {
      const headers = val.found === undefined ? [] : etag(val.found);
      return problem(412, tag, "the stored bookmark is another one", headers);
    }
    case "invalid":
      return problem(val.code === "invalid-cursor" ? 400 : 422, val.code, val.detail);
    case "aborted":
      return new Failure({ tag: "retry" });
    default:
      return error;
  }
}

export const handler = {
  describe: () => JSON.stringify(MANIFEST),

  handle(request) {
    try {
      return OPERATIONS[request.operation](request);
    } catch (error) {
      throw error instanceof Failure ? error : failure(error);
    }
  },

  upgrade: (collection, from, bodies) =>
    bodies.map(() => ({ tag: "err", val: `${collection} has no version before ${from}` })),
};
