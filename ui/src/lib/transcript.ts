/** What a test of the relay showed, as text and as a fingerprint to pin. */
import type { RelayStep } from "./types";

/** The whole dialogue under the names of its steps, to be sent to whoever runs the relay. */
export function transcriptOf(steps: readonly RelayStep[], title: (step: RelayStep) => string): string {
  return steps
    .map((step) =>
      [`== ${title(step)}`, step.text, ...step.transcript].filter((line) => line !== "").join("\n"),
    )
    .join("\n\n");
}

/** Sixty-four hex digits as pairs with colons, which people can compare. */
export function withColons(fingerprint: string): string {
  return (fingerprint.match(/../g) ?? []).join(":").toUpperCase();
}

/** The same fingerprint, however it was copied. */
export function bareFingerprint(text: string): string {
  return text.replace(/[\s:]/g, "").toLowerCase();
}
