//! `cargo run -p cruddur`: reads the environment and the command line, runs the app, says what it does.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use cruddur::settings::{Command, HELP, Load, Settings};
use cruddur::{App, demo, load};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse(std::env::args_os().skip(1)) {
        Err(error) => return refuse(&error, 2),
        Ok(Command::Help) => {
            say(HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Serve) => serve(false).await,
        Ok(Command::Demo) => serve(true).await,
        Ok(Command::Load(load)) => drive(load).await,
    };
    done.unwrap_or_else(|error| refuse(error.as_ref(), 1))
}

/// Serves until Ctrl-C.
async fn serve(with_demo: bool) -> Result<ExitCode, Box<dyn Error>> {
    let app = cruddur::start(Settings::from_env()?).await?;
    say(invitation(&app));
    tokio::select! {
        signalled = interrupted() => signalled?,
        failed = demo::run(app.backend()), if with_demo => failed.map(drop)?,
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Makes load for a while, and tells what became of it.
async fn drive(load: Load) -> Result<ExitCode, Box<dyn Error>> {
    let app = cruddur::start(Settings::from_env()?).await?;
    say(format_args!("{} clients for {} s ...", load.clients, load.duration.as_secs()));
    let tally = load::run(app.backend(), load).await?;
    app.stop().await;
    say(format_args!("{tally:?}"));
    Ok(ExitCode::SUCCESS)
}

/// Returns on Ctrl-C, or when the process is told to end.
async fn interrupted() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminate.recv() => Ok(()),
    }
}

/// What to try.
fn invitation(app: &App) -> String {
    let base = format!("http://{}", app.backend());
    format!(
        "\
Cruddur listens on {base}; its recommendations service on http://{recommendations}

Try, in another terminal (Ctrl-C ends):
  curl -s {base}/api/activities/notifications     a captured function and metadata
  curl -s {base}/api/activities/home
  curl -s {base}/api/activities/@sam
  curl -s '{base}/api/activities/search?term=traces'
  curl -s {base}/api/activities -H 'content-type: application/json' -d '{{\"message\": \"Hello\"}}'
  curl -s {base}/api/message_groups
  curl -s {base}/api/recommendations              a trace across two services
  curl -s {base}/api/broken                       a fault, and why
  curl -s {base}/api/busy                         a throttled request
",
        recommendations = app.recommendations(),
    )
}

/// Prints a line. A reader that has gone away is no reason to end.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints why the program ends, and ends it.
fn refuse(error: &(impl Error + ?Sized), code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "cruddur: {error}");
    ExitCode::from(code)
}
