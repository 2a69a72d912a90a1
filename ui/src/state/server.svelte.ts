/** The server's state as last heard, asked for each second while the window can be seen. */
import { asFailure, commands } from "../lib/commands";
import type { Listener, Status } from "../lib/types";
import { toasts } from "./toasts.svelte";

const everyMs = 1000;

class Server {
  status = $state.raw<Status | null>(null);
  /** Set while the program itself gives no answer. */
  silent = $state(false);
  busy = $state(false);

  async refresh(): Promise<void> {
    try {
      this.status = await commands.status();
      this.silent = false;
    } catch {
      this.silent = true;
    }
  }

  start(): Promise<void> {
    return this.#ask(commands.server_start);
  }

  stop(): Promise<void> {
    return this.#ask(commands.server_stop);
  }

  /** Keeps asking; returns how to end it. */
  watch(): () => void {
    void this.refresh();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, everyMs);
    return () => clearInterval(timer);
  }

  async #ask(command: () => Promise<void>): Promise<void> {
    this.busy = true;
    try {
      await command();
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    } finally {
      await this.refresh();
      this.busy = false;
    }
  }
}

/** The port of `[::]:25` or `127.0.0.1:2525`. */
export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

/** The ports really open, each once, in the order of the services. */
export function openPorts(listeners: readonly Listener[]): string[] {
  const open = listeners.filter((listener) => listener.problem === null);
  return [...new Set(open.map((listener) => portOf(listener.address)))];
}

export const server = new Server();
