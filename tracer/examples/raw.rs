fn main() {
    env_logger::init();
    let a: Vec<String> = std::env::args().skip(1).collect();
    let o = snatrace::probe::Options { netns: a.iter().take(1).map(Into::into).collect(), ..Default::default() };
    let t = std::time::Instant::now();
    let mut p = snatrace::probe::Probe::start(&o).unwrap();
    eprintln!("start {:?}", t.elapsed());
    for h in p.hooks() {
        eprintln!("{h:?}");
    }
    let n: u64 = a.get(1).map_or(50, |n| n.parse().unwrap());
    for _ in 0..n {
        let mut v = Vec::new();
        p.drain(&mut v).unwrap();
        for e in v {
            if !matches!(e, tracer_common::Event::Tick(_)) {
                println!("{e:?}");
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    p.stop().unwrap();
}
