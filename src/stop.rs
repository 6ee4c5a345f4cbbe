//! How the program is asked to end: Ctrl-C or SIGTERM. A second one ends it at once.

use tokio::sync::watch;

/// Something that many can wait for.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when the end is asked for.
    pub async fn wait(mut self) {
        // An error means that the sender is gone, which is an end too.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Whether the end is asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// Watches the signals from now on; a runtime must be running.
pub fn on_signals() -> Stop {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        // Nobody may be waiting any more.
        let _ = sender.send(true);
        signal().await;
        eprintln!("platen: stopped at once, as asked twice; nothing acknowledged is lost");
        std::process::exit(130);
    });
    Stop(receiver)
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
