//! `conformance DIR`: runs the real code on each vector file below DIR that it knows by name.

// Its output is what it is for.
#![allow(clippy::print_stderr, reason = "a command-line tool tells its user what is wrong")]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(dir), None) = (arguments.next(), arguments.next()) else {
        eprintln!(
            "usage: conformance DIR\n\nRuns each vector file (*.json) below DIR that it knows by name."
        );
        return ExitCode::FAILURE;
    };
    match conformance::run(&PathBuf::from(dir), &mut std::io::stdout().lock()) {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}
