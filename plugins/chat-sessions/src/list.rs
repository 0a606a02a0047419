//! `GET /sessions`: a page of sessions, without their histories.

use loggia_plugin_sdk::{Failure, Page, Request, Response, Rows, select};
use serde_json::Value;

pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// An order of the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// What a client says.
    pub(crate) param: &'static str,
    /// Its name in the manifest's statement.
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
}

/// The orders of the list. The first is the default.
pub(crate) const ORDERS: [Order; 3] = [
    Order { param: "-updatedAt", name: "updated-last", columns: "updated DESC" },
    Order { param: "updatedAt", name: "updated-first", columns: "updated" },
    Order { param: "-createdAt", name: "created-last", columns: "created DESC" },
];

pub(crate) fn list(request: &Request) -> Result<Response, Failure> {
    let rows = select("list")
        .optional_arg("state", request.query("state"))
        .optional_arg("user_id", request.query("user_id"))
        .page(page(request)?)
        .run()?;
    Ok(Response::json(200, answer(&rows)))
}

fn page(request: &Request) -> Result<Page, Failure> {
    let order = ORDERS.iter().find(|order| Some(order.param) == request.query("order"));
    Ok(Page {
        limit: request.query_as("limit")?.unwrap_or(DEFAULT_LIMIT),
        order: order.map(|order| order.name.to_owned()),
        after: request.query("cursor").map(str::to_owned),
        total: request.query_as("total")?.unwrap_or(false),
        ..Page::default()
    })
}

/// The rows go into the answer as they are; reading them would cost more than all else here.
fn answer(rows: &Rows) -> String {
    let items = &rows.json;
    let next = rows.next.as_deref().map_or(Value::Null, Value::from);
    let total = rows.total.map(|total| format!(r#","total":{total}"#)).unwrap_or_default();
    format!(r#"{{"items":{items},"next_cursor":{next}{total}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_the_rows_as_they_are() {
        let rows = Rows { json: r#"[{"id":"a"}]"#.to_owned(), count: 1, next: None, total: None };
        assert_eq!(answer(&rows), r#"{"items":[{"id":"a"}],"next_cursor":null}"#);
    }

    #[test]
    fn an_answer_holds_the_next_cursor_and_the_total() {
        let next = Some("c\"1".to_owned());
        let rows = Rows { json: "[]".to_owned(), count: 0, next, total: Some(7) };
        assert_eq!(answer(&rows), r#"{"items":[],"next_cursor":"c\"1","total":7}"#);
    }
}
