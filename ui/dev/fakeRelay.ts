/** A relay to be tested, and the place of its password. */
import type { Channel } from "@tauri-apps/api/core";
import type { RelayPasswordStatus, RelayStep, RelayTest, SeenCertificate } from "../src/lib/types";

export const fingerprint = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

function certificate(problem: string | null): SeenCertificate {
  return {
    subject: "CN=smtp.provider.example",
    issuer: problem === null ? "CN=Example Root" : "CN=smtp.provider.example",
    names: ["smtp.provider.example", "mail.provider.example"],
    valid_from_ms: Date.UTC(2026, 4, 2),
    valid_until_ms: Date.UTC(2027, 4, 2),
    sha256: fingerprint,
    verified: problem === null,
    problem,
  };
}

type Part = Pick<RelayStep, "step" | "text"> & Partial<RelayStep>;

export class FakeRelay {
  password: RelayPasswordStatus = { is_set: false, place: null };
  /** Time between the beginning and the end of a step. */
  paceMs = 0;
  /** The certificate is not one that anybody vouches for. */
  fails = false;
  /** The password last given, which the program tells nobody. */
  stored: string | null = null;

  readonly answers = {
    relay_password_status: () => ({ ...this.password }),
    relay_password_set: ({ password }: { password: string }) => {
      this.stored = password;
      this.password = { is_set: true, place: "keychain" };
    },
    relay_password_clear: () => {
      this.stored = null;
      this.password = { is_set: false, place: null };
    },
    relay_test: ({ test, steps }: { test: RelayTest; steps: Channel<RelayStep> }) => this.#test(test, steps),
  };

  async #test(test: RelayTest, steps: Channel<RelayStep>): Promise<RelayStep[]> {
    let index = 0;
    const ended: RelayStep[] = [];
    const tell = (message: RelayStep) => {
      const internals = window as unknown as {
        __TAURI_INTERNALS__: { runCallback: (id: number, data: unknown) => void };
      };
      internals.__TAURI_INTERNALS__.runCallback(steps.id, { index: index++, message });
    };
    for (const part of this.#parts(test)) {
      const step: RelayStep = { result: "passed", transcript: [], took_ms: 12, certificate: null, ...part };
      if (step.result !== "skipped") {
        tell({ ...step, result: "running", text: "", transcript: [], took_ms: 0, certificate: null });
        await new Promise((resolve) => setTimeout(resolve, this.paceMs));
      }
      tell(step);
      ended.push(step);
    }
    return ended;
  }

  #parts(test: RelayTest): Part[] {
    const pinned = typeof test.certificate === "object";
    const refused = this.fails && !pinned && test.certificate !== "any";
    const opening: Part[] = [
      { step: "dns", text: `${test.server} has the addresses 192.0.2.10 and 2001:db8::10`, took_ms: 8 },
      { step: "connect", text: `connected to 192.0.2.10:${test.port}`, took_ms: 21 },
      {
        step: "greeting",
        text: "smtp.provider.example is there",
        transcript: ["< 220 smtp.provider.example ESMTP ready"],
      },
      {
        step: "ehlo",
        text: "offers STARTTLS, AUTH PLAIN LOGIN, SIZE 36700160, 8BITMIME",
        transcript: [
          "> EHLO mail.office.example",
          "< 250-smtp.provider.example",
          "< 250-STARTTLS",
          "< 250-AUTH PLAIN LOGIN",
          "< 250-SIZE 36700160",
          "< 250 8BITMIME",
        ],
      },
    ];
    const starttls = ["> STARTTLS", "< 220 2.0.0 Ready to start TLS"];
    if (refused) {
      return [
        ...opening,
        {
          step: "tls",
          result: "failed",
          text: "the certificate is not good enough: nobody this machine knows has signed it",
          transcript: starttls,
          certificate: certificate("nobody this machine knows has signed it"),
          took_ms: 64,
        },
        { step: "auth", result: "skipped", text: "", took_ms: 0 },
        { step: "mail", result: "skipped", text: "", took_ms: 0 },
        { step: "quit", result: "skipped", text: "", took_ms: 0 },
      ];
    }
    return [
      ...opening,
      {
        step: "tls",
        text: "TLS 1.3, TLS_AES_256_GCM_SHA384",
        transcript: starttls,
        certificate: certificate(null),
        took_ms: 64,
      },
      test.auth
        ? {
            step: "auth",
            text: `signed in as ${test.username}`,
            transcript: ["> AUTH PLAIN (hidden)", "< 235 2.7.0 Accepted"],
            took_ms: 48,
          }
        : { step: "auth", result: "skipped", text: "no sign-in is set", took_ms: 0 },
      test.from !== "" && test.to !== ""
        ? {
            step: "mail",
            text: "this mail would be taken",
            transcript: [
              `> MAIL FROM:<${test.from}>`,
              "< 250 2.1.0 Ok",
              `> RCPT TO:<${test.to}>`,
              "< 250 2.1.5 Ok",
              "> RSET",
              "< 250 2.0.0 Ok",
            ],
          }
        : { step: "mail", result: "skipped", text: "no sender and recipient given", took_ms: 0 },
      { step: "quit", text: "", transcript: ["> QUIT", "< 221 2.0.0 Bye"], took_ms: 4 },
    ];
  }
}
