/** Made-up data. Names and addresses are those reserved for examples. */
import { freshSecurity } from "./securityData";
import type { Entry, FieldInfo, Hour, Overview, Settings, Status, Step, User } from "../src/lib/types";

export function freshSettings(): Settings {
  return {
    service: {
      smtp: ["[::]:25"],
      submission: ["[::]:587"],
      submissions: ["[::]:465"],
      certificate: "self_signed",
      local_networks: null,
      exempt_hosts: [],
      dns_servers: [],
      mailbox: { maildir: null },
      clamd: null,
      journal_days: 90,
    },
    general: {
      smtp_auth: true,
      skip_auth_for_local_network: false,
      sender_must_match_login: true,
      auth_requires_tls: true,
      disable_auto_forwarding: false,
      domain: "office.example",
      additional_domains: ["bücher.example", "head-office.example"],
      hostname: "mail.office.example",
      banner: "ESMTP Postroom",
      max_recipients: 200,
      max_hops: 50,
      max_message_size_mb: 25,
      max_attachment_size_mb: null,
    },
    delivery: {
      relay_enabled: false,
      relay_server: "",
      relay_port: 587,
      relay_tls: true,
      relay_tls_mode: "auto",
      relay_certificate: "verify",
      relay_auth: false,
      relay_username: "",
      relay_auth_in_clear: false,
      direct_port: 25,
      retry_schedule_minutes: [5, 10, 20, 40, 60],
      give_up_after_hours: 120,
      warn_after_hours: 4,
    },
    security: freshSecurity(),
    users: [
      { name: "alice", display_name: "Alice Arden", enabled: true },
      { name: "bob", display_name: "Bob Brandt", enabled: true },
      { name: "carla", display_name: "Carla Conti", enabled: true },
      { name: "dmitri", display_name: "Dmitri Dolin", enabled: false },
      { name: "scanner", display_name: "Scanner, first floor", enabled: true },
    ],
    groups: [
      { name: "sales", members: ["alice", "carla"] },
      { name: "support", members: ["bob", "carla", "dmitri"] },
    ],
  };
}

export function freshStatus(): Status {
  return {
    state: "running",
    since_ms: Date.now() - 5_400_000,
    listeners: [
      { service: "smtp", address: "[::]:25", problem: null },
      { service: "submission", address: "[::]:587", problem: null },
      { service: "submissions", address: "[::]:465", problem: null },
    ],
    problem: null,
    owner: "this_window",
    pid: 4711,
    data_dir: "/srv/postroom",
    version: "0.1.0",
    domain: "office.example",
    local_networks: ["127.0.0.0/8", "::1/128", "192.168.1.0/24"],
    revision: 7,
    first_run: false,
  };
}

export function noNumbers(): Overview {
  const now = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const hours: Hour[] = Array.from({ length: 24 }, (_, index) => ({
    hour_ms: now - (23 - index) * 3_600_000,
    accepted: 0,
    refused: 0,
  }));
  return {
    accepted_today: 0,
    refused_today: 0,
    top_refusals: [],
    hours,
    notices: [],
    users: 0,
    queue: { waiting: 0, held: 0, oldest_at_ms: null, paused: [] },
  };
}

function field(path: string, min: number | null, max: number | null, fallback: unknown): FieldInfo {
  return { path, help: "", min, max, default: fallback };
}

export const fields: FieldInfo[] = [
  field("general.max_recipients", 1, 10000, 200),
  field("general.max_hops", 1, 200, 50),
  field("general.max_message_size_mb", 1, 2048, 25),
  field("general.max_attachment_size_mb", 1, 2048, null),
  field("service.smtp", null, null, ["[::]:25"]),
  field("service.submission", null, null, ["[::]:587"]),
  field("service.submissions", null, null, ["[::]:465"]),
  field("service.journal_days", 1, 3650, 90),
  field("delivery.relay_port", 1, 65535, 587),
  field("delivery.direct_port", 1, 65535, 25),
  field("delivery.give_up_after_hours", 1, 240, 120),
  field("delivery.warn_after_hours", 1, 240, 4),
  field("security.connection_policy.max_connections", 1, 1000, 50),
  field("security.connection_policy.max_connections_per_minute", 1, 10000, null),
  field("security.connection_policy.max_messages_per_minute", 1, 10000, null),
  field("security.advanced.max_nonexistent_accounts", 1, 10000, 20),
  field("security.advanced.max_junk_commands", 1, 1000, 100),
];

function step(
  stage: string,
  check: string,
  result: Step["result"],
  input: string,
  text: string,
  setting: string | null = null,
): Step {
  return { stage, check, result, input, text, setting };
}

const opening: Step[] = [
  step("connect", "server_load", "pass", "3 connections", "the server has room"),
  step("helo", "helo", "pass", "mx9.deals.example", "a well-formed name"),
];

const base: Entry = {
  id: 0,
  token: "K7QF2M",
  at_ms: 0,
  kind: "transaction",
  client_ip: "203.0.113.99",
  sender: "promo@deals.example",
  recipients: ["sales@office.example"],
  size: 48_213,
  subject: "Your offer",
  outcome: "accepted",
  reply: "250 2.0.0 Ok: queued as K7QF2M",
  decided_by: "",
  helo: "mx9.deals.example",
  login: null,
  message_id: "<2f1c@deals.example>",
  revision: 7,
  facts: {},
  steps: [],
  attempts: [],
};

export function sampleEntries(now: number = Date.now()): Entry[] {
  const ago = (minutes: number) => now - minutes * 60_000;
  const big: Entry = {
    ...base,
    token: "K7QF2M",
    client_ip: "198.51.100.20",
    sender: "anna@xn--bcher-kva.example",
    recipients: ["alice@office.example", "bob@office.example"],
    size: 31_885_312,
    subject: "Catalogue, all pages",
    outcome: "refused",
    reply: "552 5.3.4 Message size 31885312 exceeds limit 26214400 bytes [K7QF2M]",
    decided_by: "general.max_message_size_mb",
    helo: "out.xn--bcher-kva.example",
    steps: [
      ...opening,
      step("sender", "declared_size", "skip", "", "no size announced", "general.max_message_size_mb"),
      step("recipient", "max_recipients", "pass", "2", "within 200", "general.max_recipients"),
      step(
        "recipient",
        "relay_control",
        "pass",
        "alice@office.example",
        "one of our own",
        "general.smtp_auth",
      ),
      step("recipient", "recipient_exists", "pass", "alice@office.example", "the user exists", "users"),
      step(
        "message",
        "max_message_size_mb",
        "refuse",
        "30.4 MB",
        "larger than the limit of 25 MB",
        "general.max_message_size_mb",
      ),
      step("message", "max_attachment_size_mb", "skip", "", "no limit", "general.max_attachment_size_mb"),
    ],
  };
  const relay: Entry = {
    ...base,
    token: "9XRD41",
    recipients: ["someone@elsewhere.example"],
    size: null,
    subject: null,
    message_id: null,
    outcome: "refused",
    reply: "550 5.7.1 <someone@elsewhere.example>: Relay access denied - authentication required [9XRD41]",
    decided_by: "general.smtp_auth",
    steps: [
      ...opening,
      step(
        "recipient",
        "relay_control",
        "refuse",
        "someone@elsewhere.example",
        "not signed in, and not one of our domains",
        "general.smtp_auth",
      ),
    ],
  };
  const sent: Entry = {
    ...base,
    token: "3VTB7A",
    client_ip: "192.168.1.34",
    sender: "alice@office.example",
    recipients: ["bob@office.example"],
    size: 2_104,
    subject: "Lunch?",
    helo: "[192.168.1.34]",
    login: "alice",
    decided_by: "",
    reply: "250 2.0.0 Ok: queued as 3VTB7A",
    steps: [
      step("auth", "password", "pass", "alice", "the password is right", "users"),
      step(
        "recipient",
        "sender_must_match_login",
        "pass",
        "alice@office.example",
        "belongs to alice",
        "general.sender_must_match_login",
      ),
      step("delivery", "local_delivery", "note", "bob@office.example", "to the mailbox of bob", "users"),
    ],
    attempts: [
      {
        at_ms: ago(1),
        hop: "mailbox of bob",
        recipient: "bob@office.example",
        outcome: "delivered",
        reply: "",
      },
    ],
  };
  const others: Partial<Entry>[] = [
    sent,
    big,
    { sender: "news@list.example", recipients: ["alice@office.example"], subject: "Issue 41" },
    { ...relay },
    {
      kind: "login",
      sender: null,
      recipients: [],
      size: null,
      subject: null,
      outcome: "refused",
      client_ip: "192.0.2.77",
      reply: "535 5.7.8 Authentication credentials invalid [8C2MPA]",
      decided_by: "users",
      token: "8C2MPA",
    },
    {
      sender: "",
      recipients: ["alice@office.example"],
      subject: "Undelivered Mail Returned to Sender",
      size: 6_022,
    },
    {
      sender: "kunde@shop.example",
      recipients: ["sales@office.example", "bob@office.example", "carla@office.example"],
      size: 1_932_000,
    },
    {
      kind: "connection",
      sender: null,
      recipients: [],
      size: null,
      subject: null,
      outcome: "aborted",
      client_ip: "2001:db8::1f",
      reply: "",
      token: "5NNQ0Z",
    },
    {
      sender: "scan@office.example",
      recipients: ["alice@office.example"],
      size: 812_402,
      client_ip: "192.168.1.50",
      login: "scanner",
    },
    {
      sender: "relay@partner.example",
      recipients: ["nobody@office.example"],
      outcome: "refused",
      reply: "550 5.1.1 <nobody@office.example>: no such user here [W4H0QX]",
      decided_by: "users",
      size: null,
      token: "W4H0QX",
    },
    {
      sender: "carla@office.example",
      recipients: ["someone@elsewhere.example"],
      outcome: "deferred",
      reply: "451 4.4.0 mail for other domains cannot be sent yet [T1B5YE]",
      decided_by: "",
      token: "T1B5YE",
      login: "carla",
    },
  ];
  const made = Array.from({ length: 33 }, (_, index) => ({ ...base, ...others[index % others.length] }));
  return made.map((entry, index) => ({
    ...entry,
    id: 500 - index,
    at_ms: ago(index === 0 ? 1 : index * 23),
    token: index < others.length ? entry.token : `Z${String(index).padStart(5, "0")}`,
    steps: entry.steps.length > 0 ? entry.steps : opening,
  }));
}

export function busyNumbers(): Overview {
  const numbers = noNumbers();
  const shape = [8, 5, 3, 2, 2, 3, 9, 22, 41, 58, 63, 57, 44, 52, 61, 66, 54, 39, 28, 21, 17, 14, 12, 6];
  numbers.hours = numbers.hours.map((hour, index) => ({
    ...hour,
    accepted: shape[index] ?? 0,
    refused: Math.round((shape[(index + 5) % 24] ?? 0) / 4),
  }));
  return {
    ...numbers,
    accepted_today: 1284,
    refused_today: 319,
    top_refusals: [
      { decided_by: "users", count: 201 },
      { decided_by: "general.smtp_auth", count: 64 },
      { decided_by: "general.max_message_size_mb", count: 12 },
    ],
    notices: [
      {
        code: "self_signed",
        severity: "info",
        message: "The certificate is self-signed",
        action: "Mail programs ask whether to trust it. Name your own certificate files.",
        pane: "service.certificate",
      },
      {
        code: "no_mx",
        severity: "warning",
        message: "DNS has no MX record for office.example",
        action:
          "Other servers cannot find this one. Ask your provider for an MX record to mail.office.example.",
        pane: "general.hostname",
      },
    ],
  };
}

export function manyUsers(count: number): User[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `user${String(index + 1).padStart(5, "0")}`;
    return { name, display_name: `Person ${index + 1}`, enabled: index % 17 !== 0 };
  });
}
