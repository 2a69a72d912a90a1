/** The numbers of the overview, read again every few seconds while it is in view. */
import { asFailure, commands } from "../lib/commands";
import type { Overview } from "../lib/types";

const everyMs = 3000;

class OverviewPage {
  numbers = $state.raw<Overview | null>(null);
  failure = $state<string | null>(null);

  async refresh(): Promise<void> {
    try {
      this.numbers = await commands.overview();
      this.failure = null;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
  }

  /** Keeps asking; returns how to end it. Several may ask, each at its pace. */
  watch(every: number = everyMs): () => void {
    void this.refresh();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, every);
    return () => clearInterval(timer);
  }
}

export const overview = new OverviewPage();
