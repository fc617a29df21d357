//! `cargo run -p cruddur`: reads the environment and the command line, runs the app, says what it does.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use cruddur::settings::{Command, HELP, Load, Settings};
use cruddur::statistics::Details;
use cruddur::{App, Destination, demo, load};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    // The toolkit tells through `tracing` why nothing arrives; it should be seen.
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
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
    let app =
        cruddur::start(Settings::from_env()?, |daemon| daemon.print_waterfalls(std::io::stdout())).await?;
    let mut interrupt = Interrupt::listen()?;
    say(invitation(&app));
    tokio::select! {
        () = interrupt.came() => {}
        failed = demo::run(app.backend()), if with_demo => failed.map(drop)?,
    }
    say(app.stop().await);
    Ok(ExitCode::SUCCESS)
}

/// Makes load for a while, and tells what became of it.
async fn drive(load: Load) -> Result<ExitCode, Box<dyn Error>> {
    // Without a writer the daemon draws nothing: it counts.
    let app = cruddur::start(Settings::from_env()?, |daemon| daemon).await?;
    if !matches!(app.traces(), Destination::Here(_)) {
        say(whereabouts_of_traces(app.traces()));
    }
    if !matches!(app.reports(), Destination::Here(_)) {
        say(whereabouts_of_reports(app.reports()));
    }
    say(format_args!("{} clients for {} s ...", load.clients, load.duration.as_secs()));
    let tally = load::run(app.backend(), load).await?;
    let statistics = app.stop().await;
    say(tally);
    say(Details(&statistics));
    let all_well = tally.answered == tally.requests() && statistics.all_accounted_for();
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ctrl-C, or another program's wish that this one ends.
struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// From here on a signal no longer kills the process: it is waited for.
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Where the traces are to be seen.
fn whereabouts_of_traces(destination: &Destination) -> String {
    match destination {
        Destination::Here(address) => {
            format!("Traces go to the daemon in this process (UDP {address}), which draws them here.")
        }
        Destination::Taken(address) => {
            format!(
                "UDP {address} is taken: traces go to the program that listens there, and are not drawn here."
            )
        }
        Destination::Configured(address) => {
            format!("Traces go to the daemon at {address} (AWS_XRAY_DAEMON_ADDRESS).")
        }
        Destination::Nowhere => {
            "Nothing is recorded: AWS_XRAY_SDK_ENABLED or AWS_XRAY_SDK_DISABLED says so.".to_owned()
        }
    }
}

/// Where the reports are to be seen.
fn whereabouts_of_reports(destination: &Destination) -> String {
    match destination {
        Destination::Here(address) => {
            format!(
                "Reports go to a double of Rollbar's API in this process (http://{address}), which draws them here; \
                 set\nROLLBAR_ACCESS_TOKEN to send them to Rollbar."
            )
        }
        Destination::Taken(address) => {
            format!(
                "TCP {address} is taken: reports go to the program that listens there, and are not drawn here."
            )
        }
        Destination::Configured(endpoint) => {
            format!("Reports go to {endpoint}, as ROLLBAR_ACCESS_TOKEN or ROLLBAR_ENDPOINT says.")
        }
        Destination::Nowhere => "Nothing is reported: ROLLBAR_ENABLED says so.".to_owned(),
    }
}

/// What to try first, and what its trace shows.
const TRIES: [(&str, &str); 9] = [
    ("/api/activities/notifications", "a captured function, and metadata"),
    ("/api/recommendations", "a trace across two services"),
    ("/api/broken", "a fault, and why; reported to Rollbar"),
    ("/rollbar/test", "a message to Rollbar"),
    ("/api/busy", "a throttled request"),
    ("/api/activities/@nobody", "a mistake of the caller"),
    ("/api/activities/@sam", "an argument as annotation"),
    ("/api/activities/search?term=traces", "an argument as metadata"),
    ("/api/activities/home", "the request alone"),
];

/// What to try.
fn invitation(app: &App) -> String {
    let base = format!("http://{}", app.backend());
    let mut text = format!(
        "Cruddur listens on {base}; its recommendations service on http://{}.\n{}\n{}\n\n\
         Try, in another terminal (Ctrl-C here ends):\n",
        app.recommendations(),
        whereabouts_of_traces(app.traces()),
        whereabouts_of_reports(app.reports()),
    );
    for (path, shows) in TRIES {
        let curl = format!("curl -s '{base}{path}'");
        text += &format!("  {curl:<66}  # {shows}\n");
    }
    text += &format!(
        "  curl -s {base}/api/activities -H 'content-type: application/json' -d '{{\"message\": \"Hello, @ada\"}}'\n"
    );
    text
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
