/** What the controls of a setting have in common: their texts, and how a value reads in words. */
import { i18n } from "../i18n/i18n.svelte";
import { problemText } from "../i18n/problem";
import type { SettingPath } from "../lib/paths";
import { draft } from "../state/draft.svelte";

/** The aria-describedby of a control inside a Row of that id. */
export function describedBy(id: string): string {
  return `${id}.problem ${id}.help`;
}

/** A stored value in words. */
export function inWords(value: unknown): string {
  const t = i18n.t.draft;
  if (value === true) return t.on;
  if (value === false) return t.off;
  if (value === null) return t.no_limit;
  if (value === "" || (Array.isArray(value) && value.length === 0)) return t.none;
  if (Array.isArray(value)) return value.join(", ");
  if (value === "self_signed") return i18n.t.general.self_signed;
  if (value === "verify" || value === "any") return i18n.t.delivery[value];
  if (typeof value === "object") return Object.values(value).join(", ");
  return String(value);
}

/** The value before the change in progress; `null` when there is none. */
export function wasInWords(path: SettingPath): string | null {
  return draft.isChanged(path) ? inWords(draft.savedValue(path)) : null;
}

/** Everything that is wrong with a setting, in words, each once. */
export function problemsInWords(path: string): string[] {
  return [...new Set(draft.problemsAt(path).map(problemText))];
}
