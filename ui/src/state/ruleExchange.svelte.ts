/** Rules from a file and into one. An import is looked at line by line before anything of it is stored. */
import { i18n } from "../i18n/i18n.svelte";
import { asFailure, commands } from "../lib/commands";
import type { Criterion, ListFormat, ListImport, ListImportPreview } from "../lib/types";
import { draft } from "./draft.svelte";
import { toasts } from "./toasts.svelte";

/** The ways to write the rules: an access table has either senders or recipients. */
export type ExportKind = "csv" | "senders" | "recipients" | "cidr";
type Export = { format: ListFormat; addresses: Criterion | null; name: string };
const exports: Record<ExportKind, Export> = {
  csv: { format: "csv", addresses: null, name: "postroom-lists.csv" },
  senders: { format: "access", addresses: "sender", name: "sender_access" },
  recipients: { format: "access", addresses: "recipient", name: "recipient_access" },
  cidr: { format: "cidr", addresses: null, name: "client_access.cidr" },
};
export const exportKinds = Object.keys(exports) as ExportKind[];

class RuleExchange {
  /** What is to be imported; `null` while nothing is. */
  wanted = $state<ListImport | null>(null);
  preview = $state.raw<ListImportPreview | null>(null);
  failure = $state<string | null>(null);
  busy = $state(false);
  #asked = 0;

  /** Lets the person choose a file and shows what would come of it. */
  async choose(): Promise<void> {
    const path = await this.#ask(() => commands.choose_file(i18n.t.security.exchange.choose));
    if (path === null) return;
    this.wanted = { path, format: null, addresses: "sender", existing: "keep" };
    await this.look();
  }

  /** The same file read otherwise. */
  async change(part: Partial<ListImport>): Promise<void> {
    if (this.wanted === null) return;
    this.wanted = { ...this.wanted, ...part };
    await this.look();
  }

  async look(): Promise<void> {
    const wanted = $state.snapshot(this.wanted);
    if (wanted === null) return;
    const asked = ++this.#asked;
    this.busy = true;
    this.failure = null;
    try {
      const preview = await commands.lists_import_preview(wanted);
      if (asked === this.#asked) this.preview = preview;
    } catch (thrown) {
      if (asked === this.#asked) {
        this.preview = null;
        this.failure = asFailure(thrown).message;
      }
    }
    if (asked === this.#asked) this.busy = false;
  }

  async run(): Promise<void> {
    const wanted = $state.snapshot(this.wanted);
    if (wanted === null || this.busy) return;
    this.busy = true;
    this.failure = null;
    try {
      const { added, changed, kept, refused } = await commands.lists_import(wanted);
      toasts.info(i18n.t.security.exchange.imported(added, changed, kept + refused));
      this.cancel();
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
    this.busy = false;
    await draft.load();
  }

  cancel(): void {
    this.#asked++;
    this.wanted = null;
    this.preview = null;
    this.failure = null;
    this.busy = false;
  }

  async export(kind: ExportKind): Promise<void> {
    const { format, addresses, name } = exports[kind];
    const t = i18n.t.security.exchange;
    const path = await this.#ask(() => commands.choose_save(t.choose_save, name));
    if (path === null) return;
    try {
      const { written, left_out } = await commands.lists_export(path, format, addresses);
      toasts.info(t.exported(written, left_out));
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    }
  }

  async #ask(question: () => Promise<string | null>): Promise<string | null> {
    try {
      return await question();
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
      return null;
    }
  }
}

export const ruleExchange = new RuleExchange();
