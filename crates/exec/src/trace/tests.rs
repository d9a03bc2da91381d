use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{Secrets, Stream, Trace};

/// Sends pieces through a log and returns what comes out.
fn through(values: &[&str], prefixes: &[&str], limit: u64, pieces: &[&[u8]]) -> Vec<u8> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let sink = move |bytes: &[u8]| sink.lock().expect("the log").extend_from_slice(bytes);
    let secrets = Secrets {
        values,
        token_prefixes: prefixes,
    };
    let mut trace = Trace::new(secrets, limit, None, Box::new(sink));
    for piece in pieces {
        trace.write(Stream::Script, piece);
    }
    trace.finish();
    log.lock().expect("the log").clone()
}

/// Checks a text in pieces of several sizes.
#[track_caller]
fn check(values: &[&str], text: &str, expected: &str) {
    let prefixes = ["glpat-", "glrt-", "_gitlab_session="];
    for size in [1, 2, 3, 7, 1000] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let log = through(values, &prefixes, u64::MAX, &pieces);
        assert_eq!(String::from_utf8_lossy(&log), expected, "pieces of {size}");
    }
}

#[test]
fn values_are_masked_without_their_surrounding_space() {
    check(
        &[" hunter2\n"],
        "a hunter2 b hunter2hunter2",
        "a [MASKED] b [MASKED][MASKED]",
    );
}

#[test]
fn of_values_within_values_the_longer_is_masked_once() {
    check(
        &["secret", "my-secret-value", "et-v"],
        "my-secret-value secret",
        "[MASKED] [MASKED]",
    );
}

#[test]
fn overlapping_values_leave_no_rest() {
    check(&["abc", "cde"], "xabcdey", "x[MASKED]y");
    check(&["aba"], "xababay", "x[MASKED]y");
}

#[test]
fn the_beginning_of_a_value_that_does_not_go_on_is_shown() {
    check(&["abcd"], "ababc abc", "ababc abc");
}

#[test]
fn values_of_several_lines_are_masked_as_a_whole_only() {
    check(&["one\ntwo"], "one\ntwo\none\n", "[MASKED]\none\n");
}

#[test]
fn empty_values_mask_nothing() {
    check(&["", " \n"], "a b", "a b");
}

#[test]
fn tokens_keep_their_prefix() {
    check(
        &[],
        "glpat-aB-1_2.3=x! glrt-. glpat- _gitlab_session=z",
        "glpat-[MASKED]! glrt-[MASKED] glpat- _gitlab_session=[MASKED]",
    );
}

#[test]
fn secret_url_parameters_lose_their_value_in_any_case() {
    check(
        &[],
        "http://h/p?a=1&Private_Token=xyz&b=2 ?X-AMZ-Signature=abc\n&rss_token=\nprivate_token=x",
        "http://h/p?a=1&Private_Token=[MASKED]&b=2 ?X-AMZ-Signature=[MASKED]\n&rss_token=\n\
         private_token=x",
    );
}

#[test]
fn only_the_fifteen_shortest_prefixes_count() {
    let prefixes: Vec<String> = (1..=16)
        .map(|length| "p".repeat(length - 1) + "!")
        .collect();
    let prefixes: Vec<&str> = prefixes.iter().rev().map(String::as_str).collect();
    let log = through(&[], &prefixes, u64::MAX, &[b"x!a"]);
    assert_eq!(log, b"x![MASKED]");
}

#[test]
fn a_complete_line_is_not_held_back() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    let sink = move |bytes: &[u8]| sink.lock().expect("the log").extend_from_slice(bytes);
    let secrets = Secrets {
        values: &["line-secret"],
        token_prefixes: &["glpat-"],
    };
    let mut trace = Trace::new(secrets, u64::MAX, None, Box::new(sink));
    trace.write(Stream::Script, b"a line\nnext: lin");
    assert_eq!(*log.lock().expect("the log"), b"a line\nnext: ");
    trace.flush();
    assert_eq!(*log.lock().expect("the log"), b"a line\nnext: lin");
}

#[test]
fn the_limit_does_not_cut_a_character() {
    let log = through(&[], &[], 4, &["abcé".as_bytes(), b"more"]);
    let text = String::from_utf8(log).expect("valid");
    assert!(
        text.starts_with("abc\n\u{1b}[33;1mJob's log exceeded limit of 4 bytes.\n"),
        "{text}"
    );
    assert_eq!(text.matches("exceeded").count(), 1);
}

#[test]
fn a_log_that_ends_at_its_limit_is_whole() {
    assert_eq!(through(&[], &[], 4, &[b"ab", b"cd", b""]), b"abcd");
}

/// Masks a whole text at once, without an automaton and without state.
fn masked_at_once(values: &[String], text: &str) -> String {
    let bytes = text.as_bytes();
    let values: Vec<&[u8]> = values
        .iter()
        .map(|value| value.trim().as_bytes())
        .filter(|v| !v.is_empty())
        .collect();
    let mut out = Vec::new();
    let mut covered = 0;
    for at in 0..bytes.len() {
        let longest = values
            .iter()
            .filter(|value| bytes[at..].starts_with(value))
            .map(|v| v.len());
        if let Some(length) = longest.max() {
            if at >= covered {
                out.extend_from_slice(b"[MASKED]");
            }
            covered = covered.max(at + length);
        }
        if at >= covered {
            out.push(bytes[at]);
        }
    }
    String::from_utf8(out).expect("only ASCII in this test")
}

proptest! {
    #[test]
    fn pieces_do_not_matter_and_no_secret_survives(
        values in prop::collection::vec("[ab\\n]{1,5}", 0..5),
        text in "[abc\\n]{0,60}",
        cuts in prop::collection::vec(0usize..60, 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> =
            cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        let secrets: Vec<&str> = values.iter().map(String::as_str).collect();
        let log = String::from_utf8(through(&secrets, &[], u64::MAX, &pieces)).expect("ASCII");
        prop_assert_eq!(&log, &masked_at_once(&values, &text));
        for value in values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
            prop_assert!(!log.contains(value), "{:?} survives in {:?}", value, log);
        }
    }

    #[test]
    fn pieces_do_not_matter_to_tokens_and_parameters(
        text in "(glp|glpat-|gl|[?&]|private_|token=|[ab!]){0,12}",
        cuts in prop::collection::vec(0usize..120, 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> =
            cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        let prefixes = ["glpat-", "glp", "lpat-a"];
        let log = through(&[], &prefixes, u64::MAX, &pieces);
        let whole = through(&[], &prefixes, u64::MAX, &[text.as_bytes()]);
        prop_assert_eq!(log, whole);
    }

    #[test]
    fn any_bytes_come_out_as_std_repairs_them(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xc3), Just(0xe2), Just(0x82), Just(0xf0)], 0..40),
        size in 1usize..7,
    ) {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let log = through(&[], &[], u64::MAX, &pieces);
        prop_assert_eq!(String::from_utf8(log).expect("repaired"), String::from_utf8_lossy(&bytes));
    }
}
