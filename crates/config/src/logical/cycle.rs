//! Circular needs, found in the order Ruby's `tsort` finds them (reference `config.md` §10.2).

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_source::Diagnostic;

use super::needed_names;
use crate::Config;
use crate::ruby::inspect_texts;

/// Looks for jobs that wait for themselves.
///
/// # Errors
/// The first circle.
pub(super) fn check(config: &Config) -> Result<(), Diagnostic> {
    if config.jobs.values().all(|job| job.needs.is_none()) {
        return Ok(());
    }
    let mut search = Search {
        config,
        numbers: FxHashMap::default(),
        count: 0,
        stack: Vec::new(),
    };
    for name in config.jobs.keys() {
        if !search.numbers.contains_key(name) {
            search.visit(name.clone())?;
        }
    }
    Ok(())
}

/// Tarjan's search for strongly connected components, without recursion: chains of needs can be long.
struct Search<'c> {
    config: &'c Config,
    /// Order of first visit; `None` once the component is complete.
    numbers: FxHashMap<Arc<str>, Option<usize>>,
    count: usize,
    stack: Vec<Arc<str>>,
}

struct Frame {
    name: Arc<str>,
    number: usize,
    lowest: usize,
    height: usize,
    children: std::vec::IntoIter<Arc<str>>,
}

impl Search<'_> {
    fn visit(&mut self, start: Arc<str>) -> Result<(), Diagnostic> {
        let mut frames = vec![self.enter(start)?];
        while let Some(frame) = frames.last_mut() {
            if let Some(child) = frame.children.next() {
                match self.numbers.get(&child) {
                    Some(Some(number)) => frame.lowest = frame.lowest.min(*number),
                    Some(None) => {}
                    None => frames.push(self.enter(child)?),
                }
                continue;
            }
            let Some(done) = frames.pop() else { break };
            if done.lowest == done.number {
                self.close(&done)?;
            }
            if let Some(parent) = frames.last_mut() {
                parent.lowest = parent.lowest.min(done.lowest);
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: Arc<str>) -> Result<Frame, Diagnostic> {
        let number = self.count;
        self.count += 1;
        self.numbers.insert(name.clone(), Some(number));
        let height = self.stack.len();
        self.stack.push(name.clone());
        let children = match self.config.jobs.get(&name) {
            Some(job) => needed_names(job),
            None => Vec::new(),
        };
        if children.contains(&name) {
            return Err(self.circle(&format!("self-dependency: {name}"), &[name]));
        }
        Ok(Frame {
            name,
            number,
            lowest: number,
            height,
            children: children.into_iter(),
        })
    }

    fn close(&mut self, frame: &Frame) -> Result<(), Diagnostic> {
        let component = self.stack.split_off(frame.height);
        if component.len() > 1 {
            let list = inspect_texts(component.iter().map(|name| &**name));
            let text = format!("topological sort failed: {list}");
            return Err(self.circle(&text, &component));
        }
        self.numbers.insert(frame.name.clone(), None);
        Ok(())
    }

    fn circle(&self, what: &str, names: &[Arc<str>]) -> Diagnostic {
        let text = format!("The pipeline has circular dependencies: {what}");
        let mut diagnostic = Diagnostic::error("circular-needs", text);
        for name in names {
            if let Some(job) = self.config.jobs.get(name) {
                let span = job.needs.as_ref().map_or(job.span, |needs| needs.span);
                diagnostic = diagnostic.at_with(span, format!("needs of `{name}`"));
            }
        }
        diagnostic
    }
}
