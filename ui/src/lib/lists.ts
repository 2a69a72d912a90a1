/** What the kinds of list rules mean, as far as the window draws it: the tests that a white rule skips. */
import type { CheckName, Criterion, ListRule } from "./types";

export const criteria: readonly Criterion[] = ["ip", "ip_mask", "sender", "recipient", "domain"];

/** The five tests of the matrix, in its order. */
export type Test = Exclude<CheckName, "arc">;
export const tests: readonly Test[] = ["dnsbl", "spf", "antivirus", "dkim", "dmarc"];

/** The tests that mail is spared which a white rule of this criterion lets through; the others still run. */
const skipped: Record<Criterion, readonly Test[]> = {
  ip: tests,
  ip_mask: ["dnsbl", "spf", "dkim", "dmarc"],
  sender: ["spf", "antivirus"],
  recipient: ["spf", "antivirus"],
  domain: ["spf", "antivirus", "dkim", "dmarc"],
};

export function skippedBy(criterion: Criterion): readonly Test[] {
  return skipped[criterion];
}

/** Whether anybody can make a message match by writing a name that is not theirs. */
export function forgeable(criterion: Criterion): boolean {
  return criterion === "sender" || criterion === "recipient" || criterion === "domain";
}

export function newRule(preset: Partial<ListRule> = {}): ListRule {
  return {
    name: "",
    list: "black",
    criterion: "sender",
    value: "",
    action: "reject",
    enabled: true,
    comment: "",
    ...preset,
  };
}
