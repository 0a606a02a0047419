//! The plugins of this folder. `cargo xtask` builds them and the conformance suite serves them, both
//! by this list; the suite does not compile for a plugin without a case in its tests of all plugins.

macro_rules! plugins {
    ($($(#[$meta:meta])* $plugin:ident = $name:literal,)+) => {
        /// A plugin of this folder.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Plugin {
            $($(#[$meta])* $plugin,)+
        }

        impl Plugin {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$plugin),+];

            /// The name of its folder and of its routes.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$plugin => $name,)+
                }
            }
        }
    };
}

plugins! {
    /// Sessions of conversations.
    ChatSessions = "chat-sessions",
    /// What a Discord bot sees, and who behaves how.
    DiscordEvents = "discord-events",
    /// Misbehaves, for the tests alone.
    Faults = "faults",
    /// Propagation networks.
    GraphNetworks = "graph-networks",
    /// A queue of jobs, with workers and leases.
    JobFsm = "job-fsm",
    /// Bytes by key, for stream processors.
    State = "state",
}
