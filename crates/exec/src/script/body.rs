//! The inner text of a stage: exports, commands and their echo, line by line.

use super::quote::Quoting;

const GREEN: &str = "\u{1b}[32;1m";
const RESET: &str = "\u{1b}[0;m";

/// What [`Body::notice`] prints.
pub(super) fn green_line(text: &str) -> String {
    format!("{GREEN}{text}{RESET}\n")
}

/// A script under construction.
#[derive(Debug)]
pub(super) struct Body {
    text: String,
    quoting: Quoting,
}

impl Body {
    pub(super) fn new(quoting: Quoting) -> Self {
        Self {
            text: String::new(),
            quoting,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Appends shell source as it is.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn export(&mut self, key: &str, value: &str) {
        let (key, value) = (self.quoting.quote(key), self.quoting.quote(value));
        self.line(&format!("export {key}={value}"));
    }

    /// Prints a green line.
    pub(super) fn notice(&mut self, text: &str) {
        let text = self.quoting.quote(&format!("{GREEN}{text}{RESET}"));
        self.line(&format!("echo {text}"));
    }

    /// Prints a collapsed section that holds a command of several lines (`FF_SCRIPT_SECTIONS`).
    ///
    /// The time is the moment the command starts, so the shell has to ask for it.
    pub(super) fn section(&mut self, name: &str, text: &str) {
        let headline = self.quoting.quote(&format!("{GREEN}{text}{RESET}"));
        self.line(&format!(
            "printf 'section_start:%s:{name}[hide_duration=true,collapsed=true]\\r\\033[0K%s\\n' \
             \"$(date +%s)\" {headline}"
        ));
        self.line(&format!(
            "printf 'section_end:%s:{name}\\r\\033[0K' \"$(date +%s)\""
        ));
    }

    pub(super) fn change_dir(&mut self, dir: &str) {
        self.line(&format!("cd {}", self.quoting.quote(dir)));
    }

    pub(super) fn make_dir(&mut self, dir: &str) {
        let dir = self.quoting.quote(dir);
        // The test is built into the shell; a directory that is there costs no process.
        self.line(&format!("[ -d {dir} ] || mkdir -p {dir}"));
    }

    pub(super) fn remove_file(&mut self, path: &str) {
        self.line(&format!("rm -f {}", self.quoting.quote(path)));
    }

    /// Removes a file that holds something; one that is empty costs no process.
    pub(super) fn remove_written_file(&mut self, path: &str) {
        let path = self.quoting.quote(path);
        self.line(&format!("[ ! -s {path} ] || rm -f {path}"));
    }

    /// Writes a file without a newline at its end.
    pub(super) fn write_file(&mut self, path: &str, content: &str) {
        let (path, content) = (self.quoting.quote(path), self.quoting.quote(content));
        self.line(&format!("printf '%s' {content} > {path}"));
    }

    /// Exports each line of the file other stages appended to (reference `runner.md` §2.4).
    ///
    /// A line that is no assignment makes `export`, and with it the stage, fail; a last line
    /// without newline is not read.
    pub(super) fn load_env_file(&mut self, path: &str) {
        self.export("GITLAB_ENV", path);
        let path = self.quoting.quote(path);
        // As `touch`, without a process.
        self.line(&format!(": >> {path}"));
        self.line(&format!(
            "while read -r line; do export \"$line\"; done < {path}"
        ));
    }

    /// Ends the stage when the last command failed, whatever `set +e` says.
    pub(super) fn check_exit_code(&mut self) {
        self.line("_runner_exit_code=$?");
        self.line("if [ $_runner_exit_code -ne 0 ]; then exit $_runner_exit_code; fi");
    }
}
