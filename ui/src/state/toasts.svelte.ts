/** Short messages at the lower edge. One that offers an action stays until it is used or dismissed. */
export type Toast = {
  id: number;
  kind: "info" | "error";
  text: string;
  action: { label: string; run: () => void } | null;
};

const calmMs = 6000;

class Toasts {
  shown = $state<Toast[]>([]);
  #next = 1;

  info(text: string, action: Toast["action"] = null): void {
    this.#show({ id: this.#next++, kind: "info", text, action });
  }

  error(text: string): void {
    this.#show({ id: this.#next++, kind: "error", text, action: null });
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  clear(): void {
    this.shown = [];
  }

  /** Runs the newest action on offer (undo by keyboard); false when there is none. */
  runNewest(): boolean {
    const newest = this.shown.findLast((toast) => toast.action !== null);
    if (newest?.action == null) return false;
    this.dismiss(newest.id);
    newest.action.run();
    return true;
  }

  #show(toast: Toast): void {
    // Three at most: the oldest makes room.
    this.shown = [...this.shown.slice(-2), toast];
    if (toast.kind === "info" && toast.action === null) setTimeout(() => this.dismiss(toast.id), calmMs);
  }
}

export const toasts = new Toasts();
