/** One test of the relay with the settings as they stand in the draft, step by step as it happens. */
import { asFailure, commands, type CommandFailure } from "../lib/commands";
import { sameValue } from "../lib/paths";
import type { Problem, RelayStep, RelayTest } from "../lib/types";
import { draft } from "./draft.svelte";
import { relayPassword } from "./relayPassword.svelte";

export type StepName = RelayStep["step"];

class RelayTrial {
  from = $state("");
  to = $state("");
  running = $state(false);
  steps = $state.raw<RelayStep[]>([]);
  /** Why the test could not be made at all. */
  failure = $state<string | null>(null);
  /** What of it hindered the test. */
  problems = $state.raw<Problem[]>([]);
  /** What was tested; `null` before the first test. */
  tested = $state.raw<RelayTest | null>(null);
  #number = 0;

  readonly failed = $derived<RelayStep | undefined>(this.steps.find((step) => step.result === "failed"));
  readonly totalMs = $derived<number>(this.steps.reduce((sum, step) => sum + step.took_ms, 0));
  readonly stale = $derived<boolean>(
    this.tested !== null && draft.saved !== null && !sameValue(this.tested, this.input()),
  );

  input(): RelayTest {
    return {
      server: draft.value("delivery.relay_server").trim(),
      port: draft.value("delivery.relay_port"),
      tls: draft.value("delivery.relay_tls"),
      tls_mode: draft.value("delivery.relay_tls_mode"),
      certificate: draft.value("delivery.relay_certificate"),
      auth: draft.value("delivery.relay_auth"),
      username: draft.value("delivery.relay_username"),
      password: relayPassword.forTest(),
      auth_in_clear: draft.value("delivery.relay_auth_in_clear"),
      from: this.from.trim(),
      to: this.to.trim(),
    };
  }

  async run(): Promise<void> {
    const test = this.input();
    const number = ++this.#number;
    this.tested = test;
    this.steps = [];
    this.failure = null;
    this.problems = [];
    this.running = true;
    try {
      const steps = await commands.relay_test(test, (step) => {
        if (number === this.#number && this.running) this.#take(step);
      });
      if (number === this.#number) this.steps = steps;
    } catch (thrown) {
      if (number === this.#number) this.#refused(asFailure(thrown));
    }
    if (number === this.#number) this.running = false;
  }

  /** As before the first test; an answer under way is not taken any more. */
  forget(): void {
    this.#number++;
    this.running = false;
    this.steps = [];
    this.failure = null;
    this.problems = [];
    this.tested = null;
    this.from = "";
    this.to = "";
  }

  #refused(failure: CommandFailure): void {
    this.problems = failure.problems;
    this.failure = failure.message;
  }

  /** A step is told again as it goes on. */
  #take(step: RelayStep): void {
    const known = this.steps.some((other) => other.step === step.step);
    this.steps = known
      ? this.steps.map((other) => (other.step === step.step ? step : other))
      : [...this.steps, step];
  }
}

export const relayTrial = new RelayTrial();
