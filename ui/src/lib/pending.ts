/** Shapes that are not generated from the Rust types yet. */
import type {
  Entry as GeneratedEntry,
  Overview as GeneratedOverview,
  Service as GeneratedService,
  Settings as GeneratedSettings,
} from "./generated/types";

export type RelayTlsMode = "auto" | "starttls" | "implicit";
export type RelayCertificate = "verify" | "any" | { pin: string };
export type Delivery = {
  relay_enabled: boolean;
  relay_server: string;
  relay_port: number;
  relay_tls: boolean;
  relay_tls_mode: RelayTlsMode;
  relay_certificate: RelayCertificate;
  relay_auth: boolean;
  relay_username: string;
  relay_auth_in_clear: boolean;
  direct_port: number;
  retry_schedule_minutes: Array<number>;
  give_up_after_hours: number;
  warn_after_hours: number | null;
};
export type Mailbox = { maildir: string | null } | { lmtp: string };
export type Service = Omit<GeneratedService, "mailbox"> & { mailbox: Mailbox };
export type Settings = Omit<GeneratedSettings, "service"> & { service: Service; delivery: Delivery };

export type QueueFilter = {
  text: string;
  state: "all" | "waiting" | "held";
  destination: string | null;
};
export type QueueRow = {
  id: number;
  message: number;
  token: string;
  sender: string;
  recipient: string;
  destination: string;
  size: number;
  subject: string | null;
  accepted_at_ms: number;
  state: "waiting" | "sending" | "held";
  attempts: number;
  next_at_ms: number;
  expires_at_ms: number;
  reason: string;
};
export type QueuePage = { rows: Array<QueueRow>; total: number; more: boolean };
export type QueueAttempt = {
  at_ms: number;
  hop: string | null;
  outcome: "delivered" | "deferred" | "failed";
  text: string;
  reply: string | null;
};
export type QueueEntry = { row: QueueRow; attempts: Array<QueueAttempt>; headers: string };
export type QueueAct = "retry" | "hold" | "release" | "return" | "remove";
export type QueueWhich = { ids: Array<number> } | { matching: QueueFilter };

export type PausedDestination = { destination: string; waiting: number; until_ms: number; reason: string };
export type OverviewQueue = {
  waiting: number;
  held: number;
  oldest_ms: number | null;
  paused: Array<PausedDestination>;
};
export type Overview = GeneratedOverview & { queue: OverviewQueue };

export type Attempt = QueueAttempt & { recipient: string };
export type Entry = GeneratedEntry & { attempts: Array<Attempt> };

export type RelayTest = {
  server: string;
  port: number;
  tls: boolean;
  tls_mode: RelayTlsMode;
  certificate: RelayCertificate;
  auth: boolean;
  username: string;
  password: string | null;
  auth_in_clear: boolean;
  from: string;
  to: string;
};
export type RelayStep = {
  step: "dns" | "connect" | "greeting" | "ehlo" | "tls" | "auth" | "mail" | "quit";
  result: "running" | "passed" | "failed" | "skipped";
  text: string;
  transcript: Array<string>;
  took_ms: number;
  fingerprint: string | null;
};
export type RelayPassword = { is_set: boolean; place: "keychain" | "file" | null };
