/** Keys that work everywhere: Ctrl+S applies, Ctrl+F searches, Ctrl+N creates, Ctrl+Z takes a deletion back. */
import { draft } from "../state/draft.svelte";
import { toasts } from "../state/toasts.svelte";
import { applyDraft } from "./applyDraft";

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** Uses the control that has this role in the pane at hand. */
function use(role: "search" | "create"): boolean {
  const control = document.querySelector<HTMLElement>(`[data-shortcut="${role}"]`);
  if (control === null) return false;
  if (role === "search") control.focus();
  else control.click();
  return true;
}

export function shortcuts(event: KeyboardEvent): void {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (document.querySelector("dialog[open]") !== null) return;
  const key = event.key.toLowerCase();
  let used = false;
  if (key === "f") used = use("search");
  else if (key === "n") used = use("create");
  else if (key === "z" && !typing(event.target)) used = toasts.runNewest();
  else if (key === "s") {
    used = true;
    if (draft.dirty && !draft.applying) void applyDraft();
  }
  if (used) event.preventDefault();
}
