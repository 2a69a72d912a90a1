/** The black and the white list: what is shown of them, the rule being edited, and what is known of its effect. */
import { i18n } from "../i18n/i18n.svelte";
import { asFailure, commands } from "../lib/commands";
import { newRule } from "../lib/lists";
import type { Criterion, ListAnalysis, ListHits, ListKind, ListRule } from "../lib/types";
import { Editor } from "./accounts.svelte";
import { draft } from "./draft.svelte";
import { toasts } from "./toasts.svelte";

const analyseAfterMs = 250;

class RuleLists {
  readonly editor = new Editor<ListRule>();
  search = $state("");
  list = $state<ListKind | "all">("all");
  criterion = $state<Criterion | "all">("all");
  hits = $state.raw<ReadonlyMap<string, ListHits>>(new Map());
  /** Of the rule in the editor, as last heard; `null` before that. */
  analysis = $state.raw<ListAnalysis | null>(null);
  saving = $state(false);
  #analyseTimer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  /** What the search looks into. Rules are never changed, only replaced. */
  readonly #texts = new WeakMap<ListRule, string>();

  readonly rules = $derived<ListRule[]>(draft.saved?.security.lists ?? []);
  readonly filtered = $derived<boolean>(
    this.search.trim() !== "" || this.list !== "all" || this.criterion !== "all",
  );
  readonly shown = $derived.by<ListRule[]>(() => {
    if (!this.filtered) return this.rules;
    const wanted = this.search.trim().toLowerCase();
    return this.rules.filter(
      (rule) =>
        (this.list === "all" || rule.list === this.list) &&
        (this.criterion === "all" || rule.criterion === this.criterion) &&
        (wanted === "" || this.#textOf(rule).includes(wanted)),
    );
  });

  clearFilter(): void {
    this.search = "";
    this.list = "all";
    this.criterion = "all";
  }

  /** Opens a rule; false where another one has changes that are not saved. */
  edit(rule: ListRule): boolean {
    if (this.editor.open && this.editor.original === rule.name) return true;
    if (!this.editor.mayLeave()) return false;
    this.#begin(rule.name, rule);
    return true;
  }

  create(preset: Partial<ListRule> = {}): boolean {
    if (!this.editor.mayLeave()) return false;
    this.#begin(null, newRule(preset));
    return true;
  }

  /** Opens the rule of that name, wherever it is told of; the filter must not hide it. */
  open(name: string): void {
    const rule = this.rules.find((other) => other.name === name);
    if (rule === undefined || !this.edit(rule)) return;
    if (!this.shown.includes(rule)) this.clearFilter();
  }

  async save(): Promise<boolean> {
    const { original } = this.editor;
    const rule = $state.snapshot(this.editor.entry);
    if (rule === null || this.saving) return false;
    rule.name = rule.name.trim();
    rule.value = rule.value.trim();
    this.editor.forgive();
    this.saving = true;
    try {
      const revision = await commands.list_set(original, rule);
      await draft.tookLists(revision, (rules) =>
        inOrder([...rules.filter((other) => other.name !== original), rule]),
      );
      this.editor.close();
      const t = i18n.t.security.lists;
      toasts.info(original === null ? t.created(rule.name) : t.saved(rule.name));
      return true;
    } catch (thrown) {
      this.editor.refuse(asFailure(thrown));
      await draft.load();
      return false;
    } finally {
      await this.refreshHits();
      this.saving = false;
    }
  }

  async remove(rule: ListRule): Promise<void> {
    const t = i18n.t.security.lists;
    try {
      const revision = await commands.lists_remove([rule.name]);
      await draft.tookLists(revision, (rules) => rules.filter((other) => other.name !== rule.name));
      if (this.editor.original === rule.name) this.editor.close();
      toasts.info(t.removed(rule.name), {
        label: i18n.t.common.undo,
        run: () => void this.restore(rule),
      });
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
      await draft.load();
    }
    await this.refreshHits();
  }

  async restore(rule: ListRule): Promise<void> {
    try {
      const revision = await commands.lists_restore([rule]);
      await draft.tookLists(revision, (rules) => inOrder([...rules, rule]));
      toasts.info(i18n.t.security.lists.restored(rule.name));
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
      await draft.load();
    }
    await this.refreshHits();
  }

  async refreshHits(): Promise<void> {
    try {
      const hits = await commands.lists_hits();
      this.hits = new Map(hits.map((each) => [each.name, each]));
    } catch {
      // The rules are what matters here; the counts come with the next look.
    }
  }

  /** Asks a moment after the last change what the rule does; an answer overtaken by a newer question is dropped. */
  analyse(rule: ListRule): void {
    clearTimeout(this.#analyseTimer);
    const asked = ++this.#asked;
    this.#analyseTimer = setTimeout(() => void this.#ask(asked, rule), analyseAfterMs);
  }

  forget(): void {
    clearTimeout(this.#analyseTimer);
    this.#asked++;
    this.analysis = null;
    this.hits = new Map();
    this.saving = false;
    this.editor.close();
    this.clearFilter();
  }

  #begin(original: string | null, rule: ListRule): void {
    this.analysis = null;
    this.editor.begin(original, rule);
  }

  async #ask(asked: number, rule: ListRule): Promise<void> {
    try {
      const analysis = await commands.lists_analyse(rule, this.editor.original);
      if (asked === this.#asked) this.analysis = analysis;
    } catch {
      if (asked === this.#asked) this.analysis = null;
    }
  }

  #textOf(rule: ListRule): string {
    let text = this.#texts.get(rule);
    if (text === undefined) {
      text = `${rule.name}\n${rule.value}\n${rule.comment}`.toLowerCase();
      this.#texts.set(rule, text);
    }
    return text;
  }
}

/** As the program keeps them. */
function inOrder(rules: ListRule[]): ListRule[] {
  return rules.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export const ruleLists = new RuleLists();
