/** The Queue pane, and what other panes say of mail that waits. */
const number = new Intl.NumberFormat("en");
const counted = (n: number, one: string, many: string) => `${number.format(n)} ${n === 1 ? one : many}`;
const recipients = (n: number) => counted(n, "recipient", "recipients");

export const queueEn = {
  lead: "Mail that waits for its next attempt, and why",
  search: "Address, subject, token or reason",
  state: "State",
  table: "Waiting mail",
  states: {
    all: "All that wait",
    waiting: "Waiting",
    held: "On hold",
    sending: "Being sent",
    returning: "Going back",
  },
  state_words: { waiting: "waiting", held: "on hold", sending: "sending", returning: "going back" },
  from_to: "From, to",
  from: "From",
  to: "To",
  subject: "Subject",
  since: "Waiting since",
  next: "Next attempt",
  waits_since: (time: string) => `since ${time}`,
  reason: "Reason",
  no_subject: "(no subject)",
  no_reason: "Not tried yet.",
  null_sender: "<> (no return address)",
  attempts: (n: number) => (n === 0 ? "not tried yet" : counted(n, "attempt", "attempts")),
  due: "now",
  soon: "in under a minute",
  no_more: "none",
  on_hold: "when released",
  empty: "Nothing is waiting",
  empty_text:
    "Everything this server took has been delivered or returned. Mail appears here when its next server cannot take it at once.",
  none_found: "No waiting mail matches.",
  shown: (n: number, of: number) => `${number.format(n)} of ${recipients(of)} shown`,
  total: (n: number) => `${recipients(n)} waiting`,
  more: "Show more",
  mark: (recipient: string) => `Select ${recipient}`,
  mark_all: "Select all shown",
  marked: (n: number) => `${number.format(n)} selected`,
  mark_matching: (n: number) => `Select all ${number.format(n)} that match`,
  unmark: "Select none",
  acts: { retry: "Try now", hold: "Hold", release: "Release", return: "Return to sender", remove: "Delete" },
  acts_label: "With what is selected",
  did: {
    retry: (n: number) => `${recipients(n)} ${n === 1 ? "is" : "are"} tried now.`,
    hold: (n: number) => `${recipients(n)} ${n === 1 ? "is" : "are"} on hold.`,
    release: (n: number) => `${recipients(n)} ${n === 1 ? "is" : "are"} released and tried now.`,
    return: (n: number) => `Mail to ${recipients(n)} goes back to its sender.`,
    remove: (n: number) => `Mail to ${recipients(n)} is deleted.`,
  },
  did_nothing: "Nothing was changed: that mail is gone or under way already.",
  ask: {
    return_title: (n: number) => (n === 1 ? "Return this mail?" : `Return mail to ${recipients(n)}?`),
    remove_title: (n: number) => (n === 1 ? "Delete this mail?" : `Delete mail to ${recipients(n)}?`),
    return_text: (n: number) =>
      `${recipients(n)} will not be tried again. Each sender gets a report that the mail was not delivered. Mail without a return address goes without one.`,
    remove_text: (n: number) =>
      `${recipients(n)} will never get this mail, and nobody is told. This cannot be undone.`,
    matching: "These are all that match so far. Mail that arrives later is left alone.",
    return_yes: (n: number) => (n === 1 ? "Return it" : `Return ${number.format(n)}`),
    remove_yes: (n: number) => (n === 1 ? "Delete it" : `Delete ${number.format(n)}`),
  },
  places: { mailbox: "Mailboxes", relay: "Relay" },
  paused: "Paused destinations",
  paused_help: "It could not be reached at the last attempt, so all mail for it waits a while.",
  paused_waiting: (n: number) => `${number.format(n)} waiting`,
  paused_until: (time: string) => `until ${time}`,
  show_destination: (place: string) => `Show only ${place}`,
  retry_destination: (place: string) => `Try now: ${place}`,
  only: (place: string) => `Only ${place}`,
  show_all: "Show all",
  detail: {
    destination: "Destination",
    expires: "Returned if not delivered by",
    size: "Size",
    token: "Token",
    attempts: "Attempts",
    headers: "Header of the message",
    open_log: "Open in Mail Log",
    left: "This mail has left the queue. The Mail Log tells how it ended.",
    close: "Close",
  },
  history: {
    last: "Deliveries",
    title: "Deliveries, in order",
    none: "Nothing was tried yet.",
    outcomes: { delivered: "delivered", deferred: "postponed", failed: "failed", removed: "removed" },
    to: (recipient: string) => `to ${recipient}`,
    by: (hop: string) => `at ${hop}`,
  },
  overview: {
    title: "Waiting in the queue",
    none: "nothing is waiting",
    oldest: (time: string) => `oldest ${time}`,
    held: (n: number) => `${number.format(n)} on hold`,
    paused: (n: number) => counted(n, "destination paused", "destinations paused"),
    badge: (n: number) => `${recipients(n)} waiting`,
    paused_one: (place: string) => `A destination is paused: ${place}.`,
    paused_many: (n: number, least: boolean) =>
      `${least ? "At least " : ""}${number.format(n)} destinations are paused.`,
    paused_help: (n: number): string =>
      n === 1
        ? "It could not be reached at the last attempt. Mail for it is tried again by itself; in the queue you can try it now."
        : "They could not be reached at the last attempt. Mail for them is tried again by itself; the queue tells why, and there you can try it now.",
  },
  /** How long something has lasted, in short. */
  age: (minutes: number) =>
    minutes < 1
      ? "under a minute"
      : minutes < 120
        ? `${number.format(minutes)} min`
        : minutes < 2880
          ? `${number.format(Math.floor(minutes / 60))} h`
          : counted(Math.floor(minutes / 1440), "day", "days"),
};
