//! Mutations that know what a trace is made of: frames, items of a block, numbers of an item, the capture's JSON.

use fastrand::Rng;
use serde_json::Value;

use super::framing::{self, Frame, Item};

/// Changes bytes without knowing what they are.
pub type Bytes<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// Numbers at which something changes: widths, ports, times.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    1023,
    1024,
    32_767,
    32_768,
    65_535,
    65_536,
    0x7fff_ffff,
    0xffff_ffff,
    1_000_000_000,
    10_000_000_001,
    150_000_000_000,
    i64::MAX as u64,
    u64::MAX,
];
/// Names that come from outside.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"x=1",
    "\u{1b}[31m\u{1b}]0;x\u{7}",
    "\u{9b}2J",
    "a\nb\r\tc",
    "\u{202e}gpj",
    "../../x",
    "",
    "\u{0}",
    "a/b/c/d",
    "]]>",
    "<!--",
    "%s%n",
    "ünïcödé…",
    "{\"kind\":\"flagged\"}",
    "any",
    "0-65535",
    "10-5",
    "::/0",
];

/// A trace that differs from this one in a few places, with checksums that are right.
pub fn trace(bytes: &[u8], rng: &mut Rng, any: Bytes<'_>) -> Vec<u8> {
    let parsed = if rng.u8(..16) == 0 { None } else { framing::parse(bytes) };
    let Some((mut minor, mut frames)) = parsed else {
        let mut bytes = bytes.to_vec();
        any(&mut bytes);
        return bytes;
    };
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..frames.len());
        match rng.u8(..12) {
            0 => frames.insert(at, frames[at].clone()),
            1 if frames.len() > 1 => drop(frames.remove(at)),
            2 => frames.swap(0, at),
            3 => minor = rng.u16(..9),
            4 => header(&mut frames[at], rng),
            5 => any(&mut frames[at].payload),
            _ => payload(&mut frames[at], rng, any),
        }
    }
    framing::build(minor, &frames)
}

fn header(frame: &mut Frame, rng: &mut Rng) {
    let number = number(rng);
    match rng.u8(..7) {
        0 => frame.number = number as u32,
        1 => frame.events = number as u32,
        2 => frame.first_ns = number,
        3 => frame.last_ns = number,
        4 => frame.kind = rng.u8(..6),
        5 => frame.codec = rng.u8(..4),
        _ => frame.wrong_len = number as u32,
    }
}

fn payload(frame: &mut Frame, rng: &mut Rng, any: Bytes<'_>) {
    match frame.kind {
        framing::KIND_CAPTURE => {
            let Ok(mut capture) = serde_json::from_slice(&frame.payload) else { return any(&mut frame.payload) };
            json(&mut capture, rng);
            frame.payload = capture.to_string().into_bytes();
        }
        framing::KIND_EVENTS => {
            let Some(mut items) = framing::items(&frame.payload).filter(|items| !items.is_empty()) else {
                return any(&mut frame.payload);
            };
            for _ in 0..rng.usize(1..4) {
                item(&mut items, rng, any);
            }
            frame.payload = framing::block(&items);
            if rng.u8(..4) > 0 {
                // Items below are addresses, flows, shapes and such.
                frame.events = items.iter().filter(|(number, _)| *number >= 8).count() as u32;
            }
        }
        _ => any(&mut frame.payload),
    }
}

fn item(items: &mut Vec<Item>, rng: &mut Rng, any: Bytes<'_>) {
    if items.is_empty() {
        return;
    }
    let (at, other) = (rng.usize(..items.len()), rng.usize(..items.len()));
    match rng.u8(..12) {
        0 => drop(items.remove(at)),
        1 => items.insert(at, items[other].clone()),
        2 => items.swap(at, other),
        3 => items[at].0 = rng.u64(..20),
        4 => items[at].0 = number(rng),
        5 => (0..rng.usize(1..200)).for_each(|_| items.insert(at, items[at].clone())),
        6 => any(&mut items[at].1),
        _ => body(&mut items[at].1, rng),
    }
}

/// Changes one of the numbers that it is made of.
fn body(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let (mut rest, mut numbers) = (bytes.as_slice(), Vec::new());
    while let Some(number) = framing::varint(&mut rest) {
        numbers.push(number);
    }
    if numbers.is_empty() {
        return bytes.push(rng.u8(..));
    }
    let at = rng.usize(..numbers.len());
    match rng.u8(..5) {
        0 => numbers.insert(at, number(rng)),
        1 => drop(numbers.remove(at)),
        2 => numbers[at] = numbers[at].wrapping_add(1),
        3 => numbers[at] = numbers[at].wrapping_sub(1),
        _ => numbers[at] = number(rng),
    }
    bytes.clear();
    numbers.iter().for_each(|&number| framing::put_varint(bytes, number));
}

fn json(value: &mut Value, rng: &mut Rng) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(rng.usize(..map.len())).cloned().unwrap_or_default();
            if rng.u8(..16) == 0 {
                map.remove(&key);
            } else if let Some(value) = map.get_mut(&key) {
                json(value, rng);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            let at = rng.usize(..list.len());
            match rng.u8(..6) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => json(&mut list[at], rng),
            }
        }
        Value::Number(_) => *value = number(rng).into(),
        Value::Bool(is) => *is = !*is,
        Value::Null | Value::String(_) | Value::Object(_) | Value::Array(_) => {
            let text = HOSTILE[rng.usize(..HOSTILE.len())];
            *value = if rng.u8(..12) == 0 { text.repeat(300).into() } else { text.into() };
        }
    }
}

fn number(rng: &mut Rng) -> u64 {
    match rng.u8(..4) {
        0 => rng.u64(..),
        1 => rng.u64(..300),
        _ => EDGES[rng.usize(..EDGES.len())],
    }
}

/// Changes a few bytes, for where libFuzzer's own mutations are not at hand.
pub fn bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => {
                let end = (at + rng.usize(..40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + rng.usize(..40)).min(bytes.len());
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.u8(..8);
                }
            }
        }
    }
}
