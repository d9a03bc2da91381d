//! The runner's one-level expansion of references in a text.

/// Replaces `$NAME` and `${NAME}` once by what `value_of` returns; what it does not know becomes empty.
///
/// `$$` is a dollar sign, `$*`, `$#`, `$@`, `$!`, `$?`, `$-` and `$0`…`$9` are empty, a dollar sign before anything else
/// stays. Source: reference `runner.md` §2.4.
pub(crate) fn expand(text: &str, mut value_of: impl FnMut(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, length) = reference(rest);
        match name {
            Reference::Name(name) => expanded.push_str(&value_of(name).unwrap_or_default()),
            Reference::Dollar | Reference::None => expanded.push('$'),
            Reference::Nothing => {}
        }
        rest = &rest[length..];
    }
    expanded.push_str(rest);
    expanded
}

enum Reference<'a> {
    Name(&'a str),
    Dollar,
    /// A reference to something that is always empty, or a malformed one.
    Nothing,
    /// Not a reference.
    None,
}

/// The reference after a dollar sign and how many bytes it takes.
fn reference(text: &str) -> (Reference<'_>, usize) {
    match text.bytes().next() {
        Some(b'{') => braced(text),
        Some(b'$') => (Reference::Dollar, 1),
        Some(b'*' | b'#' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9') => (Reference::Nothing, 1),
        _ => {
            let length = text
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
                .count();
            match length {
                0 => (Reference::None, 0),
                _ => (Reference::Name(&text[..length]), length),
            }
        }
    }
}

fn braced(text: &str) -> (Reference<'_>, usize) {
    let Some(end) = text.find('}') else {
        // Go eats the opening brace of a reference that never ends.
        return (Reference::Nothing, 1);
    };
    let name = &text[1..end];
    let reference = match name {
        "$" => Reference::Dollar,
        "" | "*" | "#" | "@" | "!" | "?" | "-" => Reference::Nothing,
        name if name.len() == 1 && name.as_bytes()[0].is_ascii_digit() => Reference::Nothing,
        name => Reference::Name(name),
    };
    (reference, end + 1)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let value = |name: &str| match name {
            "A" => Some("$B".to_owned()),
            "B" => Some("b".to_owned()),
            _ => None,
        };
        assert_eq!(expand(text, value), expected);
    }

    #[test]
    fn references_are_replaced_once() {
        check("x$A-${B}y", "x$B-by");
    }

    #[test]
    fn unknown_names_and_shell_specials_are_empty() {
        check("[$NOPE][${NOPE}][$1][$?][${@}]", "[][][][][]");
    }

    #[test]
    fn dollars_that_are_no_reference_stay() {
        check("$$ $. $", "$ $. $");
    }

    #[test]
    fn an_open_brace_loses_its_brace() {
        check("a${B", "aB");
    }
}
