//! The statements of an nft rule in nft's own language, from what was parsed: what cannot be written faithfully is refused.

use serde_json::{Map, Value};

use super::words;

/// Keys of `meta` that nft writes without the word.
const BARE: [&str; 10] =
    ["iif", "iifname", "iiftype", "iifgroup", "oif", "oifname", "oiftype", "oifgroup", "ibrname", "obrname"];
/// Keys whose values nft writes in quotes.
const QUOTED: [&str; 12] =
    ["iif", "iifname", "oif", "oifname", "ibrname", "obrname", "iifkind", "oifkind", "day", "hour", "time", "helper"];

/// Why a rule is not written again.
pub(super) type Refused = String;

/// The statements of a rule before the one that chooses ports, a phrase each. Counters without a name are left out.
pub(super) fn matches(exprs: &[Value]) -> Result<Vec<String>, Refused> {
    let mut phrases = Vec::new();
    let statements = exprs.iter().map(|expr| expr.as_object().ok_or_else(|| unknown(expr)));
    for statement in statements {
        for (name, value) in statement? {
            if ["masquerade", "snat"].contains(&name.as_str()) {
                return Ok(phrases);
            }
            phrases.extend(statement_phrase(name, value)?);
        }
    }
    Err("it chooses no source port".to_owned())
}

/// Whether the phrases, with this statement after them, are what nft itself says of the rule.
pub(super) fn is_faithful(phrases: &[String], statement: &str, text: &str) -> bool {
    let printed = format!("{} {statement}", phrases.join(" "));
    normal(&printed) == normal(text)
}

/// Words without comments, counters, `==`, and with numbers in one form.
fn normal(text: &str) -> Vec<String> {
    let mut normal = Vec::new();
    let mut words = words::split(text).into_iter().peekable();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "comment" if !word.quoted => break,
            "counter" if !word.quoted && words.peek().is_none_or(|next| next.text != "name") => {
                while words.next_if(|word| word.text == "packets" || word.text == "bytes").is_some() {
                    words.next();
                }
            }
            "==" if !word.quoted => {}
            text if word.quoted => normal.push(format!("{text:?}")),
            text => normal.push(number(text)),
        }
    }
    normal
}

fn number(text: &str) -> String {
    let (body, comma) = text.strip_suffix(',').map_or((text, ""), |body| (body, ","));
    let parsed = body.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    parsed.map_or_else(|| text.to_owned(), |number| format!("{number}{comma}"))
}

fn statement_phrase(name: &str, value: &Value) -> Result<Option<String>, Refused> {
    let phrase = match name {
        "match" => comparison(value)?,
        "counter" => match value.as_str() {
            Some(counter) => format!("counter name {}", quoted(counter)?),
            None => return Ok(None),
        },
        "log" => log(value)?,
        "mangle" => {
            let key = &value["key"];
            let (left, right) = (left(key)?, assigned(&value["value"])?);
            if ![Some("mark")].contains(&key["meta"]["key"].as_str().or(key["ct"]["key"].as_str())) {
                return Err(unknown(value));
            }
            format!("{left} set {right}")
        }
        "limit" | "quota" | "ct count" | "set" | "dynset" => {
            return Err(format!("it matches on `{name}`, which a second rule would count separately"));
        }
        _ => return Err(format!("it has the statement `{name}`")),
    };
    Ok(Some(phrase))
}

fn comparison(value: &Value) -> Result<String, Refused> {
    let (left_side, right_side) = (&value["left"], &value["right"]);
    let op = value["op"].as_str().ok_or_else(|| unknown(value))?;
    let is_quoted = key(left_side).is_some_and(|key| QUOTED.contains(&key));
    // tcp flags syn / fin,syn,rst,ack
    if let Some([flags, mask]) = left_side["&"].as_array().map(Vec::as_slice)
        && flags["payload"]["field"] == "flags"
    {
        let op = if op == "!=" { "!= " } else { "" };
        return Ok(format!("{} {op}{} / {}", left(flags)?, right(right_side, false)?, right(mask, false)?));
    }
    let right = right(right_side, is_quoted)?;
    let op = match op {
        "==" if left_side["&"].is_array() => "== ",
        "==" | "in" => "",
        "!=" => "!= ",
        "<" => "< ",
        ">" => "> ",
        "<=" => "<= ",
        ">=" => ">= ",
        _ => return Err(unknown(value)),
    };
    Ok(format!("{} {op}{right}", left(left_side)?))
}

fn key(left: &Value) -> Option<&str> {
    left["meta"]["key"].as_str().or(left["ct"]["key"].as_str())
}

fn left(value: &Value) -> Result<String, Refused> {
    let (name, inside) = only(value)?;
    let word = |field: &str| inside[field].as_str().filter(|text| is_plain(text)).ok_or_else(|| unknown(value));
    match name.as_str() {
        "meta" => {
            let key = word("key")?;
            Ok(if BARE.contains(&key) { key.to_owned() } else { format!("meta {key}") })
        }
        "payload" => Ok(format!("{} {}", word("protocol")?, word("field")?)),
        "ct" => {
            let key =
                inside["key"].as_str().filter(|key| key.split(' ').all(is_plain)).ok_or_else(|| unknown(value))?;
            Ok(match inside["dir"].as_str() {
                Some(direction) if is_plain(direction) => format!("ct {direction} {key}"),
                _ => format!("ct {key}"),
            })
        }
        "fib" => {
            let flags = inside["flags"].as_array().ok_or_else(|| unknown(value))?;
            let flags: Option<Vec<&str>> = flags.iter().map(Value::as_str).collect();
            let flags = flags.ok_or_else(|| unknown(value))?;
            Ok(format!("fib {} {}", flags.join(" . "), word("result")?))
        }
        "rt" => Ok(format!("rt {}", word("key")?)),
        "ipsec" if inside["spnum"] == 0 => Ok(format!("ipsec {} {}", word("dir")?, word("key")?)),
        "concat" => {
            let parts = inside.as_array().ok_or_else(|| unknown(value))?;
            Ok(parts.iter().map(left).collect::<Result<Vec<_>, _>>()?.join(" . "))
        }
        "&" => match inside.as_array().map(Vec::as_slice) {
            Some([one, Value::Number(mask)]) => Ok(format!("{} & {mask}", left(one)?)),
            _ => Err(unknown(value)),
        },
        "numgen" => Err("it draws a random number, and a second rule would draw another".to_owned()),
        _ => Err(unknown(value)),
    }
}

fn right(value: &Value, is_quoted: bool) -> Result<String, Refused> {
    match value {
        Value::Bool(true) => return Ok("exists".to_owned()),
        Value::Bool(false) => return Ok("missing".to_owned()),
        Value::Number(number) => return Ok(number.to_string()),
        Value::String(set) if set.starts_with('@') && is_plain(&set[1..]) => return Ok(set.clone()),
        Value::String(text) if is_quoted => return quoted(text),
        Value::String(text) => return if is_plain(text) { Ok(text.clone()) } else { Err(unknown(value)) },
        // ct state new,established
        Value::Array(flags) => {
            let flags = flags.iter().map(|flag| right(flag, false)).collect::<Result<Vec<_>, _>>()?;
            return Ok(flags.join(","));
        }
        Value::Null | Value::Object(_) => {}
    }
    let (name, inside) = only(value)?;
    let all = |separator: &str| {
        let parts = inside.as_array().ok_or_else(|| unknown(value))?;
        Ok::<_, Refused>(
            parts.iter().map(|part| right(part, is_quoted)).collect::<Result<Vec<_>, _>>()?.join(separator),
        )
    };
    match name.as_str() {
        "set" => Ok(format!("{{ {} }}", all(", ")?)),
        "range" => all("-"),
        "concat" => all(" . "),
        "prefix" => Ok(format!("{}/{}", right(&inside["addr"], false)?, right(&inside["len"], false)?)),
        _ => Err(unknown(value)),
    }
}

/// What a mark is set to: a number, or the mark itself with some bits changed.
fn assigned(value: &Value) -> Result<String, Refused> {
    if value.is_number() {
        return right(value, false);
    }
    let (name, inside) = only(value)?;
    match (name.as_str(), inside.as_array().map(Vec::as_slice)) {
        ("^" | "|" | "&", Some([one, Value::Number(bits)])) => Ok(format!("{} {name} {bits}", left(one)?)),
        _ => Err(unknown(value)),
    }
}

fn log(value: &Value) -> Result<String, Refused> {
    let mut phrase = "log".to_owned();
    for (name, value) in value.as_object().into_iter().flatten() {
        phrase += &match name.as_str() {
            "prefix" => format!(" prefix {}", quoted(value.as_str().unwrap_or_default())?),
            "level" | "group" | "snaplen" | "queue-threshold" => format!(" {name} {}", right(value, false)?),
            _ => return Err(unknown(value)),
        };
    }
    Ok(phrase)
}

fn only(value: &Value) -> Result<(&String, &Value), Refused> {
    let mut entries = value.as_object().into_iter().flat_map(Map::iter);
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry),
        _ => Err(unknown(value)),
    }
}

fn quoted(text: &str) -> Result<String, Refused> {
    let is_fit = text.chars().all(|char| matches!(char, ' '..='~') && char != '"' && char != '\\');
    if is_fit { Ok(format!("\"{text}\"")) } else { Err("it has a name that cannot be quoted".to_owned()) }
}

/// A word that nft's language has no other meaning for.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "_.:/-+".contains(char))
}

fn unknown(value: &Value) -> Refused {
    let text: String = value.to_string().chars().take(60).collect();
    format!("it has an expression that is not understood: {text}")
}
