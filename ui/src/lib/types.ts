/**
 * What crosses between the window and the program, one type for each shape.
 * Times are milliseconds since 1970 (UTC), sizes are bytes unless the name says `_mb`.
 */

export type Problem = { path: string; code: string; message: string; args: Record<string, string> };
export type FailureKind = "problems" | "conflict" | "unavailable" | "io";
export type Failure = { kind: FailureKind; message: string; problems: Problem[] };

export type ServerState = "starting" | "running" | "stopped" | "failed";
export type ServiceName = "smtp" | "submission" | "submissions";
export type Listener = { service: ServiceName; address: string; problem: string | null; fallback: boolean };
export type Status = {
  state: ServerState;
  since_ms: number;
  listeners: Listener[];
  problem: Problem | null;
  owner: "this_window" | "other_process" | "none";
  pid: number | null;
  data_dir: string;
  version: string;
  domain: string | null;
  local_networks: string[];
  revision: number;
  first_run: boolean;
};

export type Certificate = "self_signed" | { chain: string; key: string };
export type Service = {
  smtp: string[];
  submission: string[];
  submissions: string[];
  certificate: Certificate;
  /** `null`: loopback and the private networks this machine is attached to. */
  local_networks: string[] | null;
  /** Empty: the system's. */
  dns_servers: string[];
  /** `maildir: null`: in the data folder. */
  mailbox: { maildir: string | null };
  journal_days: number;
};
export type General = {
  smtp_auth: boolean;
  skip_auth_for_local_network: boolean;
  sender_must_match_login: boolean;
  allow_alias_senders?: never;
  auth_requires_tls: boolean;
  disable_auto_forwarding: boolean;
  /** Empty before the first run is finished. */
  domain: string;
  additional_domains: string[];
  hostname: string;
  banner: string;
  max_recipients: number;
  max_hops: number;
  max_message_size_mb: number;
  /** `null`: no limit. */
  max_attachment_size_mb: number | null;
};
export type User = { name: string; display_name: string; enabled: boolean };
export type Group = { name: string; members: string[] };
export type Settings = { service: Service; general: General; users: User[]; groups: Group[] };
export type FieldInfo = {
  path: string;
  help: string;
  min: number | null;
  max: number | null;
  default: unknown;
  restarts: boolean;
};
export type SettingsAnswer = { revision: number; settings: Settings; fields: FieldInfo[] };
/** A partial settings document: only what it names is meant. */
export type Document = { [key: string]: unknown };
export type Applied = { revision: number; notes: string[] };

export type Outcome = "accepted" | "refused" | "deferred" | "aborted" | "dropped";
export type Summary = {
  id: number;
  token: string;
  at_ms: number;
  kind: "connection" | "transaction" | "login";
  client_ip: string;
  sender: string | null;
  recipients: string[];
  size: number | null;
  subject: string | null;
  outcome: Outcome;
  reply: string;
  /** A setting path, or empty. */
  decided_by: string;
};
export type StepResult = "pass" | "refuse" | "skip" | "note";
export type Step = {
  stage: string;
  check: string;
  result: StepResult;
  input: string;
  text: string;
  setting: string | null;
};
export type Entry = Summary & {
  helo: string | null;
  login: string | null;
  message_id: string | null;
  revision: number;
  facts: unknown;
  steps: Step[];
};
export type JournalFilter = {
  text: string | null;
  outcome: Outcome | null;
  since_ms: number | null;
  before_id: number | null;
  limit: number;
};
export type JournalRows = { rows: Summary[]; more: boolean };

export type Hour = { hour_ms: number; accepted: number; refused: number };
export type Notice = {
  code: string;
  severity: "info" | "warning" | "error";
  message: string;
  action: string | null;
  pane: string | null;
};
export type Blocked = { ip: string; failures: number; until_ms: number; last_login: string };
export type OverviewNumbers = {
  accepted_today: number;
  refused_today: number;
  top_refusals: { decided_by: string; count: number }[];
  hours: Hour[];
  notices: Notice[];
  blocked: Blocked[];
  users: number;
};

export type DnsCheck = { name: string; state: "ok" | "warning" | "unknown"; text: string };
export type Identity = { domain: string; hostname: string };
export type PortCheck = {
  service: string;
  port: number;
  state: "free" | "taken" | "not_allowed";
  text: string;
  fallback: number | null;
};
export type TestResult = { ok: boolean; transcript: string[]; token: string | null; text: string };
