//! The interface of `../wit` in Rust, as wit-bindgen makes it.
//!
//! Only the SDK names these types; what an author needs of them is re-exported where it belongs.
//! The module is public, though hidden, because [`export!`](crate::export) expands in the
//! author's crate.

wit_bindgen::generate!({
    path: "../wit",
    world: "plugin",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "loggia_plugin_sdk::bindings",
});
