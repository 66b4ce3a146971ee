//! The frozen globals, declared from the list that both sides share. User space sets them before loading.

use aya_ebpf::Global;

macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: Global<u32> = Global::new(0);)*
    };
}
tracer_common::for_each_global!(declare);
