//! The result of systemd's job, as `systemctl` reports it.

use crate::text::one_line;

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// Systemd performed the job.
    Done,
    /// A unit that this one needs did not start.
    Dependency,
    /// Another job replaced it.
    Cancelled,
    /// The connection to systemd was lost. The job may continue.
    Disconnected,
    /// The unit failed, or systemd refused the job, with systemctl's message.
    Failed(String),
}

/// Parts of systemctl's messages about a lost or refused connection to systemd.
const DISCONNECTED: [&str; 7] = [
    "D-Bus connection terminated",
    "Transport endpoint is not connected",
    "Connection reset by peer",
    "Connection refused",
    "Connection timed out",
    "Broken pipe",
    "Message recipient disconnected",
];

impl JobEnd {
    /// Classifies the error message of systemctl.
    pub(crate) fn classify(message: &str) -> Self {
        let sentence = first_sentence(message);
        if DISCONNECTED.iter().any(|part| message.contains(part)) {
            Self::Disconnected
        } else if sentence.starts_with("A dependency job for ") {
            Self::Dependency
        } else if sentence.starts_with("Job for ") && sentence.ends_with(" canceled") {
            Self::Cancelled
        } else {
            Self::Failed(one_line(&sentence))
        }
    }
}

/// Returns the first sentence of systemctl's error. Commands to type follow it.
pub(super) fn first_sentence(message: &str) -> String {
    let mut lines = message.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with("Warning: "));
    let line = line.unwrap_or("it failed");
    let sentence = line.split_once(". See ").map_or(line, |(first, _)| first);
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages are those of systemd 257.
    #[test]
    fn the_message_of_systemctl_gives_the_result_of_a_job() {
        for (message, end) in [
            ("Job for app.service canceled.\n", JobEnd::Cancelled),
            (
                "A dependency job for app.service failed. See 'journalctl -xe' for details.\n",
                JobEnd::Dependency,
            ),
            (
                "D-Bus connection terminated while waiting for jobs.\n\
                 Failed to wait for response: Connection reset by peer\n",
                JobEnd::Disconnected,
            ),
            (
                "Failed to get properties: Transport endpoint is not connected\n",
                JobEnd::Disconnected,
            ),
            (
                "Failed to connect to system scope bus via local transport: Connection refused\n",
                JobEnd::Disconnected,
            ),
        ] {
            assert_eq!(JobEnd::classify(message), end, "{message}");
        }
    }

    #[test]
    fn a_failure_is_reported_in_one_sentence() {
        for (message, sentence) in [
            (
                "Warning: The unit file, source configuration file or drop-ins of app.service changed on \
                 disk. Run 'systemctl daemon-reload' to reload units.\n\
                 Job for app.service failed because the control process exited with error code.\n\
                 See \"systemctl status app.service\" for details.\n",
                "Job for app.service failed because the control process exited with error code",
            ),
            (
                "Failed to restart app.service: Unit app.service is masked.\n",
                "Failed to restart app.service: Unit app.service is masked",
            ),
            ("", "it failed"),
        ] {
            assert_eq!(
                JobEnd::classify(message),
                JobEnd::Failed(sentence.to_owned())
            );
        }
    }
}
