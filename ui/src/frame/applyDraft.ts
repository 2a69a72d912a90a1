/** Apply, and say how it went: a toast when it did, the focus at the field when it did not. */
import { i18n } from "../i18n/i18n.svelte";
import { settingOf } from "../i18n/label";
import { draft, type ApplyResult } from "../state/draft.svelte";
import { navigation } from "../state/navigation.svelte";
import { server } from "../state/server.svelte";
import { toasts } from "../state/toasts.svelte";

/** "2 changes in General" */
export function changesInWords(): string {
  const t = i18n.t;
  return t.draft.join(draft.changesByPane().map(([pane, count]) => t.draft.changes(count, t.panes[pane])));
}

export async function applyDraft(): Promise<ApplyResult> {
  const { result, notes } = await draft.apply(changesInWords());
  if (result === "applied") {
    toasts.info(notes.length > 0 ? notes.join(" ") : i18n.t.draft.applied);
    await server.refresh();
  } else if (result === "refused") {
    const first = draft.refusedPaths()[0];
    if (first !== undefined) await navigation.openSetting(settingOf(first));
  }
  return result;
}
