//! The words of the command line, before they are parsed.

use std::ffi::{OsStr, OsString};

/// Global options that take the next word.
const WITH_VALUE: [&str; 6] = ["-C", "--directory", "-f", "--file", "--data-dir", "--color"];

/// Makes `-f` after `logs` mean `--follow`, as everywhere where logs are followed; in front of it, and for all other commands,
/// it names the configuration file.
pub(crate) fn with_follow(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let Some(command) = command_position(&words) else {
        return words;
    };
    if words.get(command).is_some_and(|word| word == "logs") {
        for word in words.iter_mut().skip(command + 1) {
            if word == "--" {
                break;
            }
            if word == "-f" {
                *word = OsString::from("--follow");
            }
        }
    }
    words
}

/// The first word that is neither the program, an option, nor the value of one.
fn command_position(words: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        if WITH_VALUE.iter().any(|option| word == OsStr::new(option)) {
            at += 2;
        } else if word.as_encoded_bytes().starts_with(b"-") {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let words = line.split(' ').map(OsString::from);
        let given: Vec<String> = with_follow(words)
            .into_iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        assert_eq!(given.join(" "), expected);
    }

    #[test]
    fn after_logs_f_means_follow() {
        check("tidegate logs job -f", "tidegate logs job --follow");
        check(
            "tidegate -f a.yml logs -f job",
            "tidegate -f a.yml logs --follow job",
        );
        check("tidegate -C logs logs -f", "tidegate -C logs logs --follow");
    }

    #[test]
    fn elsewhere_f_names_the_file() {
        check("tidegate run -f a.yml", "tidegate run -f a.yml");
        check("tidegate run logs -f a.yml", "tidegate run logs -f a.yml");
        check("tidegate logs -- -f", "tidegate logs -- -f");
        check("tidegate", "tidegate");
    }
}
