/** What each of the five tests would say now, with the settings as they stand in the draft. */
import { asFailure, commands } from "../lib/commands";
import { sameValue } from "../lib/paths";
import type { CheckFinding, CheckName, Checks, CheckTrial, Problem } from "../lib/types";
import { draft } from "./draft.svelte";

export type TrialName = "dnsbl" | "spf" | "message" | "antivirus";
/** The fields that a test asks for. */
export type TrialField = "ip" | "helo" | "sender" | "path";

function draftedChecks(): Checks {
  return {
    dnsbl_zones: $state.snapshot(draft.value("security.checks.dnsbl_zones")),
    spf: draft.value("security.checks.spf"),
    dkim: draft.value("security.checks.dkim"),
    dmarc: draft.value("security.checks.dmarc"),
    antivirus: draft.value("security.checks.antivirus"),
    antivirus_unavailable: draft.value("security.checks.antivirus_unavailable"),
  };
}

export class Trial {
  readonly name: TrialName;
  readonly tests: readonly CheckName[];
  ip = $state("");
  helo = $state("");
  sender = $state("");
  path = $state("");
  running = $state(false);
  findings = $state.raw<CheckFinding[] | null>(null);
  /** The Authentication-Results field that the message would get. */
  header = $state("");
  failure = $state<string | null>(null);
  problems = $state.raw<Problem[]>([]);
  #asked = $state.raw<CheckTrial | null>(null);
  #number = 0;

  readonly stale = $derived<boolean>(
    this.#asked !== null && draft.saved !== null && !sameValue(this.#asked, this.input()),
  );

  constructor(name: TrialName, tests: readonly CheckName[]) {
    this.name = name;
    this.tests = tests;
  }

  input(): CheckTrial {
    return {
      ip: this.ip.trim(),
      helo: this.helo.trim(),
      sender: this.sender.trim(),
      path: this.path.trim() === "" ? null : this.path.trim(),
      tests: [...this.tests],
      checks: draftedChecks(),
      clamd: draft.value("service.clamd"),
    };
  }

  async run(): Promise<void> {
    if (this.running) return;
    const trial = this.input();
    const number = ++this.#number;
    this.#asked = trial;
    this.failure = null;
    this.problems = [];
    this.running = true;
    try {
      const { findings, header } = await this.#ask(trial);
      if (number !== this.#number) return;
      this.findings = findings;
      this.header = header;
    } catch (thrown) {
      if (number !== this.#number) return;
      const failure = asFailure(thrown);
      this.findings = null;
      this.problems = failure.problems;
      this.failure = failure.message;
    }
    this.running = false;
  }

  problemsAt(field: string): Problem[] {
    return this.problems.filter((problem) => problem.path === field);
  }

  forget(): void {
    this.#number++;
    this.#asked = null;
    Object.assign(this, { ip: "", helo: "", sender: "", path: "", header: "" });
    this.running = false;
    this.findings = null;
    this.failure = null;
    this.problems = [];
  }

  async #ask(trial: CheckTrial): Promise<{ findings: CheckFinding[]; header: string }> {
    if (this.name === "dnsbl") {
      return { findings: await commands.check_dnsbl(trial.ip, trial.checks.dnsbl_zones), header: "" };
    }
    if (this.name === "spf") return { findings: await commands.check_spf(trial), header: "" };
    return commands.check_message(trial);
  }
}

export const trials: Record<TrialName, Trial> = {
  dnsbl: new Trial("dnsbl", ["dnsbl"]),
  spf: new Trial("spf", ["spf"]),
  message: new Trial("message", ["spf", "dkim", "dmarc", "arc"]),
  antivirus: new Trial("antivirus", ["antivirus"]),
};
