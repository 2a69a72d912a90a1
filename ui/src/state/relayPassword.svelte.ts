/**
 * The password at the relay. It can be written, never read: the window knows only whether there is one and where it
 * is kept. A new one belongs to the draft until Apply.
 */
import { asFailure, commands } from "../lib/commands";
import type { RelayPasswordStatus } from "../lib/types";
import type { Companion } from "./draft.svelte";

class RelayPasswordDraft implements Companion {
  readonly pane = "delivery";
  status = $state.raw<RelayPasswordStatus | null>(null);
  /** What is typed; `null` while the field is closed. */
  typed = $state<string | null>(null);
  removing = $state(false);
  failure = $state<string | null>(null);

  readonly changed = $derived<boolean>(this.removing || (this.typed ?? "") !== "");
  /** Whether there will be a password once the changes are applied. */
  readonly willBeSet = $derived<boolean>(
    (this.typed ?? "") !== "" || (!this.removing && this.status?.is_set === true),
  );

  async refresh(): Promise<void> {
    try {
      this.status = await commands.relay_password_status();
      this.failure = null;
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
    }
  }

  /** The password for a test: what is typed, `null` for the stored one, empty for none. */
  forTest(): string | null {
    if ((this.typed ?? "") !== "") return this.typed;
    return this.removing ? "" : null;
  }

  async save(): Promise<void> {
    try {
      if ((this.typed ?? "") !== "") await commands.relay_password_set(this.typed ?? "");
      else if (this.removing) await commands.relay_password_clear();
    } catch (thrown) {
      this.failure = asFailure(thrown).message;
      throw thrown;
    }
    this.discard();
    await this.refresh();
  }

  discard(): void {
    this.typed = null;
    this.removing = false;
    this.failure = null;
  }
}

export const relayPassword = new RelayPasswordDraft();
