//! A listener on the wire between a server and `PostgreSQL`: it passes everything on, and notes
//! what the server says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::sleep;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// A listener in front of one database.
pub(crate) struct Wire {
    url: String,
    round_trips: RoundTrips,
}

/// What was said before each wait for the database.
type RoundTrips = Arc<Mutex<Vec<Vec<String>>>>;

impl Wire {
    /// Listen in front of the database of this URL.
    pub(crate) async fn listen(url: &str) -> Result<Self> {
        let config: Config = url.parse()?;
        let user = config.get_user().context("the URL names no user")?;
        let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
        let database = config.get_dbname().context("the URL names no database")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // What is encrypted cannot be noted.
        let own_url = format!("postgres://{user}:{password}@{address}/{database}?sslmode=disable");
        let round_trips = RoundTrips::default();
        let noted = Arc::clone(&round_trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (config, noted) = (config.clone(), Arc::clone(&noted));
                tokio::spawn(async move { pass_on(client, &config, noted).await });
            }
        });
        Ok(Self { url: own_url, round_trips })
    }

    /// Where a server reaches the database through this.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Forget what was said.
    pub(crate) fn clear(&self) {
        self.round_trips.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What was said since then.
    pub(crate) fn round_trips(&self) -> Vec<Vec<String>> {
        self.round_trips.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass_on(client: TcpStream, config: &Config, noted: RoundTrips) -> Result<()> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let (said, to_client) = client.into_split();
    match config.get_hosts().first().context("the URL names no host")? {
        Host::Tcp(host) => {
            let (answers, to_server) =
                TcpStream::connect((host.as_str(), port)).await?.into_split();
            pass_both(said, to_server, answers, to_client, noted).await
        }
        Host::Unix(folder) => {
            let socket = folder.join(format!(".s.PGSQL.{port}"));
            let (answers, to_server) = UnixStream::connect(socket).await?.into_split();
            pass_both(said, to_server, answers, to_client, noted).await
        }
    }
}

async fn pass_both(
    said: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    answers: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    noted: RoundTrips,
) -> Result<()> {
    let new_round_trip = Mutex::new(true);
    tokio::try_join!(
        pass_messages(said, to_server, &noted, &new_round_trip),
        pass_answers(answers, to_client, &new_round_trip)
    )?;
    Ok(())
}

/// What is said without a wait for an answer arrives within this time.
const PAUSE: Duration = Duration::from_millis(20);

async fn pass_answers(
    mut answers: impl AsyncRead + Unpin,
    mut to_client: impl AsyncWrite + Unpin,
    new_round_trip: &Mutex<bool>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = answers.read(&mut buffer).await?;
        if read == 0 {
            bail!("the server has closed the connection");
        }
        sleep(PAUSE).await;
        *new_round_trip.lock().unwrap_or_else(PoisonError::into_inner) = true;
        to_client.write_all(&buffer[..read]).await?;
    }
}

async fn pass_messages(
    mut said: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    noted: &Mutex<Vec<Vec<String>>>,
    new_round_trip: &Mutex<bool>,
) -> Result<()> {
    // The first message has no type, so it is as long as it says.
    let start_up = said.read_u32().await?;
    let mut message = vec![0; start_up as usize - 4];
    said.read_exact(&mut message).await?;
    to_server.write_u32(start_up).await?;
    to_server.write_all(&message).await?;
    let mut statements = HashMap::new();
    loop {
        let (kind, length) = (said.read_u8().await?, said.read_u32().await?);
        let mut message = vec![0; length as usize - 4];
        said.read_exact(&mut message).await?;
        let text = describe(kind, &message, &mut statements);
        {
            let mut new = new_round_trip.lock().unwrap_or_else(PoisonError::into_inner);
            let mut round_trips = noted.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut *new) || round_trips.is_empty() {
                round_trips.push(Vec::new());
            }
            round_trips.last_mut().context("one was pushed")?.push(text);
        }
        to_server.write_u8(kind).await?;
        to_server.write_u32(length).await?;
        to_server.write_all(&message).await?;
    }
}

/// A message as text, with a statement's own text in the place of its name.
fn describe(kind: u8, message: &[u8], statements: &mut HashMap<String, String>) -> String {
    let mut texts = message.split(|byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
    match kind {
        b'Q' => format!("query {}", one_line(&text())),
        b'P' => {
            let (name, sql) = (text(), one_line(&text()));
            statements.insert(name, sql.clone());
            format!("parse {sql}")
        }
        b'B' => {
            let (_portal, name) = (text(), text());
            let sql = statements.get(&name).cloned().unwrap_or_default();
            format!("bind {sql}")
        }
        kind => format!("{}", char::from(kind)),
    }
}

/// Without comments and with one form of the white space.
fn one_line(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let words = lines.flat_map(str::split_ascii_whitespace).collect::<Vec<_>>().join(" ");
    words.replace("( ", "(").replace(" )", ")")
}
