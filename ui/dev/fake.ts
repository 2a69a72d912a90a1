/**
 * A program that answers the window's commands from memory: for tests and for looking at the window in a
 * browser. It knows as much of the rules as that takes and is never part of a build.
 */
import { concerns } from "../src/lib/paths";
import type {
  DnsCheck,
  Document,
  Entry,
  Failure,
  FieldInfo,
  Group,
  JournalFilter,
  Overview,
  PortCheck,
  Problem,
  Settings,
  Status,
  TestResult,
  User,
} from "../src/lib/types";
import { FakeQueue } from "./fakeQueue";
import { FakeRelay } from "./fakeRelay";
import { FakeSecurity } from "./fakeSecurity";
import { fields, freshSettings, freshStatus, noNumbers } from "./data";

type Args = Record<string, unknown>;

function refusal(...problems: Problem[]): Failure {
  return { kind: "problems", message: problems[0]?.message ?? "", problems };
}

export function problem(path: string, code: string, message: string, args: Problem["args"] = {}): Problem {
  return { path, code, message, args };
}

export class FakeProgram {
  settings: Settings = freshSettings();
  status: Status = freshStatus();
  numbers: Overview = noNumbers();
  entries: Entry[] = [];
  fields: FieldInfo[] = fields;
  dns: DnsCheck[] = [];
  ports: PortCheck[] = [];
  test: TestResult = { ok: true, transcript: [], token: null, text: "The message is in the mailbox." };
  chosenFile: string | null = null;
  readonly queue = new FakeQueue();
  readonly relay = new FakeRelay();
  readonly security = new FakeSecurity(this);
  /** Every command with its arguments, in order. */
  readonly calls: { command: string; args: Args }[] = [];
  /** What a command fails with instead of answering. */
  readonly failures = new Map<string, Failure>();
  readonly #removed = new Map<string, User>();

  answer(command: string, args: Args): unknown {
    this.calls.push({ command, args });
    const failure = this.failures.get(command);
    if (failure !== undefined) throw failure;
    const answers = this.#answers as Record<string, (args: never) => unknown>;
    return answers[command]?.(args as never) ?? null;
  }

  called(command: string): Args[] {
    return this.calls.filter((call) => call.command === command).map((call) => call.args);
  }

  readonly #answers = {
    status: () => structuredClone({ ...this.status, domain: this.settings.general.domain || null }),
    server_start: () => void (this.status.state = "running"),
    server_stop: () => void (this.status.state = "stopped"),
    settings_get: () => ({
      revision: this.status.revision,
      settings: structuredClone(this.settings),
      fields: this.fields,
    }),
    settings_check: ({ document }: { document: Document }) => this.#check(document),
    settings_apply: ({ document, base_revision }: { document: Document; base_revision: number }) => {
      if (base_revision < this.status.revision) {
        throw { kind: "conflict", message: "the settings were changed meanwhile", problems: [] };
      }
      const problems = this.#check(document);
      if (problems.length > 0) throw refusal(...problems);
      merge(this.settings as unknown as Document, document);
      if (this.settings.general.domain !== "") this.status.first_run = false;
      return { revision: ++this.status.revision, notes: [] };
    },
    choose_file: () => this.chosenFile,
    user_add: ({ user, password }: { user: User; password: string }) => {
      const problems = this.#nameProblems("users", user.name, null);
      if (password.length < 8) {
        problems.push(
          problem(`users.${user.name}.password`, "too_short", "the password needs at least 8 characters"),
        );
      }
      if (problems.length > 0) throw refusal(...problems);
      this.#setUsers([...this.settings.users, user]);
    },
    user_set: ({ name, user }: { name: string; user: User }) => {
      const problems = this.#nameProblems("users", user.name, name);
      if (problems.length > 0) throw refusal(...problems);
      this.#setUsers(this.settings.users.map((entry) => (entry.name === name ? user : entry)));
    },
    user_remove: ({ name }: { name: string }) => {
      const user = this.settings.users.find((entry) => entry.name === name);
      if (user !== undefined) this.#removed.set(name, user);
      this.#setUsers(this.settings.users.filter((entry) => entry.name !== name));
    },
    user_restore: ({ name }: { name: string }) => {
      const user = this.#removed.get(name);
      if (user !== undefined) this.#setUsers([...this.settings.users, user]);
    },
    group_set: ({ name, group }: { name: string | null; group: Group }) => {
      const problems = this.#nameProblems("groups", group.name, name);
      if (problems.length > 0) throw refusal(...problems);
      this.#setGroups([...this.settings.groups.filter((entry) => entry.name !== name), group]);
    },
    group_remove: ({ name }: { name: string }) =>
      this.#setGroups(this.settings.groups.filter((entry) => entry.name !== name)),
    journal_list: ({ filter }: { filter: JournalFilter }) => this.#list(filter),
    journal_open: ({ text }: { text: string }) =>
      this.entries.filter((entry) => text.toUpperCase().includes(entry.token)),
    journal_text: ({ token }: { token: string }) => `Entry ${token}`,
    overview: () =>
      structuredClone({
        ...this.numbers,
        users: this.settings.users.length,
        queue: this.queue.numbers(),
      }),
    ...this.queue.answers,
    ...this.relay.answers,
    ...this.security.answers,
    dns_check: () => this.dns,
    suggest_identity: () => ({ domain: "office.example", hostname: "mail.office.example" }),
    ports_check: () => this.ports,
    test_message: () => this.test,
  };

  #setUsers(users: User[]): void {
    this.settings.users = users.toSorted((a, b) => a.name.localeCompare(b.name));
    this.status.revision++;
  }

  #setGroups(groups: Group[]): void {
    this.settings.groups = groups.toSorted((a, b) => a.name.localeCompare(b.name));
    this.status.revision++;
  }

  #nameProblems(section: "users" | "groups", name: string, before: string | null): Problem[] {
    const path = `${section}.${name}.name`;
    if (!/^[a-z0-9._-]+$/.test(name)) {
      return [problem(path, "bad_name", "a name has letters, digits, dots and dashes only", { value: name })];
    }
    const taken = this.settings[section].some((entry) => entry.name === name) && name !== before;
    return taken ? [problem(path, "taken", `"${name}" exists already`, { value: name })] : [];
  }

  #check(document: Document): Problem[] {
    const after = structuredClone(this.settings) as unknown as Document;
    merge(after, document);
    const { general, delivery, security, service } = after as unknown as Settings;
    const problems = this.fields.flatMap((field) => this.#outOfRange(field, after));
    problems.push(...deliveryProblems(delivery, service));
    problems.push(...securityProblems(security));
    for (const [path, name] of [
      ["general.domain", general.domain],
      ["general.hostname", general.hostname],
      ...general.additional_domains.map((domain, index) => [`general.additional_domains[${index}]`, domain]),
    ] as [string, string][]) {
      if (!name.includes(".")) {
        const message = `"${name}" has no dot; write the full name, for example ${name}.example.com`;
        problems.push(problem(path, "not_fqdn", message, { value: name }));
      }
    }
    const whole = "delivery" in document;
    return problems.filter(
      (found) => names(document, found.path) || (whole && found.path.startsWith("delivery.")),
    );
  }

  #outOfRange(field: FieldInfo, settings: Document): Problem[] {
    const value = field.path
      .split(".")
      .reduce<unknown>((node, key) => (node as Document | null)?.[key], settings);
    if (typeof value !== "number" || field.min === null || field.max === null) return [];
    if (value >= field.min && value <= field.max) return [];
    const args = { value: String(value), min: String(field.min), max: String(field.max) };
    const message = `${value} is not allowed here; choose a number from ${field.min} to ${field.max}`;
    return [problem(field.path, "out_of_range", message, args)];
  }

  #list(filter: JournalFilter): { rows: Entry[]; more: boolean } {
    const text = filter.text?.toLowerCase() ?? "";
    const rows = this.entries.filter(
      (entry) =>
        (filter.outcome === null || entry.outcome === filter.outcome) &&
        (filter.since_ms === null || entry.at_ms >= filter.since_ms) &&
        (filter.before_id === null || entry.id < filter.before_id) &&
        JSON.stringify([entry.sender, entry.recipients, entry.client_ip, entry.subject])
          .toLowerCase()
          .includes(text),
    );
    return { rows: rows.slice(0, filter.limit), more: rows.length > filter.limit };
  }
}

/** The part of the rules of Delivery that the window's own behaviour hangs on. */
function deliveryProblems(delivery: Settings["delivery"], service: Settings["service"]): Problem[] {
  const problems: Problem[] = [];
  if (delivery.relay_enabled && delivery.relay_server.trim() === "") {
    const message = "write the host name or the address of the relay, or switch the relay off";
    problems.push(problem("delivery.relay_server", "relay_needed", message));
  }
  if (delivery.relay_tls_mode === "implicit" && !delivery.relay_tls) {
    const message =
      "TLS from the first byte is always encrypted; switch the secure connection on or choose STARTTLS";
    problems.push(problem("delivery.relay_tls_mode", "needs_tls", message));
  }
  const certificate = delivery.relay_certificate;
  if (typeof certificate === "object" && !/^[0-9a-f]{64}$/i.test(certificate.pin.replace(/[: ]/g, ""))) {
    const message = "the SHA-256 fingerprint of a certificate has 64 hex digits, with or without colons";
    problems.push(problem("delivery.relay_certificate.pin", "not_a_fingerprint", message));
  }
  delivery.retry_schedule_minutes.forEach((minutes, index) => {
    if (minutes >= 1 && minutes <= 1440) return;
    const message = `${minutes} is not allowed here; choose a number from 1 to 1440`;
    const args = { value: String(minutes), min: "1", max: "1440" };
    problems.push(problem(`delivery.retry_schedule_minutes[${index}]`, "out_of_range", message, args));
  });
  if ("lmtp" in service.mailbox && !/^(unix:\/.+|.+:\d+)$/.test(service.mailbox.lmtp)) {
    const message = `"${service.mailbox.lmtp}" needs a host with its port, such as 127.0.0.1:24, or a socket, such as unix:/run/lmtp`;
    problems.push(problem("service.mailbox.lmtp", "unreadable", message));
  }
  return problems;
}

function securityProblems({ checks }: Settings["security"]): Problem[] {
  return checks.dnsbl_zones.flatMap(({ zone }, index) => {
    if (/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(zone)) return [];
    const message = `"${zone}" is not a domain`;
    return [problem(`security.checks.dnsbl_zones[${index}].zone`, "not_a_domain", message, { value: zone })];
  });
}

/** As the program does it: below the levels that sections have, values are replaced whole. */
function merge(into: Document, from: Document, depth = 0): void {
  for (const [key, value] of Object.entries(from)) {
    const both = (depth < 1 || isPart(into)) && isNode(value) && isNode(into[key]);
    if (both) merge(into[key] as Document, value, depth + 1);
    else into[key] = value;
  }
}

function isNode(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Security is a section of sections. */
function isPart(node: Document): boolean {
  return "sender_policy" in node;
}

/** Whether a document names the setting of a problem. */
function names(document: Document, path: string): boolean {
  const { security, ...sections } = document;
  const parts = { ...sections } as Document;
  for (const [part, keys] of Object.entries((security ?? {}) as Document)) parts[`security.${part}`] = keys;
  const leaves = Object.entries(parts).flatMap(([section, keys]) =>
    Object.keys(keys as Document).map((key) => `${section}.${key}`),
  );
  return leaves.some((leaf) => concerns(path, leaf));
}
