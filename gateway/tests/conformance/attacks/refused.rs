//! Components that attack when they are loaded, and are refused: no request can reach them.

use super::component::Guest;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) component: fn() -> Vec<u8>,
    /// A part of what the operator is told.
    pub(crate) why: &'static str,
}

pub(crate) const LOOPING_START: Refused = Refused {
    component: || Guest { start: "(loop $again (br $again))", ..Guest::default() }.component(),
    why: "describe took longer than",
};

pub(crate) const MEMORY_OF_64_BITS: Refused = Refused {
    component: || component_of("(component (core module (memory i64 1)))"),
    why: "memory64",
};

pub(crate) const SHARED_MEMORY: Refused = Refused {
    component: || {
        let module = "(core module $m (memory 1 1 shared)) (core instance (instantiate $m))";
        component_of(&format!("(component {module})"))
    },
    why: "shared",
};

pub(crate) const MANY_MEMORIES: Refused = Refused {
    component: || {
        let instances = "(core instance (instantiate $m)) ".repeat(3);
        component_of(&format!("(component (core module $m (memory 1)) {instances})"))
    },
    why: "3 Wasm linear memories",
};

pub(crate) const UNKNOWN_IMPORT: Refused = Refused {
    component: || {
        let guest = Guest {
            world: "import wasi:http/types@0.2.0; import test:other/thing;",
            packages: "
                package wasi:http@0.2.0 { interface types { resource fields; } }
                package test:other { interface thing { do-it: func(); } }",
            module: r#"
                (import "wasi:http/types@0.2.0" "[resource-drop]fields" (func (param i32)))
                (import "test:other/thing" "do-it" (func))"#,
            ..Guest::default()
        };
        guest.component()
    },
    why: "it imports",
};

/// Of the interface. Only its name counts here, so an instance without functions does.
pub(crate) const LATER_VERSION: Refused = Refused {
    component: || component_of(r#"(component (import "loggia:plugin/storage@0.2.0" (instance)))"#),
    why: "it is made for loggia:plugin@0.2.0, and this gateway has loggia:plugin@0.1.0",
};

/// A component from its text.
pub(crate) fn component_of(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Functions of so many instructions that compiling them takes seconds.
pub(crate) fn bomb() -> Vec<u8> {
    let step =
        "(local.set 0 (i32.add (i32.mul (local.get 0) (local.get 1)) (i32.load (local.get 0))))";
    let body = step.repeat(100_000);
    let function = format!("(func (param i32 i32) {body})");
    component_of(&format!("(component (core module (memory 1) {}))", function.repeat(4)))
}
