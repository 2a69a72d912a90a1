/** Clients as the server counts them at the moment, and those it turns away until later. */
import { i18n } from "../i18n/i18n.svelte";
import { asFailure, commands } from "../lib/commands";
import type { BlockedClient, LiveRates } from "../lib/types";
import { toasts } from "./toasts.svelte";

const everyMs = 2000;

class Clients {
  live = $state.raw<LiveRates | null>(null);
  liveFailure = $state<string | null>(null);
  blocked = $state.raw<BlockedClient[] | null>(null);
  blockedFailure = $state<string | null>(null);

  async refreshLive(): Promise<void> {
    try {
      this.live = await commands.rates_live();
      this.liveFailure = null;
    } catch (thrown) {
      this.liveFailure = asFailure(thrown).message;
    }
  }

  async refreshBlocked(): Promise<void> {
    try {
      this.blocked = await commands.blocks_list();
      this.blockedFailure = null;
    } catch (thrown) {
      this.blockedFailure = asFailure(thrown).message;
    }
  }

  watchLive(): () => void {
    return watch(() => this.refreshLive());
  }

  watchBlocked(): () => void {
    return watch(() => this.refreshBlocked());
  }

  async unblock(client: string): Promise<void> {
    try {
      await commands.rates_unblock(client);
      toasts.info(i18n.t.security.live.unblocked(client));
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    }
    await this.refreshLive();
  }

  async lift({ client, reason }: BlockedClient): Promise<void> {
    try {
      await commands.blocks_lift(client, reason);
      toasts.info(i18n.t.security.blocked.lifted(client));
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    }
    await this.refreshBlocked();
  }

  forget(): void {
    this.live = null;
    this.liveFailure = null;
    this.blocked = null;
    this.blockedFailure = null;
  }
}

/** Asks at once and then again and again; returns how to end it. A slow answer is waited for. */
function watch(ask: () => Promise<void>): () => void {
  let asking = false;
  const look = async (): Promise<void> => {
    if (asking || document.visibilityState !== "visible") return;
    asking = true;
    await ask();
    asking = false;
  };
  void look();
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}

export const clients = new Clients();
