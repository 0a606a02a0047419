//! What the gateway calls by itself: each call is noted, so that a test can see when it happened.

use loggia_plugin_sdk::manifest::FieldType;
use loggia_plugin_sdk::{Collection, Delete, Failure, Problem, Request, Response, declare};
use serde_json::{Value, json};

declare! { STORAGE:
    const TALLIES: Collection<Value> = collection("tally");

    const ALARMS: Collection =
        collection("alarm").with(|alarm| alarm.field("at", FieldType::Timestamp));

    const RING: Delete = delete("ring", "alarm").filter("at <= now()");
}

/// The note stays whatever comes after it.
pub(crate) fn tick(request: &Request) -> Result<Response, Failure> {
    note(request)?;
    let behavior = TALLIES.get("behavior")?.map(|tally| tally.body);
    match behavior.as_ref().and_then(|behavior| behavior["as"].as_str()) {
        Some("problem") => Err(Problem::new(409, "told-so", "the tally says so").into()),
        Some("trap") => panic!("the tally says so"),
        Some("loop") => loop {
            std::hint::black_box(());
        },
        _ => Ok(Response::empty(204)),
    }
}

pub(crate) fn ring(request: &Request) -> Result<Response, Failure> {
    note(request)?;
    RING.run(&())?;
    Ok(Response::empty(204))
}

pub(crate) fn put_alarm(request: &Request) -> Result<Response, Failure> {
    ALARMS.put_json(request.path("id"), request.text()?).run()?;
    Ok(Response::empty(204))
}

pub(crate) fn put_tally(request: &Request) -> Result<Response, Failure> {
    TALLIES.put(request.path("id"), &request.json()?).run()?;
    Ok(Response::empty(204))
}

pub(crate) fn get_tally(request: &Request) -> Result<Response, Failure> {
    let tally = TALLIES.get(request.path("id"))?;
    let tally = tally.ok_or_else(|| Problem::not_found("there is no such tally"))?;
    Response::serialize(200, &tally.body)
}

/// One more call of the operation.
fn note(request: &Request) -> Result<(), Failure> {
    let operation = request.operation();
    let mut body = match TALLIES.get(operation)? {
        Some(tally) => tally.body,
        None => json!({"calls": []}),
    };
    let principal = request.principal();
    let call = json!({
        "at": request.received_at().as_micros(),
        "subject": principal.subject,
        "roles": principal.roles,
        "body": request.text()?,
        "behave": request.query("behave"),
    });
    if let Some(calls) = body["calls"].as_array_mut() {
        calls.push(call);
    }
    TALLIES.put(operation, &body).run()?;
    Ok(())
}
