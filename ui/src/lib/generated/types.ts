// Generated from the Rust types by `cargo xtask bindings`; do not edit.

export type Problem = { 
/**
 * The setting, in the one spelling it has everywhere: `general.max_recipients`.
 */
path: string, 
/**
 * A stable word for the kind of problem, for catalogues of other languages.
 */
code: string, 
/**
 * What is wrong and what to do, in English.
 */
message: string, 
/**
 * The values that the message names, for catalogues of other languages.
 */
args: { [key in string]: string }, };

export type General = { 
/**
 * Clients may sign in with user name and password, and must do so to send mail to other domains.
 */
smtp_auth: boolean, 
/**
 * Devices in the local network may send without signing in, for example printers and scanners.
 */
skip_auth_for_local_network: boolean, 
/**
 * A signed-in user can only send under the own address, in the envelope and in the From header.
 */
sender_must_match_login: boolean, 
/**
 * Passwords are taken over an encrypted connection only. This machine itself is exempt on port 25.
 */
auth_requires_tls: boolean, 
/**
 * Refuse messages that a mail program or another service forwards by itself. Mail that a person forwards passes.
 */
disable_auto_forwarding: boolean, 
/**
 * The domain of your addresses: the part after the @.
 */
domain: string, 
/**
 * More domains with the same users: mail to a user at any of them arrives in the same mailbox.
 */
additional_domains: Array<string>, 
/**
 * The full name of this machine in the DNS, as other mail servers see it.
 */
hostname: string, 
/**
 * The text after the host name in the first line that a client sees.
 */
banner: string, 
/**
 * More recipients than this are refused. Counted before groups are resolved.
 */
max_recipients: number, 
/**
 * A message that has passed through more servers than this goes round in a circle and is refused. Normal mail has 3 to 8.
 */
max_hops: number, 
/**
 * Largest message in MB (1 MB is 1,048,576 bytes), with all attachments as they are sent.
 */
max_message_size_mb: number, 
/**
 * Largest single attachment in MB, as the file on disk. Empty means no limit.
 */
max_attachment_size_mb: number | null, };

export type Certificate = "self_signed" | { 
/**
 * PEM file with the certificate and those that lead to its root.
 */
chain: string, 
/**
 * PEM file with the private key.
 */
key: string, };

export type Mailbox = { "maildir": string | null } | { "lmtp": string };

export type Service = { 
/**
 * Addresses and ports on which other mail servers deliver, usually port 25.
 */
smtp: Array<string>, 
/**
 * Addresses and ports on which your users send with STARTTLS, usually port 587.
 */
submission: Array<string>, 
/**
 * Addresses and ports on which your users send over TLS from the first byte, usually port 465.
 */
submissions: Array<string>, 
/**
 * The certificate that clients see: one that Postroom makes itself, or your own files (PEM), read again when they change.
 */
certificate: Certificate, 
/**
 * Networks that count as local. Automatic means this machine and the private networks it is attached to.
 */
local_networks: Array<string> | null, 
/**
 * Addresses and networks that the connection policy does not limit, for example a monitor or a second mail server.
 */
exempt_hosts: Array<string>, 
/**
 * Name servers that are asked for the servers of other domains. Empty means those of the system.
 */
dns_servers: Array<string>, 
/**
 * Where received mail goes: into a folder of Maildirs, one for each user, or to another mail store over LMTP.
 */
mailbox: Mailbox, 
/**
 * Where clamd scans messages for malware: `host:port`, or `unix:` and the full path of its socket.
 */
clamd: string | null, 
/**
 * Days after which entries of the mail log are removed.
 */
journal_days: number, };

export type RelayTlsMode = "auto" | "starttls" | "implicit";

export type RelayCertificate = "verify" | "any" | { "pin": string };

export type Delivery = { 
/**
 * Mail for other domains goes to one relay server, for example that of your provider. Off, it goes straight to the servers of each domain.
 */
relay_enabled: boolean, 
/**
 * Host name or IP address of the relay. It is used as it stands; its MX is not asked for.
 */
relay_server: string, 
/**
 * Port of the relay: 587 with STARTTLS, 465 with TLS from the first byte, or 25.
 */
relay_port: number, 
/**
 * Mail goes to the relay over an encrypted connection or waits. Off, the connection is encrypted where the relay offers it.
 */
relay_tls: boolean, 
/**
 * How encryption begins: automatic means TLS from the first byte on port 465 and STARTTLS on all others.
 */
relay_tls_mode: RelayTlsMode, 
/**
 * What the relay's certificate must show: that it is made for this name by somebody known, that it is the one you chose, or nothing at all.
 */
relay_certificate: RelayCertificate, 
/**
 * Sign in to the relay with a user name and a password before sending.
 */
relay_auth: boolean, 
/**
 * The user name at the relay. The password is kept apart from the settings and is never shown.
 */
relay_username: string, 
/**
 * Also send the password when the connection to the relay is not encrypted, or encrypted with a certificate that proves nothing. Whoever stands in the way can read it then.
 */
relay_auth_in_clear: boolean, 
/**
 * Port of the mail servers of other domains, when mail goes straight to them. It is 25 in the whole internet; another one is for closed networks.
 */
direct_port: number, 
/**
 * Minutes from one failed attempt to the next, in order; the last number is used again and again.
 */
retry_schedule_minutes: Array<number>, 
/**
 * Hours after which mail that could not be delivered goes back to its sender.
 */
give_up_after_hours: number, 
/**
 * Hours after which the sender is told once that mail is still waiting. Empty means never.
 */
warn_after_hours: number | null, };

export type ListKind = "black" | "white";

export type Criterion = "ip" | "ip_mask" | "sender" | "recipient" | "domain";

export type ListAction = "reject" | "discard";

export type ListRule = { 
/**
 * Its name, 1 to 64 characters, unlike that of any other rule, upper and lower case aside.
 */
name: string, 
/**
 * On which list it stands.
 */
list: ListKind, 
/**
 * What of a message it looks at.
 */
criterion: Criterion, 
/**
 * What it looks for, in the form that the criterion has.
 */
value: string, 
/**
 * What becomes of a message that matches; of no meaning on the white list.
 */
action: ListAction, 
/**
 * A rule that is not enabled matches nothing.
 */
enabled: boolean, 
/**
 * For people to read.
 */
comment: string, };

export type UnknownDomainScope = "all_recipients" | "unknown_recipients_only";

export type SenderPolicy = { 
/**
 * Refuse senders whose domain is not a full name, such as boss@office instead of boss@office.example.
 */
reject_non_fqdn: boolean, 
/**
 * Refuse senders whose domain the DNS does not know: no answer could ever reach them.
 */
reject_unknown_domain: boolean, 
/**
 * For which recipients an unknown domain counts: all, or only those that do not exist here anyway.
 */
unknown_domain_scope: UnknownDomainScope, };

export type ClientHostname = "reverse" | "forward_confirmed";

export type ConnectionPolicy = { 
/**
 * Refuse clients whose address has no name in the DNS.
 */
reject_unknown_client_hostname: boolean, 
/**
 * What the name must be: any, or one that leads back to the client's address. Many honest servers fail the second.
 */
client_hostname: ClientHostname, 
/**
 * Connections that one client may keep open at the same time.
 */
max_connections: number | null, 
/**
 * Messages that one client may send in a minute.
 */
max_messages_per_minute: number | null, 
/**
 * Connections that one client may open in a minute.
 */
max_connections_per_minute: number | null, };

export type Advanced = { 
/**
 * Refuse clients that send commands before they may: programs that do not listen for the answer are rarely mail servers.
 */
reject_unauthorized_pipelining: boolean, 
/**
 * Refuse clients that greet with a name that is not full, such as localhost.
 */
reject_non_fqdn_helo: boolean, 
/**
 * Refuse clients that greet with a name the DNS does not know. Some honest servers do.
 */
reject_unknown_helo: boolean, 
/**
 * Different accounts that do not exist here to which one client may write in a day; then it is blocked until midnight.
 */
max_nonexistent_accounts: number | null, 
/**
 * Commands without effect (NOOP, VRFY, ETRN, RSET) that a client may send before a message. Every tenth is answered a second late.
 */
max_junk_commands: number, };

export type DnsblZone = { 
/**
 * Its domain, for example `zen.spamhaus.org`.
 */
zone: string, 
/**
 * Answers that count, as addresses (`127.0.0.2`) or ranges (`127.0.0.2-127.0.0.11`). Empty means every answer in 127.0.0.0/8.
 */
answers: Array<string>, };

export type Check = "off" | "record" | "enforce";

export type Antivirus = "off" | "reject" | "discard";

export type AntivirusUnavailable = "defer" | "accept";

export type Checks = { 
/**
 * Lists in the DNS of addresses that send spam.
 */
dnsbl_zones: Array<DnsblZone>, 
/**
 * SPF: whether the sender's domain lets this client send (RFC 7208).
 */
spf: Check, 
/**
 * DKIM: whether the signatures of the message are right (RFC 6376).
 */
dkim: Check, 
/**
 * DMARC: what the domain of the From field asks for when neither SPF nor DKIM speaks for it.
 */
dmarc: Check, 
/**
 * What becomes of a message in which clamd finds malware. Off, nothing is scanned.
 */
antivirus: Antivirus, 
/**
 * What becomes of a message when clamd cannot be asked.
 */
antivirus_unavailable: AntivirusUnavailable, };

export type Security = { 
/**
 * Tab *Black and White Lists*.
 */
lists: Array<ListRule>, 
/**
 * Tab *Sender Policy*.
 */
sender_policy: SenderPolicy, 
/**
 * Tab *Connection Policy*.
 */
connection_policy: ConnectionPolicy, 
/**
 * Tab *Advanced*.
 */
advanced: Advanced, 
/**
 * Tab *Checks*.
 */
checks: Checks, };

export type User = { 
/**
 * Login name and the part before the @, in lower case.
 */
name: string, 
/**
 * Name for people to read.
 */
display_name: string, 
/**
 * A disabled user cannot sign in; mail to the user is still taken.
 */
enabled: boolean, };

export type Group = { 
/**
 * The part before the @, in lower case.
 */
name: string, 
/**
 * Names of users.
 */
members: Array<string>, };

export type Settings = { 
/**
 * Section *service*.
 */
service: Service, 
/**
 * Section *general*.
 */
general: General, 
/**
 * Section *delivery*.
 */
delivery: Delivery, 
/**
 * Section *security*.
 */
security: Security, 
/**
 * Section *users*.
 */
users: Array<User>, 
/**
 * Section *groups*.
 */
groups: Array<Group>, };

export type FieldInfo = { 
/**
 * Path, for example `general.max_hops`.
 */
path: string, 
/**
 * Help text: the doc comment of the field.
 */
help: string, 
/**
 * Smallest number allowed, for numbers.
 */
min: number | null, 
/**
 * Largest number allowed, for numbers.
 */
max: number | null, 
/**
 * The value of a fresh installation.
 */
default: unknown, };

export type FailureKind = "problems" | "conflict" | "unavailable" | "io";

export type Failure = { 
/**
 * See [`FailureKind`].
 */
kind: FailureKind, 
/**
 * What happened and what to do.
 */
message: string, 
/**
 * The fields concerned.
 */
problems: Array<Problem>, };

export type Owner = "this_window" | "other_process" | "none";

export type Listener = { 
/**
 * `smtp`, `submission` or `submissions`.
 */
service: "smtp" | "submission" | "submissions", 
/**
 * As it is bound, or as it was configured.
 */
address: string, 
/**
 * Why it is not open, in words.
 */
problem: string | null, };

export type Status = { 
/**
 * starting, running, stopped or failed.
 */
state: "starting" | "running" | "stopped" | "failed", 
/**
 * Since when, milliseconds since 1970.
 */
since_ms: number, 
/**
 * Its addresses.
 */
listeners: Array<Listener>, 
/**
 * Why it failed, or what needs attention.
 */
problem: Problem | null, 
/**
 * Who runs it.
 */
owner: Owner, 
/**
 * Process that runs it.
 */
pid: number | null, 
/**
 * Data folder.
 */
data_dir: string, 
/**
 * Version of this program.
 */
version: string, 
/**
 * Primary domain, once set.
 */
domain: string | null, 
/**
 * Networks that count as local now.
 */
local_networks: Array<string>, 
/**
 * Revision the server works under.
 */
revision: number, 
/**
 * Whether the first-run questions are open.
 */
first_run: boolean, };

export type SettingsView = { 
/**
 * Number of the revision.
 */
revision: number, 
/**
 * All sections.
 */
settings: Settings, 
/**
 * Help, bounds and default of each setting.
 */
fields: Array<FieldInfo>, };

export type Applied = { 
/**
 * The new revision, in force.
 */
revision: number, 
/**
 * What is allowed but worth a second look.
 */
notes: Array<string>, };

export type Summary = { 
/**
 * Number of the entry.
 */
id: number, 
/**
 * The word that opens it.
 */
token: string, 
/**
 * When it began, milliseconds since 1970.
 */
at_ms: number, 
/**
 * connection, transaction or login.
 */
kind: "connection" | "transaction" | "login", 
/**
 * Address of the client.
 */
client_ip: string, 
/**
 * MAIL FROM.
 */
sender: string | null, 
/**
 * RCPT TO, refused ones as well.
 */
recipients: Array<string>, 
/**
 * Bytes of the message, if one came.
 */
size: number | null, 
/**
 * Its subject.
 */
subject: string | null, 
/**
 * How it ended.
 */
outcome: "accepted" | "refused" | "deferred" | "aborted" | "dropped", 
/**
 * The reply that ended it.
 */
reply: string, 
/**
 * The setting that decided, or empty.
 */
decided_by: string, };

export type JournalFilter = { 
/**
 * Part of a sender, recipient, address, subject, Message-ID or reply.
 */
text: string | null, 
/**
 * accepted, refused, deferred, aborted or dropped.
 */
outcome: Summary["outcome"] | null, 
/**
 * Part of the sender.
 */
sender?: string | null, 
/**
 * Part of a recipient.
 */
recipient?: string | null, 
/**
 * Not before, milliseconds since 1970.
 */
since_ms: number | null, 
/**
 * Only entries before this one, for the next page.
 */
before_id: number | null, 
/**
 * Rows wanted, at most 200.
 */
limit: number, };

export type JournalPage = { 
/**
 * Newest first.
 */
rows: Array<Summary>, 
/**
 * Whether older ones exist.
 */
more: boolean, };

export type Step = { 
/**
 * Where in the session: connect, helo, auth, sender, recipient, data, message, delivery, protocol.
 */
stage: string, 
/**
 * Name of the rule.
 */
check: string, 
/**
 * `pass`, `refuse`, `skip` or `note`.
 */
result: "pass" | "refuse" | "skip" | "note", 
/**
 * The value looked at.
 */
input: string, 
/**
 * The outcome in words.
 */
text: string, 
/**
 * Path of the setting that the rule reads, if any.
 */
setting: string | null, };

export type QueueAttempt = { 
/**
 * When, milliseconds since 1970.
 */
at_ms: number, 
/**
 * For whom.
 */
recipient: string, 
/**
 * delivered, deferred, failed or removed.
 */
outcome: "delivered" | "deferred" | "failed" | "removed", 
/**
 * Who took it or not: a mailbox, or a server and how the way there was protected.
 */
hop: string, 
/**
 * What was said, or empty.
 */
reply: string, };

export type Entry = { 
/**
 * Name the client gave itself.
 */
helo: string | null, 
/**
 * User who signed in.
 */
login: string | null, 
/**
 * Message-ID.
 */
message_id: string | null, 
/**
 * Settings it was decided under.
 */
revision: number, 
/**
 * What was known.
 */
facts: unknown, 
/**
 * The checks, in order.
 */
steps: Array<Step>, 
/**
 * What became of the message since it was taken, oldest first; the newest 200.
 */
attempts: Array<QueueAttempt>, 
/**
 * Number of the entry.
 */
id: number, 
/**
 * The word that opens it.
 */
token: string, 
/**
 * When it began, milliseconds since 1970.
 */
at_ms: number, 
/**
 * connection, transaction or login.
 */
kind: "connection" | "transaction" | "login", 
/**
 * Address of the client.
 */
client_ip: string, 
/**
 * MAIL FROM.
 */
sender: string | null, 
/**
 * RCPT TO, refused ones as well.
 */
recipients: Array<string>, 
/**
 * Bytes of the message, if one came.
 */
size: number | null, 
/**
 * Its subject.
 */
subject: string | null, 
/**
 * How it ended.
 */
outcome: "accepted" | "refused" | "deferred" | "aborted" | "dropped", 
/**
 * The reply that ended it.
 */
reply: string, 
/**
 * The setting that decided, or empty.
 */
decided_by: string, };

export type TopRefusal = { 
/**
 * The setting, or empty for errors of the protocol.
 */
decided_by: string, 
/**
 * How often.
 */
count: number, };

export type Hour = { 
/**
 * Its start, milliseconds since 1970.
 */
hour_ms: number, 
/**
 * Messages taken.
 */
accepted: number, 
/**
 * Messages and sessions refused.
 */
refused: number, };

export type Notice = { 
/**
 * A stable word, for catalogues of other languages.
 */
code: string, 
/**
 * info, warning or error.
 */
severity: "info" | "warning" | "error", 
/**
 * What is the matter.
 */
message: string, 
/**
 * What to do.
 */
action: string | null, 
/**
 * The pane where it is done.
 */
pane: string | null, };

export type PausedDestination = { 
/**
 * mailbox, relay or domain:NAME.
 */
destination: string, 
/**
 * Recipients that wait for it.
 */
waiting: number, 
/**
 * Tried again then, milliseconds since 1970; in the past while it is being tried.
 */
until_ms: number, 
/**
 * What was said at the last attempt.
 */
reason: string, };

export type QueueGlance = { 
/**
 * Recipients on their way.
 */
waiting: number, 
/**
 * Recipients that somebody holds.
 */
held: number, 
/**
 * When the oldest message in it was accepted, milliseconds since 1970.
 */
oldest_at_ms: number | null, 
/**
 * Destinations that cannot be reached, at most 20.
 */
paused: Array<PausedDestination>, };

export type Overview = { 
/**
 * Messages taken since midnight.
 */
accepted_today: number, 
/**
 * Refused since midnight.
 */
refused_today: number, 
/**
 * What refused most today.
 */
top_refusals: Array<TopRefusal>, 
/**
 * The last 24 hours, oldest first.
 */
hours: Array<Hour>, 
/**
 * What needs attention.
 */
notices: Array<Notice>, 
/**
 * Number of users.
 */
users: number, 
/**
 * The queue.
 */
queue: QueueGlance, };

export type QueueRow = { 
/**
 * Number of the recipient.
 */
id: number, 
/**
 * Number of the message, the same for all its recipients.
 */
message: number, 
/**
 * Opens the entry of the mail log.
 */
token: string, 
/**
 * MAIL FROM; empty for the null sender.
 */
sender: string, 
/**
 * The recipient.
 */
recipient: string, 
/**
 * Where it goes: mailbox, relay or domain:NAME.
 */
destination: string, 
/**
 * Octets.
 */
size: number, 
/**
 * Its subject, or empty.
 */
subject: string, 
/**
 * When it was accepted, milliseconds since 1970.
 */
accepted_at_ms: number, 
/**
 * waiting, sending, held or returning.
 */
state: "waiting" | "sending" | "held" | "returning", 
/**
 * Attempts so far.
 */
attempts: number, 
/**
 * When it is tried next, milliseconds since 1970; means something while it waits.
 */
next_at_ms: number, 
/**
 * When it goes back to the sender, milliseconds since 1970.
 */
expires_at_ms: number, 
/**
 * What was said at the last attempt, of it or of its destination; or empty.
 */
reason: string, };

export type QueueFilter = { 
/**
 * Part of an address, the sender, the subject, the token, the destination or the reason; empty for all.
 */
text: string, 
/**
 * waiting, sending, held or returning; empty or all for every one.
 */
state: QueueRow["state"] | "all" | "", 
/**
 * Only this destination: mailbox, relay or domain:NAME.
 */
destination: string | null, 
/**
 * Only those up to this number: the highest of the list that a person saw, so that what they do touches nothing
 * that came later.
 */
up_to?: number | null, };

export type QueuePage = { 
/**
 * Newest first.
 */
rows: Array<QueueRow>, 
/**
 * All that match.
 */
total: number, 
/**
 * Whether older ones follow.
 */
more: boolean, };

export type QueueEntry = { 
/**
 * The row.
 */
row: QueueRow, 
/**
 * The attempts for this recipient, oldest first.
 */
attempts: Array<QueueAttempt>, 
/**
 * The header block of the message, at most 16 KB of it.
 */
head: string, };

export type QueueAct = "retry" | "hold" | "release" | "return" | "remove";

export type QueueWhich = { "ids": Array<number> } | { "matching": QueueFilter };

export type RelayPasswordStatus = { 
/**
 * Whether one is stored.
 */
is_set: boolean, 
/**
 * Where it is: in the desktop's keychain, or in the data folder's database file.
 */
place: "keychain" | "file" | null, };

export type RelayTest = { 
/**
 * As `delivery.relay_server`.
 */
server: string, 
/**
 * As `delivery.relay_port`.
 */
port: number, 
/**
 * As `delivery.relay_tls`.
 */
tls: boolean, 
/**
 * As `delivery.relay_tls_mode`.
 */
tls_mode: RelayTlsMode, 
/**
 * As `delivery.relay_certificate`.
 */
certificate: RelayCertificate, 
/**
 * As `delivery.relay_auth`.
 */
auth: boolean, 
/**
 * As `delivery.relay_username`.
 */
username: string, 
/**
 * The password; `null` for the stored one.
 */
password: string | null, 
/**
 * As `delivery.relay_auth_in_clear`.
 */
auth_in_clear: boolean, 
/**
 * Sender to try; `null` or empty for none.
 */
from: string | null, 
/**
 * Recipient to try; `null` or empty for none.
 */
to: string | null, };

export type StepName = "dns" | "connect" | "greeting" | "ehlo" | "tls" | "auth" | "mail" | "quit";

export type StepResult = "running" | "passed" | "failed" | "skipped";

export type SeenCertificate = { 
/**
 * Whose it is.
 */
subject: string, 
/**
 * Who signed it.
 */
issuer: string, 
/**
 * Host names and addresses it is made for, at most 20.
 */
names: Array<string>, 
/**
 * Valid from then, milliseconds since 1970.
 */
valid_from_ms: number, 
/**
 * Valid until then, milliseconds since 1970.
 */
valid_until_ms: number, 
/**
 * SHA-256 over it, 64 hex digits: what `relay_certificate` takes as `pin`.
 */
sha256: string, 
/**
 * Whether it stood what was asked of it.
 */
verified: boolean, 
/**
 * Why not.
 */
problem: string | null, };

export type RelayStep = { 
/**
 * Which.
 */
step: StepName, 
/**
 * How far it is.
 */
result: StepResult, 
/**
 * What it came to and what to do, in words; empty while it runs.
 */
text: string, 
/**
 * What was said, with `C:` for our lines, `S:` for the relay's and `--` for what happened beside. No password is in it.
 */
transcript: Array<string>, 
/**
 * How long it took, in milliseconds.
 */
took_ms: number, 
/**
 * The certificate that the relay showed, in the step `tls`.
 */
certificate: SeenCertificate | null, };

export type ListSkips = { 
/**
 * Lists in the DNS.
 */
dnsbl: boolean, 
/**
 * SPF
 */
spf: boolean, 
/**
 * clamd
 */
antivirus: boolean, 
/**
 * DKIM
 */
dkim: boolean, 
/**
 * DMARC
 */
dmarc: boolean, 
/**
 * Names, greetings, sender policy, rates and bans.
 */
all_policies: boolean, };

export type OverlapWhy = "white_wins" | "reject_wins" | "same" | "covered";

export type ListOverlap = { 
/**
 * Its name.
 */
rule: string, 
/**
 * Why.
 */
why: OverlapWhy, };

export type ListNote = { 
/**
 * A stable word for it.
 */
code: string, 
/**
 * In English.
 */
message: string, };

export type ListAnalysis = { 
/**
 * What it lifts; nothing for the black list.
 */
skips: ListSkips, 
/**
 * Rules that leave nothing for it to do; the first five.
 */
pointless_because: Array<ListOverlap>, 
/**
 * Rules of the white list that leave less to do for one of the black list; the first five.
 */
narrowed_by: Array<ListOverlap>, 
/**
 * What is allowed but worth a word about its value.
 */
notes: Array<ListNote>, 
/**
 * What is wrong with it, with the name of the field as path.
 */
problems: Array<Problem>, };

export type ListHits = { 
/**
 * Name of the rule.
 */
name: string, 
/**
 * Messages of the last seven days.
 */
hits: number, 
/**
 * The last one ever, in milliseconds since 1970 UTC.
 */
last_at_ms: number, };

export type ListFormat = "csv" | "access" | "cidr";

export type OnExisting = "keep" | "replace";

export type ListImport = { 
/**
 * Where it lies.
 */
path: string, 
/**
 * How it is written; none to see it from the file.
 */
format: ListFormat | null, 
/**
 * What the addresses of an access table are: `sender` or `recipient`.
 */
addresses: Criterion, 
/**
 * What becomes of rules that are there under the same name.
 */
existing: OnExisting, };

export type ImportVerdict = "added" | "changed" | "same" | "kept" | "refused" | "unsupported";

export type ListImportLine = { 
/**
 * Its number, from 1.
 */
line: number, 
/**
 * Its beginning.
 */
text: string, 
/**
 * What would become of it.
 */
verdict: ImportVerdict, 
/**
 * The rule, where there is one.
 */
rule: ListRule | null, 
/**
 * A stable word for what is wrong; empty otherwise.
 */
code: string, 
/**
 * What is wrong, or worth a word; empty otherwise.
 */
message: string, };

export type ListImportPreview = { 
/**
 * How the file was read.
 */
format: ListFormat, 
/**
 * Its lines; of more than 5,000 the wrong ones first of all.
 */
lines: Array<ListImportLine>, 
/**
 * New rules.
 */
added: number, 
/**
 * Rules that would change.
 */
changed: number, 
/**
 * Lines that would change nothing: the rule is there, or its name is taken and stays.
 */
kept: number, 
/**
 * Lines that are no rules and would be left out.
 */
refused: number, 
/**
 * Why nothing of it can be taken.
 */
problem: string | null, };

export type ListImported = { 
/**
 * New rules.
 */
added: number, 
/**
 * Rules that changed.
 */
changed: number, 
/**
 * Lines that changed nothing.
 */
kept: number, 
/**
 * Lines that were left out.
 */
refused: number, };

export type ListExported = { 
/**
 * Rules in it.
 */
written: number, 
/**
 * Rules that its format cannot hold.
 */
left_out: number, };

export type LiveClient = { 
/**
 * An IPv4 address, or an IPv6 network of 64 bits.
 */
client: string, 
/**
 * Connections open now.
 */
connections: number, 
/**
 * Connections of its minute, refused ones included.
 */
connections_in_minute: number, 
/**
 * Messages begun in its minute, refused ones included.
 */
messages_in_minute: number, 
/**
 * When its minute ends, milliseconds since 1970; 0 when none runs.
 */
minute_ends_ms: number, 
/**
 * The limits it has reached.
 */
limited: ("connections" | "connections_in_minute" | "messages_in_minute")[], };

export type LiveRates = { 
/**
 * Whether a server runs; else nothing is counted.
 */
running: boolean, 
/**
 * All clients that are connected or did something in their minute.
 */
total: number, 
/**
 * The 200 busiest, those at a limit first.
 */
clients: Array<LiveClient>, };

export type BlockReason = "nonexistent_accounts" | "failed_logins";

export type BlockedClient = { 
/**
 * An IPv4 address, or an IPv6 network of 64 bits.
 */
client: string, 
/**
 * The address that was seen last.
 */
ip: string, 
/**
 * Why.
 */
reason: BlockReason, 
/**
 * Accounts that do not exist, or failures.
 */
count: number, 
/**
 * Since when, milliseconds since 1970.
 */
since_ms: number, 
/**
 * Until when, milliseconds since 1970.
 */
until_ms: number, 
/**
 * The last recipient or login that it tried.
 */
last: string, };

export type CheckName = "dnsbl" | "spf" | "dkim" | "dmarc" | "arc" | "antivirus";

export type CheckEffect = "pass" | "recorded" | "refuse" | "defer" | "discard" | "off";

export type CheckFinding = { 
/**
 * Which test.
 */
test: CheckName, 
/**
 * What it was about: a list, a domain, a signature.
 */
subject: string, 
/**
 * The result in one word: of RFC 8601 for SPF, DKIM, DMARC and ARC.
 */
result: string, 
/**
 * The same in a sentence.
 */
text: string, 
/**
 * What the message would come to.
 */
effect: CheckEffect, 
/**
 * The reply that the sender would get, or empty.
 */
reply: string, 
/**
 * Milliseconds that it took.
 */
took_ms: number, };

export type CheckTrial = { 
/**
 * Address of the client; needed for SPF.
 */
ip: string, 
/**
 * The name it greets with, or empty.
 */
helo: string, 
/**
 * Address of the sender; empty for the null sender.
 */
sender: string, 
/**
 * File that holds the message, for the tests of content.
 */
path: string | null, 
/**
 * The tests to make.
 */
tests: Array<CheckName>, 
/**
 * As `security.checks`.
 */
checks: Checks, 
/**
 * As `service.clamd`.
 */
clamd: string | null, };

export type CheckedMessage = { 
/**
 * Each of them.
 */
findings: Array<CheckFinding>, 
/**
 * The `Authentication-Results` field that the message would get, or empty.
 */
header: string, };

export type Identity = { 
/**
 * Domain, or empty.
 */
domain: string, 
/**
 * Host name, or empty.
 */
hostname: string, };

export type DnsCheck = { 
/**
 * mx, address or spf.
 */
name: string, 
/**
 * ok, warning or unknown.
 */
state: "ok" | "warning" | "unknown", 
/**
 * What was found and what it means.
 */
text: string, };

export type PortCheck = { 
/**
 * smtp, submission or submissions.
 */
service: "smtp" | "submission" | "submissions", 
/**
 * The port that is set, or the usual one.
 */
port: number, 
/**
 * free, taken or `not_allowed`.
 */
state: "free" | "taken" | "not_allowed", 
/**
 * In words, with what to do.
 */
text: string, 
/**
 * A port that could be used instead.
 */
fallback: number | null, };

export type TestResult = { 
/**
 * Whether the message was taken.
 */
ok: boolean, 
/**
 * Every line, with `>` for ours and `<` for the server's.
 */
transcript: Array<string>, 
/**
 * Opens the entry of the mail log.
 */
token: string | null, 
/**
 * What it means.
 */
text: string, };
