//! A reader of the running kernel's type information (BTF): where fields lie, what enumerators and tracepoints look like.
//!
//! aya keeps its own reader private, and other crates know no 64-bit enums. Only what the hooks need is read. Format:
//! Documentation/bpf/btf.rst of the kernel.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Buf;

/// The kernel's own BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// Where it would be, on any kernel.
const SYSFS: &str = "/sys/kernel";

const MAGIC: u16 = 0xeb9f;
/// Structs that are searched for one field, anonymous ones inside of each other; `sk_buff` has about 30.
const MAX_SEARCHED_STRUCTS: usize = 256;

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// One type: its header, and where its tail begins.
#[derive(Clone, Copy, Debug)]
struct Type {
    name: u32,
    info: u32,
    /// Size in bytes, or the type referred to.
    size_or_type: u32,
    tail: usize,
}

impl Type {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn len(self) -> usize {
        (self.info & 0xffff) as usize
    }

    fn has_kind_flag(self) -> bool {
        self.info >> 31 == 1
    }

    /// Bytes that follow the header; `None` for a kind from the future, whose length is not known.
    fn tail_len(self) -> Option<usize> {
        Some(match self.kind() {
            KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * self.len(),
            KIND_ENUM | KIND_FUNC_PROTO => 8 * self.len(),
            kind if kind <= KIND_ENUM64 => 0,
            _ => return None,
        })
    }
}

/// The types of a kernel.
#[derive(Debug)]
pub struct Btf {
    data: Vec<u8>,
    /// By type id, from 1; 0 is `void`.
    types: Vec<Type>,
    strings: usize,
    structs: HashMap<u32, u32>,
}

impl Btf {
    /// Reads the running kernel's.
    ///
    /// # Errors
    /// When the kernel has none, or it cannot be understood.
    pub fn of_kernel() -> anyhow::Result<Self> {
        let data = std::fs::read(VMLINUX).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound && Path::new(SYSFS).exists() {
                anyhow::anyhow!(
                    "cannot read {VMLINUX}: this kernel was built without BTF (CONFIG_DEBUG_INFO_BTF): use a distribution \
                     kernel from 5.10 on"
                )
            } else {
                anyhow::anyhow!("cannot read {VMLINUX}: {error}: is /sys mounted here, and readable?")
            }
        })?;
        Self::parse(data).with_context(|| format!("cannot understand {VMLINUX}: please report it with `uname -a`"))
    }

    /// Reads the contents of such a file.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn parse(data: Vec<u8>) -> anyhow::Result<Self> {
        let mut header = data.get(..24).context("it is shorter than its header")?;
        if header.get_u16_ne() != MAGIC {
            bail!("it has a wrong magic number or byte order");
        }
        let (_version_flags, header_len) = (header.get_u16_ne(), header.get_u32_ne() as usize);
        let (types, types_len) = (header.get_u32_ne() as usize, header.get_u32_ne() as usize);
        let (strings, strings_len) = (header.get_u32_ne() as usize, header.get_u32_ne() as usize);
        let (types, strings) = (header_len + types, header_len + strings);
        if data.len() < strings + strings_len || data.len() < types + types_len {
            bail!("it is cut off");
        }
        let types = read_types(&data, types, types + types_len)?;
        let structs = (1u32..).zip(&types).filter(|(_, kind)| kind.kind() == KIND_STRUCT);
        let structs = structs.map(|(id, kind)| (kind.name, id)).collect();
        Ok(Self { data, types, strings, structs })
    }

    /// Offset in bytes of a field, such as `("sock", "__sk_common.skc_num")`. Looks into anonymous members and arrays.
    ///
    /// # Errors
    /// When the kernel has no such struct or field, or it is a bit field.
    pub fn offset(&self, name: &str, path: &str) -> anyhow::Result<u32> {
        let mut id = self.struct_id(name)?;
        // Wider than any field, so that no sum of a damaged type's offsets overflows.
        let mut bits = 0_u64;
        for part in path.split('.') {
            let (part, index) = indexed(part);
            let (more, next) = self
                .member(id, part, &mut Vec::new())
                .with_context(|| format!("this kernel's struct {name} has no field {path}"))?;
            let (element, size) = self.element(next);
            bits += more + u64::from(index) * u64::from(size) * 8;
            id = element;
        }
        if !bits.is_multiple_of(8) {
            bail!("this kernel's struct {name} has {path} as a bit field");
        }
        u32::try_from(bits / 8).with_context(|| format!("this kernel's struct {name} has {path} beyond 4 GiB"))
    }

    /// Number of arguments of a raw tracepoint's programs; `None` if the kernel does not have it.
    pub fn tracepoint_args(&self, name: &str) -> Option<usize> {
        let wanted = format!("btf_trace_{name}");
        let typedef = self.types.iter().find(|kind| kind.kind() == KIND_TYPEDEF && self.name(kind.name) == wanted)?;
        let proto = self.types.get(self.resolve(typedef.size_or_type)? as usize - 1)?;
        let proto = if proto.kind() == KIND_PTR { self.kind_at(self.resolve(proto.size_or_type)?)? } else { *proto };
        // The first parameter is the tracepoint's private data, which programs do not see.
        (proto.kind() == KIND_FUNC_PROTO).then(|| proto.len().saturating_sub(1))
    }

    /// Value and name of every enumerator of the enums whose name ends so.
    pub fn enumerators(&self, suffix: &str) -> Vec<(u32, &str)> {
        let is_wanted =
            |kind: &&Type| matches!(kind.kind(), KIND_ENUM | KIND_ENUM64) && self.name(kind.name).ends_with(suffix);
        self.types.iter().filter(is_wanted).flat_map(|kind| self.values(*kind)).collect()
    }

    /// Of a 64-bit enum the lower halves.
    fn values(&self, kind: Type) -> impl Iterator<Item = (u32, &str)> {
        let size = if kind.kind() == KIND_ENUM64 { 12 } else { 8 };
        (0..kind.len()).filter_map(move |index| {
            let mut tail = self.data.get(kind.tail + index * size..)?;
            let (name, value) = (tail.try_get_u32_ne().ok()?, tail.try_get_u32_ne().ok()?);
            Some((value, self.name(name)))
        })
    }

    fn struct_id(&self, name: &str) -> anyhow::Result<u32> {
        let id = self.structs.iter().find(|(offset, _)| self.name(**offset) == name).map(|(_, id)| *id);
        id.with_context(|| format!("this kernel's BTF has no struct {name}"))
    }

    fn kind_at(&self, id: u32) -> Option<Type> {
        self.types.get((id as usize).checked_sub(1)?).copied()
    }

    /// Follows typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<u32> {
        // A chain longer than this is a circle.
        for _ in 0..32 {
            let kind = self.kind_at(id)?;
            match kind.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => id = kind.size_or_type,
                _ => return Some(id),
            }
        }
        None
    }

    /// Offset in bits and type of a member, also of one inside an anonymous struct or union. `searched` has the structs that
    /// were searched already: damaged types may contain themselves.
    fn member(&self, id: u32, wanted: &str, searched: &mut Vec<u32>) -> Option<(u64, u32)> {
        let id = self.resolve(id)?;
        let kind = self.kind_at(id)?;
        let is_known = searched.len() >= MAX_SEARCHED_STRUCTS || searched.contains(&id);
        if is_known || !matches!(kind.kind(), KIND_STRUCT | KIND_UNION) {
            return None;
        }
        searched.push(id);
        (0..kind.len()).find_map(|index| {
            let mut tail = self.data.get(kind.tail + index * 12..)?;
            let (name, member, offset) =
                (tail.try_get_u32_ne().ok()?, tail.try_get_u32_ne().ok()?, tail.try_get_u32_ne().ok()?);
            let bits = if kind.has_kind_flag() { offset & 0x00ff_ffff } else { offset };
            match self.name(name) {
                "" => self.member(member, wanted, searched).map(|(inner, found)| (u64::from(bits) + inner, found)),
                found if found == wanted => Some((bits.into(), member)),
                _ => None,
            }
        })
    }

    /// The element of an array with its size in bytes; anything else is its own element.
    fn element(&self, id: u32) -> (u32, u32) {
        let array = self.resolve(id).and_then(|id| self.kind_at(id)).filter(|kind| kind.kind() == KIND_ARRAY);
        let Some(mut tail) = array.and_then(|kind| self.data.get(kind.tail..)) else { return (id, 0) };
        let element = tail.get_u32_ne();
        let size = self.resolve(element).and_then(|id| self.kind_at(id)).map_or(0, |kind| kind.size_or_type);
        (element, size)
    }

    fn name(&self, offset: u32) -> &str {
        let rest = self.data.get(self.strings + offset as usize..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(0);
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }
}

fn read_types(data: &[u8], start: usize, end: usize) -> anyhow::Result<Vec<Type>> {
    let mut types = Vec::with_capacity((end - start) / 24);
    let mut at = start;
    while at + 12 <= end {
        let mut bytes = &data[at..at + 12];
        let (name, info, size_or_type) = (bytes.get_u32_ne(), bytes.get_u32_ne(), bytes.get_u32_ne());
        let kind = Type { name, info, size_or_type, tail: at + 12 };
        at += 12 + kind.tail_len().with_context(|| format!("it has a type of unknown kind {}", kind.kind()))?;
        types.push(kind);
    }
    if at > end {
        bail!("its types are cut off");
    }
    Ok(types)
}

/// `name[2]` as name and index.
fn indexed(part: &str) -> (&str, u32) {
    let split = part.strip_suffix(']').and_then(|part| part.split_once('['));
    split.and_then(|(name, index)| Some((name, index.parse().ok()?))).unwrap_or((part, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_running_kernel_are_where_they_have_always_been() {
        if !Path::new(VMLINUX).exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let btf = Btf::of_kernel().unwrap();
        // kernel-facts: identical from 5.10 to 7.3.
        assert_eq!(btf.offset("sock", "__sk_common.skc_daddr").unwrap(), 0);
        assert_eq!(btf.offset("sock", "__sk_common.skc_num").unwrap(), 14);
        assert_eq!(btf.offset("nf_conn", "tuplehash[1].tuple").unwrap(), 88);
        assert_eq!(btf.offset("nf_conntrack_tuple", "dst.protonum").unwrap(), 38);
        assert_eq!(btf.tracepoint_args("inet_sock_set_state"), Some(3));
        assert!(btf.offset("sock", "no_such_field").is_err());
        assert!(btf.offset("no_such_struct", "x").is_err());
        assert_eq!(btf.tracepoint_args("no_such_tracepoint"), None);
        assert!(btf.enumerators("no_such_enum").is_empty());
        if btf.tracepoint_args("kfree_skb") >= Some(3) {
            assert!(btf.enumerators("skb_drop_reason").iter().any(|(_, name)| name.ends_with("NETFILTER_DROP")));
        }
    }

    #[test]
    fn garbage_is_refused_without_panic() {
        assert!(Btf::parse(Vec::new()).is_err());
        assert!(Btf::parse(vec![0; 64]).is_err());
        let mut header = Vec::new();
        header.extend(MAGIC.to_ne_bytes());
        header.extend([1, 0]);
        for word in [24u32, 0, 12, 12, 1] {
            header.extend(word.to_ne_bytes());
        }
        let mut unknown_kind = header.clone();
        unknown_kind.extend([0, 0, 0, 0, 0, 0, 0, 31, 0, 0, 0, 0, 0]);
        assert!(Btf::parse(unknown_kind).is_err());
        assert!(Btf::parse(header).is_err());
    }

    #[test]
    fn a_struct_that_contains_itself_is_searched_once() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
        let mut data = [&MAGIC.to_ne_bytes()[..], &[1, 0], &words(&[24, 0, 24, 24, 3])].concat();
        // struct s { <anonymous> struct s; }
        data.extend(words(&[1, KIND_STRUCT << 24 | 1, 8, 0, 1, 0]));
        data.extend(b"\0s\0");
        assert!(Btf::parse(data).unwrap().offset("s", "field").is_err());
    }
}
