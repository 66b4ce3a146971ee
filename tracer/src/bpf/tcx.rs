//! The programs on TCX of an interface, by id. aya asks for their names as well, which takes CAP_SYS_ADMIN.

use std::io;

use aya::programs::tc::TcAttachType;
use nix::errno::Errno;
use nix::libc;

/// linux/bpf.h
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_TCX_INGRESS: u32 = 46;
const BPF_TCX_EGRESS: u32 = 47;
/// Programs in one chain (`BPF_MPROG_MAX`).
const MAX_PROGRAMS: usize = 64;

/// `query` of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct Query {
    ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
    attach_flags_of_each: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// Those of one direction, in the order in which they run; in the namespace of this thread.
pub(super) fn programs(ifindex: u32, direction: TcAttachType) -> io::Result<Vec<u32>> {
    let is_ingress = matches!(direction, TcAttachType::Ingress);
    let mut ids = vec![0u32; MAX_PROGRAMS];
    let mut query = Query {
        ifindex,
        attach_type: if is_ingress { BPF_TCX_INGRESS } else { BPF_TCX_EGRESS },
        ids: ids.as_mut_ptr() as u64,
        count: MAX_PROGRAMS as u32,
        ..Query::default()
    };
    // SAFETY: the kernel writes to the structure, whose size it is given, and at most `count` numbers to `ids`; both live on.
    let done = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut query, size_of::<Query>()) };
    Errno::result(done)?;
    ids.truncate(query.count as usize);
    Ok(ids)
}
