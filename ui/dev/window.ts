/** The whole window for a test: mounted over a fake program, with its state as after a start. */
import { clearMocks, mockIPC, mockWindows } from "@tauri-apps/api/mocks";
import { render, waitFor } from "@testing-library/svelte";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import App from "../src/App.svelte";
import { i18n } from "../src/i18n/i18n.svelte";
import { accounts } from "../src/state/accounts.svelte";
import { trials } from "../src/state/checkTrials.svelte";
import { clients } from "../src/state/clients.svelte";
import { draft } from "../src/state/draft.svelte";
import { journal } from "../src/state/journal.svelte";
import { navigation } from "../src/state/navigation.svelte";
import { overview } from "../src/state/overview.svelte";
import { queue } from "../src/state/queue.svelte";
import { relayPassword } from "../src/state/relayPassword.svelte";
import { relayTrial } from "../src/state/relayTrial.svelte";
import { ruleExchange } from "../src/state/ruleExchange.svelte";
import { ruleLists } from "../src/state/ruleLists.svelte";
import { server } from "../src/state/server.svelte";
import { setup } from "../src/state/setup.svelte";
import { toasts } from "../src/state/toasts.svelte";
import { FakeProgram } from "./fake";

export type OpenWindow = { program: FakeProgram; user: UserEvent };

/** Fields have dots in their ids, which selectors would read as classes. */
export function field(path: string): HTMLInputElement {
  const found = document.getElementById(path);
  if (!(found instanceof HTMLInputElement)) throw new Error(`no field ${path}`);
  return found;
}

export function byTestId(id: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

export function shown(id: string): boolean {
  return document.querySelector(`[data-testid="${id}"]`) !== null;
}

export function text(): string {
  return document.body.textContent ?? "";
}

/** The tests share one module of state, as the window has one; each begins with a fresh one. */
function forget(): void {
  i18n.choose("en");
  server.status = null;
  server.silent = false;
  draft.discard();
  draft.saved = null;
  draft.revision = 0;
  accounts.userEditor.close();
  accounts.groupEditor.close();
  navigation.pane = "overview";
  navigation.securityTab = "lists";
  ruleLists.forget();
  ruleExchange.cancel();
  clients.forget();
  for (const trial of Object.values(trials)) trial.forget();
  overview.numbers = null;
  Object.assign(journal, { text: "", outcome: null, period: "week", rows: [], found: null, entry: null });
  Object.assign(queue, { text: "", state: "all", destination: null, rows: [], total: 0, loaded: false });
  Object.assign(queue, { more: false, failure: null, question: null, acting: false });
  queue.unmark();
  queue.close();
  relayPassword.discard();
  relayPassword.status = null;
  relayTrial.forget();
  setup.restart();
  toasts.clear();
  delete document.body.dataset.painted;
}

export async function openWindow(program: FakeProgram = new FakeProgram()): Promise<OpenWindow> {
  clearMocks();
  mockWindows("main");
  mockIPC((command, args) => program.answer(command, (args ?? {}) as Record<string, unknown>), {
    shouldMockEvents: true,
  });
  forget();
  // What forgetting set going has to be over before the window begins.
  await new Promise((resolve) => setTimeout(resolve, 0));
  draft.saved = null;
  program.calls.length = 0;
  render(App);
  await waitFor(() => {
    if (draft.saved === null || server.status === null) throw new Error("not loaded");
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { program, user: userEvent.setup() };
}

/** What axe finds wrong with the page; colours are looked at in a real browser, which has a layout. */
export async function violations(): Promise<string[]> {
  const result = await axe.run(document.body, {
    rules: { "color-contrast": { enabled: false } },
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  });
  return result.violations.map((found) => `${found.id}: ${found.nodes[0]?.html}`);
}
