/** The only place that calls into the program. Names and arguments are those of `src-tauri/src/commands`. */
import { Channel, invoke } from "@tauri-apps/api/core";
import type {
  Applied,
  BlockedClient,
  BlockReason,
  CheckedMessage,
  CheckFinding,
  CheckTrial,
  Criterion,
  DnsblZone,
  DnsCheck,
  Document,
  Entry,
  Failure,
  FailureKind,
  Group,
  Identity,
  JournalFilter,
  JournalPage,
  ListAnalysis,
  ListExported,
  ListFormat,
  ListHits,
  ListImport,
  ListImported,
  ListImportPreview,
  ListRule,
  LiveRates,
  Overview,
  PortCheck,
  Problem,
  QueueAct,
  QueueEntry,
  QueueFilter,
  QueuePage,
  QueueWhich,
  RelayPasswordStatus,
  RelayStep,
  RelayTest,
  SettingsView,
  Status,
  TestResult,
  User,
} from "./types";

/** A command that was answered with a refusal; `problems` name the fields at fault. */
export class CommandFailure extends Error {
  readonly kind: FailureKind;
  readonly problems: Problem[];

  constructor(failure: Failure) {
    super(failure.message);
    this.name = "CommandFailure";
    this.kind = failure.kind;
    this.problems = failure.problems;
  }
}

/** Whatever was thrown, as a failure with words in it. */
export function asFailure(thrown: unknown): CommandFailure {
  if (thrown instanceof CommandFailure) return thrown;
  if (typeof thrown === "object" && thrown !== null && "kind" in thrown && "message" in thrown) {
    const { kind, message, problems } = thrown as Failure;
    return new CommandFailure({ kind, message, problems: problems ?? [] });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new CommandFailure({ kind: "io", message, problems: [] });
}

async function call<T>(command: string, args?: Record<string, unknown>): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (thrown) {
    throw asFailure(thrown);
  }
}

export const commands = {
  status: () => call<Status>("status"),
  server_start: () => call<void>("server_start"),
  server_stop: () => call<void>("server_stop"),

  settings_get: () => call<SettingsView>("settings_get"),
  settings_check: (document: Document) => call<Problem[]>("settings_check", { document }),
  settings_apply: (document: Document, base_revision: number, reason: string) =>
    call<Applied>("settings_apply", { document, base_revision, reason }),
  choose_file: (title: string) => call<string | null>("choose_file", { title }),
  /** Where to write a file; `name` is what is offered. */
  choose_save: (title: string, name: string) => call<string | null>("choose_save", { title, name }),

  /** Changes of the lists answer with the revision they have made. */
  list_set: (name: string | null, rule: ListRule) => call<number>("list_set", { name, rule }),
  lists_remove: (names: string[]) => call<number>("lists_remove", { names }),
  lists_restore: (rules: ListRule[]) => call<number>("lists_restore", { rules }),
  /** `name` is the stored rule that is being edited. */
  lists_analyse: (rule: ListRule, name: string | null) => call<ListAnalysis>("lists_analyse", { rule, name }),
  lists_hits: () => call<ListHits[]>("lists_hits"),
  lists_import_preview: (wanted: ListImport) =>
    call<ListImportPreview>("lists_import_preview", { import: wanted }),
  lists_import: (wanted: ListImport) => call<ListImported>("lists_import", { import: wanted }),
  /** `addresses`: whether an access table is one of senders or of recipients. */
  lists_export: (path: string, format: ListFormat, addresses: Criterion | null) =>
    call<ListExported>("lists_export", { path, format, addresses }),

  rates_live: () => call<LiveRates>("rates_live"),
  rates_unblock: (client: string) => call<void>("rates_unblock", { client }),
  blocks_list: () => call<BlockedClient[]>("blocks_list"),
  blocks_lift: (client: string, reason: BlockReason) => call<void>("blocks_lift", { client, reason }),

  check_dnsbl: (ip: string, zones: DnsblZone[]) => call<CheckFinding[]>("check_dnsbl", { ip, zones }),
  check_spf: (trial: CheckTrial) => call<CheckFinding[]>("check_spf", { trial }),
  check_message: (trial: CheckTrial) => call<CheckedMessage>("check_message", { trial }),

  user_add: (user: User, password: string) => call<void>("user_add", { user, password }),
  user_set: (name: string, user: User) => call<void>("user_set", { name, user }),
  user_password: (name: string, password: string) => call<void>("user_password", { name, password }),
  user_remove: (name: string) => call<void>("user_remove", { name }),
  user_restore: (name: string) => call<void>("user_restore", { name }),
  group_set: (name: string | null, group: Group) => call<void>("group_set", { name, group }),
  group_remove: (name: string) => call<void>("group_remove", { name }),

  journal_list: (filter: JournalFilter) => call<JournalPage>("journal_list", { filter }),
  journal_open: (text: string) => call<Entry[]>("journal_open", { text }),
  journal_text: (token: string) => call<string>("journal_text", { token }),

  queue_list: (filter: QueueFilter, after: number | null, limit: number) =>
    call<QueuePage>("queue_list", { filter, after, limit }),
  queue_show: (id: number) => call<QueueEntry>("queue_show", { id }),
  queue_act: (act: QueueAct, which: QueueWhich) => call<number>("queue_act", { act, which }),

  relay_password_status: () => call<RelayPasswordStatus>("relay_password_status"),
  relay_password_set: (password: string) => call<void>("relay_password_set", { password }),
  relay_password_clear: () => call<void>("relay_password_clear"),
  /** Tells each step as it begins and again as it ends; answers with all of them when the last one has ended. */
  relay_test: (test: RelayTest, onstep: (step: RelayStep) => void) =>
    call<RelayStep[]>("relay_test", { test, steps: new Channel<RelayStep>(onstep) }),

  overview: () => call<Overview>("overview"),

  dns_check: (domain: string, hostname: string) => call<DnsCheck[]>("dns_check", { domain, hostname }),
  suggest_identity: () => call<Identity>("suggest_identity"),
  ports_check: () => call<PortCheck[]>("ports_check"),
  test_message: (to: string) => call<TestResult>("test_message", { to }),
  show_window_ready: () => call<void>("show_window_ready"),
};
