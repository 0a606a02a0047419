//! What `bindgen!` makes of `wit/`. Only `convert.rs` and `host.rs` name these types.

wasmtime::component::bindgen!({
    world: "plugin",
    path: "../wit",
    imports: { default: async | trappable },
    exports: { default: async },
});
