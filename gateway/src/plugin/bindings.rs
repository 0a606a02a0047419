//! What `bindgen!` makes of `wit/`. Only `convert.rs` and `host.rs` name these types.

wasmtime::component::bindgen!({
    world: "plugin",
    path: "../wit",
    imports: { default: async | trappable },
    exports: { default: async },
    // What a guest is given is borrowed: it is copied into the guest's memory, and nowhere before.
    ownership: Borrowing { duplicate_if_necessary: true },
});
