//! Measures the log pipeline: `cargo run --release -p tidegate-exec --example throughput`.
#![expect(clippy::print_stdout, reason = "a program whose output is its figures")]

use std::time::Instant;

use tidegate_exec::trace::Secrets;
use tidegate_exec::{Stream, Trace};

fn main() {
    let lines: String = (0..200_000)
        .map(|n| format!("line {n} of the output of a job\n"))
        .collect();
    let long = "x".repeat(1 << 20);
    let values: Vec<String> = (0..20).map(|n| format!("a-secret-value-{n:032}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    for (name, text, values) in [
        ("short lines, nothing masked", &lines, &[][..]),
        ("short lines, 20 masked values", &lines, &values[..]),
        ("one long line, nothing masked", &long, &[][..]),
    ] {
        measure(name, text, values);
    }
}

fn measure(name: &str, text: &str, values: &[&str]) {
    const ROUNDS: usize = 20;
    let prefixes = [
        "glpat-",
        "gldt-",
        "glrt-",
        "glcbt-",
        "glptt-",
        "_gitlab_session=",
    ];
    let secrets = Secrets {
        values,
        token_prefixes: &prefixes,
    };
    let mut trace = Trace::new(
        secrets,
        u64::MAX,
        None,
        Box::new(|bytes: &[u8]| {
            std::hint::black_box(bytes);
        }),
    );
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for piece in text.as_bytes().chunks(64 * 1024) {
            trace.write(Stream::Script, piece);
        }
    }
    trace.finish();
    let seconds = started.elapsed().as_secs_f64();
    let megabytes = (text.len() * ROUNDS) as f64 / 1e6;
    println!("{name}: {:.0} MB/s", megabytes / seconds);
}
