//! `reports:dotenv`: variables a job hands to those after it.

use tidegate_expr::{Variable, VariableSource};

/// Why a dotenv file is refused; the texts are GitLab's (reference `runner.md` §5.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum DotenvError {
    #[error("Dotenv Artifact Too Big. Maximum Allowable Size: {LARGEST}")]
    TooBig,
    #[error("Dotenv files cannot have more than {MOST} variables")]
    TooMany,
    #[error("Invalid Format")]
    InvalidFormat,
}

/// A file must be smaller than this, in bytes.
const LARGEST: usize = 5120;
/// Most variables of one job, GitLab's default for installations of one's own.
const MOST: usize = 20;

/// Reads the variables of the files of one report, in order; the last of equal names wins.
pub(crate) fn parse(files: &[Vec<u8>]) -> Result<Vec<Variable>, DotenvError> {
    if files.iter().map(Vec::len).sum::<usize>() >= LARGEST {
        return Err(DotenvError::TooBig);
    }
    let mut variables: Vec<Variable> = Vec::new();
    for file in files {
        for line in decoded(file).lines() {
            let variable = variable(line).ok_or(DotenvError::InvalidFormat)?;
            match variables.iter_mut().find(|known| known.key == variable.key) {
                Some(known) => *known = variable,
                None => variables.push(variable),
            }
        }
    }
    if variables.len() > MOST {
        return Err(DotenvError::TooMany);
    }
    Ok(variables)
}

fn variable(line: &str) -> Option<Variable> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let valid = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    valid.then(|| Variable::new(key, value.trim(), VariableSource::Dotenv))
}

/// The text without its byte order mark; UTF-16 is what PowerShell writes.
fn decoded(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| join([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, DotenvError> {
        let variables = parse(&[text.as_bytes().to_vec()])?;
        let pair = |v: Variable| (v.key.to_string(), v.value.unwrap_or_default().to_string());
        Ok(variables.into_iter().map(pair).collect())
    }

    #[test]
    fn lines_are_split_at_the_first_equals_sign_and_stripped() {
        let pairs = [
            ("A".to_owned(), "b=c".to_owned()),
            ("D".to_owned(), String::new()),
        ];
        assert_eq!(read(" A = b=c \nD=\n"), Ok(pairs.into()));
    }

    #[test]
    fn the_last_of_equal_names_wins() {
        assert_eq!(
            read("A=1\nA=2\n"),
            Ok(vec![("A".to_owned(), "2".to_owned())])
        );
    }

    #[test]
    fn anything_but_name_and_value_is_refused() {
        for text in ["# comment\n", "A=1\n\nB=2\n", "A-B=1\n", "=1\n"] {
            assert_eq!(read(text), Err(DotenvError::InvalidFormat), "{text:?}");
        }
    }

    #[test]
    fn size_and_number_are_limited() {
        assert_eq!(
            read(&format!("A={}\n", "x".repeat(5200))),
            Err(DotenvError::TooBig)
        );
        let many: String = (0..21).map(|n| format!("V{n}=1\n")).collect();
        assert_eq!(read(&many), Err(DotenvError::TooMany));
        let text = "Dotenv Artifact Too Big. Maximum Allowable Size: 5120";
        assert_eq!(DotenvError::TooBig.to_string(), text);
    }

    #[test]
    fn what_powershell_writes_is_read() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("A=é\r\n".encode_utf16().flat_map(u16::to_le_bytes));
        let variables = parse(&[bytes]).expect("it is readable");
        assert_eq!(variables[0].value.as_deref(), Some("é"));
    }
}
