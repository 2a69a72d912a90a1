//! What the test of a relay needs beyond sending: to ask without a message, and a goodbye that is seen.

use std::time::Duration;

use smtp::client::{Input, Mail, Outcome, Recipient, Trouble};
use smtp::{Address, RcptParameters, ReversePath};
use tokio::time::Instant;

use super::{Came, Link, Watch};

/// A size that every server takes.
const SIZE: u64 = 1024;
/// MAIL, RCPT and RSET, each with its answer, and RSET before them on a link that was used.
const WAITS: u32 = 4;

impl Link {
    /// Asks with MAIL, RCPT and RSET whether the hop would take mail from `sender` to `recipient`; nothing is sent. Each
    /// wait ends after `patience`.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn probe(
        &mut self,
        sender: &ReversePath,
        recipient: &Address,
        patience: Duration,
        watch: Watch<'_>,
    ) -> Result<(), Trouble> {
        let mail = Mail {
            sender: sender.clone(),
            size: SIZE,
            eight_bit: false,
            smtputf8: false,
            ret: None,
            envid: None,
            recipients: vec![Recipient {
                address: recipient.clone(),
                parameters: RcptParameters::default(),
            }],
        };
        self.busy = true;
        self.patience = Some(patience);
        self.until = Instant::now() + patience * WAITS;
        let actions = self.client.handle(Input::Probe(mail));
        let came = self.run(actions, None, None, watch).await;
        self.busy = false;
        let outcome = match came {
            Ok(Came::Done(outcomes)) => outcomes.into_iter().next(),
            _ => None,
        };
        match outcome {
            Some(Outcome::Delivered { .. }) => Ok(()),
            Some(Outcome::Deferred(trouble) | Outcome::Failed(trouble)) => Err(trouble),
            None => {
                let text = format!("the connection to {} is not open", self.summary.peer);
                Err(Trouble::new((4, 4, 2), text).whole_hop())
            }
        }
    }

    /// Says goodbye, telling what is said, and waits at most `patience` for the answer.
    pub async fn quit_watched(mut self, patience: Duration, watch: Watch<'_>) {
        if self.is_alive() {
            let actions = self.client.handle(Input::Quit);
            self.patience = Some(patience);
            self.until = Instant::now() + patience;
            // The goodbye is a courtesy; nothing depends on the answer.
            let _ = self.run(actions, None, None, watch).await;
        }
        self.close().await;
    }
}
