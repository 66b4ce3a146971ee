//! Counts of answered and unanswered attempts by port and destination, as a query engine groups them: CSV or Parquet.

use std::fs::File;
use std::io::{Read, Seek};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};
#[cfg(feature = "parquet")]
use parquet::file::reader::{FileReader, SerializedFileReader};
use tracer_common::Flow;

use crate::infer::Infer;

/// More attempts would take minutes.
const MAX_ATTEMPTS: u64 = 1_000_000_000;
/// More rows would not fit into memory; ports of a hundred destinations are 6.5 million.
const MAX_ROWS: usize = 20_000_000;
/// Where a Parquet file begins.
const PARQUET: &[u8; 4] = b"PAR1";

/// Columns that are used, by name; others are ignored.
const COLUMNS: [&str; 5] = ["port", "dst", "dst_port", "answered", "unanswered"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    translated: Flow,
    answered: u64,
    unanswered: u64,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Counted>,
    attempts: u64,
}

/// What the counts say about ports.
pub fn read(path: &Path) -> Result<Infer> {
    let name = path.display();
    let mut file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let mut magic = Vec::new();
    file.by_ref().take(PARQUET.len() as u64).read_to_end(&mut magic).with_context(|| format!("cannot read {name}"))?;
    file.rewind().with_context(|| format!("cannot read {name} twice: write it to a file"))?;
    let mut table = Table::default();
    if magic == PARQUET { read_parquet(file, &mut table) } else { read_csv(file, &mut table) }
        .with_context(|| format!("cannot read {name}"))?;
    Ok(table.infer())
}

fn read_csv(input: impl Read, table: &mut Table) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let places = places(reader.headers()?.iter())?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        table.row(places.map(|place| record.get(place?).filter(|text| !text.is_empty())))?;
    }
    Ok(())
}

#[cfg(feature = "parquet")]
fn read_parquet(file: File, table: &mut Table) -> Result<()> {
    let reader = SerializedFileReader::new(file)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let fields: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let places = places(fields.iter().map(String::as_str))?;
    for row in reader.get_row_iter(None)? {
        let texts: Vec<String> = row?.get_column_iter().map(|(_, field)| field.to_string()).collect();
        // The text of a field is that of JSON.
        let text = |place: usize| Some(texts.get(place)?.trim_matches('"')).filter(|text| *text != "null");
        table.row(places.map(|place| text(place?)))?;
    }
    Ok(())
}

#[cfg(not(feature = "parquet"))]
fn read_parquet(_: File, _: &mut Table) -> Result<()> {
    anyhow::bail!("this snatrace was built without the feature `parquet`: write the counts as CSV")
}

impl Table {
    /// Takes a row: for each of [`COLUMNS`] its text; `None` where the file has no such column, or no value.
    fn row(&mut self, [port, dst, dst_port, answered, unanswered]: [Option<&str>; 5]) -> Result<()> {
        // A group without port is that of attempts without NAT.
        let Some(port) = port else { return Ok(()) };
        let (port, dst_port) = (number(port, "port")?, dst_port.map_or(Ok(0), |port| number(port, "dst_port"))?);
        let dst =
            dst.map_or(Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), dst_port)), |dst| destination(dst, dst_port))?;
        let src = if dst.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()
        } else {
            Ipv4Addr::UNSPECIFIED.to_ipv6_compatible()
        };
        let translated = Flow::new(SocketAddr::new(IpAddr::from(src).to_canonical(), port), dst);
        let count = |text: Option<&str>, name| text.map_or(Ok(0), |text| number(text, name));
        let (answered, unanswered) = (count(answered, "answered")?, count(unanswered, "unanswered")?);
        self.attempts = self.attempts.saturating_add(answered).saturating_add(unanswered);
        ensure!(
            self.attempts <= MAX_ATTEMPTS && self.rows.len() < MAX_ROWS,
            "more than {MAX_ATTEMPTS} attempts or {MAX_ROWS} rows: count the most used destinations only"
        );
        self.rows.push(Counted { translated, answered, unanswered });
        Ok(())
    }

    /// Answered attempts come first: a destination counts once it has answered. All of them are of one second, since nothing says
    /// which failures followed one another.
    fn infer(&self) -> Infer {
        let mut infer = Infer::default();
        for is_answered in [true, false] {
            for Counted { translated, answered, unanswered } in &self.rows {
                let times = if is_answered { *answered } else { *unanswered };
                infer.count(translated, is_answered, times);
            }
        }
        infer
    }
}

fn number<T: std::str::FromStr>(text: &str, column: &str) -> Result<T> {
    // Engines write sums as decimals.
    let digits = text.strip_suffix(".0").unwrap_or(text);
    digits.parse().ok().with_context(|| format!("column {column}: {text} is out of range"))
}

fn destination(text: &str, port: u16) -> Result<SocketAddr> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address.to_canonical(), port));
    let address = address.or_else(|_| text.parse());
    address.ok().with_context(|| format!("column dst: {text} is no address, with or without port"))
}

/// Where the columns are, by the names that the file has.
fn places<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<[Option<usize>; 5]> {
    let places = COLUMNS.map(|column| names.clone().position(|name| name == column));
    let [port, _, _, answered, unanswered] = places;
    ensure!(
        port.is_some() && answered.is_some() && unanswered.is_some(),
        "the columns are not those of counts: expected port, answered, unanswered, and perhaps dst, dst_port"
    );
    Ok(places)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn infer(text: &str) -> Result<Infer> {
        let mut table = Table::default();
        read_csv(text.as_bytes(), &mut table)?;
        Ok(table.infer())
    }

    #[test]
    fn counts_say_what_the_attempts_would() {
        let mut text = "dst,port,answered,unanswered\n".to_owned();
        for (number, port) in (0..4000_u32).map(|number| (number, 1024 + number * 16)) {
            let (answered, unanswered) = if port >= 32_768 { (2, 0) } else { (0, 2) };
            writeln!(text, "203.0.113.{},{port},{answered},{unanswered}", number % 7).unwrap();
        }
        let conclusions = infer(&text).unwrap().conclusions();
        let said = conclusions[0].to_string();
        assert!(said.contains("likely rule 32768-65535") && said.contains("7 destinations"), "{said}");
    }

    #[test]
    fn what_are_no_counts_is_refused() {
        for (text, expected) in [
            ("", "expected port, answered, unanswered"),
            ("port,answered\n1,2\n", "expected port, answered, unanswered"),
            ("port,answered,unanswered\n70000,1,1\n", "column port: 70000 is out of range"),
            ("port,answered,unanswered\n1,-1,1\n", "column answered: -1 is out of range"),
            ("port,answered,unanswered\n1,99999999999,1\n", "count the most used destinations only"),
            ("port,dst,answered,unanswered\n1,x,1,1\n", "column dst: x is no address"),
        ] {
            let error = format!("{:#}", infer(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        assert!(infer("port,answered,unanswered,more\n,1,1,1\n5,1.0,,\n").is_ok());
    }

    #[test]
    fn a_destination_may_have_its_port_in_a_column_of_its_own() {
        assert_eq!(destination("203.0.113.1", 443).unwrap(), destination("203.0.113.1:443", 0).unwrap());
        assert_eq!(destination("::ffff:203.0.113.1", 443).unwrap(), destination("203.0.113.1", 443).unwrap());
        assert_eq!(destination("[2001:db8::1]:443", 0).unwrap(), destination("2001:db8::1", 443).unwrap());
    }
}
