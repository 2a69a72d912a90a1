import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import { paneOf, settingPaths } from "../../lib/paths";

async function openGeneral(): Promise<OpenWindow> {
  const opened = await openWindow();
  await opened.user.click(byTestId("nav-general"));
  return opened;
}

async function type(opened: OpenWindow, path: string, value: string): Promise<void> {
  await opened.user.clear(field(path));
  if (value !== "") await opened.user.type(field(path), value);
}

describe("the General pane", () => {
  it("has a control for every setting and no axe violation", async () => {
    await openGeneral();
    for (const path of settingPaths.filter((each) => paneOf(each) === "general")) {
      const control = document.getElementById(path) ?? document.getElementById(`${path}.on`);
      expect(control ?? document.getElementById(`${path}.automatic`), path).not.toBeNull();
    }
    expect(await violations()).toEqual([]);
  });

  it("collects changes and applies them as one", async () => {
    const opened = await openGeneral();
    expect(shown("draft-bar")).toBe(false);
    await type(opened, "general.max_recipients", "300");
    await opened.user.click(field("general.disable_auto_forwarding"));
    expect(byTestId("draft-summary").textContent).toBe("2 changes in General");

    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(opened.program.settings.general.max_recipients).toBe(300);
    expect(opened.program.settings.general.disable_auto_forwarding).toBe(true);
    expect(text()).toContain("Applied. In force from the next message on.");
  });

  it("keeps the changes while another pane is looked at", async () => {
    const opened = await openGeneral();
    await type(opened, "general.max_hops", "60");
    await opened.user.click(byTestId("nav-users"));
    expect(byTestId("draft-summary").textContent).toBe("1 change in General");
    await opened.user.click(byTestId("nav-general"));
    expect(field("general.max_hops").value).toBe("60");
    await opened.user.click(byTestId("discard"));
    expect(field("general.max_hops").value).toBe("50");
  });

  it("shows a refused value at its field, and Apply leads there", async () => {
    const opened = await openGeneral();
    await type(opened, "general.hostname", "mail");
    const hostname = field("general.hostname");
    await waitFor(() => expect(hostname.getAttribute("aria-invalid")).toBe("true"));
    expect(document.getElementById("general.hostname.problem")?.textContent).toContain("has no dot");
    expect(byTestId("draft-refused").textContent).toContain("Hostname (FQDN)");

    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(document.activeElement).toBe(hostname));
    expect(opened.program.settings.general.hostname).toBe("mail.office.example");
  });

  it("marks the one refused entry of a list", async () => {
    const opened = await openGeneral();
    await opened.user.click(byTestId("general.additional_domains.add"));
    expect(document.activeElement?.id).toBe("general.additional_domains.2");
    await opened.user.keyboard("nodot");
    await waitFor(() =>
      expect(field("general.additional_domains.2").getAttribute("aria-invalid")).toBe("true"),
    );
    expect(field("general.additional_domains.0").getAttribute("aria-invalid")).toBe("false");

    await opened.user.click(byTestId("general.additional_domains.2.remove"));
    expect(shown("draft-bar")).toBe(false);
  });

  it("refuses letters in a number field in words", async () => {
    const opened = await openGeneral();
    await type(opened, "general.max_hops", "many");
    expect(document.getElementById("general.max_hops.problem")?.textContent).toContain("not a whole number");
    await opened.user.click(byTestId("apply"));
    expect(opened.program.called("settings_apply")).toEqual([]);
  });

  it("warns below 100 recipients and of an attachment limit above the message limit", async () => {
    const opened = await openGeneral();
    await type(opened, "general.max_recipients", "99");
    expect(text()).toContain("RFC 5321");
    await type(opened, "general.max_recipients", "100");
    expect(text()).not.toContain("RFC 5321");

    await opened.user.click(byTestId("general.max_attachment_size_mb.on"));
    expect(field("general.max_attachment_size_mb").value).toBe("20");
    await type(opened, "general.max_attachment_size_mb", "26");
    expect(text()).toContain("Above the message limit");
    await opened.user.click(byTestId("general.max_attachment_size_mb.on"));
    expect(text()).not.toContain("Above the message limit");
  });

  it("shows the greeting as it will be sent, while typing", async () => {
    const opened = await openGeneral();
    await type(opened, "general.banner", "hello");
    expect(byTestId("effective-banner").textContent).toBe("220 mail.office.example hello ESMTP");
    expect(text()).toContain("25 MB limit = about 18 MB of attachments.");
    expect(text()).toContain("1,048,576 bytes");
  });

  it("takes certificate files from the native dialog", async () => {
    const opened = await openGeneral();
    opened.program.chosenFile = "/etc/mail/chain.pem";
    await opened.user.click(byTestId("service.certificate.files"));
    await opened.user.click(byTestId("service.certificate.chain.choose"));
    await waitFor(() => expect(field("service.certificate.chain").value).toBe("/etc/mail/chain.pem"));
    await opened.user.click(byTestId("service.certificate.self_signed"));
    expect(shown("draft-bar")).toBe(false);
  });

  it("begins an own list of networks with those in force", async () => {
    const opened = await openGeneral();
    await opened.user.click(byTestId("service.local_networks.own"));
    expect(field("service.local_networks.2").value).toBe("192.168.1.0/24");
  });

  it("shows the wire form of a domain on hover", async () => {
    await openGeneral();
    expect(field("general.additional_domains.0").title).toBe("xn--bcher-kva.example");
  });

  it("offers both ways out of a conflict", async () => {
    const opened = await openGeneral();
    await type(opened, "general.max_hops", "60");
    opened.program.settings.general.max_recipients = 111;
    opened.program.status.revision = 20;
    await opened.user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-conflict")).toBe(true));
    await opened.user.click(byTestId("keep-mine"));
    await waitFor(() => expect(field("general.max_recipients").value).toBe("111"));
    expect(field("general.max_hops").value).toBe("60");
  });
});
