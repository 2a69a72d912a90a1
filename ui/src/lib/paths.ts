/** Settings by path: `general.max_recipients` is the same word in the pane, the document and the journal. */
import type { Document, Settings } from "./types";

export const settingPaths = [
  "general.smtp_auth",
  "general.skip_auth_for_local_network",
  "general.sender_must_match_login",
  "general.auth_requires_tls",
  "general.disable_auto_forwarding",
  "general.domain",
  "general.additional_domains",
  "general.hostname",
  "general.banner",
  "general.max_recipients",
  "general.max_hops",
  "general.max_message_size_mb",
  "general.max_attachment_size_mb",
  "service.smtp",
  "service.submission",
  "service.submissions",
  "service.certificate",
  "service.local_networks",
  "service.dns_servers",
  "service.mailbox",
  "service.exempt_hosts",
  "service.clamd",
  "service.journal_days",
  "delivery.relay_enabled",
  "delivery.relay_server",
  "delivery.relay_port",
  "delivery.relay_tls",
  "delivery.relay_tls_mode",
  "delivery.relay_certificate",
  "delivery.relay_auth",
  "delivery.relay_username",
  "delivery.relay_auth_in_clear",
  "delivery.direct_port",
  "delivery.retry_schedule_minutes",
  "delivery.give_up_after_hours",
  "delivery.warn_after_hours",
  "security.sender_policy.reject_non_fqdn",
  "security.sender_policy.reject_unknown_domain",
  "security.sender_policy.unknown_domain_scope",
  "security.connection_policy.reject_unknown_client_hostname",
  "security.connection_policy.client_hostname",
  "security.connection_policy.max_connections",
  "security.connection_policy.max_connections_per_minute",
  "security.connection_policy.max_messages_per_minute",
  "security.advanced.reject_unauthorized_pipelining",
  "security.advanced.reject_non_fqdn_helo",
  "security.advanced.reject_unknown_helo",
  "security.advanced.max_nonexistent_accounts",
  "security.advanced.max_junk_commands",
  "security.checks.dnsbl_zones",
  "security.checks.spf",
  "security.checks.dkim",
  "security.checks.dmarc",
  "security.checks.antivirus",
  "security.checks.antivirus_unavailable",
] as const;

export type SettingPath = (typeof settingPaths)[number];

type At<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? At<T[Head], Rest>
    : never
  : P extends keyof T
    ? T[P]
    : never;

/** The type of the value that lies at a path. */
export type ValueAt<P extends SettingPath> = At<Settings, P>;
/** The paths whose value is a `V`. */
export type PathOf<V> = { [P in SettingPath]: ValueAt<P> extends V ? P : never }[SettingPath];

export function isSettingPath(text: string): text is SettingPath {
  return (settingPaths as readonly string[]).includes(text);
}

export function valueAt<P extends SettingPath>(settings: Settings, path: P): ValueAt<P> {
  let value: unknown = settings;
  for (const key of path.split(".")) value = (value as Record<string, unknown>)[key];
  return value as ValueAt<P>;
}

/** The partial document that names exactly these paths. */
export function documentOf(edits: Iterable<readonly [string, unknown]>): Document {
  const document: Document = {};
  for (const [path, value] of edits) {
    const keys = path.split(".");
    const last = keys.pop() ?? path;
    let node = document;
    for (const key of keys) node = (node[key] ??= {}) as Document;
    node[last] = value;
  }
  return document;
}

/** Whether a problem's path is this field or something inside it (a list entry, a certificate file). */
export function concerns(problemPath: string, path: string): boolean {
  if (problemPath === path) return true;
  return problemPath.startsWith(path) && /^[.[]/.test(problemPath.slice(path.length));
}

/** Equality of setting values, which are plain data. */
export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export type PaneId = "overview" | "general" | "delivery" | "security" | "users" | "groups" | "queue" | "log";

/** Settings of the server itself that stand in another pane than General. */
const elsewhere: readonly (readonly [string, PaneId])[] = [
  ["service.mailbox", "delivery"],
  ["service.dns_servers", "delivery"],
  ["service.exempt_hosts", "security"],
  ["service.clamd", "security"],
];

/** The pane on which a setting is edited; `null` for what no pane of this window shows. */
export function paneOf(path: string): PaneId | null {
  const section = path.split(/[.[]/)[0];
  switch (section) {
    case "service":
      return elsewhere.find(([setting]) => concerns(path, setting))?.[1] ?? "general";
    case "overview":
    case "general":
    case "delivery":
    case "security":
    case "users":
    case "groups":
    case "queue":
    case "log":
      return section;
    default:
      return null;
  }
}

/** The tabs of the Security pane, in their order; each but Connection Policy is named as its part of the settings. */
export const securityTabs = ["lists", "sender_policy", "connection_policy", "advanced", "checks"] as const;
export type SecurityTab = (typeof securityTabs)[number];

/** The tab of the Security pane on which a setting is edited; `null` for a path of another pane or of the whole one. */
export function securityTabOf(path: string): SecurityTab | null {
  if (concerns(path, "service.exempt_hosts")) return "connection_policy";
  if (concerns(path, "service.clamd")) return "checks";
  return securityTabs.find((tab) => concerns(path, `security.${tab}`)) ?? null;
}
