/** What waits: the filter, the rows read so far, those marked, and the entry that is open. */
import { i18n } from "../i18n/i18n.svelte";
import { asFailure, commands } from "../lib/commands";
import { sameValue } from "../lib/paths";
import type { QueueAct, QueueEntry, QueueFilter, QueueRow, QueueWhich } from "../lib/types";
import { overview } from "./overview.svelte";
import { toasts } from "./toasts.svelte";

const pageSize = 200;
/** Further rows are read when asked for, but not again every two seconds. */
const mostFollowed = 1000;

export type Question = { act: "return" | "remove"; which: QueueWhich; count: number };

class Queue {
  text = $state("");
  state = $state<QueueFilter["state"]>("all");
  destination = $state<string | null>(null);
  rows = $state.raw<QueueRow[]>([]);
  total = $state(0);
  more = $state(false);
  loaded = $state(false);
  failure = $state<string | null>(null);
  marked = $state.raw<ReadonlySet<number>>(new Set());
  /**
   * All that match the filter are meant, also those not read yet, up to this number: the newest that was shown when
   * they were marked. Mail that came later was never looked at.
   */
  #upTo = $state<number | null>(null);
  /** How many these are. */
  #matching = $state(0);
  entry = $state.raw<QueueEntry | null>(null);
  /** The open entry is in the queue no more. */
  left = $state(false);
  question = $state.raw<Question | null>(null);
  acting = $state(false);
  #listed = 0;
  #asked = 0;
  #anchor: number | null = null;

  readonly filtered = $derived<boolean>(
    this.text.trim() !== "" || this.state !== "all" || this.destination !== null,
  );
  readonly everything = $derived<boolean>(this.#upTo !== null);
  readonly markedCount = $derived<number>(this.everything ? this.#matching : this.marked.size);
  readonly markedRows = $derived<QueueRow[]>(this.rows.filter((row) => this.marked.has(row.id)));

  filter(): QueueFilter {
    return { text: this.text.trim(), state: this.state, destination: this.destination };
  }

  /** Reads from the start: for a new filter. */
  async search(): Promise<void> {
    this.unmark();
    await this.#read(pageSize);
  }

  /** Reads again what is shown; marks and the open entry stay. */
  async follow(): Promise<void> {
    if (this.rows.length > mostFollowed) await this.#count();
    else await this.refresh();
  }

  /** The same where more is shown than is followed: only so much of it. */
  async refresh(): Promise<void> {
    await this.#read(Math.min(mostFollowed, Math.max(pageSize, this.rows.length)));
    await this.#followEntry();
  }

  async further(): Promise<void> {
    const asked = ++this.#listed;
    try {
      const page = await commands.queue_list(this.filter(), this.rows.at(-1)?.id ?? null, pageSize);
      if (asked !== this.#listed) return;
      this.rows = [...this.rows, ...page.rows];
      this.total = page.total;
      this.more = page.more;
      if (this.everything) this.marked = this.#meant(this.rows);
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
  }

  show(destination: string | null): void {
    this.destination = destination;
    void this.search();
  }

  clear(): void {
    this.text = "";
    this.state = "all";
    this.destination = null;
    void this.search();
  }

  async open(id: number): Promise<void> {
    const asked = ++this.#asked;
    try {
      const entry = await commands.queue_show(id);
      if (asked !== this.#asked) return;
      this.entry = entry;
      this.left = false;
    } catch (thrown) {
      if (asked !== this.#asked) return;
      if (this.entry?.row.id === id) this.left = true;
      else toasts.error(asFailure(thrown).message);
    }
  }

  close(): void {
    this.#asked++;
    this.entry = null;
    this.left = false;
  }

  /** Marks one row or takes its mark; a range is from the row marked before. */
  mark(id: number, range: boolean): void {
    const on = !this.marked.has(id);
    const marked = new Set(this.marked);
    for (const each of range ? this.#between(id) : [id]) {
      if (on) marked.add(each);
      else marked.delete(each);
    }
    this.#anchor = id;
    this.#upTo = null;
    this.marked = marked;
  }

  markShown(): void {
    this.#upTo = null;
    this.marked = new Set(this.rows.map((row) => row.id));
  }

  async markMatching(): Promise<void> {
    this.markShown();
    // The newest stands first.
    this.#upTo = this.rows[0]?.id ?? null;
    this.#matching = this.total;
    await this.#count();
  }

  unmark(): void {
    this.#upTo = null;
    this.marked = new Set();
    this.#anchor = null;
  }

  /** What an act on the marked rows is about. */
  whichMarked(): QueueWhich {
    return this.everything ? { matching: this.#meantFilter() } : { ids: [...this.marked] };
  }

  /** Does it, or asks first where mail would be gone. */
  want(act: QueueAct, which: QueueWhich, count: number): void {
    if (act === "return" || act === "remove") this.question = { act, which, count };
    else void this.act(act, which);
  }

  async act(act: QueueAct, which: QueueWhich): Promise<void> {
    this.acting = true;
    try {
      const changed = await commands.queue_act(act, which);
      toasts.info(changed === 0 ? i18n.t.queue.did_nothing : i18n.t.queue.did[act](changed));
      if (act === "return" || act === "remove") this.#upTo = null;
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    }
    this.acting = false;
    await Promise.all([this.refresh(), overview.refresh()]);
  }

  #meantFilter(): QueueFilter {
    return { ...this.filter(), up_to: this.#upTo };
  }

  /** The rows that are meant while all that match are. */
  #meant(rows: QueueRow[]): ReadonlySet<number> {
    const upTo = this.#upTo ?? 0;
    return new Set(rows.filter((row) => row.id <= upTo).map((row) => row.id));
  }

  /** Counts again what is meant: of that, mail may have gone. */
  async #count(): Promise<void> {
    const upTo = this.#upTo;
    if (upTo === null) return;
    try {
      const { total } = await commands.queue_list(this.#meantFilter(), null, 1);
      if (this.#upTo === upTo) this.#matching = total;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
  }

  #between(id: number): number[] {
    const from = this.rows.findIndex((row) => row.id === this.#anchor);
    const to = this.rows.findIndex((row) => row.id === id);
    if (from < 0 || to < 0) return [id];
    return this.rows.slice(Math.min(from, to), Math.max(from, to) + 1).map((row) => row.id);
  }

  /** Reads at least so many rows, if there are as many. */
  async #read(wanted: number): Promise<void> {
    const asked = ++this.#listed;
    const filter = this.filter();
    const rows: QueueRow[] = [];
    try {
      for (;;) {
        const page = await commands.queue_list(filter, rows.at(-1)?.id ?? null, pageSize);
        // An answer overtaken by a newer question is dropped.
        if (asked !== this.#listed) return;
        rows.push(...page.rows);
        this.total = page.total;
        this.more = page.more;
        if (!page.more || page.rows.length === 0 || rows.length >= wanted) break;
      }
      this.failure = null;
      this.#take(rows);
      await this.#count();
    } catch (thrown) {
      if (asked === this.#listed) this.failure = asFailure(thrown).message;
    }
    this.loaded = true;
  }

  /** Rows that are as they were stay the same objects, so that only what changed is drawn again. */
  #take(rows: QueueRow[]): void {
    const known = new Map(this.rows.map((row) => [row.id, row]));
    this.rows = rows.map((row) => {
      const before = known.get(row.id);
      return before !== undefined && sameValue(before, row) ? before : row;
    });
    if (this.everything) this.marked = this.#meant(rows);
    else if (this.marked.size > 0) {
      this.marked = new Set(rows.filter((row) => this.marked.has(row.id)).map((row) => row.id));
    }
  }

  async #followEntry(): Promise<void> {
    const open = this.entry?.row;
    if (open === undefined || this.left) return;
    const row = this.rows.find((other) => other.id === open.id);
    if (row === undefined || !sameValue(row, open)) await this.open(open.id);
  }
}

export const queue = new Queue();
