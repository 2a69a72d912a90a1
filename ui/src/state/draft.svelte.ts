/**
 * The settings in force and the changes on top of them. Panes bind their controls by path; a value set back
 * to what is in force is no change any more. Accounts have no draft: see accounts.svelte.ts.
 */
import { SvelteMap } from "svelte/reactivity";
import { asFailure, commands, type CommandFailure } from "../lib/commands";
import {
  concerns,
  documentOf,
  paneOf,
  sameValue,
  settingPaths,
  valueAt,
  type PaneId,
  type SettingPath,
  type ValueAt,
} from "../lib/paths";
import type { Document, FieldInfo, ListRule, Problem, Settings } from "../lib/types";
import { relayPassword } from "./relayPassword.svelte";

const checkAfterMs = 300;

/** Settings whose change makes the server open its ports anew. */
const reopening: ReadonlySet<SettingPath> = new Set([
  "service.smtp",
  "service.submission",
  "service.submissions",
]);

/** Something that is applied together with the settings without being one. */
export type Companion = {
  readonly pane: PaneId;
  readonly changed: boolean;
  save(): Promise<void>;
  discard(): void;
};

export type ApplyResult = "applied" | "refused" | "conflict" | "failed";

export class Draft {
  saved = $state.raw<Settings | null>(null);
  revision = $state(0);
  fields = $state.raw<ReadonlyMap<string, FieldInfo>>(new Map());
  /** What Apply would refuse, as last heard. */
  problems = $state.raw<Problem[]>([]);
  loadFailure = $state.raw<CommandFailure | null>(null);
  /** Why the last Apply failed, where it was no field's fault. */
  failure = $state<string | null>(null);
  conflict = $state(false);
  applying = $state(false);

  readonly #companions: readonly Companion[];
  readonly #edits = new SvelteMap<SettingPath, unknown>();
  /** Typed texts that are no value yet, such as letters in a number field. */
  readonly #malformed = new SvelteMap<SettingPath, string>();
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  #checkNumber = 0;

  readonly changed = $derived<SettingPath[]>(settingPaths.filter((path) => this.isChanged(path)));
  readonly dirty = $derived.by<boolean>(
    () => this.changed.length > 0 || this.#companions.some((companion) => companion.changed),
  );
  readonly restarts = $derived<boolean>(this.changed.some((path) => reopening.has(path)));

  constructor(companions: readonly Companion[] = []) {
    this.#companions = companions;
  }

  /** Reads the settings; changes in progress stay, and stay on the revision they were begun on. */
  async load(): Promise<void> {
    try {
      const answer = await commands.settings_get();
      this.fields = new Map(answer.fields.map((field) => [field.path, field]));
      if (this.changed.length > 0 && this.saved !== null && !sameSections(this.saved, answer.settings)) {
        const { users, groups, security } = answer.settings;
        this.saved = {
          ...this.saved,
          users,
          groups,
          security: { ...this.saved.security, lists: security.lists },
        };
      } else {
        this.saved = answer.settings;
        this.revision = answer.revision;
      }
      this.loadFailure = null;
    } catch (thrown) {
      this.loadFailure = asFailure(thrown);
    }
  }

  /** Takes over what a revision has made of the rules; all is read again where another revision came in between. */
  async tookLists(revision: number, change: (rules: readonly ListRule[]) => ListRule[]): Promise<void> {
    if (this.saved === null || (revision !== this.revision && revision !== this.revision + 1)) {
      await this.load();
      return;
    }
    const { security } = this.saved;
    this.saved = { ...this.saved, security: { ...security, lists: change(security.lists) } };
    this.revision = revision;
  }

  isChanged(path: SettingPath): boolean {
    return this.#edits.has(path) || this.#malformed.has(path);
  }

  /** The value to show: the change if there is one. Panes are shown only once `saved` is there. */
  value<P extends SettingPath>(path: P): ValueAt<P> {
    if (this.#edits.has(path)) return this.#edits.get(path) as ValueAt<P>;
    return this.savedValue(path);
  }

  savedValue<P extends SettingPath>(path: P): ValueAt<P> {
    if (this.saved === null) throw new Error("the settings are not loaded");
    return valueAt(this.saved, path);
  }

  set<P extends SettingPath>(path: P, value: ValueAt<P>): void {
    this.#malformed.delete(path);
    if (sameValue(value, this.savedValue(path))) this.#edits.delete(path);
    else this.#edits.set(path, value);
    this.#touched();
  }

  malformed(path: SettingPath): string | undefined {
    return this.#malformed.get(path);
  }

  setMalformed(path: SettingPath, text: string): void {
    this.#edits.delete(path);
    this.#malformed.set(path, text);
    this.#touched();
  }

  problemsAt(path: string): Problem[] {
    return this.problems.filter((problem) => concerns(problem.path, path));
  }

  /** How many changes each pane has, in the order of the settings. */
  changesByPane(): [PaneId, number][] {
    const counts = new Map<PaneId, number>();
    for (const path of this.changed) {
      const pane = paneOf(path);
      if (pane !== null) counts.set(pane, (counts.get(pane) ?? 0) + 1);
    }
    for (const { pane, changed } of this.#companions) {
      if (changed) counts.set(pane, (counts.get(pane) ?? 0) + 1);
    }
    return [...counts];
  }

  /** The paths Apply would refuse, the malformed ones first. */
  refusedPaths(): string[] {
    return [...this.#malformed.keys(), ...this.problems.map((problem) => problem.path)];
  }

  document(): Document {
    return documentOf(this.#edits);
  }

  discard(): void {
    this.#edits.clear();
    this.#malformed.clear();
    for (const companion of this.#companions) companion.discard();
    this.#forgetVerdict();
    void this.load();
  }

  /** Asks what Apply would say. An answer overtaken by a newer question is dropped. */
  async check(): Promise<void> {
    clearTimeout(this.#checkTimer);
    const asked = ++this.#checkNumber;
    try {
      const problems = this.#edits.size === 0 ? [] : await commands.settings_check(this.document());
      if (asked === this.#checkNumber) this.problems = problems;
    } catch (thrown) {
      if (asked === this.#checkNumber) this.problems = asFailure(thrown).problems;
    }
  }

  /** Makes the changes one revision. Refused values stand at their fields afterwards, and nothing is lost. */
  async apply(reason: string): Promise<{ result: ApplyResult; notes: string[] }> {
    if (this.#malformed.size > 0) return { result: "refused", notes: [] };
    this.#forgetVerdict();
    this.applying = true;
    try {
      const notes = this.#edits.size > 0 ? await this.#applySettings(reason) : [];
      // Only after the settings: where those are refused, nothing at all has changed.
      for (const companion of this.#companions) if (companion.changed) await companion.save();
      return { result: "applied", notes };
    } catch (thrown) {
      return { result: this.#explain(asFailure(thrown)), notes: [] };
    } finally {
      this.applying = false;
    }
  }

  /** After a conflict: the other settings are read, and the changes stay on top of them. */
  async keepMine(): Promise<void> {
    const answer = await commands.settings_get();
    this.saved = answer.settings;
    this.revision = answer.revision;
    this.conflict = false;
    for (const [path, value] of this.#edits) {
      if (sameValue(value, this.savedValue(path))) this.#edits.delete(path);
    }
    await this.check();
  }

  async #applySettings(reason: string): Promise<string[]> {
    const applied = await commands.settings_apply(this.document(), this.revision, reason);
    this.#edits.clear();
    await this.load();
    return applied.notes;
  }

  #explain(failure: CommandFailure): ApplyResult {
    if (failure.kind === "conflict") {
      this.conflict = true;
      return "conflict";
    }
    this.problems = failure.problems;
    if (failure.kind === "problems" && failure.problems.length > 0) return "refused";
    this.failure = failure.message;
    return "failed";
  }

  #touched(): void {
    this.failure = null;
    clearTimeout(this.#checkTimer);
    this.#checkTimer = setTimeout(() => void this.check(), checkAfterMs);
  }

  #forgetVerdict(): void {
    clearTimeout(this.#checkTimer);
    this.#checkNumber++;
    this.problems = [];
    this.conflict = false;
    this.failure = null;
  }
}

function sameSections(a: Settings, b: Settings): boolean {
  const sections = ["general", "service", "delivery"] as const;
  // Rules of the lists are changed one by one, as users are.
  const { lists: ofA, ...securityA } = a.security;
  const { lists: ofB, ...securityB } = b.security;
  void [ofA, ofB];
  return sameValue(securityA, securityB) && sections.every((section) => sameValue(a[section], b[section]));
}

export const draft = new Draft([relayPassword]);
