//! Collections and statements are declared where they are used, and all of them reach the manifest.

use crate::manifest::Manifest;

/// What [`declare!`](crate::declare) can declare.
pub trait Declare: Sync {
    #[doc(hidden)]
    fn declare(&self, manifest: &mut Manifest);
}

/// Declare collections and statements, and a list of them for
/// [`Manifest::storage`](crate::manifest::Manifest::storage).
///
/// The list's name comes first. Behind it stand constants: a
/// [`Collection`](crate::Collection) begins with `collection(name)`, a
/// [`Select`](crate::Select) with `select(name, sql)`, an [`Update`](crate::Update), a
/// [`Delete`](crate::Delete) and a [`Scope`](crate::Scope) with `update`, `delete` or
/// `scope(name, collection)`. These functions are known in here only, so that nothing can be used
/// that the list does not have; and a list that is not given to the manifest is an unused constant,
/// which does not compile.
///
/// ```
/// use loggia_plugin_sdk::manifest::{FieldType, Manifest};
/// use loggia_plugin_sdk::{Collection, Select, declare};
///
/// declare! { STORAGE:
///     /// Notes with a title.
///     const NOTES: Collection = collection("note")
///         .with(|note| note.field("title", FieldType::Text));
///
///     const LIST: Select = select("list", "SELECT id, title FROM note");
/// }
///
/// fn manifest() -> Manifest {
///     Manifest::new("notes", "0.1.0", "Notes with a title.").storage(STORAGE)
/// }
/// ```
///
/// ```compile_fail
/// use loggia_plugin_sdk::Select;
///
/// const LIST: Select = select("list", "SELECT id FROM note");
/// ```
#[macro_export]
macro_rules! declare {
    (
        $list:ident:
        $($(#[$about:meta])* $visibility:vis const $name:ident: $type:ty = $value:expr;)+
    ) => {
        #[deny(dead_code)]
        pub(crate) const $list: &[&dyn $crate::storage::Declare] = &[$(&$name),+];

        $(
            $(#[$about])*
            $visibility const $name: $type = {
                #[allow(unused_imports, reason = "each declaration begins with one of them")]
                use $crate::declaring::{collection, delete, scope, select, update};
                $value
            };
        )+
    };
}
