//! The wire's types, made from `proto/` by `cargo xtask`; modules nest as the packages do, because the generated code refers to them so.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]

pub mod plugin {
    include!("generated/plugin.rs");
}

pub mod google {
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}

pub mod hashicorp {
    pub mod nomad {
        pub mod plugins {
            pub mod base {
                pub mod proto {
                    include!("generated/hashicorp.nomad.plugins.base.proto.rs");
                }
            }
            pub mod drivers {
                pub mod proto {
                    include!("generated/hashicorp.nomad.plugins.drivers.proto.rs");
                }
            }
            pub mod shared {
                pub mod hclspec {
                    include!("generated/hashicorp.nomad.plugins.shared.hclspec.rs");
                }
                pub mod structs {
                    include!("generated/hashicorp.nomad.plugins.shared.structs.rs");
                }
            }
        }
    }
}

pub use hashicorp::nomad::plugins::base::proto as base;
pub use hashicorp::nomad::plugins::drivers::proto as drivers;
pub use hashicorp::nomad::plugins::shared::{hclspec, structs};
