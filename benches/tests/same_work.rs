//! The native handler must do the same work as the gateway, or the comparison says nothing: the
//! same answers, and the same statements in the same round trips. Begin reading at
//! [`the_native_handler_does_what_the_gateway_does`].

#[path = "same_work/wire.rs"]
mod wire;

use std::net::SocketAddr;

use anyhow::Result;
use loggia::config::Isolation;
use loggia_benches::client::Connection;
use loggia_benches::database::Database;
use loggia_benches::document::{Method, request};
use loggia_benches::{gateway, native};
use tokio::sync::oneshot;

use wire::Wire;

/// What a server answers to a request, and what it says to the database for it.
#[derive(Debug, PartialEq)]
struct Work {
    status: u16,
    headers: Vec<String>,
    body: String,
    round_trips: Vec<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_native_handler_does_what_the_gateway_does() -> Result<()> {
    let database = Database::postgres()?;
    let wire = Wire::listen(&database.url()).await?;
    // One connection to the database, so that the second request finds all statements prepared.
    let mut configuration = gateway::configuration(&wire.url(), Isolation::Tenant)?;
    configuration.storage.pool_size = 1;

    let (tell, address) = oneshot::channel();
    let started = |address: SocketAddr| tell.send(address).expect("the test waits for it");
    let plugin = tokio::spawn(async move {
        gateway::serve(&configuration, started, std::future::pending()).await
    });
    let plugin_address = address.await?;

    let (tell, address) = oneshot::channel();
    let started = |address: SocketAddr| tell.send(address).expect("the test waits for it");
    let url = wire.url();
    let native =
        tokio::spawn(async move { native::serve(&url, 1, started, std::future::pending()).await });
    let native_address = address.await?;

    for method in [Method::PutCounted, Method::Get, Method::Put] {
        let of_plugin = work(&wire, plugin_address, method).await?;
        let of_native = work(&wire, native_address, method).await?;
        assert_eq!(
            of_plugin, of_native,
            "left the gateway, right the native handler: bring benches/src/native in line"
        );
    }
    plugin.abort();
    native.abort();
    Ok(())
}

/// What is done for a request when the same was sent before.
async fn work(wire: &Wire, address: SocketAddr, method: Method) -> Result<Work> {
    let mut connection = Connection::open(address).await?;
    let request = request(method, 1);
    connection.send(&request).await?;
    wire.clear();
    let answer = connection.send(&request).await?;
    let mut headers: Vec<String> = answer.head.lines().skip(1).map(without_digits).collect();
    headers.sort();
    let mut body = String::from_utf8(answer.body.to_vec())?;
    if method.verb() == "PUT" {
        body = without_digits(&body);
    }
    Ok(Work { status: answer.status, headers, body, round_trips: wire.round_trips() })
}

/// Versions and times differ between two requests.
fn without_digits(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}
