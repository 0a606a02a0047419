//! A proxy in front of `PostgreSQL` that knows its frames, and so can break a connection exactly
//! where it hurts: before a COMMIT, after it, in the middle of an answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What is done to a message that a rule is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The connection ends, and the server never sees the message.
    Cut,
    /// The server has the message and has answered; the connection ends before the answer.
    CutAnswer,
    /// The server has the message; the connection ends at once.
    ForwardAndCut,
    /// The server never sees the message nor what follows, and the connection stays.
    Swallow,
    /// The server has the message; its answers are lost, and the connection stays.
    SwallowAnswer,
    /// The message is late.
    Delay(Duration),
}

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Door {
    Open,
    /// Each is closed at once.
    Closed,
    /// Each is accepted, and nobody answers.
    Silent,
}

/// A listener in front of one database.
#[derive(Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    listening: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    upstream: Config,
    /// Applied to the first messages whose text holds this, so many times.
    rule: Mutex<Option<(String, Fault, u32)>>,
    door: Mutex<Door>,
    /// How often a rule was applied.
    applied: AtomicU32,
    connections: Mutex<Vec<AbortHandle>>,
}

impl Proxy {
    /// Listen in front of the database of this URL.
    pub(crate) async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            upstream: url.parse().unwrap(),
            rule: Mutex::default(),
            door: Mutex::new(Door::Open),
            applied: AtomicU32::new(0),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepting.accept(client);
            }
        });
        Self { shared, listening: listening.abort_handle() }
    }

    /// Where a gateway reaches the database through this.
    pub(crate) fn url(&self) -> String {
        let Shared { address, upstream, .. } = &*self.shared;
        let (user, name) = (upstream.get_user().unwrap(), upstream.get_dbname().unwrap());
        format!("postgres://{user}@{address}/{name}")
    }

    /// Do this to the first message whose text holds `text`.
    pub(crate) fn once(&self, text: &str, fault: Fault) {
        self.times(text, fault, 1);
    }

    /// Do this to the first messages whose text holds `text`.
    pub(crate) fn times(&self, text: &str, fault: Fault, times: u32) {
        self.shared.applied.store(0, Ordering::Release);
        *lock(&self.shared.rule) = Some((text.to_owned(), fault, times));
    }

    /// How often the present rule was applied.
    pub(crate) fn applied(&self) -> u32 {
        self.shared.applied.load(Ordering::Acquire)
    }

    pub(crate) fn set_door(&self, door: Door) {
        *lock(&self.shared.door) = door;
    }

    /// End all connections that there are.
    pub(crate) fn cut_all(&self) {
        lock(&self.shared.connections).drain(..).for_each(|connection| connection.abort());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Reading = Box<dyn AsyncRead + Send + Unpin>;
type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// One connection, between its two halves.
#[derive(Debug, Default)]
struct Passage {
    /// Answers are read and not passed on.
    silenced: AtomicBool,
    /// Told for each answer that was not passed on.
    answered: Notify,
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        let shared = Arc::clone(self);
        let door = *lock(&self.door);
        let serving = tokio::spawn(async move {
            match door {
                Door::Open => drop(shared.serve(client).await),
                Door::Closed => drop(client),
                Door::Silent => std::future::pending::<()>().await,
            }
        });
        lock(&self.connections).push(serving.abort_handle());
    }

    async fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        let (said, to_client) = client.into_split();
        let (mut said, mut to_client): (Reading, Writing) = (Box::new(said), Box::new(to_client));
        let (answers, mut to_server) = self.connect().await?;
        pass_start_up(&mut said, &mut to_server, &mut to_client).await?;
        let passage = Passage::default();
        tokio::select! {
            ended = self.pass_messages(said, to_server, &passage) => ended,
            ended = pass_answers(answers, to_client, &passage) => ended,
        }
    }

    async fn connect(&self) -> std::io::Result<(Reading, Writing)> {
        let port = self.upstream.get_ports().first().copied().unwrap_or(5432);
        match &self.upstream.get_hosts()[0] {
            Host::Tcp(host) => {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                let (reading, writing) = stream.into_split();
                Ok((Box::new(reading), Box::new(writing)))
            }
            Host::Unix(folder) => {
                let socket: PathBuf = folder.join(format!(".s.PGSQL.{port}"));
                let (reading, writing) = UnixStream::connect(socket).await?.into_split();
                Ok((Box::new(reading), Box::new(writing)))
            }
        }
    }

    /// The rule's fault, if it is about what this message runs, and not used up.
    fn fault(
        &self,
        kind: u8,
        message: &[u8],
        statements: &mut HashMap<String, String>,
    ) -> Option<Fault> {
        let mut texts = message.split(|byte| *byte == 0);
        let mut text = || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
        let sql = match kind {
            b'Q' => text(),
            // A statement is prepared once, under a name, and later run by its name.
            b'P' => {
                let (name, sql) = (text(), text());
                statements.insert(name, sql);
                return None;
            }
            b'B' => {
                let (_portal, name) = (text(), text());
                statements.get(&name)?.clone()
            }
            _ => return None,
        };
        let mut rule = lock(&self.rule);
        let (text, fault, times) = rule.as_mut()?;
        if !sql.contains(text.as_str()) || *times == 0 {
            return None;
        }
        *times -= 1;
        self.applied.fetch_add(1, Ordering::AcqRel);
        Some(*fault)
    }

    async fn pass_messages(
        &self,
        mut said: Reading,
        mut to_server: Writing,
        passage: &Passage,
    ) -> std::io::Result<()> {
        let mut statements = HashMap::new();
        loop {
            let (kind, message) = read_frame(&mut said).await?;
            let fault = self.fault(kind, &message, &mut statements);
            match fault {
                Some(Fault::Cut) => return Ok(()),
                Some(Fault::Swallow) => return std::future::pending().await,
                Some(Fault::CutAnswer | Fault::SwallowAnswer) => {
                    passage.silenced.store(true, Ordering::Release);
                }
                Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                Some(Fault::ForwardAndCut) | None => {}
            }
            write_frame(&mut to_server, kind, &message).await?;
            match fault {
                Some(Fault::ForwardAndCut) => return Ok(()),
                Some(Fault::CutAnswer) => {
                    if kind != b'Q' {
                        // The message does nothing before the Sync that follows it.
                        pass_until_sync(&mut said, &mut to_server).await?;
                    }
                    passage.answered.notified().await;
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}

/// Asks for encryption, before the first message proper.
const SSL_REQUEST: u32 = 80_877_103;

/// The first message has no type. Encryption is refused, so that frames can be read.
async fn pass_start_up(
    said: &mut Reading,
    to_server: &mut Writing,
    to_client: &mut Writing,
) -> std::io::Result<()> {
    loop {
        let length = said.read_u32().await?;
        let mut message = vec![0; length as usize - 4];
        said.read_exact(&mut message).await?;
        if message == SSL_REQUEST.to_be_bytes() {
            to_client.write_all(b"N").await?;
            continue;
        }
        to_server.write_u32(length).await?;
        return to_server.write_all(&message).await;
    }
}

async fn pass_until_sync(said: &mut Reading, to_server: &mut Writing) -> std::io::Result<()> {
    loop {
        let (kind, message) = read_frame(said).await?;
        write_frame(to_server, kind, &message).await?;
        if kind == b'S' {
            return Ok(());
        }
    }
}

async fn pass_answers(
    mut answers: Reading,
    mut to_client: Writing,
    passage: &Passage,
) -> std::io::Result<()> {
    loop {
        let (kind, message) = read_frame(&mut answers).await?;
        if !passage.silenced.load(Ordering::Acquire) {
            write_frame(&mut to_client, kind, &message).await?;
        } else if kind == b'Z' {
            // Ready for the next query: all that was asked for has been done.
            passage.answered.notify_one();
        }
    }
}

async fn read_frame(from: &mut Reading) -> std::io::Result<(u8, Vec<u8>)> {
    let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
    let mut message = vec![0; length as usize - 4];
    from.read_exact(&mut message).await?;
    Ok((kind, message))
}

/// In one piece: each write is a packet.
async fn write_frame(to: &mut Writing, kind: u8, message: &[u8]) -> std::io::Result<()> {
    let mut frame = Vec::with_capacity(message.len() + 5);
    frame.push(kind);
    frame.extend_from_slice(&u32::try_from(message.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    to.write_all(&frame).await
}
