//! One hook a file; the stem is the name of the program.

mod ct_drop;
pub mod nat_bind;
mod nat_select;
mod sock_state;
mod syn_retransmit;
mod wire;
mod wire_sent;
