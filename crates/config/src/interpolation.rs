//! `$[[ … ]]`: puts values of inputs into keys and values of a file (reference `config.md` §3.4).
//!
//! [`block`] finds and reads the blocks, [`access`] looks values up, [`function`] changes them.

mod access;
mod block;
mod function;

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use tidegate_expr::Variables;
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use crate::ruby::{self, Keys};
use crate::settings::Limits;
use block::Block;

/// What blocks can refer to.
pub(crate) struct Context<'a> {
    /// Values of `inputs`.
    pub(crate) inputs: &'a IndexMap<Arc<str>, Node>,
    /// Values of `component` that the header asks for.
    pub(crate) component: &'a IndexMap<Arc<str>, Node>,
    /// What `expand_vars` sees.
    pub(crate) variables: &'a Variables,
    /// How much is accepted.
    pub(crate) limits: &'a Limits,
}

/// `content` with every block replaced. The first bad block ends it, as in GitLab.
pub(crate) fn interpolated(content: &Map, context: &Context<'_>) -> Result<Map, Diagnostic> {
    let mut interpolator = Interpolator {
        context,
        values: FxHashMap::default(),
        nodes: 0,
        left: MOST_INSERTED,
    };
    interpolator.map(content)
}

struct Interpolator<'a> {
    context: &'a Context<'a>,
    /// Values of blocks by their text: the same block always has the same value.
    values: FxHashMap<Arc<str>, Value>,
    nodes: usize,
    /// Bytes that inserted values may still take.
    left: usize,
}

/// Bytes that the values put in place of blocks may take together. GitLab has no such limit: what holds blocks itself, and
/// stands in a text several times, would fill its memory.
const MOST_INSERTED: usize = 64 * 1024 * 1024;
/// Bytes that an item of a list that is spliced in counts for at least.
const ITEM_BYTES: usize = 40;

impl Interpolator<'_> {
    fn map(&mut self, map: &Map) -> Result<Map, Diagnostic> {
        let mut result = Map::with_capacity(map.len());
        for (key, node) in map {
            let key = Key {
                value: self.key(key)?,
                span: key.span,
            };
            let node = self.node(node)?;
            result.insert(key, node);
        }
        Ok(result)
    }

    fn key(&mut self, key: &Key) -> Result<Value, Diagnostic> {
        self.count(key.span)?;
        match &key.value {
            Value::Str(text) => Ok(match self.text(text, key.span)? {
                Value::Symbol(name) => Value::Str(name),
                value => value,
            }),
            other => Ok(other.clone()),
        }
    }

    fn node(&mut self, node: &Node) -> Result<Node, Diagnostic> {
        self.count(node.span)?;
        let value = match &node.value {
            Value::Str(text) | Value::Symbol(text) => self.text(text, node.span)?,
            Value::Seq(items) => Value::Seq(self.items(items)?.into()),
            Value::Map(map) => Node::map(self.map(map)?, node.span).value,
            other => other.clone(),
        };
        Ok(Node::new(value, node.span))
    }

    /// A list; an item that is one block with a list for its value is spliced in.
    fn items(&mut self, items: &[Node]) -> Result<Vec<Node>, Diagnostic> {
        let mut result = Vec::with_capacity(items.len());
        for item in items {
            let node = self.node(item)?;
            match (&item.value, node.value) {
                (Value::Str(_) | Value::Symbol(_), Value::Seq(spliced)) => {
                    self.insert(spliced.len().saturating_mul(ITEM_BYTES), item.span)?;
                    result.extend(spliced.iter().cloned());
                }
                (_, value) => result.push(Node::new(value, node.span)),
            }
        }
        Ok(result)
    }

    fn count(&mut self, span: Span) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > self.context.limits.interpolation_nodes {
            return Err(problem("config too large", span));
        }
        Ok(())
    }

    fn insert(&mut self, bytes: usize, span: Span) -> Result<(), Diagnostic> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| problem("config too large", span))?;
        Ok(())
    }

    fn text(&mut self, text: &Arc<str>, span: Span) -> Result<Value, Diagnostic> {
        let unchanged = || Ok(Value::Str(text.clone()));
        if !text.contains("$[[") {
            return unchanged();
        }
        if text.len() > self.context.limits.interpolation_node_bytes {
            return Err(problem("config node too large", span));
        }
        let blocks = block::found(text);
        if let [only] = blocks.as_slice()
            && *only.text == **text
        {
            return match only.is_matrix() {
                true => unchanged(),
                false => self.value(only, span),
            };
        }
        let mut result = text.to_string();
        for block in blocks.iter().filter(|block| !block.is_matrix()) {
            let value = ruby::to_s(&self.value(block, span)?, Keys::Strings);
            let places = result.matches(block.text).count();
            let copies = ["\\'", "\\`", "\\0", "\\&"].map(|copy| value.matches(copy).count());
            let bytes = copies.iter().sum::<usize>().saturating_mul(result.len());
            self.insert(
                places.saturating_mul(bytes.saturating_add(value.len())),
                span,
            )?;
            result = substituted(&result, block.text, &value);
        }
        Ok(Value::Str(result.into()))
    }

    fn value(&mut self, block: &Block<'_>, span: Span) -> Result<Value, Diagnostic> {
        if let Some(known) = self.values.get(block.text) {
            return Ok(known.clone());
        }
        let limits = self.context.limits;
        if self.values.len() >= limits.interpolation_blocks {
            return Err(problem("too many interpolation blocks", span));
        }
        let at = block_span(block, span);
        if block.body.len() > limits.interpolation_expression_bytes {
            return Err(problem(
                "maximum interpolation expression size exceeded",
                at,
            ));
        }
        let (path, functions) = block.parts();
        if functions.len() > limits.interpolation_functions {
            return Err(problem("too many functions in interpolation block", at));
        }
        let mut value = access::value(path, self.context).map_err(|bad| bad.at(at))?;
        for call in functions {
            value = function::applied(call, &value, self.context.variables)
                .map_err(|bad| bad.at(at))?;
        }
        self.values.insert(block.text.into(), value.clone());
        Ok(value)
    }
}

fn problem(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("interpolation", message).at(span)
}

/// The block's own place, as far as the text stands in the file as it is.
fn block_span(block: &Block<'_>, span: Span) -> Span {
    let width = span.end().saturating_sub(span.start()) as usize;
    // Quoted texts have their quote in front; folded and escaped ones cannot be measured.
    let quotes = match width.checked_sub(block.whole_len) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return span,
    };
    let start = span.start() + quotes + block.start as u32;
    Span::new(span.file(), start, start + block.text.len() as u32)
}

/// Ruby's `gsub` of a fixed text: backslash sequences in `replacement` are interpreted, which GitLab did not intend.
///
/// `\\` is a backslash, `\0` and `\&` the block, `` \` `` and `\'` the text before and behind it, `\1` to `\9` nothing.
/// Measured on GitLab 18.11, reference `config.md` §3.4.
fn substituted(text: &str, block: &str, replacement: &str) -> String {
    if !replacement.contains('\\') {
        return text.replace(block, replacement);
    }
    let mut result = String::with_capacity(text.len() + replacement.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(block) {
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at + block.len()..).unwrap_or_default();
        result.push_str(text.get(copied..at).unwrap_or_default());
        push_interpreted(&mut result, replacement, (before, block, behind));
        copied = at + block.len();
    }
    result.push_str(text.get(copied..).unwrap_or_default());
    result
}

fn push_interpreted(
    out: &mut String,
    replacement: &str,
    (before, block, behind): (&str, &str, &str),
) {
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') | None => out.push('\\'),
            Some('0' | '&') => out.push_str(block),
            Some('1'..='9') => {}
            Some('`') => out.push_str(before),
            Some('\'') => out.push_str(behind),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_expr::{Variable, VariableSource};

    use super::*;
    use crate::testing::{map, text_of};

    fn check(inputs: &str, content: &str, expected: &str) {
        let values: IndexMap<Arc<str>, Node> = map(inputs)
            .iter()
            .map(|(key, node)| (key.as_str().unwrap().into(), node.clone()))
            .collect();
        let mut secret = Variable::new("SECRET", "s", VariableSource::SettingProject);
        secret.masked = true;
        let plain = Variable::new("V", "q", VariableSource::SettingProject);
        let context = Context {
            inputs: &values,
            component: &IndexMap::new(),
            variables: &[secret, plain].into_iter().collect(),
            limits: &Limits::default(),
        };
        let shown = match interpolated(&map(content), &context) {
            Ok(root) => text_of(&root),
            Err(problem) => problem.message,
        };
        assert_eq!(shown, expected, "{content}");
    }

    #[test]
    fn a_whole_node_keeps_its_type_and_a_part_becomes_text() {
        check(
            "{n: 5, a: [x, {k: v}]}",
            "{p: '$[[ inputs.n ]]', q: 'n=$[[inputs.n]] $[[ inputs.a ]]', l: ['$[[ inputs.a ]]', z]}",
            "{p: 5, q: n=5 [\"x\", {\"k\"=>\"v\"}], l: [x, {k: v}, z]}",
        );
    }

    #[test]
    fn keys_are_interpolated_and_collisions_keep_the_last() {
        check(
            "{n: job}",
            "{'$[[ inputs.n ]]-x': 1, job: 2, '$[[ inputs.n ]]': 3}",
            "{job-x: 1, job: 3}",
        );
    }

    #[test]
    fn what_is_no_block_stays() {
        check(
            "{n: x}",
            "{a: '$[[ ]]', b: '$[[x]]', c: '$[[ matrix.V ]] $[[ inputs.n ]]'}",
            "{a: $[[ ]], b: $[[x]], c: $[[ matrix.V ]] x}",
        );
    }

    #[test]
    fn accesses_are_judged() {
        let cases = [
            (
                "inputs",
                "invalid pattern used for interpolation. valid pattern is $[[ inputs.input ]]",
            ),
            (
                "inputs.b",
                "unknown interpolation provided: `b` in `inputs.b`",
            ),
            ("foo.b", "unknown interpolation provided: `foo` in `foo.b`"),
            (
                "inputs.a[5]",
                "array index 5 out of bounds (size: 2) in `inputs.a[5]`",
            ),
            (
                "inputs.s[0]",
                "cannot index into non-array value at [0] in `inputs.s[0]`",
            ),
            (
                "inputs.a[-1]",
                "invalid array index in `inputs.a[-1]`: `-1` is not a valid index",
            ),
            (
                "inputs.a[1",
                "invalid array index in `inputs.a[1`: missing closing bracket",
            ),
            (
                "inputs.a[1]x",
                "invalid array index syntax in `inputs.a[1]x`",
            ),
            (
                "inputs.[1]",
                "invalid indexed access without a key in `inputs.[1]`",
            ),
        ];
        for (access, message) in cases {
            check(
                "{s: x, a: [y, z]}",
                &format!("{{a: 'v $[[ {access} ]]'}}"),
                message,
            );
        }
        check(
            "{a: [[p], [q, r]]}",
            "{x: '$[[ inputs.a[1][0] ]]'}",
            "{x: q}",
        );
    }

    #[test]
    fn functions_apply_from_left_to_right() {
        let inputs = "{a: abc, e: '', n: 1, v: $V, s: $SECRET, p: \"it's a\\n\"}";
        let cases = [
            ("inputs.a | truncate(1,5)", "bc"),
            ("inputs.a | truncate(9,1)", ""),
            ("inputs.v | expand_vars | truncate( 0 , 1 ", "q"),
            ("inputs.p | posix_escape", "it\\'s\\ a'\n'"),
            ("inputs.e|posix_escape", "''"),
        ];
        for (block, expected) in cases {
            check(
                inputs,
                &format!("{{x: '$[[ {block} ]]'}}"),
                &format!("{{x: {expected}}}"),
            );
        }
        let errors = [
            (
                "inputs.n | truncate(0,1)",
                "error in `truncate` function: invalid input type: truncate can only be used with string inputs",
            ),
            (
                "inputs.s | expand_vars",
                "error in `expand_vars` function: variable expansion error: masked variables cannot be expanded",
            ),
            (
                "inputs.a | upper",
                "no function matching `upper`: check that the function name, arguments, and types are correct",
            ),
            (
                "inputs.a | posix_escape | posix_escape | posix_escape | x",
                "too many functions in interpolation block",
            ),
        ];
        for (block, message) in errors {
            check(inputs, &format!("{{x: '$[[ {block} ]]'}}"), message);
        }
    }

    #[test]
    fn values_that_hold_blocks_end_before_memory_does() {
        let blocks = "$[[ inputs.a ]]".repeat(50);
        check(
            &format!("{{a: '{blocks}'}}"),
            &format!("{{x: '{blocks}'}}"),
            "config too large",
        );
        let items = vec!["x"; 5000].join(", ");
        let places = vec!["'$[[ inputs.a ]]'"; 1000].join(", ");
        check(
            &format!("{{a: [{items}]}}"),
            &format!("{{x: [{places}]}}"),
            "config too large",
        );
    }

    #[test]
    fn backslashes_of_embedded_values_are_interpreted_as_by_gitlab() {
        check(
            "{a: \"it's\"}",
            "{x: '$[[ inputs.a | posix_escape ]] $[[ inputs.a | posix_escape ]]'}",
            "{x: it its itsss its}",
        );
        check(
            "{a: 'x\\\\0y\\1'}",
            "{x: 'e $[[ inputs.a ]]', y: '$[[ inputs.a ]]'}",
            "{x: e x\\0y, y: x\\\\0y\\1}",
        );
    }
}
