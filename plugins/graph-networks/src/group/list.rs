//! `GET /networks/{network}/groups`: a page of groups by what they are, the newest change first; by
//! words of their names and descriptions, the best first.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, declare};
use serde::Serialize;

use crate::fault::network_not_found;
use crate::key::Key;
use crate::own::attribute;
use crate::store::{NETWORKS, network_id};

pub(crate) const ROUTE: Route = Route::get(
    "list-groups",
    "/networks/{network}/groups",
    "List groups without their contacts and wires.",
    list,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("type", Param::string().describe("The attribute bassline.type, or type."))
        .param("author", Param::string().describe("The attribute bassline.author, or author."))
        .param("tags_any", Param::string().describe("One of these tags; commas between them."))
        .param("tags_all", Param::string().describe("All of these tags; commas between them."))
        .param("attr.*", Param::string().describe("The attribute of this name, as JSON."))
        .param("parent", Param::string().describe("The group that they are subgroups of."))
        .param("q", Param::string().describe("Words of the name or the description."))
        .pages(&LIST)
});

/// A group as it is listed, and what it can be found by.
macro_rules! columns {
    ($more:literal) => {
        concat!(
            "SELECT json_extract(g._body, '/group') AS \"group\", g._updated_at AS \"updatedAt\"",
            $more,
            " FROM \"group\" AS g WHERE g.network = :network"
        )
    };
}

const CONDITIONS: &[&str] = &[
    "g.type = :type",
    "g.author = :author",
    "array_has_any(g.tags, :tags_any)",
    "array_has_all(g.tags, :tags_all)",
    "array_has_all(g.attributes, :attributes)",
    "g.parent = :parent",
];

declare! { STORAGE:
    const LIST: Select<Filter<'_>> = select("list-groups", columns!(""))
        .conditions(CONDITIONS)
        .orders(&[("-updatedAt", "g._updated_at DESC")]);

    const SEARCH: Select<Search<'_>> =
        select(
            "search-groups",
            concat!(columns!(", rank(g.words, :q) AS rank"), " AND match(g.words, :q)"),
        )
        .conditions(CONDITIONS)
        .orders(&[("rank", "rank DESC")]);
}

#[derive(Clone, Serialize)]
struct Filter<'a> {
    network: &'a str,
    r#type: Option<&'a str>,
    author: Option<&'a str>,
    tags_any: Option<Vec<&'a str>>,
    tags_all: Option<Vec<&'a str>>,
    attributes: Option<Vec<String>>,
    parent: Option<String>,
}

#[derive(Serialize)]
struct Search<'a> {
    q: &'a str,
    network: &'a str,
    r#type: Option<&'a str>,
    author: Option<&'a str>,
    tags_any: Option<Vec<&'a str>>,
    tags_all: Option<Vec<&'a str>>,
    attributes: Option<Vec<String>>,
    parent: Option<String>,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let tags = |name| request.query(name).map(|tags| tags.split(',').collect());
    let filter = Filter {
        network: network.as_str(),
        r#type: request.query("type"),
        author: request.query("author"),
        tags_any: tags("tags_any"),
        tags_all: tags("tags_all"),
        attributes: attributes(request)?,
        parent: request.query("parent").map(|parent| network.group(parent)),
    };
    let page = request.page()?;
    let rows = match request.query("q") {
        Some(q) => {
            let page = loggia_plugin_sdk::Page { order: None, ..page.clone() };
            SEARCH.page(&filter.search(q), &page)?
        }
        None => LIST.page(&filter, &page)?,
    };
    if rows.count == 0 && NETWORKS.get_json(network.as_str())?.is_none() {
        return Err(network_not_found().into());
    }
    Ok(rows.answer())
}

impl<'a> Filter<'a> {
    fn search(self, q: &'a str) -> Search<'a> {
        let Self { network, r#type, author, tags_any, tags_all, attributes, parent } = self;
        Search { q, network, r#type, author, tags_any, tags_all, attributes, parent }
    }
}

/// What stands for the attributes that are asked for.
fn attributes(request: &Request) -> Result<Option<Vec<String>>, Problem> {
    let asked = request.query_family("attr").map(|(name, text)| {
        let value = serde_json::from_str(text).map_err(|_| {
            let detail =
                format!("the parameter attr.{name}: it must be JSON; text stands in quotes");
            Problem::new(400, "invalid-parameter", detail).with("parameter", format!("attr.{name}"))
        })?;
        Ok(attribute(name, &value))
    });
    let asked: Vec<String> = asked.collect::<Result<_, Problem>>()?;
    Ok((!asked.is_empty()).then_some(asked))
}
