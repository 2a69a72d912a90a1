/** What the mail log shows: the filter, the rows read so far, and the entry that is open. */
import { asFailure, commands } from "../lib/commands";
import { isToken } from "../lib/token";
import type { Entry, Outcome, Summary } from "../lib/types";

const pageSize = 200;
const hourMs = 3_600_000;

export type Period = "hour" | "day" | "week" | "month" | "ever";
const periodMs: Record<Period, number | null> = {
  hour: hourMs,
  day: 24 * hourMs,
  week: 7 * 24 * hourMs,
  month: 30 * 24 * hourMs,
  ever: null,
};

class Journal {
  text = $state("");
  outcome = $state<Outcome | null>(null);
  period = $state<Period>("week");
  rows = $state.raw<Summary[]>([]);
  more = $state(false);
  loaded = $state(false);
  failure = $state<string | null>(null);
  /** The entries found in a pasted bounce or by a token; `null` while the list is an ordinary one. */
  found = $state.raw<Entry[] | null>(null);
  entry = $state.raw<Entry | null>(null);
  #asked = 0;
  #listed = 0;
  #paged = false;

  readonly shown = $derived<Summary[]>(this.found ?? this.rows);
  readonly filtered = $derived<boolean>(this.text.trim() !== "" || this.outcome !== null);

  /** Reads the first page. */
  async refresh(): Promise<void> {
    this.#paged = false;
    await this.#read(null);
  }

  /** Reads the first page again, unless somebody is reading further down. */
  async follow(): Promise<void> {
    if (!this.#paged && this.found === null) await this.#read(null);
  }

  async older(): Promise<void> {
    this.#paged = true;
    await this.#read(this.rows.at(-1)?.id ?? null);
  }

  /** A search that was confirmed: a token opens its entry, anything else filters the list. */
  async search(): Promise<void> {
    const text = this.text.trim();
    if (isToken(text) && (await this.openIn(text)) > 0) return;
    this.found = null;
    await this.refresh();
  }

  /** Opens what the tokens in a text stand for (a token alone, or a whole bounce); returns how many. */
  async openIn(text: string): Promise<number> {
    try {
      const entries = await commands.journal_open(text);
      this.failure = null;
      this.found = entries;
      this.entry = entries[0] ?? null;
      return entries.length;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
      return 0;
    }
  }

  async select(summary: Summary): Promise<void> {
    const asked = ++this.#asked;
    try {
      const known = this.found?.find((entry) => entry.id === summary.id);
      const entries = known ? [known] : await commands.journal_open(summary.token);
      if (asked === this.#asked)
        this.entry = entries.find((entry) => entry.id === summary.id) ?? entries[0] ?? null;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
  }

  clear(): void {
    this.text = "";
    this.outcome = null;
    this.found = null;
    void this.refresh();
  }

  async #read(beforeId: number | null): Promise<void> {
    const span = periodMs[this.period];
    const asked = ++this.#listed;
    try {
      const answer = await commands.journal_list({
        text: this.text.trim() === "" ? null : this.text.trim(),
        outcome: this.outcome,
        since_ms: span === null ? null : Date.now() - span,
        before_id: beforeId,
        limit: pageSize,
      });
      // An answer overtaken by a newer question is dropped.
      if (asked !== this.#listed) return;
      this.rows = beforeId === null ? answer.rows : [...this.rows, ...answer.rows];
      this.more = answer.more;
      this.failure = null;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
    this.loaded = true;
  }
}

export const journal = new Journal();
