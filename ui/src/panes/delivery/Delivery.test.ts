import { waitFor } from "@testing-library/svelte";
import { describe, expect, it, vi } from "vitest";
import { FakeProgram } from "../../../dev/fake";
import { fingerprint } from "../../../dev/fakeRelay";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import { paneOf, settingPaths } from "../../lib/paths";
import { draft } from "../../state/draft.svelte";

async function openDelivery(shape: (program: FakeProgram) => void = () => undefined): Promise<OpenWindow> {
  const program = new FakeProgram();
  shape(program);
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-delivery"));
  return opened;
}

function withRelay(program: FakeProgram): void {
  Object.assign(program.settings.delivery, {
    relay_enabled: true,
    relay_server: "smtp.provider.example",
    relay_auth: true,
    relay_username: "office",
  });
  program.relay.password = { is_set: true, place: "keychain" };
}

async function type(opened: OpenWindow, path: string, value: string): Promise<void> {
  await opened.user.clear(field(path));
  if (value !== "") await opened.user.type(field(path), value);
}

function problem(path: string): string {
  return document.getElementById(`${path}.problem`)?.textContent ?? "";
}

function step(name: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-step="${name}"]`);
  if (found === null) throw new Error(`no step ${name}`);
  return found;
}

describe("the Delivery pane", () => {
  it("has a control for every one of its settings and no axe violation", async () => {
    const opened = await openDelivery(withRelay);
    await opened.user.click(byTestId("delivery.relay_tls"));
    for (const path of settingPaths.filter((each) => paneOf(each) === "delivery")) {
      if (path === "delivery.direct_port") continue;
      expect(document.getElementById(path) ?? document.getElementById(`${path}.on`), path).not.toBeNull();
    }
    expect(await violations()).toEqual([]);
    await opened.user.click(byTestId("delivery.relay_enabled.direct"));
    expect(document.getElementById("delivery.direct_port")).not.toBeNull();
    expect(shown("relay")).toBe(false);
    expect(await violations()).toEqual([]);
  });

  it("asks for the server once the relay is chosen, and Apply leads there", async () => {
    const opened = await openDelivery();
    await opened.user.click(byTestId("delivery.relay_enabled.relay"));
    await waitFor(() => expect(problem("delivery.relay_server")).toContain("Write the host name"));
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(document.activeElement?.id).toBe("delivery.relay_server"));
    await opened.user.keyboard("smtp.provider.example");
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(opened.program.settings.delivery).toMatchObject({
      relay_enabled: true,
      relay_server: "smtp.provider.example",
    });
  });

  it("keeps a refused value of the relay in view when the relay is off", async () => {
    const opened = await openDelivery(withRelay);
    await type(opened, "delivery.relay_port", "none");
    await opened.user.click(byTestId("delivery.relay_enabled.direct"));
    expect(problem("delivery.relay_port")).toContain("not a whole number");
  });

  it("says what automatic encryption means on the port", async () => {
    const opened = await openDelivery(withRelay);
    const mode = byTestId("delivery.relay_tls_mode");
    expect(mode.textContent).toContain("STARTTLS on port 587");
    await type(opened, "delivery.relay_port", "465");
    expect(mode.textContent).toContain("TLS from the first byte on port 465");
  });

  it("offers the password in clear only where encryption is not required", async () => {
    const opened = await openDelivery(withRelay);
    expect(shown("delivery.relay_auth_in_clear")).toBe(false);
    await opened.user.click(byTestId("delivery.relay_tls"));
    await opened.user.click(byTestId("delivery.relay_auth_in_clear"));
    expect(text()).toContain("Whoever listens on the way can read the password.");
  });

  it("warns of taking any certificate, and refuses a pin that is none at its field", async () => {
    const opened = await openDelivery(withRelay);
    await opened.user.click(byTestId("delivery.relay_certificate.any.choice"));
    expect(text()).toContain("pretend to be the relay");
    await opened.user.click(byTestId("delivery.relay_certificate.pin.choice"));
    await waitFor(() => expect(problem("delivery.relay_certificate")).toContain("64 hex digits"));
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(document.activeElement?.id).toBe("delivery.relay_certificate.pin"));
  });
});

describe("the password at the relay", () => {
  it("is never shown, and replaced with Apply by a command of its own", async () => {
    const { program, user } = await openDelivery(withRelay);
    await waitFor(() => expect(byTestId("delivery.relay_password.state").textContent).toContain("keychain"));
    expect(shown("delivery.relay_password")).toBe(false);
    await user.click(byTestId("delivery.relay_password.replace"));
    expect(document.activeElement?.id).toBe("delivery.relay_password");
    await user.keyboard("correct horse");
    expect(byTestId("draft-summary").textContent).toBe("1 change in Delivery");
    expect(program.called("relay_password_set")).toEqual([]);

    await user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(program.called("relay_password_set")).toEqual([{ password: "correct horse" }]);
    expect(program.called("settings_apply")).toEqual([]);
    expect(text()).not.toContain("correct horse");
  });

  it("is not saved when the settings with it are refused", async () => {
    const opened = await openDelivery(withRelay);
    await type(opened, "delivery.relay_server", "");
    await waitFor(() => expect(shown("delivery.relay_password.replace")).toBe(true));
    await opened.user.click(byTestId("delivery.relay_password.replace"));
    await opened.user.keyboard("correct horse");
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(document.activeElement?.id).toBe("delivery.relay_server"));
    expect(opened.program.called("relay_password_set")).toEqual([]);
    expect(field("delivery.relay_password").value).toBe("correct horse");
  });

  it("is removed with Apply, and Discard keeps it", async () => {
    const { program, user } = await openDelivery(withRelay);
    await waitFor(() => expect(shown("delivery.relay_password.remove")).toBe(true));
    await user.click(byTestId("delivery.relay_password.remove"));
    expect(text()).toContain("Without a password the relay will not let this server sign in");
    await user.click(byTestId("discard"));
    await waitFor(() => expect(shown("delivery.relay_password.remove")).toBe(true));
    await user.click(byTestId("delivery.relay_password.remove"));
    await user.click(byTestId("apply"));
    await waitFor(() => expect(program.called("relay_password_clear")).toHaveLength(1));
    await waitFor(() => expect(text()).toContain("No password is stored."));
  });

  it("says at its field why it could not be kept, and stays typed", async () => {
    const opened = await openDelivery(withRelay);
    opened.program.failures.set("relay_password_set", {
      kind: "io",
      message: "the keychain is locked",
      problems: [],
    });
    await waitFor(() => expect(shown("delivery.relay_password.replace")).toBe(true));
    await opened.user.click(byTestId("delivery.relay_password.replace"));
    await opened.user.keyboard("correct horse");
    await type(opened, "delivery.relay_port", "2525");
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(problem("delivery.relay_password")).toContain("the keychain is locked"));
    expect(field("delivery.relay_password").value).toBe("correct horse");
    // The settings themselves are applied, and shown as they are now.
    expect(draft.savedValue("delivery.relay_port")).toBe(2525);
    expect(byTestId("draft-summary").textContent).toBe("1 change in Delivery");
  });
});

describe("the retries", () => {
  it("are told in words", async () => {
    const opened = await openDelivery();
    expect(byTestId("retry-preview").textContent).toBe(
      "Tried again after 5, 10, 20, 40 minutes, then every hour, for 5 days at most. " +
        "That is about 123 attempts. The sender hears of the delay after 4 hours.",
    );
    await opened.user.click(byTestId("delivery.warn_after_hours.on"));
    expect(byTestId("retry-preview").textContent).toContain("The sender hears nothing until then.");
  });

  it("are a list of minutes that is edited in place", async () => {
    const opened = await openDelivery();
    await opened.user.click(byTestId("delivery.retry_schedule_minutes.0.remove"));
    await opened.user.click(byTestId("delivery.retry_schedule_minutes.add"));
    await opened.user.keyboard("120");
    expect(draft.value("delivery.retry_schedule_minutes")).toEqual([10, 20, 40, 60, 120]);
    expect(byTestId("retry-preview").textContent).toContain("then every 2 hours");
  });

  it("mark the one number that is refused, and letters at once", async () => {
    const opened = await openDelivery();
    const path = "delivery.retry_schedule_minutes";
    await type(opened, `${path}.1`, "9999");
    await waitFor(() => expect(field(`${path}.1`).getAttribute("aria-invalid")).toBe("true"));
    expect(field(`${path}.0`).getAttribute("aria-invalid")).toBe("false");
    await type(opened, `${path}.1`, "soon");
    expect(problem(path)).toContain("“soon” is not a whole number of minutes.");
    expect(field(`${path}.1`).value).toBe("soon");
    await opened.user.click(byTestId("apply"));
    expect(opened.program.called("settings_apply")).toEqual([]);
    await opened.user.click(byTestId("discard"));
    await waitFor(() => expect(field(`${path}.1`).value).toBe("10"));
  });

  it("say when the sender would be told too late", async () => {
    const opened = await openDelivery();
    await type(opened, "delivery.give_up_after_hours", "4");
    expect(text()).toContain("never told of the delay");
  });
});

describe("the mailboxes", () => {
  it("are a folder or another mail store", async () => {
    const { program, user } = await openDelivery();
    await user.click(byTestId("service.mailbox.elsewhere"));
    await user.type(field("service.mailbox.lmtp"), "dovecot");
    await waitFor(() => expect(problem("service.mailbox")).toContain("needs a host with its port"));
    await user.type(field("service.mailbox.lmtp"), ":24");
    await waitFor(() => expect(problem("service.mailbox")).toBe(""));
    await user.click(byTestId("apply"));
    await waitFor(() => expect(program.settings.service.mailbox).toEqual({ lmtp: "dovecot:24" }));
    await user.click(byTestId("service.mailbox.here"));
    await user.type(field("service.mailbox.maildir"), "/srv/mail");
    await user.click(byTestId("apply"));
    await waitFor(() => expect(program.settings.service.mailbox).toEqual({ maildir: "/srv/mail" }));
  });
});

describe("the test of the relay", () => {
  it("runs with the draft and shows each step with its dialogue", async () => {
    const opened = await openDelivery(withRelay);
    await type(opened, "delivery.relay_port", "465");
    await opened.user.type(field("relay-test.from"), "alice@office.example");
    await opened.user.type(field("relay-test.to"), "kunde@shop.example{Enter}");
    await waitFor(() => expect(byTestId("relay-test.verdict").dataset.tone).toBe("good"));
    expect(opened.program.called("relay_test")[0]?.test).toMatchObject({
      server: "smtp.provider.example",
      port: 465,
      password: null,
      from: "alice@office.example",
      to: "kunde@shop.example",
    });
    expect(step("mail").dataset.result).toBe("passed");
    expect(step("mail").textContent).toContain("RCPT TO:<kunde@shop.example>");
    expect(step("quit").textContent).toContain("4 ms");
    expect(await violations()).toEqual([]);

    const written = vi.spyOn(navigator.clipboard, "writeText");
    await opened.user.click(byTestId("relay-test.copy"));
    await waitFor(() => expect(written).toHaveBeenCalled());
    expect(written.mock.calls[0]?.[0]).toContain("== Encryption (TLS): passed, 64 ms");
    expect(written.mock.calls[0]?.[0]).toContain("> STARTTLS");
  });

  it("takes the password that is typed, applied or not", async () => {
    const { program, user } = await openDelivery(withRelay);
    await waitFor(() => expect(shown("delivery.relay_password.replace")).toBe(true));
    await user.click(byTestId("delivery.relay_password.replace"));
    await user.keyboard("correct horse");
    await user.click(byTestId("relay-test.run"));
    await waitFor(() => expect(byTestId("relay-test.verdict").dataset.tone).toBe("good"));
    expect(program.called("relay_test")[0]?.test).toMatchObject({ password: "correct horse" });
  });

  it("says where it failed and pins the certificate it saw", async () => {
    const { user } = await openDelivery((program) => {
      withRelay(program);
      program.relay.fails = true;
    });
    await user.click(byTestId("relay-test.run"));
    await waitFor(() => expect(byTestId("relay-test.verdict").textContent).toContain("Failed: Encryption"));
    expect(step("auth").dataset.result).toBe("skipped");
    expect(byTestId("relay-test.certificate").textContent).toContain("nobody this machine knows");
    await user.click(byTestId("relay-test.pin"));
    expect(draft.value("delivery.relay_certificate")).toEqual({ pin: fingerprint });
    expect(text()).toContain("Something above was changed after this test.");
    await user.click(byTestId("relay-test.run"));
    await waitFor(() => expect(byTestId("relay-test.verdict").dataset.tone).toBe("good"));
    expect(text()).toContain("This certificate is pinned.");
  });

  it("shows the steps to come while it runs", async () => {
    const { user } = await openDelivery((program) => {
      withRelay(program);
      program.relay.paceMs = 30;
    });
    await user.click(byTestId("relay-test.run"));
    await waitFor(() => expect(step("dns").dataset.result).toBe("running"));
    expect(step("quit").textContent).toContain("to come");
    await waitFor(() => expect(step("quit").dataset.result).toBe("passed"));
  });

  it("is refused in words, at the field that hinders it", async () => {
    const { program, user } = await openDelivery(withRelay);
    program.failures.set("relay_test", {
      kind: "problems",
      message: "the sender is no address",
      problems: [{ path: "from", code: "brand_new", message: "the sender is no address", args: {} }],
    });
    await user.click(byTestId("relay-test.run"));
    await waitFor(() => expect(field("relay-test.from").getAttribute("aria-invalid")).toBe("true"));
    expect(problem("relay-test.from")).toContain("The sender is no address.");
  });

  it("waits for a server to be written", async () => {
    const opened = await openDelivery(withRelay);
    await type(opened, "delivery.relay_server", "");
    expect((byTestId("relay-test.run") as HTMLButtonElement).disabled).toBe(true);
    expect(text()).toContain("Write the relay server first.");
  });
});
