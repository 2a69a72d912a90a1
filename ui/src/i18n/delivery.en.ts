/** The Delivery pane. */
const number = new Intl.NumberFormat("en");
const counted = (n: number, one: string, many: string) => `${number.format(n)} ${n === 1 ? one : many}`;

export const deliveryEn = {
  lead: "How mail leaves this server, and how long it is tried",
  way: "How mail leaves",
  way_label: "Mail for other domains goes",
  direct: "Straight to each domain",
  direct_help:
    "Needs an address with a good name and an open way out on port 25. Most home lines have neither.",
  relay: "Through a relay",
  relay_help: "One server takes all of it, such as your provider’s. Right for most offices.",
  relay_card: "Relay",
  warn_tls: "Where the relay offers no encryption, mail can be read on the way.",
  mode: {
    auto_starttls: (port: number) => `Automatic: STARTTLS on port ${port}`,
    auto_implicit: (port: number) => `Automatic: TLS from the first byte on port ${port}`,
    auto: "Automatic",
    starttls: "STARTTLS",
    implicit: "TLS from the first byte",
  },
  verify: "Verified: valid for this name",
  pin: "Pinned: only this one",
  any: "Take any certificate",
  pin_label: "SHA-256 fingerprint of the certificate",
  pin_from_test: "The test below shows the fingerprint and can put it here.",
  warn_any: "Anybody on the way can pretend to be the relay and read mail and password. Pinning is as easy.",
  login: "Signing in at the relay",
  password: "Password",
  password_help: "Kept apart from the settings and never shown. Saved with Apply.",
  password_place: {
    keychain: "Stored in the keychain of this desktop.",
    file: "Stored in Postroom’s database, in a folder that only the server’s own user can open.",
  },
  password_stored: "Stored.",
  password_none: "No password is stored.",
  password_new: "A new password is saved with Apply.",
  password_gone: "The stored password is removed with Apply.",
  password_replace: "Replace",
  password_remove: "Remove",
  password_keep: "Keep the stored one",
  password_change: "password",
  warn_password: "Without a password the relay will not let this server sign in, and mail waits.",
  warn_clear: "Whoever listens on the way can read the password.",
  retries: "When a delivery fails",
  hours: "hours",
  minutes: "minutes",
  never: "never",
  warn_on: "Tell the sender of a delay",
  warn_late: "The mail goes back before that, so the sender is never told of the delay.",
  whole_minutes: (text: string) => `“${text}” is not a whole number of minutes.`,
  /** A stretch of time: 90 minutes, an hour, 5 days. */
  span: (minutes: number) =>
    minutes % 1440 === 0
      ? counted(minutes / 1440, "day", "days")
      : minutes % 60 === 0
        ? counted(minutes / 60, "hour", "hours")
        : counted(minutes, "minute", "minutes"),
  every: (minutes: number) =>
    minutes === 1440
      ? "once a day"
      : minutes === 60
        ? "every hour"
        : minutes === 1
          ? "every minute"
          : minutes % 60 === 0
            ? `every ${number.format(minutes / 60)} hours`
            : `every ${number.format(minutes)} minutes`,
  minute_list: (list: number[], more: number) => {
    const shown = list.map((n) => number.format(n)).join(", ");
    return more > 0 ? `${shown} and ${number.format(more)} more waits` : `${shown} minutes`;
  },
  preview: (first: string | null, then: string, until: string) =>
    first === null
      ? `Tried again ${then}, for ${until} at most.`
      : `Tried again after ${first}, then ${then}, for ${until} at most.`,
  attempts: (n: number) => `That is about ${counted(n, "attempt", "attempts")}.`,
  preview_warned: (after: string) => `The sender hears of the delay after ${after}.`,
  preview_unwarned: "The sender hears nothing until then.",
  preview_label: "In words",
  mailboxes: "Mailboxes",
  maildir: "Here, in a folder",
  lmtp: "In another mail store, over LMTP",
  lmtp_label: "Address of the mail store",
  advanced: "Advanced",
  advanced_help: "Name servers",
  test: {
    title: "Test the relay",
    lead: "Runs with what stands above, applied or not. No mail is sent.",
    run: "Test relay",
    running: "Testing…",
    from: "Sender",
    to: "Recipient",
    optional: "optional",
    ask_help: "With both, the relay is also asked whether it would take such mail.",
    first: "Write the relay server first.",
    refused: "Correct what is refused above first.",
    steps_label: "Steps of the test",
    took: (ms: number) => `${number.format(ms)} ms`,
    transcript: "Dialogue",
    copy: "Copy transcript",
    stale: "Something above was changed after this test.",
    passed: (ms: string) => `The relay can be used: everything passed in ${ms}.`,
    failed: (step: string, why: string) => (why === "" ? `Failed: ${step}.` : `Failed: ${step}: ${why}`),
    unfinished: "The test ended early.",
    at: (step: string) => `Now: ${step}`,
    cert: {
      names: "Made for",
      issuer: "Issued by",
      valid: "Valid",
      verdict: "Check",
      verified: "good for this name, from somebody known",
      unverified: "not verified",
      fingerprint: "SHA-256",
    },
    pin: "Pin this certificate",
    pinned: "This certificate is pinned.",
    pin_done: "Pinned. Test again, then apply.",
    steps: {
      dns: "Name in the DNS",
      connect: "Connection",
      greeting: "Greeting",
      ehlo: "EHLO",
      tls: "Encryption (TLS)",
      auth: "Signing in",
      mail: "Sender and recipient",
      quit: "Goodbye (QUIT)",
    },
    results: {
      waiting: "to come",
      running: "running",
      passed: "passed",
      failed: "failed",
      skipped: "not run",
    },
  },
};
