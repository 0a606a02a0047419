//! What a component may import and must export, and how one that does otherwise is refused.
//!
//! Begin reading at [`check`]. The linker finds the same faults one at a time, and does not say
//! what there is instead.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::load::LoadError;

/// A package of interfaces that components may import.
struct Package {
    name: &'static str,
    version: &'static str,
    interfaces: &'static [&'static str],
}

const OURS: Package = Package {
    name: "loggia:plugin",
    version: "0.1.0",
    interfaces: &["checkpoints", "logging", "settings", "storage", "types"],
};

/// Ours, and what `wasi.rs` links.
const OFFERED: [Package; 7] = [
    OURS,
    Package {
        name: "wasi:cli",
        version: "0.2.12",
        interfaces: &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
    },
    Package {
        name: "wasi:clocks",
        version: "0.2.12",
        interfaces: &["monotonic-clock", "wall-clock"],
    },
    Package { name: "wasi:filesystem", version: "0.2.12", interfaces: &["preopens", "types"] },
    Package { name: "wasi:io", version: "0.2.12", interfaces: &["error", "poll", "streams"] },
    Package {
        name: "wasi:random",
        version: "0.2.12",
        interfaces: &["insecure", "insecure-seed", "random"],
    },
    Package {
        name: "wasi:sockets",
        version: "0.2.12",
        interfaces: &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    },
];

/// The interface that a plugin exports.
const EXPORTED: &str = "handler";

/// A name such as `loggia:plugin/storage@0.1.0`, in its parts.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/')?;
        Some(Self { package, interface, version })
    }
}

/// Whether the bytes are those of a component at all.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    let fault = match (bytes.get(..4), bytes.get(4..8)) {
        (Some(b"\0asm"), Some([_, _, 1, 0])) => return Ok(()),
        (Some(b"\0asm"), Some([_, _, 0, 0])) => {
            "it is a core WebAssembly module, not a component; `loggia plugin build` makes \
             components"
        }
        _ => "it is not WebAssembly",
    };
    Err(LoadError::Component(fault.to_owned()))
}

/// Refuse a component with all that it imports and is not offered, or that is not a plugin.
pub(super) fn check(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    let component = component.component_type();
    let imported: Vec<_> = component.imports(engine).map(|(name, _)| name).collect();
    let exported: Vec<_> = component.exports(engine).map(|(name, _)| name).collect();
    let fault = other_version(imported.iter().chain(&exported))
        .or_else(|| not_offered(&imported))
        .or_else(|| no_handler(&exported));
    fault.map_or(Ok(()), |fault| Err(LoadError::Component(fault)))
}

/// Made for another version of our package.
fn other_version<'a>(names: impl Iterator<Item = &'a &'a str>) -> Option<String> {
    let mut ours = names.filter_map(|name| Name::parse(name));
    let other =
        ours.find(|name| name.package == OURS.name && !is_compatible(name.version, OURS.version))?;
    Some(format!(
        "it is made for {}@{}, and this gateway has {}@{}: build it with the SDK of this gateway",
        OURS.name, other.version, OURS.name, OURS.version
    ))
}

fn not_offered(imported: &[&str]) -> Option<String> {
    let unknown: Vec<_> = imported.iter().filter(|name| !is_offered(name)).copied().collect();
    if unknown.is_empty() {
        return None;
    }
    let offered = OFFERED.map(|package| {
        format!("  {}@{}: {}", package.name, package.version, package.interfaces.join(", "))
    });
    Some(format!(
        "it imports {}, which plugins are not offered. They are offered:\n{}",
        unknown.join(", "),
        offered.join("\n")
    ))
}

fn is_offered(name: &str) -> bool {
    Name::parse(name).is_some_and(|name| {
        OFFERED.iter().any(|package| {
            package.name == name.package
                && package.interfaces.contains(&name.interface)
                && is_compatible(name.version, package.version)
        })
    })
}

fn no_handler(exported: &[&str]) -> Option<String> {
    let is_handler = |name: &Name<'_>| name.package == OURS.name && name.interface == EXPORTED;
    if exported.iter().filter_map(|name| Name::parse(name)).any(|name| is_handler(&name)) {
        return None;
    }
    Some(format!("it does not export {}/{EXPORTED}@{}", OURS.name, OURS.version))
}

/// Versions below 1.0 that differ in their last number only can be linked, and no previews.
fn is_compatible(asked: &str, offered: &str) -> bool {
    let track = |version: &str| {
        let (track, patch) = version.rsplit_once('.')?;
        patch.bytes().all(|byte| byte.is_ascii_digit()).then(|| track.to_owned())
    };
    track(asked).is_some_and(|asked| track(offered) == Some(asked))
}
