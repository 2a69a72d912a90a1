/** The queue of the program in memory. */
import type {
  PausedDestination,
  QueueAct,
  QueueEntry,
  QueueFilter,
  QueueGlance,
  QueuePage,
  QueueRow,
  QueueWhich,
} from "../src/lib/types";
import { attemptsOf, headersOf } from "./queueData";

export class FakeQueue {
  rows: QueueRow[] = [];
  paused: PausedDestination[] = [];

  readonly answers = {
    queue_list: (args: { filter: QueueFilter; after: number | null; limit: number }) => this.#list(args),
    queue_show: ({ id }: { id: number }) => this.#show(id),
    queue_act: ({ act, which }: { act: QueueAct; which: QueueWhich }) => this.#act(act, which),
  };

  numbers(): QueueGlance {
    return {
      waiting: this.rows.filter((row) => row.state !== "held").length,
      held: this.rows.filter((row) => row.state === "held").length,
      oldest_at_ms: this.rows.reduce<number | null>(
        (oldest, row) => Math.min(oldest ?? row.accepted_at_ms, row.accepted_at_ms),
        null,
      ),
      paused: this.paused,
    };
  }

  #matching(filter: QueueFilter): QueueRow[] {
    const text = filter.text.toLowerCase();
    return this.rows.filter(
      (row) =>
        (filter.state === "all" || filter.state === "" || row.state === filter.state) &&
        row.id <= (filter.up_to ?? Infinity) &&
        (filter.destination === null || row.destination === filter.destination) &&
        `${row.sender}\n${row.recipient}\n${row.subject}\n${row.token}\n${row.reason}`
          .toLowerCase()
          .includes(text),
    );
  }

  #list({ filter, after, limit }: { filter: QueueFilter; after: number | null; limit: number }): QueuePage {
    const all = this.#matching(filter);
    const rest = after === null ? all : all.filter((row) => row.id < after);
    return structuredClone({
      rows: rest.slice(0, limit),
      total: all.length,
      more: rest.length > limit,
    });
  }

  #show(id: number): QueueEntry {
    const row = this.rows.find((each) => each.id === id);
    if (row === undefined) throw { kind: "problems", message: "this mail waits no more", problems: [] };
    return structuredClone({ row, attempts: attemptsOf(row), head: headersOf(row) });
  }

  #act(act: QueueAct, which: QueueWhich): number {
    const meant = new Set("ids" in which ? which.ids : this.#matching(which.matching).map((row) => row.id));
    const before = this.rows.length;
    if (act === "return" || act === "remove") {
      this.rows = this.rows.filter((row) => !meant.has(row.id));
      return before - this.rows.length;
    }
    let changed = 0;
    this.rows = this.rows.map((row) => {
      if (!meant.has(row.id)) return row;
      changed++;
      if (act === "hold") return { ...row, state: "held" as const };
      return { ...row, state: "waiting" as const, next_at_ms: Date.now() };
    });
    // What is tried at once lifts the pause of its destination.
    if (act === "retry" || act === "release") {
      const lifted = new Set(this.rows.filter((row) => meant.has(row.id)).map((row) => row.destination));
      this.paused = this.paused.filter((place) => !lifted.has(place.destination));
    }
    return changed;
  }
}
