//! Components from WebAssembly text, for what no compiler would make: begin reading at [`Guest`].

use std::path::{Path, PathBuf};

use loggia::config::{Config, Plugin};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A plugin written by hand. `POST /attack` does what `handle` says and answers with 204;
/// `GET /stored` answers with 204 where `$write` has stored its document, and with 404 elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    /// What it imports beside our own interfaces: `import wasi:random/random@0.2.0;`.
    pub(crate) world: &'static str,
    /// WIT packages beside ours and those of [`WASI`].
    pub(crate) packages: &'static str,
    /// Imports, globals, functions and data of the core module. Data have room from 4,096 on.
    pub(crate) module: &'static str,
    /// The declaration of the memory.
    pub(crate) memory: &'static str,
    /// Instructions that leave the stack as it was. `(call $write)` stores a document.
    pub(crate) handle: &'static str,
    /// Instructions of the start function; none where there are none.
    pub(crate) start: &'static str,
}

/// Does nothing.
pub(crate) const EMPTY: Guest =
    Guest { world: "", packages: "", module: "", memory: "2", handle: "", start: "" };

impl Default for Guest {
    fn default() -> Self {
        EMPTY
    }
}

/// The name under which each of them is served.
pub(crate) const NAME: &str = "by-hand";

/// `POST`: see [`Guest`].
pub(crate) const ATTACK: &str = "/v1/by-hand/attack";

/// `GET`: see [`Guest`].
pub(crate) const STORED: &str = "/v1/by-hand/stored";

impl Guest {
    /// Serve it, beside what the configuration has already.
    pub(crate) fn serve(&self, config: &mut Config) {
        self.serve_declaring(config, &manifest());
    }

    /// The same where it declares this.
    pub(crate) fn serve_declaring(&self, config: &mut Config, manifest: &Value) {
        config.plugins.insert(NAME.to_owned(), Plugin::at(file(&self.declaring(manifest))));
    }

    /// The component's bytes.
    pub(crate) fn component(&self) -> Vec<u8> {
        self.declaring(&manifest())
    }

    /// The component's bytes where it declares this.
    pub(crate) fn declaring(&self, manifest: &Value) -> Vec<u8> {
        let text = self.text(&manifest.to_string());
        let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        encode(module, &self.interface())
    }

    /// The text of the core module, by the canonical ABI.
    fn text(&self, manifest: &str) -> String {
        let Self { module, memory, handle, start, .. } = self;
        let length = manifest.len();
        assert!(length <= 3_072, "the manifest has no room before the data of the tests");
        let manifest = manifest.replace('"', "\\22");
        let start = match *start {
            "" => String::new(),
            start => format!("(func $start {start}) (start $start)"),
        };
        format!(
            r#"(module
              (import "loggia:plugin/storage@0.1.0" "apply" (func $apply (param i32 i32 i32)))
              (import "loggia:plugin/storage@0.1.0" "get"
                (func $get (param i32 i32 i32 i32 i32)))
              {module}
              (memory (export "memory") {memory})
              (global $heap (mut i32) (i32.const 65536))

              ;; The answer to describe is at 0, that of handle at 32, those of calls at 128.
              (data (i32.const 1024) "{manifest}")
              (data (i32.const 512) "document" "d" "{{}}")
              (func (export "loggia:plugin/handler@0.1.0#describe") (result i32)
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.const {length}))
                (i32.const 0))

              (func $write
                (i32.store (i32.const 600) (i32.const 512)) (i32.store (i32.const 604) (i32.const 8))
                (i32.store (i32.const 608) (i32.const 520)) (i32.store (i32.const 612) (i32.const 1))
                (i32.store (i32.const 620) (i32.const 521)) (i32.store (i32.const 624) (i32.const 2))
                (call $apply (i32.const 600) (i32.const 1) (i32.const 128))
                (if (i32.load8_u (i32.const 128)) (then unreachable)))

              (func $stored (result i32)
                (i32.store (i32.const 700) (i32.const 520)) (i32.store (i32.const 704) (i32.const 1))
                (call $get (i32.const 512) (i32.const 8) (i32.const 700) (i32.const 1)
                  (i32.const 128))
                (if (i32.load8_u (i32.const 128)) (then unreachable))
                (i32.load8_u (i32.load (i32.const 132))))

              (func $attack (param $request i32) {handle})

              ;; The request begins with the operation's name, whose length tells them apart.
              (func (export "loggia:plugin/handler@0.1.0#handle") (param $request i32) (result i32)
                (i32.store (i32.const 40) (i32.const 204))
                (if (i32.eq (i32.load offset=4 (local.get $request)) (i32.const 6))
                  (then (call $attack (local.get $request)))
                  (else (if (i32.eqz (call $stored))
                    (then (i32.store (i32.const 40) (i32.const 404))))))
                (i32.const 32))

              (func (export "loggia:plugin/handler@0.1.0#upgrade")
                (param i32 i32 i32 i32 i32) (result i32)
                unreachable)

              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.set $heap (i32.add (local.get $at) (local.get 3)))
                (block $fits
                  (br_if $fits (i32.le_u (global.get $heap)
                    (i32.mul (memory.size) (i32.const 65536))))
                  (br_if $fits (i32.ne (i32.const -1) (memory.grow
                    (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16))))))
                  unreachable)
                (local.get $at))
              {start})"#
        )
    }

    /// The WIT text of its world.
    fn interface(&self) -> String {
        let Self { world, packages, .. } = self;
        format!(
            "package test:guest;\n\
             world guest {{ include loggia:plugin/plugin@0.1.0; {world} }}\n{WASI}{packages}"
        )
    }
}

/// A component in a file.
fn file(component: &[u8]) -> PathBuf {
    let digest: String = Sha256::digest(component).iter().map(|b| format!("{b:02x}")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{digest}.wasm"));
    // Tests beside this one may read the same file.
    let new = tempfile::NamedTempFile::new_in(folder).unwrap();
    std::fs::write(&new, component).unwrap();
    new.persist(&path).unwrap();
    path
}

/// What every guest declares.
pub(crate) fn manifest() -> Value {
    json!({
        "name": NAME,
        "version": "0.1.0",
        "summary": "Written by hand.",
        "collections": [{"name": "document"}],
        "operations": [
            {"name": "attack", "method": "POST", "path": "/attack", "summary": "Do it."},
            {"name": "is-stored", "method": "GET", "path": "/stored", "summary": "Look."},
        ],
    })
}

fn encode(mut module: Vec<u8>, interface: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    let package = resolve.push_str("guest.wit", interface).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// As much of WASI as the tests import.
const WASI: &str = "
package wasi:io@0.2.0 {
  interface error { resource error; }
  interface poll { resource pollable { block: func(); } }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
    resource output-stream {
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:cli@0.2.0 {
  interface environment {
    get-environment: func() -> list<tuple<string, string>>;
    get-arguments: func() -> list<string>;
  }
  interface stdin { use wasi:io/streams@0.2.0.{input-stream}; get-stdin: func() -> input-stream; }
  interface stdout {
    use wasi:io/streams@0.2.0.{output-stream};
    get-stdout: func() -> output-stream;
  }
  interface stderr {
    use wasi:io/streams@0.2.0.{output-stream};
    get-stderr: func() -> output-stream;
  }
}
package wasi:clocks@0.2.0 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.0.{pollable};
    now: func() -> u64;
    subscribe-duration: func(when: u64) -> pollable;
  }
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
  }
}
package wasi:random@0.2.0 {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; }
}
package wasi:filesystem@0.2.0 {
  interface types { resource descriptor; }
  interface preopens {
    use types.{descriptor};
    get-directories: func() -> list<tuple<descriptor, string>>;
  }
}
package wasi:sockets@0.2.0 {
  interface network {
    enum error-code {
      unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout,
      concurrency-conflict, not-in-progress, would-block, invalid-state, new-socket-limit,
      address-not-bindable, address-in-use, remote-unreachable, connection-refused,
      connection-reset, connection-aborted, datagram-too-large, name-unresolvable,
      temporary-resolver-failure, permanent-resolver-failure,
    }
    enum ip-address-family { ipv4, ipv6 }
  }
  interface tcp { resource tcp-socket; }
  interface tcp-create-socket {
    use network.{error-code, ip-address-family};
    use tcp.{tcp-socket};
    create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
  }
}
";
