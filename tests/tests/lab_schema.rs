//! Every line of JSON that a live command writes is as `snatrace schema` says.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::ffi::OsStr;

use tests::capturing;
use tests::lab::Lab;
use tests::process::Outcome;
use tests::schema::Schema;

#[test]
#[ignore = "needs root: cargo xtask test --only lab"]
fn every_line_that_is_written_live_is_valid() {
    let mut schema = Schema::new(&Outcome::of(capturing().arg("schema")).done());
    let (lab, directory) = (Lab::up("fully_random"), tempfile::tempdir().unwrap());
    let trace = directory.path().join("t");

    let mut record = lab.capture("record", "32768-65535", &["--print", "-o", "json", "--all", "--interval", "500ms"]);
    record.args(["--max-lines", "5/s", "-w"]).arg(&trace).arg("--").args(Lab::traffic(100));
    schema.check("record --print", &Outcome::of(&mut record).done(), None);
    let mut tail = lab.capture("tail", "auto", &["-o", "json", "--all", "--fold", "--"]);
    schema.check("tail", &Outcome::of(tail.args(Lab::traffic(40))).done(), None);

    let number = lab.variable("SRC").split('.').nth(1).unwrap();
    let mut probe = lab.snatrace();
    probe.arg("probe").arg(format!("10.{number}.192.10:8080")).args(["-n", "60", "-o", "json", "--netns"]);
    schema.check("probe", &Outcome::of(probe.arg(lab.node())).done(), None);
    let mut doctor = lab.snatrace();
    doctor.args(["doctor", "-o", "json", "--netns"]).arg(lab.node());
    schema.check("doctor", &Outcome::of(&mut doctor).stdout, None);

    for words in ["replay -o json --all", "report -o json", "infer -o json"] {
        schema.check(words, &Outcome::of(capturing().args(words.split(' ')).arg(&trace)).done(), None);
    }
    let rows = directory.path().join("rows.jsonl");
    let words: [&OsStr; 6] = ["export", "-o", "jsonl", "--all", "-w", rows.to_str().unwrap()].map(OsStr::new);
    Outcome::of(capturing().args(words).arg(&trace)).done();
    for (table, name) in [("attempts", "rows.jsonl"), ("retransmits", "rows-retransmits.jsonl")] {
        let text = std::fs::read_to_string(directory.path().join(name)).unwrap();
        schema.check(name, &text, Some(table));
    }
    let unseen: Vec<&str> = schema.kinds().filter(|kind| !schema.seen.contains(*kind)).collect();
    assert_eq!(unseen, ["conntrack"], "only `infer --conntrack` writes that");
}
