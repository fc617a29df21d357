//! `xray-daemon rollbar validate`: holds a payload against the rules of Rollbar's API, without sending it.

use std::io::Write;

use clap::Args;
use xray_console::rollbar::{MAX_BODY_BYTES, Mode, Violation, violations};

use super::{CommandError, printable, read_file};

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Only warn of rules that Rollbar is merely thought to have
    #[arg(long)]
    lenient: bool,
    /// A whole payload, `{"data": {..}}`, as JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
}

impl Validate {
    /// Prints `valid`, or each rule that is broken. An invalid payload is a [`CommandError::Told`].
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), CommandError> {
        let bytes = read_file(&self.file)?;
        let mode = if self.lenient { Mode::Lenient } else { Mode::Strict };
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        if bytes.len() > MAX_BODY_BYTES {
            problems.push(format!(
                "the payload has {} bytes; Rollbar takes {MAX_BODY_BYTES}: shorten its longest texts and leave out frames",
                bytes.len()
            ));
        }
        match serde_json::from_slice(&bytes) {
            Ok(payload) => {
                for violation in violations(&payload) {
                    let told = told(&violation);
                    if violation.is_refused(mode) { problems.push(told) } else { warnings.push(told) }
                }
            }
            Err(error) => problems.push(format!("no JSON: {error}")),
        }
        if problems.is_empty() {
            writeln!(out, "valid")?;
        } else {
            writeln!(out, "invalid: {} of Rollbar's rules broken", problems.len())?;
        }
        for problem in &problems {
            writeln!(out, "  {problem}")?;
        }
        for warning in &warnings {
            writeln!(out, "  warning: {warning}")?;
        }
        if problems.is_empty() { Ok(()) } else { Err(CommandError::Told) }
    }
}

/// What is wrong and where, how sure the rule is, and the rule's name.
fn told(violation: &Violation) -> String {
    printable(&format!("{violation} [{}]", violation.reason))
}
