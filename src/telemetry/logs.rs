//! Structured logs on standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterFn, ParseError, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// What is logged unless the user says otherwise. A user's directives are added behind these, so that `debug` means
/// *our* details; a library's are had by naming it, as in `debug,kube_client=debug`.
///
/// kube's client logs every answer of 500 and above, and every broken connection, as an error of its own before we have
/// decided what it means; what we make of it is logged anyway.
pub const DEFAULT_FILTER: &str = "info,kube_client::client::builder=off,kube_client=info,kube_runtime=info,tower=info";

/// Libraries whose details could contain what passes through them, bodies and credentials included. No filter gets more
/// than `info` out of them: a secret must never be in a log.
const CONFIDENTIAL: [&str; 5] = ["aws_", "hyper", "h2", "reqwest", "rustls"];

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("the log filter {filter:?} is not valid: {source}; write a level such as `debug`, or `target=level,…`")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody has done it before.
    #[error("logging was set up twice in one process")]
    AlreadySetUp,
}

/// Sets up logging for the whole process. `filter` has the syntax of `RUST_LOG` and is added to [`DEFAULT_FILTER`].
///
/// # Errors
/// [`LogError::Filter`] for a filter that cannot be read, [`LogError::AlreadySetUp`] the second time.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), LogError> {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    subscriber(format, filter, colours, io::stderr)?.try_init().map_err(|_| LogError::AlreadySetUp)
}

fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    colours: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + 'static, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = env_filter(filter)?;
    let lines = lines(format, colours, writer).with_filter(confidential());
    Ok(tracing_subscriber::registry().with(filter).with(lines))
}

fn env_filter(filter: Option<&str>) -> Result<EnvFilter, LogError> {
    let wanted = filter.map(str::trim).filter(|filter| !filter.is_empty());
    let all = wanted.map_or_else(|| DEFAULT_FILTER.to_owned(), |wanted| format!("{DEFAULT_FILTER},{wanted}"));
    EnvFilter::builder()
        .parse(all)
        .map_err(|source| LogError::Filter { filter: wanted.unwrap_or_default().to_owned(), source })
}

fn lines<S, W>(format: LogFormat, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Human => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

fn confidential() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata: &Metadata<'_>| {
        *metadata.level() <= Level::INFO || !CONFIDENTIAL.iter().any(|prefix| metadata.target().starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: Option<&str>, act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(format, filter, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_carry_the_span_of_their_tenant() {
        let line = logged(LogFormat::Json, None, || {
            let _span = info_span!("reconcile", tenant = "alice").entered();
            info!(step = 3, "applied");
        });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "applied");
        assert_eq!(value["step"], 3);
        assert_eq!(value["span"]["tenant"], "alice");
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn lines_for_people_have_no_colours_where_there_is_no_terminal() {
        let line = logged(LogFormat::Human, None, || info!("applied"));
        assert!(line.contains("INFO") && line.contains("applied"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn the_clients_own_errors_are_quiet_unless_asked_for() {
        let fail = || error!(target: "kube_client::client::builder", "failed with status 503");
        assert_eq!(logged(LogFormat::Human, None, fail), "");
        assert_eq!(logged(LogFormat::Human, Some("debug"), fail), "");
        assert!(logged(LogFormat::Human, Some("kube_client::client::builder=error"), fail).contains("503"));
    }

    #[test]
    fn a_level_given_by_the_user_is_for_our_own_lines() {
        let line = logged(LogFormat::Human, Some("debug"), || {
            debug!("ours");
            debug!(target: "kube_runtime::watcher", "theirs");
        });
        assert!(line.contains("ours") && !line.contains("theirs"), "{line}");
        assert_eq!(logged(LogFormat::Human, Some("warn"), || info!("ours")), "");
    }

    #[test]
    fn no_filter_gets_bodies_out_of_the_libraries_that_carry_them() {
        let line = logged(LogFormat::Human, Some("trace,aws_smithy_runtime=trace,hyper=trace"), || {
            debug!(target: "aws_smithy_runtime::client", "SecretString=hunter2");
            tracing::trace!(target: "hyper::proto", "hunter2");
            info!(target: "aws_config", "no region");
        });
        assert!(!line.contains("hunter2"), "{line}");
        assert!(line.contains("no region"), "{line}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused_by_name() {
        let error = env_filter(Some("tenant=loud=er")).unwrap_err().to_string();
        assert!(error.contains("tenant=loud=er"), "{error}");
    }
}
