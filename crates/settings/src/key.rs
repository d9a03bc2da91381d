//! Finds the key an offset of a TOML text belongs to.

use toml::de::{DeTable, DeValue};

/// The dotted name of the innermost key whose name or value holds `at`; `None` where there is none, or no TOML.
pub(crate) fn key_at(text: &str, at: usize) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    let mut names = Vec::new();
    descend(table.get_ref(), at, &mut names);
    (!names.is_empty()).then(|| names.join("."))
}

/// Whether the key is there below. A table of its own header ends where the next begins, so its span says nothing: every branch
/// is tried.
fn descend(table: &DeTable<'_>, at: usize, names: &mut Vec<String>) -> bool {
    for (key, value) in table {
        names.push(quoted(key.get_ref()));
        let inner = match value.get_ref() {
            DeValue::Table(table) => descend(table, at, names),
            DeValue::Array(items) => items.iter().any(|item| match item.get_ref() {
                DeValue::Table(table) => descend(table, at, names),
                _ => false,
            }),
            _ => false,
        };
        if inner || key.span().contains(&at) || value.span().contains(&at) {
            return true;
        }
        names.pop();
    }
    false
}

fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("\"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_key_is_named() {
        let text = "a = 1\n[b]\nc = { d = 2 }\n[b.\"x/y\"]\ne = [{ f = 3 }]\n";
        let key = |part: &str| key_at(text, text.find(part).expect("it is there"));
        assert_eq!(key("a =").as_deref(), Some("a"));
        assert_eq!(key("d = 2").as_deref(), Some("b.c.d"));
        assert_eq!(key("2 }").as_deref(), Some("b.c.d"));
        assert_eq!(key("f = 3").as_deref(), Some("b.\"x/y\".e.f"));
        assert_eq!(key_at("a = ", 0), None);
    }
}
